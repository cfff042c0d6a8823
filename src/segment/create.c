/* SPDX-License-Identifier: MIT */
/*
 * create.c - making and finding segments.
 *
 * A segment is made in three steps:
 *   1. With the writer lock, an id is taken and the entry becomes BUSY. It can be
 *      found by its key or name from now on.
 *   2. Without the lock, the file is made and its memory reserved. That can take
 *      long.
 *   3. With the lock, the entry becomes LIVE.
 * Whoever looks for the key in between waits. A maker that dies leaves a BUSY
 * entry. The next process that comes across the entry clears it away (dead.c).
 */
#include <errno.h>
#include <string.h>

#include "platform/identity.h"
#include "registry/clearing.h"
#include "registry/current.h"
#include "registry/ids.h"
#include "registry/object.h"
#include "registry/presence.h"
#include "registry/users.h"
#include "segment/hugepage.h"
#include "segment/internal.h"

#define HUGE_SIZE_BITS (0x3fu << 26) /* as shmget(2) has them */
#define SQUATTED_MOST  64
#define BUSY_PAUSE_NS  200000u

/* What the caller wants to find or to make. */
struct wish {
	uint32_t key;  /* 0: none */
	char name[64]; /* zero-filled; "" none */
	uint64_t size, mapped;
	unsigned mode, flags;
	unsigned huge_shift; /* 0: ordinary pages */
	uint32_t euid;       /* whose it is to be */
	uint32_t kind;       /* enum mdg__segment_kind */
};

/* ---- finding ---------------------------------------------------------------- */

static int find(struct mdg_namespace *ns, const struct wish *wish, uint32_t *ret_index,
                uint32_t *ret_tag)
{
	const char *name = wish->key == 0 ? wish->name : NULL;
	int rc =
		mdg__object_find(&ns->registry, MDG__SEGMENTS, wish->key, name, ret_index, ret_tag);
	if (rc != -EAGAIN)
		return rc;
	mdg__enter(ns);
	rc = mdg__enter_writer(ns);
	if (rc == 0) {
		rc = mdg__object_find(&ns->registry, MDG__SEGMENTS, wish->key, name, ret_index,
		                      ret_tag);
		mdg__unlock(&ns->registry);
	}
	mdg__leave(ns);
	return rc;
}

/* Waits for the maker of a BUSY segment. The maker may be dead, or what the entry says of it
 * nonsense. Then the entry is cleared away. `round` counts the calls. */
static void wait_while_busy(struct mdg_namespace *ns, uint32_t index, uint32_t tag, uint32_t round)
{
	struct mdg__segment *segment = &ns->registry.segments[index];
	uint32_t worker1 = mdg__get32(&segment->worker);
	bool alive =
		mdg__pair_lives(&ns->registry, worker1, mdg__get32(&segment->worker_generation));
	/* A maker that seemed to live is looked at more closely after 16, 32, 64 ... pauses. */
	if (!alive || (round >= 16 && (round & (round - 1)) == 0)) {
		mdg__enter(ns);
		mdg__clear_abandoned(ns, index, tag);
		mdg__leave(ns);
	}
	if (mdg__get32(&segment->tag) == tag)
		(void)mdg__sys_futex_wait(&segment->tag, tag, true, BUSY_PAUSE_NS);
}

/* What shmget says of a segment that is there. The checks have the kernel's order. */
static int accept(struct mdg_namespace *ns, uint32_t index, uint32_t tag, const struct wish *wish,
                  mdg_id *ret_id)
{
	struct mdg__segment *segment = &ns->registry.segments[index];
	mdg_id id = mdg__tag_id(tag, index);
	if ((wish->flags & MDG_CREATE) && (wish->flags & MDG_EXCL))
		return -EEXIST;
	uint64_t size = mdg__get64(&segment->size);
	if (wish->size > size)
		return mdg__get32(&segment->tag) == tag ? -EINVAL : -EAGAIN;
	if ((wish->mode & 0777) != 0) {
		struct mdg__entry entry;
		int rc = mdg__entry_read(ns, id, false, &entry);
		if (rc == -EINVAL)
			return -EAGAIN; /* removed just now: look again */
		if (rc == 0)
			rc = mdg__permit(ns, &entry, wish->mode);
		if (rc < 0)
			return rc;
	}
	*ret_id = id;
	return 0;
}

