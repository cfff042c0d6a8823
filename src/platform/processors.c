/* SPDX-License-Identifier: MIT */
/* processors.c - see processors.h. */
#include "platform/processors.h"

#include <errno.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <stdatomic.h>
#endif
#include <sys/syscall.h>

#include "platform/raw.h"

int mdg__sys_processors(void)
{
	unsigned long set[1024 / (8 * sizeof(unsigned long))] = { 0 };
	long size = MDG__RAW(SYS_sched_getaffinity, 0, sizeof set, set);
	int processors = 0;
	for (long i = 0; i < size / (long)sizeof set[0]; i++)
		processors += __builtin_popcountl(set[i]);
	return processors;
}

void mdg__sys_yield(void)
{
	(void)MDG__RAW(SYS_sched_yield);
}

/* ---- fences -------------------------------------------------------------------------------- */

/* Headers of before Linux 4.3 do not have the number. */
static int membarrier(int command)
{
#ifdef SYS_membarrier
	return (int)MDG__RAW(SYS_membarrier, command, 0, 0);
#else
	(void)command;
	return -ENOSYS;
#endif
}

/* linux/membarrier.h, from kernel 4.16 on */
enum { GLOBAL_EXPEDITED = 1 << 1, REGISTER_GLOBAL_EXPEDITED = 1 << 2 };

int mdg__sys_fence_register(void)
{
	return membarrier(REGISTER_GLOBAL_EXPEDITED);
}

int mdg__sys_fence_all(void)
{
	return membarrier(GLOBAL_EXPEDITED);
}

/* ---- fetching ------------------------------------------------------------------------------ */

#if defined(__x86_64__) || defined(__i386__)

/* The first processors with 64 bits, and many with 32, do not know the instruction. */
static bool knows_prefetchw(void)
{
	const unsigned extended = 0x80000001, prefetchw = 1 << 8;
	unsigned a, b, c = 0, d;
	return __get_cpuid(extended, &a, &b, &c, &d) != 0 && (c & prefetchw) != 0;
}

/* Asked once in a process: on a virtual machine the question takes some 10 us. */
bool mdg__cpu_can_fetch(void)
{
	enum { NOT_ASKED, NO, YES };
	static _Atomic int answer = NOT_ASKED;
	int known = atomic_load_explicit(&answer, memory_order_relaxed);
	if (known == NOT_ASKED) {
		known = knows_prefetchw() ? YES : NO;
		atomic_store_explicit(&answer, known, memory_order_relaxed);
	}
	return known == YES;
}

#else

bool mdg__cpu_can_fetch(void)
{
	return true;
}

#endif
