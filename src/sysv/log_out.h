/* SPDX-License-Identifier: MIT */
/*
 * log_out.h - where the log of calls goes, and the writing of a line.
 *
 * MADANG_LOG in the environment says where. `madang run --log` sets it:
 *
 *     /PATH       a file. Each process opens it at its first line, and adds its lines at the end.
 *     -DEV:INO    standard error, as long as it is the file with these numbers
 *     -           standard error, as long as it is the file that it was at the start
 *
 * A set-user-ID program ignores the variable. Anything else means that nothing is logged.
 */
#ifndef MADANG_SYSV_LOG_OUT_H
#define MADANG_SYSV_LOG_OUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sysv/log_line.h"

/* 1: calls are logged. */
extern _Atomic uint32_t mdg__log_is_on;

/* One load. Relaxed: what is behind it was written when the library started. */
static inline bool mdg__is_logged(void)
{
	return __builtin_expect(atomic_load_explicit(&mdg__log_is_on, memory_order_relaxed) != 0,
	                        0);
}

/* Ends the line and writes it, by one write. What cannot be written is dropped. */
void mdg__log_write(struct mdg__line *line);

#endif
