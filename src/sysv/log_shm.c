/* SPDX-License-Identifier: MIT */
/*
 * log_shm.c - how the arguments of the calls for shared memory, and of ftok, are logged.
 *
 * shmctl64.c compiles shmctl's part a second time, for structures with 64-bit times.
 */
#include <fcntl.h>
#include <string.h>

#include "platform/readable.h"
#include "sysv/log_ipc.h"
#include "sysv/missing.h"

#define INFO_OF_ALL(cmd) ((cmd) == IPC_INFO || (cmd) == SHM_INFO)

/* ---- shmctl ------------------------------------------------------------------------------ */

static void put_status(struct mdg__line *line, const struct shmid_ds *ds)
{
	mdg__line_text(line, "{shm_perm={");
	mdg__log_permission(line, &ds->shm_perm);
	mdg__line_text(line, "}");
	mdg__log_number(line, "shm_segsz", (int64_t)ds->shm_segsz);
	mdg__log_number(line, "shm_cpid", ds->shm_cpid);
	mdg__log_number(line, "shm_lpid", ds->shm_lpid);
	mdg__log_number(line, "shm_nattch", (int64_t)ds->shm_nattch);
	mdg__log_number(line, "shm_atime", ds->shm_atime);
	mdg__log_number(line, "shm_dtime", ds->shm_dtime);
	mdg__log_number(line, "shm_ctime", ds->shm_ctime);
	mdg__line_text(line, "}");
}

static void put_limits(struct mdg__line *line, const struct shminfo *info)
{
	mdg__line_field(line, "{shmmax", true);
	mdg__line_unsigned(line, info->shmmax, 10, 1);
	mdg__log_number(line, "shmmin", (int64_t)info->shmmin);
	mdg__log_number(line, "shmmni", (int64_t)info->shmmni);
	mdg__log_number(line, "shmseg", (int64_t)info->shmseg);
	mdg__line_field(line, "shmall", false);
	mdg__line_unsigned(line, info->shmall, 10, 1);
	mdg__line_text(line, "}");
}

static void put_totals(struct mdg__line *line, const struct shm_info *info)
{
	mdg__line_field(line, "{used_ids", true);
	mdg__line_signed(line, info->used_ids);
	mdg__log_number(line, "shm_tot", (int64_t)info->shm_tot);
	mdg__log_number(line, "shm_rss", (int64_t)info->shm_rss);
	mdg__line_text(line, "}");
}

static void put_structure(struct mdg__line *line, int cmd, const void *memory, bool has_failed)
{
	bool is_set = cmd == IPC_SET;
	size_t size = cmd == IPC_INFO   ? sizeof(struct shminfo)
	              : cmd == SHM_INFO ? sizeof(struct shm_info)
	                                : sizeof(struct shmid_ds);
	bool is_status = is_set || cmd == IPC_STAT || cmd == SHM_STAT || cmd == SHM_STAT_ANY;
	if ((has_failed && !is_set) || (!is_status && !INFO_OF_ALL(cmd)) || memory == NULL ||
	    !mdg__is_readable(memory, size))
		mdg__line_pointer(line, (uintptr_t)memory);
	else if (is_status)
		put_status(line, memory);
	else if (cmd == IPC_INFO)
		put_limits(line, memory);
	else
		put_totals(line, memory);
}

static void put_shmctl(struct mdg__line *line, const struct mdg__logged *call,
                       enum mdg__log_stage stage)
{
	static const struct mdg__flag commands[] = {
		{ IPC_RMID, "IPC_RMID" },         { IPC_SET, "IPC_SET" },
		{ IPC_STAT, "IPC_STAT" },         { IPC_INFO, "IPC_INFO" },
		{ SHM_LOCK, "SHM_LOCK" },         { SHM_UNLOCK, "SHM_UNLOCK" },
		{ SHM_STAT, "SHM_STAT" },         { SHM_INFO, "SHM_INFO" },
		{ SHM_STAT_ANY, "SHM_STAT_ANY" }, { 0, NULL }
	};
	const long *argument = call->facts.argument;
	(void)stage;
	mdg__log_control(line, argument, commands);
	put_structure(line, (int)argument[1], (const void *)argument[2], call->result == -1);
}

const struct mdg__log_call mdg__log_shmctl = { "shmctl", MDG__GIVES_NUMBER, put_shmctl };

#ifndef MDG__LOG_CTL_ONLY

/* ---- the others -------------------------------------------------------------------------- */

static void put_ftok(struct mdg__line *line, const struct mdg__logged *call,
                     enum mdg__log_stage stage)
{
	const long *argument = call->facts.argument;
	const char *path = (const char *)argument[0];
	size_t length = 0;
	(void)stage;
	while (path != NULL && length < 512 && mdg__is_readable(path + length, 1) &&
	       path[length] != '\0')
		length++;
	if (length == 0 && (path == NULL || !mdg__is_readable(path, 1)))
		mdg__line_pointer(line, (uintptr_t)path);
	else
		mdg__line_bytes(line, path, length);
	mdg__line_text(line, ", ");
	mdg__line_hex(line, (uint64_t)argument[1] & 0xff);
}

static void put_shmget(struct mdg__line *line, const struct mdg__logged *call,
                       enum mdg__log_stage stage)
{
	static const struct mdg__flag flags[] = { { IPC_CREAT, "IPC_CREAT" },
		                                  { IPC_EXCL, "IPC_EXCL" },
		                                  { SHM_HUGETLB, "SHM_HUGETLB" },
		                                  { SHM_NORESERVE, "SHM_NORESERVE" },
		                                  { 0, NULL } };
	const long *argument = call->facts.argument;
	(void)stage;
	mdg__log_key(line, (int32_t)argument[0]);
	mdg__line_text(line, ", ");
	mdg__line_unsigned(line, (unsigned long)argument[1], 10, 1);
	mdg__line_text(line, ", ");
	mdg__line_mode(line, (uint32_t)argument[2], flags);
}

static void put_shmat(struct mdg__line *line, const struct mdg__logged *call,
                      enum mdg__log_stage stage)
{
	static const struct mdg__flag flags[] = { { SHM_RDONLY, "SHM_RDONLY" },
		                                  { SHM_RND, "SHM_RND" },
		                                  { SHM_REMAP, "SHM_REMAP" },
		                                  { SHM_EXEC, "SHM_EXEC" },
		                                  { 0, NULL } };
	const long *argument = call->facts.argument;
	(void)stage;
	mdg__line_signed(line, (int)argument[0]);
	mdg__line_text(line, ", ");
	mdg__line_pointer(line, (uintptr_t)argument[1]);
	mdg__line_text(line, ", ");
	if (!mdg__line_flags(line, (uint32_t)argument[2], flags))
		mdg__line_text(line, "0");
}

static void put_shmdt(struct mdg__line *line, const struct mdg__logged *call,
                      enum mdg__log_stage stage)
{
	(void)stage;
	mdg__line_pointer(line, (uintptr_t)call->facts.argument[0]);
}

const struct mdg__log_call mdg__log_ftok = { "ftok", MDG__GIVES_KEY, put_ftok };
const struct mdg__log_call mdg__log_shmget = { "shmget", MDG__GIVES_NUMBER, put_shmget };
const struct mdg__log_call mdg__log_shmat = { "shmat", MDG__GIVES_ADDRESS, put_shmat };
const struct mdg__log_call mdg__log_shmdt = { "shmdt", MDG__GIVES_NUMBER, put_shmdt };

#endif
