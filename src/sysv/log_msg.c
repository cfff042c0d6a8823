/* SPDX-License-Identifier: MIT */
/*
 * log_msg.c - how the arguments of the calls for message queues are logged.
 *
 * msgctl64.c compiles msgctl's part a second time, for structures with 64-bit times.
 */
#include <string.h>

#include "platform/readable.h"
#include "sysv/log_ipc.h"
#include "sysv/missing.h"

/* ---- msgctl ------------------------------------------------------------------------------ */

static void put_status(struct mdg__line *line, const struct msqid_ds *ds)
{
	mdg__line_text(line, "{msg_perm={");
	mdg__log_permission(line, &ds->msg_perm);
	mdg__line_text(line, "}");
	mdg__log_number(line, "msg_stime", ds->msg_stime);
	mdg__log_number(line, "msg_rtime", ds->msg_rtime);
	mdg__log_number(line, "msg_ctime", ds->msg_ctime);
	mdg__log_number(line, "msg_cbytes", (int64_t)ds->MDG__CBYTES);
	mdg__log_number(line, "msg_qnum", (int64_t)ds->msg_qnum);
	mdg__log_number(line, "msg_qbytes", (int64_t)ds->msg_qbytes);
	mdg__log_number(line, "msg_lspid", ds->msg_lspid);
	mdg__log_number(line, "msg_lrpid", ds->msg_lrpid);
	mdg__line_text(line, "}");
}

static void put_limits(struct mdg__line *line, const struct msginfo *info)
{
	mdg__line_field(line, "{msgpool", true);
	mdg__line_signed(line, info->msgpool);
	mdg__log_number(line, "msgmap", info->msgmap);
	mdg__log_number(line, "msgmax", info->msgmax);
	mdg__log_number(line, "msgmnb", info->msgmnb);
	mdg__log_number(line, "msgmni", info->msgmni);
	mdg__log_number(line, "msgssz", info->msgssz);
	mdg__log_number(line, "msgtql", info->msgtql);
	mdg__log_number(line, "msgseg", info->msgseg);
	mdg__line_text(line, "}");
}

static void put_structure(struct mdg__line *line, int cmd, const void *memory, bool has_failed)
{
	bool is_status = cmd == IPC_STAT || cmd == MSG_STAT || cmd == MSG_STAT_ANY;
	bool is_limits = cmd == IPC_INFO || cmd == MSG_INFO;
	if ((cmd == IPC_SET || (is_status && !has_failed)) &&
	    mdg__is_readable(memory, sizeof(struct msqid_ds)))
		put_status(line, memory);
	else if (is_limits && !has_failed && mdg__is_readable(memory, sizeof(struct msginfo)))
		put_limits(line, memory);
	else
		mdg__line_pointer(line, (uintptr_t)memory);
}

static void put_msgctl(struct mdg__line *line, const struct mdg__logged *call,
                       enum mdg__log_stage stage)
{
	static const struct mdg__flag commands[] = {
		{ IPC_RMID, "IPC_RMID" },         { IPC_SET, "IPC_SET" },
		{ IPC_STAT, "IPC_STAT" },         { IPC_INFO, "IPC_INFO" },
		{ MSG_STAT, "MSG_STAT" },         { MSG_INFO, "MSG_INFO" },
		{ MSG_STAT_ANY, "MSG_STAT_ANY" }, { 0, NULL }
	};
	const long *argument = call->facts.argument;
	(void)stage;
	mdg__log_control(line, argument, commands);
	put_structure(line, (int)argument[1], (const void *)argument[2], call->result == -1);
}

const struct mdg__log_call mdg__log_msgctl = { "msgctl", MDG__GIVES_NUMBER, put_msgctl };

#ifndef MDG__LOG_CTL_ONLY

/* ---- msgsnd, msgrcv ---------------------------------------------------------------------- */

static const struct mdg__flag transfer_flags[] = { { IPC_NOWAIT, "IPC_NOWAIT" },
	                                           { MSG_NOERROR, "MSG_NOERROR" },
	                                           { MSG_EXCEPT, "MSG_EXCEPT" },
	                                           { MSG_COPY, "MSG_COPY" },
	                                           { 0, NULL } };

static void put_transfer_flags(struct mdg__line *line, long flags)
{
	if (!mdg__line_flags(line, (uint32_t)flags, transfer_flags))
		mdg__line_text(line, "0");
}

/* The type, and the beginning of the text. */
static void put_message(struct mdg__line *line, const char *message, size_t size)
{
	size_t shown = size < 64 ? size : 64; /* more than mdg__line_bytes shows */
	long type;
	if (message == NULL || !mdg__is_readable(message, sizeof type + shown)) {
		mdg__line_pointer(line, (uintptr_t)message);
		return;
	}
	memcpy(&type, message, sizeof type);
	mdg__line_text(line, "{");
	mdg__line_signed(line, type);
	mdg__line_text(line, ", ");
	mdg__line_bytes(line, message + sizeof type, shown);
	mdg__line_text(line, "}");
}

static void put_msgsnd(struct mdg__line *line, const struct mdg__logged *call,
                       enum mdg__log_stage stage)
{
	const long *argument = call->facts.argument;
	if (stage == MDG__LOG_RESUMED)
		return;
	mdg__line_signed(line, (int)argument[0]);
	mdg__line_text(line, ", ");
	put_message(line, (const char *)argument[1], (size_t)argument[2]);
	mdg__line_text(line, ", ");
	mdg__line_unsigned(line, (unsigned long)argument[2], 10, 1);
	mdg__line_text(line, ", ");
	put_transfer_flags(line, argument[3]);
}

/* Before the sleep there is no message yet, and afterwards the rest is known. */
static void put_msgrcv(struct mdg__line *line, const struct mdg__logged *call,
                       enum mdg__log_stage stage)
{
	const long *argument = call->facts.argument;
	const char *message = (const char *)argument[1];
	bool has_one = stage != MDG__LOG_BEFORE && call->result != -1;
	if (stage != MDG__LOG_RESUMED) {
		mdg__line_signed(line, (int)argument[0]);
		mdg__line_text(line, ", ");
	}
	if (has_one)
		put_message(line, message, (size_t)call->result);
	else if (stage != MDG__LOG_RESUMED)
		mdg__line_pointer(line, (uintptr_t)message);
	if (stage == MDG__LOG_RESUMED)
		return;
	mdg__line_text(line, ", ");
	mdg__line_unsigned(line, (unsigned long)argument[2], 10, 1);
	mdg__line_text(line, ", ");
	mdg__line_signed(line, argument[3]);
	mdg__line_text(line, ", ");
	put_transfer_flags(line, argument[4]);
}

static void put_msgget(struct mdg__line *line, const struct mdg__logged *call,
                       enum mdg__log_stage stage)
{
	const long *argument = call->facts.argument;
	(void)stage;
	mdg__log_key(line, (int32_t)argument[0]);
	mdg__line_text(line, ", ");
	mdg__log_make_flags(line, argument[1]);
}

const struct mdg__log_call mdg__log_msgget = { "msgget", MDG__GIVES_NUMBER, put_msgget };
const struct mdg__log_call mdg__log_msgsnd = { "msgsnd", MDG__GIVES_NUMBER, put_msgsnd };
const struct mdg__log_call mdg__log_msgrcv = { "msgrcv", MDG__GIVES_NUMBER, put_msgrcv };

#endif
