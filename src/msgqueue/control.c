/* SPDX-License-Identifier: MIT */
/*
 * control.c - the calls of <madang/msg.h> that look at a queue, change it and remove it.
 *
 * REMOVAL. A queue that nobody has used has no file, and nobody sleeps in it: the entry goes, and
 * that is all. Else the word `removed` in the queue's memory is the moment of the removal. Then the
 * sleepers are called, and then entry and file go. If the remover dies in between, whoever gets
 * -EIDRM from the engine ends it (mdg__open_done). Memory that cannot be opened, or locked within
 * half a second, is left as it is. Then the sleepers find out that the queue is gone at their next
 * look (wait.c).
 */
#include "madang/msg.h"

#include <errno.h>

#include "msgqueue/open.h"
#include "platform/sized.h"
#include "platform/userns.h"

/* ---- looking --------------------------------------------------------------------------------- */

/* What everybody may see of a queue, from its entry. */
static void read_fields(const struct mdg__entry *entry, struct mdg__queue_figures *ret)
{
	const uint64_t *field = entry->field;
	*ret = (struct mdg__queue_figures){
		.qnum = field[MDG__QUEUE_QNUM],
		.cbytes = field[MDG__QUEUE_CBYTES],
		.lspid = (int32_t)(uint32_t)field[MDG__QUEUE_PIDS],
		.lrpid = (int32_t)(uint32_t)(field[MDG__QUEUE_PIDS] >> 32),
		.stime = (int64_t)field[MDG__QUEUE_STIME],
		.rtime = (int64_t)field[MDG__QUEUE_RTIME],
	};
}

/* The figures of one moment, if the caller may look into the queue and nobody keeps its lock; else
 * those of the entry, each of which is right by itself. */
static int figures_of(mdg_namespace *ns, const struct mdg__entry *entry, bool inside,
                      struct mdg__queue_figures *ret)
{
	struct mdg__open open;
	int rc = -ENOENT;
	if (inside && !mdg__object_is_look(ns))
		rc = mdg__open_look(&open, ns, mdg__entry_id(entry));
	bool opened = rc == 0;
	if (opened)
		rc = mdg__open_done(&open, mdg__queue_look(&open.queue, ret));
	if (opened && rc != -EBUSY)
		return rc;
	read_fields(entry, ret);
	return rc == -EINVAL || rc == MDG_DAMAGED ? rc : 0;
}

static void fill_in(mdg_namespace *ns, const struct mdg__entry *entry,
                    const struct mdg__queue_figures *figures, struct mdg_msgqueue_info *ret)
{
	uint32_t users[4];
	mdg__entry_users(ns, entry, users);
	ret->id = mdg__entry_id(entry);
	ret->key = entry->key;
	ret->mode = entry->mode & 0777;
	ret->uid = users[0];
	ret->gid = users[1];
	ret->cuid = users[2];
	ret->cgid = users[3];
	ret->lspid = figures->lspid;
	ret->lrpid = figures->lrpid;
	ret->messages = figures->qnum;
	ret->bytes = figures->cbytes;
	ret->bytes_max = entry->field[MDG__QUEUE_QBYTES];
	ret->stime = figures->stime;
	ret->rtime = figures->rtime;
	ret->ctime = entry->ctime;
	memcpy(ret->name, entry->name, sizeof(ret->name));
}

int mdg_msgqueue_stat(mdg_namespace *ns, mdg_id id, unsigned flags,
                      struct mdg_msgqueue_info *ret_info)
{
	struct mdg_msgqueue_info own = { 0 };
	struct mdg__queue_figures figures = { 0 };
	struct mdg__entry entry = { 0 };
	if (!mdg__sized_is_valid(ret_info->size))
		return -EINVAL;
	int rc = mdg__object_glance(ns);
	if (rc == 0)
		rc = mdg__object_entry(ns, MDG__MESSAGE_QUEUES, id, (flags & MDG_STAT_INDEX) != 0,
		                       &entry);
	if (rc == 0 && (flags & MDG_STAT_ANY) == 0)
		rc = mdg__permit(ns, &entry, 0444);
	if (rc == 0)
		rc = figures_of(ns, &entry, (flags & MDG_STAT_ANY) == 0, &figures);
	if (rc < 0)
		return rc;
	fill_in(ns, &entry, &figures, &own);
	mdg__sized_give(ret_info, &own, sizeof(own));
	return 0;
}

