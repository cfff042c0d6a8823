/* SPDX-License-Identifier: MIT */
/*
 * clock.h - what time it is.
 */
#ifndef MADANG_PLATFORM_CLOCK_H
#define MADANG_PLATFORM_CLOCK_H

#include <stdint.h>

/* CLOCK_REALTIME in whole seconds, as the kernel stamps files. */
int64_t mdg__now_seconds(void);
uint64_t mdg__realtime_nanoseconds(void);
uint64_t mdg__monotonic_nanoseconds(void);
/* CLOCK_REALTIME and CLOCK_MONOTONIC as of the last tick; cheap. */
uint64_t mdg__realtime_coarse_nanoseconds(void);
uint64_t mdg__coarse_nanoseconds(void);
/* Since boot, sleep included: the scale of /proc/PID/stat. */
uint64_t mdg__boot_nanoseconds(void);

#endif
