/* SPDX-License-Identifier: MIT */
/*
 * signals.h - the signals of the calling thread, and of a process by its number.
 */
#ifndef MADANG_PLATFORM_SIGNALS_H
#define MADANG_PLATFORM_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

/* A set of signals as the kernel has it. */
typedef struct {
	uint64_t set[2];
} mdg__sigmask;

/* Blocks every signal that can be blocked, and tells which were blocked before. */
void mdg__signals_block(mdg__sigmask *ret_old);
void mdg__signals_restore(const mdg__sigmask *old);

/* [all signals blocked] Whether a signal is waiting for which the program has a handler, and which
 * comes when the signals are restored. */
bool mdg__signals_are_due(const mdg__sigmask *old);

/* Beyond RLIMIT_FSIZE the kernel answers -EFBIG and sends SIGXFSZ, which kills. The signal is
 * meant for a program that writes files, but this library asks for memory. If `rc` is -EFBIG,
 * that signal is taken back; a SIGXFSZ that the program sent itself before stays pending.
 * Returns `rc`. Call with signals blocked. */
int mdg__take_back_sigxfsz(int rc);

/* Whether there is a process of that number. A zombie is one. */
bool mdg__sys_process_exists(int32_t pid);

#endif
