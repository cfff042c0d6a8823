/* SPDX-License-Identifier: MIT */
/*
 * objects.c - sets in a namespace: made, found, looked at, changed, removed. Their entries are in
 * the registry (segment/objects.h). The first field of an entry is how many semaphores there are.
 */
#include <string.h>

#include "platform/sized.h"
#include "semset/session.h"

/* ---- making and finding ------------------------------------------------------------------ */

static int accepts(const struct mdg__object_order *order, const uint64_t field[MDG__CLASS_FIELDS])
{
	return order->field[0] > field[0] ? -EINVAL : 0;
}

static int prepares(struct mdg__object_order *order, mdg_namespace *ns)
{
	(void)ns;
	return order->field[0] == 0 ? -EINVAL : 0;
}

static int get(mdg_namespace *ns, struct mdg__object_order *order, uint32_t count, mdg_id *ret_id)
{
	uint64_t most = mdg__object_limit(ns, MDG__SEMMSL);
	if (count > most || count > MDG__SETSIZE_MAX)
		return -EINVAL;
	order->field[0] = count;
	order->accepts = accepts;
	order->prepares = prepares;
	return mdg__object_get(ns, MDG__SEMAPHORE_SETS, order, ret_id);
}

int mdg_semset_get(mdg_namespace *ns, int32_t key, uint32_t count, unsigned flags, mdg_id *ret_id)
{
	struct mdg__object_order order = { .key = key, .flags = flags, .mode = flags & 0777 };
	return get(ns, &order, count, ret_id);
}

static bool is_name(const char *name)
{
	size_t length = strnlen(name, MDG_NAME_MAX + 1);
	return length > 0 && length <= MDG_NAME_MAX;
}

int mdg_semset_create(mdg_namespace *ns, const char *name, uint32_t count, unsigned mode,
                      unsigned flags, mdg_id *ret_id)
{
	unsigned exclusive = flags & MDG_OR_OPEN ? 0 : MDG_EXCL;
	struct mdg__object_order order = { .name = name,
		                           .flags = MDG_CREATE | exclusive,
		                           .mode = mode & 0777 };
	if ((flags & ~MDG_OR_OPEN) != 0 || mode > 0777 || (name != NULL && !is_name(name)))
		return -EINVAL;
	return get(ns, &order, count, ret_id);
}

int mdg_semset_open(mdg_namespace *ns, const char *name, uint32_t min_count, unsigned ask,
                    mdg_id *ret_id)
{
	struct mdg__object_order order = { .name = name, .mode = ask & 0777 };
	if (name == NULL || !is_name(name) || ask > 0777)
		return -EINVAL;
	return get(ns, &order, min_count, ret_id);
}

/* ---- looking ------------------------------------------------------------------------------ */

/* Fills in otime and stuck. A process that keeps the set's lock is not waited for for long: a tool
 * that looks at a hanging program must not hang. */
static void look_inside(mdg_namespace *ns, bool walk, struct mdg_semset_info *info)
{
	struct mdg__session session;
	if (mdg__session_begin(&session, ns, info->id, MDG__SESSION_LOOK) < 0)
		return;
	if (session.set.base != NULL) {
		/* Only whoever walks asks for it each time: stat is also IPC_STAT. */
		info->stuck = walk && mdg__semset_is_stuck(&session.set);
		info->otime = info->stuck || mdg__object_is_look(ns)
		                      ? (int64_t)mdg__load64(&mdg__semset_head(&session.set)->otime)
		                      : mdg__semset_otime(&session.set);
	}
	(void)mdg__session_end(&session, 0);
}

static void give(mdg_namespace *ns, const struct mdg__entry *entry, bool walk,
                 struct mdg_semset_info *ret_info)
{
	uint32_t users[4] = { 0 };
	struct mdg_semset_info own = { .id = mdg__entry_id(entry) };
	mdg__entry_users(ns, entry, users);
	own.key = entry->key;
	own.mode = entry->mode & 0777;
	own.uid = users[0];
	own.gid = users[1];
	own.cuid = users[2];
	own.cgid = users[3];
	own.count = (uint32_t)entry->field[0];
	look_inside(ns, walk, &own);
	own.ctime = entry->ctime;
	memcpy(own.name, entry->name, sizeof own.name);
	mdg__sized_give(ret_info, &own, sizeof own);
}

