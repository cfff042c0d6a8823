/* SPDX-License-Identifier: MIT */
/*
 * limits.h - how much memory there is, and how much of it the process may have.
 */
#ifndef MADANG_PLATFORM_LIMITS_H
#define MADANG_PLATFORM_LIMITS_H

#include <stdint.h>

/* The limit in force for an RLIMIT_... UINT64_MAX: no limit, or it cannot be found out. */
uint64_t mdg__sys_limit(int resource);
/* Bytes of memory and swap of the machine. UINT64_MAX: it cannot be found out. */
uint64_t mdg__sys_memory(void);

#endif
