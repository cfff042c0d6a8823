/* SPDX-License-Identifier: MIT */
/*
 * ofthread.h - memory of which each thread has its own.
 *
 * With glibc it is one instruction away and never allocated late, so also for signal
 * handlers and forked children. musl does not allocate it late either, but refuses to dlopen
 * a library that has the first kind, as Android does.
 */
#ifndef MADANG_PLATFORM_OFTHREAD_H
#define MADANG_PLATFORM_OFTHREAD_H

#if defined(__GLIBC__)
#define MDG__OF_THREAD __thread __attribute__((tls_model("initial-exec")))
#else
#define MDG__OF_THREAD __thread
#endif

#endif
