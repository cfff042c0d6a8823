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

/* Whether a signal waits that `mask` lets in and for which the process has a handler (or which ends
 * it). Call with signals blocked. */
bool mdg__handler_waits(const mdg__sigmask *mask);

/* Beyond RLIMIT_FSIZE the kernel answers -EFBIG and sends SIGXFSZ, which kills. The signal is
 * meant for a program that writes files, but this library asks for memory. If `rc` is -EFBIG,
 * that signal is taken back; a SIGXFSZ that the program sent itself before stays pending.
 * Returns `rc`. Call with signals blocked. */
int mdg__take_back_sigxfsz(int rc);

/* Whether the signal is sent and not delivered; and takes it, if it is. Call with signals
 * blocked. */
bool mdg__signal_is_pending(int number);
void mdg__signal_drop(int number);

/* Whether there is a process of that number. A zombie is one. */
bool mdg__sys_process_exists(int32_t pid);
/* Whether this process has a thread of that number. */
bool mdg__sys_thread_exists(int32_t tid);

#endif