/* ---- making ----------------------------------------------------------------- */

/* [writer lock] Fills in the whole entry. The file is made later. */
static void fill_in(struct mdg_namespace *ns, uint32_t index, uint32_t sequence,
                    const struct wish *wish)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__segment *segment = &registry->segments[index];
	struct mdg__object_wish object = { .key = wish->key,
		                           .mode = wish->mode,
		                           .uid = mdg__my_id(registry, wish->euid),
		                           .gid = mdg__my_group(registry),
		                           .kind = wish->kind,
		                           .name = wish->name };
	mdg__object_make(registry, MDG__SEGMENTS, index, sequence, &object);
	mdg__put64(registry, &segment->size, wish->size);
	mdg__put64(registry, &segment->mapped, wish->mapped);
	mdg__put64(registry, &segment->atime, 0);
	mdg__put64(registry, &segment->dtime, 0);
	mdg__put32(registry, &segment->lpid, 0);
	mdg__put32(registry, &segment->flags,
	           (wish->flags & MDG_NORESERVE ? MDG__SEG_NORESERVE : 0) |
	                   wish->huge_shift << MDG__SEG_HUGE_SHIFT);
	mdg__put64(registry, &segment->inode, 0);
	mdg__put32(registry, &segment->new_uid1, 0);
	mdg__put32(registry, &segment->setter, 0);
	mdg__commit(registry);
}

/* The fields of the registry's head that say which id comes next. */
struct turn {
	uint32_t cursor, last_index, sequence, next_id1;
};

static struct turn turn_of(const struct mdg__directory *directory)
{
	return (struct turn){ mdg__get32(&directory->cursor), mdg__get32(&directory->last_index),
		              mdg__get32(&directory->sequence), mdg__get32(&directory->next_id1) };
}

/* [writer lock] Gives back the id of a segment that could not be made. Nobody was told this id.
 * If others have taken ids since, it is lost. */
static void turn_back(struct mdg__registry *registry, uint32_t index, uint32_t sequence,
                      const struct turn *before)
{
	struct mdg__directory *directory = &registry->head->directory[MDG__SEGMENTS];
	struct turn now = turn_of(directory);
	if (before->next_id1 != 0 && now.next_id1 == 0) {
		mdg__put32(registry, &directory->next_id1, before->next_id1);
		return;
	}
	if (now.cursor != index + 1 || now.last_index != index || now.sequence != sequence)
		return;
	mdg__put32(registry, &directory->cursor, before->cursor);
	mdg__put32(registry, &directory->last_index, before->last_index);
	mdg__put32(registry, &directory->sequence, before->sequence);
}

/* The first step. -EAGAIN: somebody else has made such a segment meanwhile. */
static int begin(struct mdg_namespace *ns, const struct wish *wish, uint32_t *ret_index,
                 uint32_t *ret_sequence, struct turn *ret_before)
{
	struct mdg__registry *registry = &ns->registry;
	const struct mdg__directory *directory = &registry->head->directory[MDG__SEGMENTS];
	uint32_t index, tag;
	bool reaped = false;
	for (;;) {
		int rc = mdg__enter_writer(ns);
		if (rc < 0)
			return rc;
		if (wish->key != 0 || wish->name[0] != '\0') {
			rc = mdg__object_find(registry, MDG__SEGMENTS, wish->key, wish->name,
			                      &index, &tag);
			if (rc != -ENOENT) {
				mdg__unlock(registry);
				return rc == 0 ? -EAGAIN : rc;
			}
		}
		*ret_before = turn_of(directory);
		rc = mdg__segment_id_take(registry, mdg__pages_of(wish->size), ret_index,
		                          ret_sequence);
		if (rc == 0)
			fill_in(ns, *ret_index, *ret_sequence, wish);
		mdg__unlock(registry);
		if (rc == -EAGAIN) {
			rc = mdg__registry_ready(registry, MDG__SEGMENTS, *ret_index + 1);
			if (rc == 0)
				continue;
		}
		bool used = ret_before->next_id1 != 0 && turn_of(directory).next_id1 == 0;
		if (rc != -ENOSPC || reaped || used)
			return rc;
		mdg__reap_all(ns); /* the dead may hold what is missing */
		reaped = true;
	}
}

