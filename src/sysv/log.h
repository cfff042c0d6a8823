/* SPDX-License-Identifier: MIT */
/*
 * log.h - the log of System V calls, as strace(1) would print them: `madang run --log`.
 *
 * A function of this room that is a System V call does this (see seen.h):
 *
 *     struct mdg__logged logged;
 *     bool is_logged = mdg__is_logged();                           // one load
 *     if (is_logged)
 *             mdg__log_begin(&logged, &mdg__log_shmget, key, (long)size, flags, 0, 0);
 *     int result = get(key, size, flags);
 *     if (is_logged)
 *             (void)mdg__log_end(&logged, result);
 *
 * A call becomes one line when it returns, with its arguments, result, errno and duration. If it
 * has to sleep, a first line says so before the sleep, and ends with "<unfinished ...>". So the log
 * shows what a program hangs in.
 *
 * errno stays as the call has left it. log_out.h says where the lines go.
 */
#ifndef MADANG_SYSV_LOG_H
#define MADANG_SYSV_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "sysv/log_line.h"
#include "sysv/log_out.h"

enum { MDG__LOG_ARGUMENTS = 5 };

/* BEFORE: it is about to sleep. AFTER: it has returned. RESUMED: likewise, and what it got has
 * been said before. Then only what the call has given is told. */
enum mdg__log_stage { MDG__LOG_BEFORE, MDG__LOG_AFTER, MDG__LOG_RESUMED };

struct mdg__logged;
struct mdg__log_call {
	const char *name;
	enum { MDG__GIVES_NUMBER, MDG__GIVES_ADDRESS, MDG__GIVES_KEY } gives;
	void (*arguments)(struct mdg__line *line, const struct mdg__logged *call,
	                  enum mdg__log_stage stage);
};

/* What is needed to tell of a call. */
struct mdg__log_facts {
	const struct mdg__log_call *call; /* NULL: none */
	const void *whose;                /* the struct mdg__logged */
	long argument[MDG__LOG_ARGUMENTS];
	uint64_t realtime, monotonic; /* when it began */
	bool is_told;                 /* its first line is written */
};

struct mdg__logged {
	struct mdg__log_facts facts;
	struct mdg__log_facts outer; /* of the call that a signal handler has interrupted */
	long result;                 /* -1: it failed */
};

/* The calls, and how their arguments are written: log_shm.c, log_sem.c, log_msg.c. Those with
 * structures of 64-bit times are there on 32-bit glibc only (shmctl64.c and its like). */
extern const struct mdg__log_call mdg__log_ftok, mdg__log_shmget, mdg__log_shmat, mdg__log_shmdt,
	mdg__log_shmctl, mdg__log_semget, mdg__log_semop, mdg__log_semtimedop, mdg__log_semctl,
	mdg__log_msgget, mdg__log_msgsnd, mdg__log_msgrcv, mdg__log_msgctl;

__attribute__((cold)) void mdg__log_begin(struct mdg__logged *logged,
                                          const struct mdg__log_call *call, long a, long b, long c,
                                          long d, long e);
/* Returns the result. */
__attribute__((cold)) long mdg__log_end(struct mdg__logged *logged, long result);

#endif
