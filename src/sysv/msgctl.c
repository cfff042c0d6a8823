/* SPDX-License-Identifier: MIT */
/*
 * msgctl.c - see msgctl(2).
 *
 * Some C libraries have two forms of the structure, one with 32-bit and one with 64-bit times.
 * There this file is compiled a second time, as msgctl64.c.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "madang/msg.h"
#include "segment/hostcalls.h"
#include "sysv/internal.h"
#include "sysv/ipc.h"
#include "sysv/missing.h"
#include "sysv/seen.h"

#if defined(__x86_64__) && defined(__LP64__)
_Static_assert(sizeof(struct msqid_ds) == 120 && offsetof(struct msqid_ds, msg_stime) == 48 &&
                       offsetof(struct msqid_ds, msg_ctime) == 64 &&
                       offsetof(struct msqid_ds, msg_qnum) == 80 &&
                       offsetof(struct msqid_ds, msg_qbytes) == 88 &&
                       offsetof(struct msqid_ds, msg_lrpid) == 100,
               "the kernel's layout");
#elif defined(__i386__) && defined(__GLIBC__)
_Static_assert(sizeof(struct msqid_ds) == 88 && offsetof(struct msqid_ds, msg_stime) == 36 &&
                       offsetof(struct msqid_ds, msg_ctime) == 52 &&
                       offsetof(struct msqid_ds, msg_qnum) == 64 &&
                       offsetof(struct msqid_ds, msg_qbytes) == 68 &&
                       offsetof(struct msqid_ds, msg_lrpid) == 76,
               "the kernel's layout");
#endif
_Static_assert(sizeof(struct msginfo) == 32, "the kernel's layout");

/* Figures that nothing depends on. The kernel gives these. */
enum { FIGURE_MSGPOOL = 512000, FIGURE_MSGMAP = 16384, FIGURE_MSGSSZ = 16, FIGURE_MSGSEG = 65535 };

static void fill_in(struct msqid_ds *ds, const struct mdg_msgqueue_info *info)
{
	memset(ds, 0, sizeof *ds);
	ds->msg_perm.__key = info->key;
	ds->msg_perm.uid = info->uid;
	ds->msg_perm.gid = info->gid;
	ds->msg_perm.cuid = info->cuid;
	ds->msg_perm.cgid = info->cgid;
	ds->msg_perm.mode = (__typeof__(ds->msg_perm.mode))info->mode;
	ds->msg_perm.__seq = (__typeof__(ds->msg_perm.__seq))(info->id / 32768);
	ds->msg_stime = (time_t)info->stime;
	ds->msg_rtime = (time_t)info->rtime;
	ds->msg_ctime = (time_t)info->ctime;
	ds->MDG__CBYTES = (unsigned long)info->bytes;
	ds->msg_qnum = (msgqnum_t)info->messages;
	ds->msg_qbytes = (msglen_t)info->bytes_max;
	ds->msg_lspid = info->lspid;
	ds->msg_lrpid = info->lrpid;
}

static int status(mdg_namespace *ns, int id, unsigned flags, struct msqid_ds *ds)
{
	struct mdg_msgqueue_info info = { .size = sizeof info };
	int rc = mdg_msgqueue_stat(ns, id, flags, &info);
	if (rc < 0)
		return rc;
	if (ds == NULL)
		return -EFAULT;
	fill_in(ds, &info);
	return flags & MDG_STAT_INDEX ? info.id : 0;
}

static int set(mdg_namespace *ns, int id, const struct msqid_ds *ds)
{
	if (ds == NULL)
		return -EFAULT; /* the kernel copies before it looks at the id */
	return mdg_msgqueue_set(ns, id, ds->msg_perm.uid, ds->msg_perm.gid,
	                        (unsigned)ds->msg_perm.mode & 0777, ds->msg_qbytes);
}

static int at_most_int(uint64_t value)
{
	return value < INT_MAX ? (int)value : INT_MAX;
}

/* How many messages and bytes all queues hold. */
static int sum(mdg_namespace *ns, struct msginfo *ret)
{
	struct mdg_msgqueue_info info = { .size = sizeof info };
	uint64_t messages = 0, bytes = 0;
	uint32_t cursor = 0;
	int more;
	while ((more = mdg_msgqueue_next(ns, &cursor, &info)) > 0) {
		messages += info.messages;
		bytes += info.bytes;
	}
	ret->msgmap = at_most_int(messages);
	ret->msgtql = at_most_int(bytes);
	return more;
}

/* IPC_INFO; and MSG_INFO, which says in three of the fields how much is in use. */
static int limits(mdg_namespace *ns, bool in_use, struct msginfo *ret)
{
	struct mdg__host_totals totals;
	int rc = mdg__host_totals(ns, MDG__MESSAGE_QUEUES, &totals);
	if (rc < 0)
		return rc;
	struct msginfo info = { .msgpool = in_use ? (int)totals.used : FIGURE_MSGPOOL,
		                .msgmap = FIGURE_MSGMAP,
		                .msgmax = (int)totals.limit[0],
		                .msgmnb = (int)totals.limit[1],
		                .msgmni = (int)totals.limit[2],
		                .msgssz = FIGURE_MSGSSZ,
		                .msgtql = FIGURE_MSGMAP,
		                .msgseg = FIGURE_MSGSEG };
	rc = in_use ? sum(ns, &info) : 0;
	if (rc < 0)
		return rc;
	if (ret == NULL)
		return -EFAULT;
	*ret = info;
	return totals.highest;
}

static int command(mdg_namespace *ns, int id, int cmd, struct msqid_ds *ds)
{
	void *other = ds; /* IPC_INFO and MSG_INFO pass another structure */
	switch (cmd) {
	case IPC_STAT:
		return status(ns, id, 0, ds);
	case MSG_STAT:
		return status(ns, id, MDG_STAT_INDEX, ds);
	case MSG_STAT_ANY:
		return status(ns, id, MDG_STAT_INDEX | MDG_STAT_ANY, ds);
	case IPC_SET:
		return set(ns, id, ds);
	case IPC_RMID:
		return mdg_msgqueue_remove(ns, id);
	case IPC_INFO:
	case MSG_INFO:
		return limits(ns, cmd == MSG_INFO, other);
	default:
		return -EINVAL;
	}
}

static int control(int id, int cmd, struct msqid_ds *ds)
{
	mdg_namespace *ns;
	int rc = id < 0 || cmd < 0 ? -EINVAL : mdg__sysv_namespace(&ns);
	if (rc == 0)
		rc = command(ns, id, cmd, ds);
	return rc < 0 ? mdg__sysv_fail(rc, 0) : rc;
}

int mdg__sysv_msgctl(int id, int cmd, struct msqid_ds *ds)
{
	return MDG__SEEN(msgctl, &mdg__log_msgctl, control(id, cmd, ds), id, cmd, ds, 0, 0);
}

MDG_EXPORT int msgctl(int id, int cmd, struct msqid_ds *ds)
{
	return mdg__sysv_msgctl(id, cmd, ds);
}
