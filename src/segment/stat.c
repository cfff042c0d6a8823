/* SPDX-License-Identifier: MIT */
/*
 * stat.c - looking at one segment.
 *
 * Readers take no lock: a copy of the entry counts when the registry's version
 * did not move while it was made. When changes come too fast, or the last
 * writer died in the middle, the lock is taken once: that settles it.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/sized.h"
#include "platform/identity.h"
#include "segment/internal.h"

#define TRIES 16

void mdg__entry_copy(struct mdg_namespace *ns, uint32_t index, struct mdg__entry *ret)
{
	struct mdg__segment *segment = &ns->registry.segments[index];
	ret->index = index;
	ret->tag = mdg__get32(&segment->tag);
	ret->key = (int32_t)mdg__get32(&segment->key);
	ret->mode = mdg__get32(&segment->mode);
	ret->uid = mdg__get32(&segment->uid);
	ret->gid = mdg__get32(&segment->gid);
	ret->cuid = mdg__get32(&segment->cuid);
	ret->cgid = mdg__get32(&segment->cgid);
	ret->cpid = (int32_t)mdg__get32(&segment->cpid);
	ret->lpid = (int32_t)mdg__get32(&segment->lpid);
	ret->size = mdg__get64(&segment->size);
	ret->mapped = mdg__get64(&segment->mapped);
	ret->inode = mdg__get64(&segment->inode);
	ret->ctime = (int64_t)mdg__get64(&segment->ctime);
	ret->atime = (int64_t)mdg__get64(&segment->atime);
	ret->dtime = (int64_t)mdg__get64(&segment->dtime);
	ret->worker = mdg__get32(&segment->worker);
	ret->worker_generation = mdg__get32(&segment->worker_generation);
	ret->flags = mdg__get32(&segment->flags);
	ret->lock_uid = mdg__get32(&segment->lock_uid);
	ret->new_uid1 = mdg__get32(&segment->new_uid1);
	ret->name[0] = '\0';
	uint64_t first = mdg__get64(&segment->name[0]);
	if (first == 0)
		return;
	for (size_t i = 0; i < 8; i++) {
		uint64_t word = mdg__get64(&segment->name[i]);
		memcpy(ret->name + 8 * i, &word, 8);
	}
	ret->name[MDG_NAME_MAX] = '\0';
}

static bool is_there(const struct mdg__entry *entry, uint32_t sequence, bool any)
{
	enum mdg__segment_state state = mdg__tag_state(entry->tag);
	return (state == MDG__LIVE || state == MDG__REMOVED) &&
	       (any || entry->tag >> 8 == sequence);
}

int mdg__entry_read(struct mdg_namespace *ns, mdg_id id, bool any, struct mdg__entry *ret)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t index = (uint32_t)id % MDG__IDS, sequence = (uint32_t)id / MDG__IDS, version;
	mdg__arrive(ns);
	if (id < 0 || index >= mdg__registry_ready_count(registry, MDG__SEGMENTS))
		return -EINVAL;
	for (int i = 0; i < TRIES; i++) {
		if (!mdg__read_begin(registry, &version))
			break;
		mdg__entry_copy(ns, index, ret);
		if (!mdg__read_retry(registry, version))
			return is_there(ret, sequence, any) ? 0 : -EINVAL;
	}
	if (registry->look) { /* the last copy, whatever it is worth: every use of it is checked */
		mdg__entry_copy(ns, index, ret);
		return is_there(ret, sequence, any) ? 0 : -EINVAL;
	}
	mdg__enter(ns);
	int rc = mdg__enter_writer(ns);
	if (rc == 0) {
		mdg__entry_copy(ns, index, ret);
		mdg__unlock(registry);
		rc = is_there(ret, sequence, any) ? 0 : -EINVAL;
	}
	mdg__leave(ns);
	return rc;
}

/* ---- who has it attached --------------------------------------------------- */

/* A list as long as it takes, made with the lock held. */
struct long_list {
	struct mdg__holder *holders;
	size_t bytes;
};

/* For a look, which has no lock to take: of a moment without changes, or none. */
static int list_without_lock(struct mdg_namespace *ns, const struct mdg__entry *entry,
                             struct mdg__holder *holders, uint32_t room)
{
	int count = -EAGAIN;
	for (int i = 0; i < TRIES && count == -EAGAIN; i++)
		count = mdg__segment_holders(&ns->registry, entry->index, entry->tag, holders,
		                             room);
	return count == -EAGAIN || count == -E2BIG ? 0 : count;
}

