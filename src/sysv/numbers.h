/* SPDX-License-Identifier: MIT */
/*
 * numbers.h - system calls by their number, for syscall(2).
 */
#ifndef MADANG_SYSV_NUMBERS_H
#define MADANG_SYSV_NUMBERS_H

#include <features.h>
#include <stdbool.h>
#include <sys/syscall.h>

/* Two things must hold. A variadic function finds its arguments where a function without dots finds
 * them. And the rooms below make their system calls by an instruction (platform/raw.h), so that
 * these do not come through here. */
#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__LP64__)
#define MDG__HAS_NUMBERS 1
#elif defined(__i386__) && defined(__GLIBC__)
#define MDG__HAS_NUMBERS 1
#else
#define MDG__HAS_NUMBERS 0
#endif

/* ---- numbers.c ---- */

/* The result is that of syscall(2): a value, or -1 and errno. */
typedef long mdg__number_function(long a, long b, long c, long d, long e, long f);

/* The functions that stand for system calls, by number. NULL: the call goes on to the kernel. */
extern __attribute__((visibility("hidden"))) mdg__number_function *const mdg__numbers[];
extern __attribute__((visibility("hidden"))) const unsigned long mdg__numbers_count;

/* ---- number_ipc.c ---- */

__attribute__((visibility("hidden"))) mdg__number_function mdg__number_ipc;

/* ---- number_pass.c ---- */

typedef long mdg__syscall_function(long number, long a, long b, long c, long d, long e, long f);

/* The next syscall(2) behind ours. A constructor of this library writes it, once. NULL: that has
 * not happened yet, so no other library can want to see the call. */
extern __attribute__((visibility("hidden"))) mdg__syscall_function *mdg__next_syscall;
/* Makes the call in the kernel. The result is that of syscall(2). */
__attribute__((visibility("hidden"))) mdg__syscall_function mdg__number_to_kernel;
/* Passes the call on: to the next syscall(2), or to the kernel when there is none. */
__attribute__((visibility("hidden"))) mdg__syscall_function mdg__number_pass;

#endif
