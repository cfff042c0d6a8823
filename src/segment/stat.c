/* SPDX-License-Identifier: MIT */
/*
 * stat.c - what mdg_segment_stat shows of a segment.
 *
 * The entry comes from lookup.c. Users and groups are shown in the caller's
 * numbers. Where the registry cannot say whose a segment is, its data file can.
 */
#include <errno.h>
#include <string.h>

#include "platform/sized.h"
#include "platform/identity.h"
#include "registry/current.h"
#include "registry/presence.h"
#include "registry/users.h"
#include "segment/internal.h"

#define TRIES 16

/* Whether the data file can say more of a user or group than what is written down. */
static bool is_for_file(struct mdg_namespace *ns, uint32_t stored)
{
	return stored == MDG__ID_UNKNOWN ||
	       (stored != MDG__ID_OWNER && (ns->registry.flags & MDG_NS_SHARED) &&
	        !mdg__userns_is_whole(mdg__userns_known()));
}

/* In the caller's numbers. */
static void show_users(struct mdg_namespace *ns, const struct mdg__entry *entry,
                       struct mdg_segment_info *ret)
{
	struct mdg__registry *registry = &ns->registry;
	struct stat status;
	const uint32_t stored[4] = { entry->uid, entry->gid, entry->cuid, entry->cgid };
	uint32_t shown[4];
	mdg__ids_shown(registry, stored, shown);
	ret->uid = shown[0];
	ret->gid = shown[1];
	ret->cuid = shown[2];
	ret->cgid = shown[3];
	bool user = is_for_file(ns, entry->uid), group = is_for_file(ns, entry->gid);
	if (!(user || group) || !mdg__file_owner(ns, entry, &status))
		return;
	if (user)
		ret->uid = (uint32_t)status.st_uid;
	if (user && entry->cuid == entry->uid)
		ret->cuid = (uint32_t)status.st_uid;
	if (group)
		ret->gid = (uint32_t)status.st_gid;
	if (group && entry->cgid == entry->gid)
		ret->cgid = (uint32_t)status.st_gid;
}

static void fill_in(struct mdg_namespace *ns, const struct mdg__entry *entry, unsigned flags,
                    uint32_t attached, struct mdg_segment_info *ret)
{
	ret->id = mdg__tag_id(entry->tag, entry->index);
	ret->key = entry->key;
	ret->mode = entry->mode;
	show_users(ns, entry, ret);
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
