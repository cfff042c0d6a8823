/* SPDX-License-Identifier: MIT */
/*
 * deadline.c - makes a deadline from a time span.
 */
#include "madang/sync.h"
#include "platform/sys.h"

uint64_t mdg_deadline(uint64_t nanoseconds)
{
	uint64_t now = mdg__monotonic_nanoseconds();
	return nanoseconds > MDG_FOREVER - now ? MDG_FOREVER : now + nanoseconds;
}
