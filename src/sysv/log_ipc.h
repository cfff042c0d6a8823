/* SPDX-License-Identifier: MIT */
/*
 * log_ipc.h - what the arguments of all System V calls have in common: keys, flags, commands,
 * and struct ipc_perm.
 */
#ifndef MADANG_SYSV_LOG_IPC_H
#define MADANG_SYSV_LOG_IPC_H

#include <sys/ipc.h>

#include "sysv/log.h"

/* "NAME=NUMBER" after a comma. */
static inline void mdg__log_number(struct mdg__line *line, const char *name, int64_t number)
{
	mdg__line_field(line, name, false);
	mdg__line_signed(line, number);
}

static inline void mdg__log_key(struct mdg__line *line, int32_t key)
{
	if (key == IPC_PRIVATE)
		mdg__line_text(line, "IPC_PRIVATE");
	else
		mdg__line_hex(line, (uint32_t)key);
}

/* What msgget and semget are told. */
static inline void mdg__log_make_flags(struct mdg__line *line, long flags)
{
	static const struct mdg__flag names[] = { { IPC_CREAT, "IPC_CREAT" },
		                                  { IPC_EXCL, "IPC_EXCL" },
		                                  { 0, NULL } };
	mdg__line_mode(line, (uint32_t)flags, names);
}

/* The id and the command, with which the arguments of shmctl and msgctl begin. */
static inline void mdg__log_control(struct mdg__line *line, const long *argument,
                                    const struct mdg__flag *commands)
{
	mdg__line_signed(line, (int)argument[0]);
	mdg__line_text(line, ", ");
	mdg__line_command(line, (int)argument[1], commands);
	mdg__line_text(line, ", ");
}

/* The fields, without braces. */
static inline void mdg__log_permission(struct mdg__line *line, const struct ipc_perm *perm)
{
	mdg__line_field(line, "uid", true);
	mdg__line_unsigned(line, perm->uid, 10, 1);
	mdg__line_field(line, "gid", false);
	mdg__line_unsigned(line, perm->gid, 10, 1);
	mdg__line_text(line, ", mode=0");
	mdg__line_unsigned(line, perm->mode, 8, 2);
	mdg__line_field(line, "key", false);
	mdg__line_hex(line, (uint32_t)perm->__key);
	mdg__line_field(line, "cuid", false);
	mdg__line_unsigned(line, perm->cuid, 10, 1);
	mdg__line_field(line, "cgid", false);
	mdg__line_unsigned(line, perm->cgid, 10, 1);
}

#endif