int mdg_semset_stat(mdg_namespace *ns, mdg_id id, unsigned flags, struct mdg_semset_info *ret_info)
{
	struct mdg__entry entry = { 0 };
	if (id < 0 || !mdg__sized_is_valid(ret_info->size) ||
	    (flags & ~(MDG_STAT_ANY | MDG_STAT_INDEX)) != 0)
		return -EINVAL;
	int rc = mdg__object_glance(ns);
	if (rc == 0)
		rc = mdg__object_entry(ns, MDG__SEMAPHORE_SETS, id, (flags & MDG_STAT_INDEX) != 0,
		                       &entry);
	if (rc == 0 && (flags & MDG_STAT_ANY) == 0)
		rc = mdg__permit(ns, &entry, 0444);
	if (rc == 0)
		give(ns, &entry, false, ret_info);
	return rc;
}

int mdg_semset_next(mdg_namespace *ns, uint32_t *cursor, struct mdg_semset_info *ret_info)
{
	struct mdg__entry entry = { 0 };
	if (!mdg__sized_is_valid(ret_info->size))
		return -EINVAL;
	int rc = mdg__object_glance(ns);
	if (rc == 0)
		rc = mdg__object_next_entry(ns, MDG__SEMAPHORE_SETS, cursor, &entry);
	if (rc == 1)
		give(ns, &entry, true, ret_info);
	return rc;
}

/* ---- changing and removing ------------------------------------------------------------------ */

int mdg_semset_set(mdg_namespace *ns, mdg_id id, uint32_t uid, uint32_t gid, unsigned mode)
{
	const struct mdg__object_change change = { .uid = uid, .gid = gid, .mode = mode & 0777 };
	int rc = id < 0 ? -EINVAL : mdg__object_glance(ns);
	return rc < 0 ? rc : mdg__object_change(ns, MDG__SEMAPHORE_SETS, id, &change);
}

/* The memory is marked first: it has the sleepers, and from then on nobody begins to sleep. If this
 * process dies then, the next one that uses the set ends the removal.
 *
 * Memory that is made meanwhile is not marked. Nor is memory that is damaged, or that the remover
 * cannot open because it has no descriptor left. The set is removed all the same, and its sleepers
 * find out at their next look (sleep.c). */
static int remove_used(mdg_namespace *ns, mdg_id id)
{
	struct mdg__session session;
	struct mdg__entry entry = { 0 };
	int rc = mdg__object_glance(ns);
	if (rc == 0)
		rc = mdg__object_control(ns, MDG__SEMAPHORE_SETS, id, &entry);
	if (rc < 0)
		return rc;
	rc = mdg__session_begin(&session, ns, id, MDG__SESSION_LOOK);
	if (rc == -EACCES && mdg__object_open_up(ns, MDG__SEMAPHORE_SETS, id, true) == 0)
		rc = mdg__session_begin(&session, ns, id, MDG__SESSION_LOOK);
	if (rc < 0)
		return mdg__object_rmid(ns, MDG__SEMAPHORE_SETS, id);
	int told = session.set.base == NULL ? -ENOENT : mdg__semset_remove(&session.set);
	if (told == -EINVAL)
		return mdg__session_end(&session, told); /* another process has marked it */
	rc = mdg__object_rmid(ns, MDG__SEMAPHORE_SETS, id);
	if (told == 0 && rc == -EINVAL)
		rc = 0; /* somebody has ended it for us */
	return mdg__session_end(&session, rc);
}

/* Most sets that are removed at once were never used, and need no look at their memory. */
int mdg_semset_remove(mdg_namespace *ns, mdg_id id)
{
	int rc = id < 0 ? -EINVAL : mdg__object_rmid_unused(ns, MDG__SEMAPHORE_SETS, id);
	return rc == -EBUSY ? remove_used(ns, id) : rc;
}
