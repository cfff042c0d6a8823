/* SPDX-License-Identifier: MIT */
/* See limits.h. */
#include "platform/limits.h"

#include <stddef.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

#include "platform/raw.h"

/* ---- what the program may have, and was told ------------------------------------------------- */

uint64_t mdg__sys_limit(int resource)
{
	struct {
		uint64_t current, most;
	} limit = { UINT64_MAX, UINT64_MAX };
	(void)MDG__RAW(SYS_prlimit64, 0, resource, NULL, &limit);
	return limit.current;
}

uint64_t mdg__sys_memory(void)
{
	struct sysinfo info = { .mem_unit = 0 };
	if (MDG__RAW(SYS_sysinfo, &info) < 0)
		return UINT64_MAX;
	uint64_t unit = info.mem_unit != 0 ? info.mem_unit : 1;
	return ((uint64_t)info.totalram + info.totalswap) * unit;
}
