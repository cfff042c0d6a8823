/* SPDX-License-Identifier: MIT */
/*
 * control.c - changing and removing a segment: IPC_SET, SHM_LOCK, IPC_RMID.
 */
#include <errno.h>
#include <sys/resource.h>

#include "platform/identity.h"
#include "segment/internal.h"

#define SETTING_TRIES    10         /* at least */
#define SETTING_WAIT_NS  100000000u /* in one call; and as long again for trying */
#define SETTING_PAUSE_NS 1000000u
#define OVERTAKEN        1

/* Enters, takes the writer lock, and finds the segment, whose owner, creator
 * or master the caller must be. On failure nothing is held. */
static int begin(struct mdg_namespace *ns, mdg_id id, struct mdg__entry *ret)
{
	struct mdg__entry before; /* no slot is needed to be refused */
	int rc = mdg__registry_here(&ns->registry);
	if (rc < 0)
		return rc;
	rc = mdg__entry_find(ns, id, false, &before);
	if (rc == 0)
		rc = mdg__permit_control(ns, &before);
	if (rc < 0)
		return rc;
	mdg__enter(ns);
	rc = mdg__enter_writer(ns);
	if (rc < 0) {
		mdg__leave(ns);
		return rc;
	}
	mdg__entry_copy(ns, before.index, ret);
	if (mdg__tag_state(ret->tag) < MDG__LIVE || ret->tag >> 8 != (uint32_t)id / MDG__IDS)
		rc = -EINVAL;
	else if (ret->uid != before.uid) /* a system call saved: nearly never */
		rc = mdg__permit_control(ns, ret);
	if (rc < 0) {
		mdg__unlock(&ns->registry);
		mdg__leave(ns);
	}
	return rc;
}

static void end(struct mdg_namespace *ns)
{
	mdg__commit(&ns->registry);
	mdg__unlock(&ns->registry);
	mdg__leave(ns);
}

/* ---- IPC_SET ------------------------------------------------------------------- */

/* What a call still has to give, and what it has met. */
struct setting {
	uint64_t wait_until;
	bool contended; /* two were at it at once */
};

static struct setting new_setting(void)
{
	return (struct setting){ mdg__monotonic_nanoseconds() + SETTING_WAIT_NS, false };
}

static bool is_last(const struct setting *setting, int tries)
{
	return tries >= SETTING_TRIES &&
	       mdg__monotonic_nanoseconds() >= setting->wait_until + SETTING_WAIT_NS;
}

/* A stranger's file: somebody may just have given it away who had been overtaken, by us
 * or by one before us. He notices, and begins again. */
static bool may_be_on_its_way(const struct setting *setting)
{
	return setting->contended || mdg__monotonic_nanoseconds() < setting->wait_until;
}

static void pause_setting(mdg__a32 *word, uint32_t value)
{
	(void)mdg__sys_futex_wait(word, value, true, SETTING_PAUSE_NS);
}

/* Whether another is just changing the segment. [writer lock] */
static bool is_being_set(struct mdg_namespace *ns, const struct mdg__segment *segment)
{
	return mdg__pair_at_work(&ns->registry, mdg__get32(&segment->setter),
	                         mdg__get32(&segment->setter_generation));
}

/* [writer lock] */
static bool is_set_by_us(struct mdg_namespace *ns, const struct mdg__segment *segment)
{
	return mdg__get32(&segment->setter) == ns->registry.slot1 &&
	       mdg__get32(&segment->setter_generation) == ns->registry.generation;
}

/* File and entry cannot be changed as one, so those who change them do it one at a
 * time. Notes in the entry that it is us; `ret` is the entry then. Who takes long,
 * because it was stopped, is not waited for: it finds that out and begins again. */
static int begin_setting(struct mdg_namespace *ns, mdg_id id, struct setting *setting,
                         struct mdg__entry *ret)
{
	struct mdg__registry *registry = &ns->registry;
	for (;;) {
		int rc = begin(ns, id, ret);
		if (rc < 0)
			return rc;
		struct mdg__segment *segment = &registry->segments[ret->index];
		uint32_t setter1 = mdg__get32(&segment->setter);
		bool busy = is_being_set(ns, segment);
		if (!busy || mdg__monotonic_nanoseconds() >= setting->wait_until) {
			setting->contended |= busy;
			mdg__put32(registry, &segment->setter, registry->slot1);
			mdg__put32(registry, &segment->setter_generation, registry->generation);
			end(ns);
			return 0;
		}
		end(ns);
		pause_setting(&segment->setter, setter1);
	}
}

