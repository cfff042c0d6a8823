/* SPDX-License-Identifier: MIT */
/*
 * log_sem.c - how the arguments of the calls for semaphores are logged.
 *
 * semctl64.c and semtimedop64.c compile their parts a second time, for structures with 64-bit
 * times.
 */
#include <string.h>
#include <time.h>

#include "madang/sem.h"
#include "platform/readable.h"
#include "sysv/internal.h"
#include "sysv/ipc.h"
#include "sysv/log_ipc.h"
#include "sysv/missing.h"

enum { MOST_SHOWN = 16 }; /* operations, values */

#ifndef MDG__TIMED_ONLY

/* ---- semctl ------------------------------------------------------------------------------ */

static void put_status(struct mdg__line *line, const struct semid_ds *ds)
{
	mdg__line_text(line, "{sem_perm={");
	mdg__log_permission(line, &ds->sem_perm);
	mdg__line_text(line, "}");
	mdg__log_number(line, "sem_otime", ds->sem_otime);
	mdg__log_number(line, "sem_ctime", ds->sem_ctime);
	mdg__log_number(line, "sem_nsems", (int64_t)ds->sem_nsems);
	mdg__line_text(line, "}");
}

static void put_limits(struct mdg__line *line, const struct seminfo *info)
{
	mdg__line_field(line, "{semmap", true);
	mdg__line_signed(line, info->semmap);
	mdg__log_number(line, "semmni", info->semmni);
	mdg__log_number(line, "semmns", info->semmns);
	mdg__log_number(line, "semmnu", info->semmnu);
	mdg__log_number(line, "semmsl", info->semmsl);
	mdg__log_number(line, "semopm", info->semopm);
	mdg__log_number(line, "semume", info->semume);
	mdg__log_number(line, "semusz", info->semusz);
	mdg__log_number(line, "semvmx", info->semvmx);
	mdg__log_number(line, "semaem", info->semaem);
	mdg__line_text(line, "}");
}

/* How many values GETALL and SETALL pass, is known to the set alone. 0: it cannot be asked. */
static uint32_t count_of(int id)
{
	struct mdg_semset_info info = { .size = sizeof info };
	mdg_namespace *ns = mdg__sysv_namespace_if_open();
	return ns != NULL && mdg_semset_stat(ns, id, MDG_STAT_ANY, &info) == 0 ? info.count : 0;
}

static void put_values(struct mdg__line *line, int id, const unsigned short *values)
{
	uint32_t count = count_of(id), shown = count < MOST_SHOWN ? count : MOST_SHOWN;
	if (count == 0 || !mdg__is_readable(values, shown * sizeof values[0])) {
		mdg__line_pointer(line, (uintptr_t)values);
		return;
	}
	mdg__line_text(line, "[");
	for (uint32_t i = 0; i < shown; i++) {
		mdg__line_text(line, i == 0 ? "" : ", ");
		mdg__line_unsigned(line, values[i], 10, 1);
	}
	mdg__line_text(line, shown < count ? ", ...]" : "]");
}

static void put_argument(struct mdg__line *line, const struct mdg__logged *call, int cmd)
{
	const void *memory = (const void *)call->facts.argument[3];
	bool has_failed = call->result == -1;
	bool is_status = cmd == IPC_STAT || cmd == SEM_STAT || cmd == SEM_STAT_ANY;
	bool is_limits = cmd == IPC_INFO || cmd == SEM_INFO;
	if (cmd == SETVAL)
		mdg__line_signed(line, (int)call->facts.argument[4]);
	else if (cmd == SETALL || (cmd == GETALL && !has_failed))
		put_values(line, (int)call->facts.argument[0], memory);
	else if ((cmd == IPC_SET || (is_status && !has_failed)) &&
	         mdg__is_readable(memory, sizeof(struct semid_ds)))
		put_status(line, memory);
	else if (is_limits && !has_failed && mdg__is_readable(memory, sizeof(struct seminfo)))
		put_limits(line, memory);
	else
		mdg__line_pointer(line, (uintptr_t)memory);
}

