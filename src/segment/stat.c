/* SPDX-License-Identifier: MIT */
/*
 * stat.c - what mdg_segment_stat shows of a segment.
 *
 * The entry comes from lookup.c, and its users from fileowner.c.
 */
#include <errno.h>
#include <string.h>

#include "platform/sized.h"
#include "platform/identity.h"
#include "registry/current.h"
#include "registry/presence.h"
#include "segment/internal.h"

#define TRIES 16

static void fill_in(struct mdg_namespace *ns, const struct mdg__entry *entry, unsigned flags,
                    uint32_t attached, struct mdg_segment_info *ret)
{
	ret->id = mdg__tag_id(entry->tag, entry->index);
	ret->key = entry->key;
	ret->mode = entry->mode;
	uint32_t users[4];
	mdg__entry_users(ns, entry, users);
	ret->uid = users[0];
	ret->gid = users[1];
	ret->cuid = users[2];
	ret->cgid = users[3];
	ret->cpid = entry->cpid;
	/* Stamped without the lock: those of the dead may just have been. */
	struct mdg__segment *segment = &ns->registry.segments[entry->index];
	ret->lpid = (int32_t)mdg__get32(&segment->lpid);
	ret->atime = (int64_t)mdg__get64(&segment->atime);
	ret->dtime = (int64_t)mdg__get64(&segment->dtime);
	ret->ctime = entry->ctime;
	ret->attached = attached;
	ret->bytes = entry->size;
	ret->resident = 0;
	if (flags & MDG_STAT_RESIDENT)
		(void)mdg__data_stat(ns, entry, &ret->resident);
	ret->creator_alive = 0;
	if (flags & MDG_STAT_CREATOR)
		ret->creator_alive =
			mdg__pair_lives(&ns->registry, entry->worker, entry->worker_generation);
	memcpy(ret->name, entry->name, sizeof ret->name);
	_Static_assert((int)MDG__KIND_CHANNEL == (int)MDG_SEGMENT_CHANNEL &&
	                       (int)MDG__KIND_HEAP == (int)MDG_SEGMENT_HEAP,
	               "");
	ret->kind = entry->kind;
	ret->reserved = 0;
}

static int stat_segment(mdg_namespace *ns, mdg_id id, unsigned flags,
                        struct mdg_segment_info *ret_info)
{
	struct mdg__entry entry = { 0 };
	uint32_t attached = 0;
	int gone = mdg__registry_glance(&ns->registry);
	if (gone < 0)
		return gone;
	/* Removed while we look, it may still be there: attached. Look again. */
	for (int tries = 0; tries < TRIES; tries++) {
		int rc = mdg__entry_find(ns, id, (flags & MDG_STAT_INDEX) != 0, &entry);
		if (rc == 0 && !(flags & MDG_STAT_ANY))
			rc = mdg__permit(ns, &entry, 0444);
		else if (rc == 0) /* numbers are shown to whoever the caller is now */
			(void)mdg__userns(mdg__euid());
		if (rc < 0)
			return rc;
		rc = mdg__entry_attached(ns, &entry, false, &attached);
		if (rc == 0)
			fill_in(ns, &entry, flags, attached, ret_info);
		if (rc != -EINVAL || !mdg__entry_is_old(ns, &entry))
			return rc;
	}
	return -EINVAL;
}

/* For a caller of another version. Apart, so that the usual path has no room to make for it. */
static __attribute__((noinline, cold)) int stat_unlike(mdg_namespace *ns, mdg_id id, unsigned flags,
                                                       struct mdg_segment_info *ret_info)
{
	struct mdg_segment_info own;
	if (!mdg__sized_is_valid(ret_info->size))
		return -EINVAL;
	int rc = stat_segment(ns, id, flags, &own);
	if (rc == 0)
		mdg__sized_give(ret_info, &own, sizeof own);
	return rc;
}

/* The structure of a caller of this version is filled in directly: it is the usual one. */
int mdg_segment_stat(mdg_namespace *ns, mdg_id id, unsigned flags,
                     struct mdg_segment_info *ret_info)
{
	return ret_info->size == sizeof *ret_info ? stat_segment(ns, id, flags, ret_info)
	                                          : stat_unlike(ns, id, flags, ret_info);
}