/* The third step. `made` is what came of the second one: if there is a file the segment becomes
 * LIVE, and if there is none the entry is freed. */
static int finish(struct mdg_namespace *ns, uint32_t index, uint32_t sequence,
                  const struct turn *before, int made)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__segment *segment = &registry->segments[index];
	int rc = mdg__enter_writer(ns);
	if (rc < 0)
		return rc;
	if (mdg__get32(&segment->tag) != mdg__tag(sequence, MDG__BUSY)) {
		made = MDG_DAMAGED;
	} else if (made < 0) {
		if (made != -EEXIST) /* then the next one is tried */
			turn_back(registry, index, sequence, before);
		mdg__segment_end_clearing(registry, index);
	} else {
		mdg__object_live(registry, MDG__SEGMENTS, index);
		mdg__commit(registry);
	}
	mdg__unlock(registry);
	return made;
}

/* Chooses the size of the pages, and with it the size of the mapping. */
static int choose_pages(const struct mdg_namespace *ns, struct wish *wish)
{
	uint64_t unit = mdg__page_size();
	if (wish->size == 0 || wish->size > mdg__get64(&ns->registry.head->shmmax_now) ||
	    wish->size > (uint64_t)INT64_MAX - unit)
		return -EINVAL;
	if (wish->flags & MDG_HUGEPAGES) {
		int rc = mdg__huge_choose(wish->flags, &wish->huge_shift);
		if (rc < 0)
			return rc;
		unit = UINT64_C(1) << wish->huge_shift;
	}
	wish->mapped = (wish->size + unit - 1) / unit * unit;
	return 0;
}

/* [object lock] If the segment has used up shm_next_id, its file is to show that. */
static void note_used(struct mdg_namespace *ns, const struct turn *before)
{
	if (before->next_id1 != 0 &&
	    mdg__get32(&ns->registry.head->directory[MDG__SEGMENTS].next_id1) == 0)
		mdg__settings_show(ns, MDG__NEXT_ID);
}

/* [object lock] The three steps, for one id. */
static int make_once(struct mdg_namespace *ns, const struct wish *wish, mdg_id *ret_id)
{
	uint32_t index = 0, sequence = 0;
	struct turn before = { 0 };
	mdg__sigmask mask;
	int rc = begin(ns, wish, &index, &sequence, &before);
	if (rc < 0) {
		note_used(ns, &before);
		return rc;
	}
	mdg_id id = (mdg_id)(sequence * MDG__IDS + index);
	/* Other threads may go on. Signals stay blocked: fallocate starts over after each
	 * one, and the signals of a timer would keep it from ever ending. */
	mdg__pause(ns, &mask);
	rc = mdg__data_create(ns, id, wish->mapped, wish->mode, wish->flags, wish->huge_shift);
	mdg__resume(ns, &mask);
	rc = finish(ns, index, sequence, &before, rc);
	note_used(ns, &before);
	if (rc == 0)
		*ret_id = id;
	return rc;
}

static int make(struct mdg_namespace *ns, struct wish *wish, mdg_id *ret_id)
{
	mdg__settings_follow(ns);
	int rc = choose_pages(ns, wish);
	if (rc < 0)
		return rc;
	rc = mdg__registry_here(&ns->registry);
	if (rc < 0)
		return rc;
	wish->euid = mdg__euid();
	(void)mdg__users_anew_here(&ns->registry, wish->euid); /* whose it is, is written down */
	mdg__enter(ns);
	rc = -EEXIST;
	/* In a shared namespace somebody else may have put a file of that name there. We may
	 * not unlink it. The next id has another name. */
	for (int tries = 0; rc == -EEXIST && tries < SQUATTED_MOST; tries++)
		rc = make_once(ns, wish, ret_id);
	if (rc == -ENOMEM) { /* dead processes may still hold memory: clear up and try again */
		mdg__reap_all(ns);
		rc = make_once(ns, wish, ret_id);
	}
	mdg__leave(ns);
	return rc == -EEXIST ? -EACCES : rc;
}

