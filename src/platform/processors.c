/* SPDX-License-Identifier: MIT */
/* processors.c - see processors.h. */
#include "platform/processors.h"

#include <errno.h>
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
