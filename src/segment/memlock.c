/* SPDX-License-Identifier: MIT */
/*
 * memlock.c - SHM_LOCK and SHM_UNLOCK.
 *
 * Nothing is locked in memory. The entry notes that the segment is locked, and
 * by whom, because that shows in its mode and counts against the user's limit.
 */
#include <errno.h>
#include <sys/resource.h>

#include "platform/identity.h"
#include "registry/current.h"
#include "registry/ids.h"
#include "registry/users.h"
#include "segment/change.h"

/* What this user has locked already, in pages. */
static uint64_t locked_pages(struct mdg_namespace *ns, uint32_t uid)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t ready = mdg__registry_ready_count(registry, MDG__SEGMENTS);
	uint64_t pages = 0;
	for (uint32_t index = 0; index < ready; index++) {
		struct mdg__segment *segment = &registry->segments[index];
		if (mdg__tag_state(mdg__get32(&segment->tag)) >= MDG__LIVE &&
		    (mdg__get32(&segment->mode) & MDG_MODE_LOCKED) &&
		    mdg__get32(&segment->lock_uid) == uid)
			pages += mdg__pages_of(mdg__get64(&segment->size));
	}
	return pages;
}

/* The kernel's shmctl_do_lock and user_shm_lock: EPERM without any allowance,
 * ENOMEM beyond it. */
static int may_lock(struct mdg_namespace *ns, mdg_id id)
{
	struct mdg__entry entry;
	int rc = mdg__entry_read(ns, id, false, &entry);
	if (rc < 0 || mdg__capable(MDG__CAP_IPC_LOCK))
		return rc;
	if (!mdg__is_owner_anew(ns, &entry))
		return -EPERM;
	uint64_t limit = mdg__sys_limit(RLIMIT_MEMLOCK);
	if (limit == 0)
		return -EPERM;
	uint64_t pages = mdg__pages_of(entry.size);
	if (!(entry.mode & MDG_MODE_LOCKED) && limit != UINT64_MAX &&
	    locked_pages(ns, mdg__my_id(&ns->registry, mdg__euid())) + pages >
	            limit / mdg__page_size())
		return -ENOMEM;
	return 0;
}

/* SHM_LOCK and SHM_UNLOCK are for the owner, the creator or CAP_IPC_LOCK. */
static int begin_lock(struct mdg_namespace *ns, mdg_id id, int locked, struct mdg__entry *ret)
{
	int rc = mdg__registry_here(&ns->registry);
	if (rc < 0)
		return rc;
	rc = mdg__entry_find(ns, id, false, ret);
	if (rc < 0)
		return rc;
	if (!mdg__is_owner_anew(ns, ret) && !mdg__capable_of(ns, ret, MDG__CAP_IPC_LOCK))
		return -EPERM;
	rc = locked ? may_lock(ns, id) : 0;
	return rc < 0 ? rc : mdg__change_enter(ns, MDG__SEGMENTS, id, ret);
}

int mdg_segment_lock(mdg_namespace *ns, mdg_id id, int locked)
{
	struct mdg__entry entry;
	struct mdg__registry *registry = &ns->registry;
	int rc = begin_lock(ns, id, locked, &entry);
	if (rc < 0)
		return rc;
	struct mdg__segment *segment = &registry->segments[entry.index];
	bool huge = mdg__entry_is_huge(&entry);
	if (!huge && locked && !(entry.mode & MDG_MODE_LOCKED)) {
		mdg__put32(registry, &segment->mode, entry.mode | MDG_MODE_LOCKED);
		mdg__put32(registry, &segment->lock_uid, mdg__my_id(registry, mdg__euid()));
	} else if (!huge && !locked) {
		mdg__put32(registry, &segment->mode, entry.mode & ~MDG_MODE_LOCKED);
	}
	mdg__change_end(ns);
	return 0;
}
