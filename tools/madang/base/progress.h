/* SPDX-License-Identifier: MIT */
/*
 * progress.h - one line on a terminal that says how far long work is, and how long it has taken.
 *
 *     for (i = 0; i < count; i++) {
 *             progress_show("checking sets", i, count);
 *             ...
 *     }
 *     progress_end();
 *
 * The line goes to standard error, if that is a terminal, and is silent otherwise. It appears when
 * the work has taken half a second, changes a few times a second, and is erased at the end. Call
 * progress_end before anything else is printed. For one thread.
 */
#ifndef MADANG_TOOL_PROGRESS_H
#define MADANG_TOOL_PROGRESS_H

#include <stdint.h>

/* `total` 0: nobody knows how much there is. */
void progress_show(const char *what, uint64_t done, uint64_t total);
/* Shows it at once, because the step that begins is long in itself. */
void progress_step(const char *what, uint64_t done, uint64_t total);
void progress_end(void);

#endif
