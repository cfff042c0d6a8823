/* SPDX-License-Identifier: MIT */
/*
 * numbers.h - system calls by their number, for syscall(2).
 */
#ifndef MADANG_SYSV_NUMBERS_H
#define MADANG_SYSV_NUMBERS_H

#include <features.h>
#include <stdbool.h>
#include <sys/syscall.h>

/* Where a variadic function finds its arguments is where one without dots does, and the
 * rooms below make their system calls by an instruction (platform/raw.h), not through here. */
#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__LP64__)
#define MDG__HAS_NUMBERS 1
#elif defined(__i386__) && defined(__GLIBC__)
#define MDG__HAS_NUMBERS 1
#else
#define MDG__HAS_NUMBERS 0
#endif

/* ---- numbers.c ---- */

/* As syscall(2) itself: the result, or -1 and errno. */
typedef long mdg__number_function(long a, long b, long c, long d, long e, long f);

/* What stands for a system call here. The table ends behind the last one. */
extern __attribute__((visibility("hidden"))) mdg__number_function *const mdg__numbers[];
extern __attribute__((visibility("hidden"))) const unsigned long mdg__numbers_count;

/* ---- number_pass.c ---- */

typedef long mdg__syscall_function(long number, long a, long b, long c, long d, long e, long f);

/* The next syscall(2), written once, by a constructor of the library. NULL: no library has started
 * that could want to see the call. */
extern __attribute__((visibility("hidden"))) mdg__syscall_function *mdg__next_syscall;
/* Makes the call with the kernel: the result, or -1 and errno. */
__attribute__((visibility("hidden"))) mdg__syscall_function mdg__number_to_kernel;
/* Passes the call on: to the next syscall(2), or to the kernel when there is none. */
__attribute__((visibility("hidden"))) mdg__syscall_function mdg__number_pass;

#endif