int mdg_msgqueue_next(mdg_namespace *ns, uint32_t *cursor, struct mdg_msgqueue_info *ret_info)
{
	struct mdg_msgqueue_info own = { 0 };
	struct mdg__queue_figures figures = { 0 };
	struct mdg__entry entry = { 0 };
	if (!mdg__sized_is_valid(ret_info->size))
		return -EINVAL;
	int rc = mdg__object_glance(ns);
	if (rc == 0)
		rc = mdg__object_next_entry(ns, MDG__MESSAGE_QUEUES, cursor, &entry);
	if (rc != 1)
		return rc;
	read_fields(&entry, &figures);
	fill_in(ns, &entry, &figures, &own);
	mdg__sized_give(ret_info, &own, sizeof(own));
	return 1;
}

/* ---- changing and removing ------------------------------------------------------------------- */

/* A larger limit than msgmnb needs a capability in the initial user namespace. */
static int check_limit(mdg_namespace *ns, uint64_t bytes_max)
{
	enum { CAP_SYS_RESOURCE = 24 };
	if (bytes_max <= mdg__object_limit(ns, MDG__MSGMNB))
		return 0;
	return mdg__capable(CAP_SYS_RESOURCE) ? 0 : -EPERM;
}

/* For the owner, whom the mode may deny everything. */
static int open_for_control(struct mdg__open *open, mdg_namespace *ns, mdg_id id)
{
	int rc = mdg__open_look(open, ns, id);
	if (rc == -EACCES && mdg__object_open_up(ns, MDG__MESSAGE_QUEUES, id, true) == 0)
		rc = mdg__open_look(open, ns, id);
	return rc;
}

int mdg_msgqueue_set(mdg_namespace *ns, mdg_id id, uint32_t uid, uint32_t gid, unsigned mode,
                     uint64_t bytes_max)
{
	struct mdg__object_change change = {
		.uid = uid,
		.gid = gid,
		.mode = mode & 0777,
		.fields = 1u << MDG__QUEUE_QBYTES,
		.field = { [MDG__QUEUE_QBYTES] = bytes_max },
	};
	struct mdg__entry entry;
	struct mdg__open open;
	int rc = mdg__object_glance(ns);
	if (rc == 0)
		rc = mdg__object_control(ns, MDG__MESSAGE_QUEUES, id, &entry);
	if (rc == 0)
		rc = check_limit(ns, bytes_max);
	if (rc < 0)
		return rc;
	/* Before the change: the new mode may close the memory to the owner. */
	int opened = open_for_control(&open, ns, id);
	rc = mdg__object_change(ns, MDG__MESSAGE_QUEUES, id, &change);
	if (rc < 0)
		(void)mdg__object_open_up(ns, MDG__MESSAGE_QUEUES, id, false);
	if (opened == 0)
		(void)mdg__open_done(&open, rc == 0 ? mdg__queue_changed(&open.queue) : 0);
	return rc;
}

/* [it has a file] */
static int remove_used(mdg_namespace *ns, mdg_id id)
{
	struct mdg__open open;
	struct mdg__entry entry;
	int rc = mdg__object_control(ns, MDG__MESSAGE_QUEUES, id, &entry);
	if (rc < 0)
		return rc;
	int before = 0;
	if (open_for_control(&open, ns, id) == 0) {
		before = mdg__queue_remove(&open.queue);
		(void)mdg__open_done(&open, 0);
	}
	rc = mdg__object_rmid(ns, MDG__MESSAGE_QUEUES, id);
	/* A sleeper may have been faster with the rest. */
	return rc == -EINVAL && (before == 0 || before == -EBUSY) ? 0 : rc;
}

int mdg_msgqueue_remove(mdg_namespace *ns, mdg_id id)
{
	int rc = mdg__object_glance(ns);
	if (rc == 0 && mdg__object_is_look(ns))
		rc = -EROFS;
	if (rc == 0)
		rc = mdg__object_rmid_unused(ns, MDG__MESSAGE_QUEUES, id);
	return rc == -EBUSY ? remove_used(ns, id) : rc;
}