static int find_or_make(struct mdg_namespace *ns, struct wish *wish, mdg_id *ret_id)
{
	mdg__arrive(ns);
	if (wish->key == 0 && wish->name[0] == '\0')
		return make(ns, wish, ret_id); /* which asks whether the registry is still there */
	int gone = mdg__registry_glance(&ns->registry);
	if (gone < 0)
		return gone;
	for (uint32_t busy = 0;;) {
		uint32_t index, tag;
		int rc = find(ns, wish, &index, &tag);
		/* Whoever only looks waits for nobody: its maker may be dead, and only a process
		 * that may change something can clear it away then. */
		if (rc == 0 && mdg__tag_state(tag) == MDG__BUSY && ns->registry.look)
			rc = -ENOENT;
		if (rc == 0 && mdg__tag_state(tag) == MDG__BUSY) {
			wait_while_busy(ns, index, tag, ++busy);
			continue;
		}
		if (rc == 0)
			rc = accept(ns, index, tag, wish, ret_id);
		else if (rc == -ENOENT && (wish->flags & MDG_CREATE))
			rc = make(ns, wish, ret_id);
		if (rc != -EAGAIN)
			return rc;
	}
}

/* The caller's pointer may lead nowhere, so nothing is held when it is used. */
static int fulfil(struct mdg_namespace *ns, struct wish *wish, mdg_id *ret_id)
{
	mdg_id id = 0;
	int rc = find_or_make(ns, wish, &id);
	if (rc == 0)
		*ret_id = id;
	return rc;
}

/* ---- the public functions --------------------------------------------------- */

static int name_wish(struct wish *wish, const char *name)
{
	if (name == NULL)
		return 0;
	size_t length = strnlen(name, MDG_NAME_MAX + 1);
	if (length == 0 || length > MDG_NAME_MAX)
		return -EINVAL;
	memcpy(wish->name, name, length);
	return 0;
}

int mdg__segment_create(mdg_namespace *ns, const char *name, uint64_t size, unsigned mode,
                        unsigned flags, enum mdg__segment_kind kind, mdg_id *ret_id)
{
	struct wish wish = { .size = size,
		             .mode = mode & 0777,
		             .flags = flags | MDG_CREATE | MDG_EXCL,
		             .kind = (uint32_t)kind };
	int rc = name_wish(&wish, name);
	if ((flags & ~(MDG_NORESERVE | MDG_HUGEPAGES | HUGE_SIZE_BITS)) != 0)
		rc = -EINVAL;
	return rc < 0 ? rc : fulfil(ns, &wish, ret_id);
}

int mdg_segment_create(mdg_namespace *ns, const char *name, uint64_t size, unsigned mode,
                       unsigned flags, mdg_id *ret_id)
{
	return mdg__segment_create(ns, name, size, mode, flags, MDG__KIND_PLAIN, ret_id);
}

int mdg_segment_open(mdg_namespace *ns, const char *name, uint64_t min_size, unsigned ask,
                     mdg_id *ret_id)
{
	struct wish wish = { .size = min_size, .mode = ask & 0777 };
	int rc = name == NULL ? -EINVAL : name_wish(&wish, name);
	return rc < 0 ? rc : fulfil(ns, &wish, ret_id);
}

int mdg_segment_get(mdg_namespace *ns, int32_t key, uint64_t size, unsigned flags, mdg_id *ret_id)
{
	struct wish wish = {
		.key = (uint32_t)key, .size = size, .mode = flags & 0777, .flags = flags
	};
	return fulfil(ns, &wish, ret_id);
}
