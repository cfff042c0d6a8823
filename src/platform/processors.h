/* SPDX-License-Identifier: MIT */
/*
 * processors.h - the processors: how many a thread may use, giving one up, a fence on all of them,
 * and fetching memory that is about to be written.
 */
#ifndef MADANG_PLATFORM_PROCESSORS_H
#define MADANG_PLATFORM_PROCESSORS_H

#include <stdbool.h>

/* How many processors the calling thread may run on. 0: the kernel does not say. */
int mdg__sys_processors(void);
/* Gives the processor to another thread that is ready to run, if there is one. */
void mdg__sys_yield(void);

/* A fence on every thread of every process that has registered: each thread that is running passes
 * a full memory fence before the call returns. So one side of a protocol can do without fences of
 * its own. Both return 0, or -errno: the kernel has no such call (before 4.16), or forbids it. */
int mdg__sys_fence_register(void);
int mdg__sys_fence_all(void);

/* Whether this processor has the instruction below. */
bool mdg__cpu_can_fetch(void);
/* Begins to take a cache line from other processors, because it will be written soon. Any address
 * will do. */
static inline void mdg__cpu_fetch(const void *line)
{
#if defined(__x86_64__) || defined(__i386__)
	/* The compiler would take an instruction that only reads. */
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
	__builtin_prefetch(line, 1);
#endif
}

#endif