/* argument[3] is the union as a pointer, and [4] as a number. */
static void put_semctl(struct mdg__line *line, const struct mdg__logged *call,
                       enum mdg__log_stage stage)
{
	static const struct mdg__flag commands[] = { { IPC_RMID, "IPC_RMID" },
		                                     { IPC_SET, "IPC_SET" },
		                                     { IPC_STAT, "IPC_STAT" },
		                                     { IPC_INFO, "IPC_INFO" },
		                                     { GETPID, "GETPID" },
		                                     { GETVAL, "GETVAL" },
		                                     { GETALL, "GETALL" },
		                                     { GETNCNT, "GETNCNT" },
		                                     { GETZCNT, "GETZCNT" },
		                                     { SETVAL, "SETVAL" },
		                                     { SETALL, "SETALL" },
		                                     { SEM_STAT, "SEM_STAT" },
		                                     { SEM_INFO, "SEM_INFO" },
		                                     { SEM_STAT_ANY, "SEM_STAT_ANY" },
		                                     { 0, NULL } };
	const long *argument = call->facts.argument;
	int cmd = (int)argument[2];
	bool has_argument = cmd != IPC_RMID && cmd != GETPID && cmd != GETVAL && cmd != GETNCNT &&
	                    cmd != GETZCNT;
	(void)stage;
	mdg__line_signed(line, (int)argument[0]);
	mdg__line_text(line, ", ");
	mdg__line_signed(line, (int)argument[1]);
	mdg__line_text(line, ", ");
	mdg__line_command(line, cmd, commands);
	if (has_argument) {
		mdg__line_text(line, ", ");
		put_argument(line, call, cmd);
	}
}

const struct mdg__log_call mdg__log_semctl = { "semctl", MDG__GIVES_NUMBER, put_semctl };

#endif

#ifndef MDG__LOG_CTL_ONLY

/* ---- semop, semtimedop ------------------------------------------------------------------- */

static void put_operation(struct mdg__line *line, const struct sembuf *op)
{
	static const struct mdg__flag flags[] = { { SEM_UNDO, "SEM_UNDO" },
		                                  { IPC_NOWAIT, "IPC_NOWAIT" },
		                                  { 0, NULL } };
	mdg__line_field(line, "{sem_num", true);
	mdg__line_unsigned(line, op->sem_num, 10, 1);
	mdg__log_number(line, "sem_op", op->sem_op);
	mdg__line_field(line, "sem_flg", false);
	if (!mdg__line_flags(line, (uint16_t)op->sem_flg, flags))
		mdg__line_text(line, "0");
	mdg__line_text(line, "}");
}

static void put_operations(struct mdg__line *line, const struct sembuf *ops, uint32_t count)
{
	uint32_t shown = count < MOST_SHOWN ? count : MOST_SHOWN;
	if (ops == NULL || !mdg__is_readable(ops, shown * sizeof *ops)) {
		mdg__line_pointer(line, (uintptr_t)ops);
		return;
	}
	mdg__line_text(line, "[");
	for (uint32_t i = 0; i < shown; i++) {
		mdg__line_text(line, i == 0 ? "" : ", ");
		put_operation(line, &ops[i]);
	}
	mdg__line_text(line, shown < count ? ", ...]" : "]");
}

static void put_timeout(struct mdg__line *line, const struct timespec *timeout)
{
	if (!mdg__is_readable(timeout, sizeof *timeout)) {
		mdg__line_pointer(line, (uintptr_t)timeout);
		return;
	}
	mdg__line_field(line, "{tv_sec", true);
	mdg__line_signed(line, timeout->tv_sec);
	mdg__log_number(line, "tv_nsec", timeout->tv_nsec);
	mdg__line_text(line, "}");
}

static void put_semop(struct mdg__line *line, const struct mdg__logged *call,
                      enum mdg__log_stage stage)
{
	const long *argument = call->facts.argument;
	if (stage == MDG__LOG_RESUMED)
		return;
	mdg__line_signed(line, (int)argument[0]);
	mdg__line_text(line, ", ");
	put_operations(line, (const struct sembuf *)argument[1], (uint32_t)argument[2]);
	mdg__line_text(line, ", ");
	mdg__line_unsigned(line, (unsigned long)argument[2], 10, 1);
	if (argument[3] != 0) {
		mdg__line_text(line, ", ");
		put_timeout(line, (const struct timespec *)argument[3]);
	}
}

#ifndef MDG__TIMED_ONLY
const struct mdg__log_call mdg__log_semop = { "semop", MDG__GIVES_NUMBER, put_semop };
#endif
const struct mdg__log_call mdg__log_semtimedop = { "semtimedop", MDG__GIVES_NUMBER, put_semop };

#endif

#if !defined(MDG__LOG_CTL_ONLY) && !defined(MDG__TIMED_ONLY)

/* ---- semget ------------------------------------------------------------------------------ */

static void put_semget(struct mdg__line *line, const struct mdg__logged *call,
                       enum mdg__log_stage stage)
{
	const long *argument = call->facts.argument;
	(void)stage;
	mdg__log_key(line, (int32_t)argument[0]);
	mdg__line_text(line, ", ");
	mdg__line_signed(line, (int)argument[1]);
	mdg__line_text(line, ", ");
	mdg__log_make_flags(line, argument[2]);
}

const struct mdg__log_call mdg__log_semget = { "semget", MDG__GIVES_NUMBER, put_semget };

#endif