/* Before end(): it is no longer us. False: it was not any more, and what we made of
 * the file may be newer than what another did: to be done again. */
static bool stop_setting(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__segment *segment = &registry->segments[entry->index];
	if (!is_set_by_us(ns, segment))
		return false;
	mdg__put32(registry, &segment->setter, 0);
	mdg__put32(registry, &segment->new_uid1, 0);
	return true;
}

/* Notes in the entry who is just becoming the file's owner, so that the file is
 * recognised on both sides of the change, also if we die. OVERTAKEN: that is for
 * another to say now. */
static int announce(struct mdg_namespace *ns, mdg_id id, uint32_t uid)
{
	struct mdg__entry entry;
	int rc = begin(ns, id, &entry);
	if (rc < 0)
		return rc;
	struct mdg__segment *segment = &ns->registry.segments[entry.index];
	if (is_set_by_us(ns, segment))
		mdg__put32(&ns->registry, &segment->new_uid1, uid + 1);
	else
		rc = OVERTAKEN;
	end(ns);
	return rc;
}

/* Without a change of the entry. False: to be done again. */
static bool leave_setting(struct mdg_namespace *ns, mdg_id id)
{
	struct mdg__entry entry;
	if (begin(ns, id, &entry) < 0)
		return true;
	bool ours = stop_setting(ns, &entry);
	end(ns);
	return ours;
}

static int follow(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	int rc = mdg__data_owner_is_right(ns, entry);
	return rc != 0 ? rc
	               : mdg__data_set_owner(ns, entry, entry->uid, entry->gid, entry->mode & 0777);
}

int mdg__data_follow_entry(struct mdg_namespace *ns, mdg_id id)
{
	struct setting setting = new_setting();
	struct mdg__entry entry;
	for (int tries = 1; !is_last(&setting, tries); tries++) {
		int rc = begin_setting(ns, id, &setting, &entry);
		if (rc < 0)
			return rc;
		rc = follow(ns, &entry);
		if (leave_setting(ns, id))
			return rc < 0 ? rc : 0;
	}
	return -EAGAIN;
}

/* Gives the data file to its new owner. What one who died made of it is undone
 * first: the file is known by what he announced. OVERTAKEN: to be done again. */
static int give_file(struct mdg_namespace *ns, mdg_id id, struct setting *setting,
                     const struct mdg__entry *to)
{
	struct mdg__entry entry;
	int rc = begin_setting(ns, id, setting, &entry);
	if (rc < 0)
		return rc;
	if (entry.new_uid1 != 0)
		(void)follow(ns, &entry);
	if (to->uid != entry.uid)
		rc = announce(ns, id, to->uid);
	if (rc == 0)
		rc = mdg__data_set_owner(ns, &entry, to->uid, to->gid, to->mode);
	if (rc < 0 && !leave_setting(ns, id))
		rc = OVERTAKEN;
	setting->contended |= rc == OVERTAKEN;
	return rc;
}

/* False: to be done again, because another came between file and entry. */
static bool set_entry(struct mdg_namespace *ns, const struct mdg__entry *to, bool in_any_case)
{
	struct mdg__registry *registry = &ns->registry;
	bool done = !(registry->flags & MDG_NS_SHARED) || stop_setting(ns, to) || in_any_case;
	if (done)
		mdg__object_set(registry, MDG__SEGMENTS, to->index, to->uid, to->gid, to->mode);
	end(ns);
	return done;
}

/* Owner and mode of `to`. The file first: it can fail. Twice the same does no harm.
 * Only who keeps scribbling over the entry can overtake us that often; what the
 * file is then, is his doing. */
static int set(struct mdg_namespace *ns, mdg_id id, struct mdg__entry *to)
{
	struct setting setting = new_setting();
	struct mdg__entry entry;
	for (int tries = 1;; tries++) {
		bool last = is_last(&setting, tries);
		int rc = ns->registry.flags & MDG_NS_SHARED ? give_file(ns, id, &setting, to) : 0;
		if (!last &&
		    (rc == OVERTAKEN || (rc == MDG_DAMAGED && may_be_on_its_way(&setting)))) {
			pause_setting(&ns->registry.segments[to->index].setter, 0);
			continue;
		}
		if (rc >= 0)
			rc = begin(ns, id, &entry);
		if (rc < 0)
			return rc;
		to->index = entry.index;
		if (set_entry(ns, to, last))
			return 0;
		setting.contended = true;
	}
}