static int list_with_lock(struct mdg_namespace *ns, const struct mdg__entry *entry,
                          struct long_list *list)
{
	void *memory;
	uint32_t room = ns->registry.process_capacity;
	list->bytes = room * sizeof list->holders[0];
	int rc = mdg__map_own(NULL, list->bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory);
	if (rc < 0)
		return rc;
	list->holders = memory;
	if (ns->registry.look)
		return list_without_lock(ns, entry, list->holders, room);
	rc = mdg__enter_writer(ns);
	if (rc == 0) {
		rc = mdg__segment_holders(&ns->registry, entry->index, entry->tag, list->holders,
		                          room);
		mdg__unlock(&ns->registry);
	}
	return rc;
}

/* Sums up the living; the dead move to the front of the list. */
static uint32_t sum_living(struct mdg_namespace *ns, struct mdg__holder *holders, int count,
                           uint32_t *ret_dead)
{
	uint32_t sum = 0;
	*ret_dead = 0;
	for (int i = 0; i < count; i++) {
		if (mdg__slot_alive(&ns->registry, holders[i].slot, holders[i].generation))
			sum += holders[i].count;
		else
			holders[(*ret_dead)++] = holders[i];
	}
	return sum;
}

static int attached_entered(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t *ret)
{
	struct long_list list = { NULL, 0 };
	uint32_t dead = 0;
	int count = list_with_lock(ns, entry, &list);
	if (count >= 0) {
		*ret = sum_living(ns, list.holders, count, &dead);
		mdg__reap(ns, list.holders, dead);
	}
	if (list.holders != NULL)
		(void)mdg__sys_munmap(list.holders, list.bytes);
	if (count < 0)
		return count;
	/* A removed segment goes with the last of the dead. One that has nobody
	 * at all is a removal that was cut off: finish it. */
	if (mdg__tag_state(entry->tag) == MDG__REMOVED && *ret == 0 && !ns->registry.look) {
		struct mdg__clearing clearing = { 0 };
		int rc = mdg__enter_writer(ns);
		if (rc < 0)
			return rc;
		(void)mdg__segment_begin_clearing(&ns->registry, entry->index, &clearing);
		mdg__unlock(&ns->registry);
		mdg__clear(ns, &clearing);
	}
	if (mdg__tag_state(entry->tag) == MDG__REMOVED && *ret == 0)
		return -EINVAL; /* also if its file is another's to unlink: it is gone */
	return mdg__get32(&ns->registry.segments[entry->index].tag) == entry->tag ? 0 : -EINVAL;
}

int mdg__entry_attached(struct mdg_namespace *ns, const struct mdg__entry *entry, bool entered,
                        uint32_t *ret)
{
	struct mdg__holder holders[32];
	uint32_t dead = 0;
	int count = mdg__segment_holders(&ns->registry, entry->index, entry->tag, holders, 32);
	if (count == -EINVAL || count == MDG_DAMAGED)
		return count;
	if (count >= 0) {
		*ret = sum_living(ns, holders, count, &dead);
		if (dead == 0 && (*ret > 0 || mdg__tag_state(entry->tag) == MDG__LIVE))
			return 0;
	}
	if (!entered)
		mdg__enter(ns);
	int rc = attached_entered(ns, entry, ret);
	if (!entered)
		mdg__leave(ns);
	return rc;
}

/* ---- the public function --------------------------------------------------- */

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
	uint32_t slot1 = entry->worker;
	if ((flags & MDG_STAT_CREATOR) && slot1 != 0 &&
	    slot1 <= mdg__registry_ready_count(&ns->registry, MDG__PROCESSES))
		ret->creator_alive =
			mdg__slot_alive(&ns->registry, slot1 - 1, entry->worker_generation);
	memcpy(ret->name, entry->name, sizeof ret->name);
}

bool mdg__entry_is_old(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	return mdg__get32(&ns->registry.segments[entry->index].tag) != entry->tag;
}

int mdg__entry_find(struct mdg_namespace *ns, mdg_id id, bool any, struct mdg__entry *ret)
{
	uint32_t living;
	int rc = mdg__entry_read(ns, id, any, ret);
	if (rc == 0 && mdg__tag_state(ret->tag) == MDG__REMOVED)
		rc = mdg__entry_attached(ns, ret, false, &living);
	return rc;
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