/* Enters in `ret` whom the caller's numbers mean: -EINVAL, nobody. To another whose number
 * cannot be told the segment cannot be given: nobody would know whose it is. */
static int name_owner(struct mdg_namespace *ns, struct mdg__entry *ret, uint32_t uid, uint32_t gid)
{
	const struct mdg__userns *userns = mdg__userns_known();
	struct stat status;
	if (!mdg__id_is_mapped(userns, MDG__USER, uid) ||
	    !mdg__id_is_mapped(userns, MDG__GROUP, gid))
		return -EINVAL;
	struct mdg__entry wish = *ret;
	wish.uid = mdg__id_stored(&ns->registry, MDG__USER, uid);
	wish.gid = mdg__id_stored(&ns->registry, MDG__GROUP, gid);
	if ((wish.uid == MDG__ID_UNKNOWN || wish.gid == MDG__ID_UNKNOWN) &&
	    (ns->registry.flags & MDG_NS_SHARED) && mdg__file_owner(ns, ret, &status)) {
		if ((wish.uid == MDG__ID_UNKNOWN && status.st_uid != uid) ||
		    (wish.gid == MDG__ID_UNKNOWN && status.st_gid != gid))
			return -EPERM;
		/* It stays whose it is, whatever that is called outside. */
		wish.uid = wish.uid == MDG__ID_UNKNOWN ? ret->uid : wish.uid;
		wish.gid = wish.gid == MDG__ID_UNKNOWN ? ret->gid : wish.gid;
	}
	*ret = wish;
	return 0;
}

int mdg_segment_set(mdg_namespace *ns, mdg_id id, uint32_t uid, uint32_t gid, unsigned mode)
{
	struct mdg__entry entry;
	int rc = mdg__registry_here(&ns->registry);
	if (rc < 0)
		return rc;
	rc = mdg__entry_find(ns, id, false, &entry);
	if (rc == 0)
		rc = mdg__permit_control(ns, &entry);
	if (rc == 0)
		rc = name_owner(ns, &entry, uid, gid);
	if (rc < 0)
		return rc;
	entry.mode = mode & 0777;
	return set(ns, id, &entry);
}

/* ---- SHM_LOCK ---------------------------------------------------------------- */

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
	if (rc < 0)
		return rc;
	mdg__enter(ns);
	rc = mdg__enter_writer(ns);
	if (rc == 0) {
		mdg__entry_copy(ns, ret->index, ret);
		if (mdg__tag_state(ret->tag) >= MDG__LIVE &&
		    ret->tag >> 8 == (uint32_t)id / MDG__IDS)
			return 0;
		mdg__unlock(&ns->registry);
		rc = -EINVAL;
	}
	mdg__leave(ns);
	return rc;
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
	end(ns);
	return 0;
}

/* ---- IPC_RMID ---------------------------------------------------------------- */

int mdg_segment_remove(mdg_namespace *ns, mdg_id id)
{
	struct mdg__entry entry;
	struct mdg__registry *registry = &ns->registry;
	struct mdg__clearing clearing = { 0 };
	int rc = begin(ns, id, &entry);
	if (rc < 0)
		return rc;
	/* One change, up to BUSY when nobody has it attached: REMOVED and attached by
	 * nobody, it would be met by nobody's death, and stay. */
	if (mdg__tag_state(entry.tag) == MDG__LIVE)
		mdg__object_remove(registry, MDG__SEGMENTS, entry.index);
	bool gone = mdg__object_begin_clearing(registry, MDG__SEGMENTS, entry.index, &clearing);
	mdg__commit(registry);
	mdg__entry_copy(ns, entry.index, &entry);
	mdg__unlock(registry);
	if (ns->idle1 == entry.index + 1)
		mdg__known_drop_fd(ns, entry.index);
	if (gone)
		mdg__clear(ns, &clearing);
	else
		mdg__data_hide(ns, &entry);
	mdg__leave(ns);
	return 0;
}
