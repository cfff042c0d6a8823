/* SPDX-License-Identifier: MIT */
/*
 * count.c - counting and stamping what is attached and detached.
 *
 * The usual way, of a process that has had the segment attached before, takes
 * no lock of the registry: the process counts in its own record, then looks
 * whether the segment was removed meanwhile. registry/tie.c argues why
 * that is enough. If the process dies on the way, what it counted is not
 * counted any more.
 */
#include <errno.h>

#include "registry/alive.h"
#include "registry/clearing.h"
#include "registry/tie.h"
#include "segment/internal.h"

#define NOTICED_MOST      8
#define RECORDS_MADE_MOST 1000

/* Makes this process's record for the segment. */
static int ensure_record(struct mdg_namespace *ns, uint32_t index, struct mdg__segment_cache *cache)
{
	struct mdg__registry *registry = &ns->registry;
	for (;;) {
		uint32_t made;
		int rc = mdg__enter_writer(ns);
		if (rc < 0)
			return rc;
		uint32_t tag = mdg__get32(&registry->segments[index].tag);
		if (mdg__tag_generation(tag) != cache->sequence1 - 1 ||
		    mdg__tag_state(tag) < MDG__LIVE)
			rc = -EINVAL;
		else
			rc = mdg__tie_make(registry, MDG__SEGMENTS, index, registry->slot1 - 1,
			                   &made, &cache->generation);
		if (rc == 0 && mdg__get64(&registry->segments[index].inode) == 0) {
			/* Whoever opens the file first notes its inode. */
			mdg__put64(registry, &registry->segments[index].inode, cache->inode);
			mdg__commit(registry);
		}
		mdg__unlock(registry);
		if (rc == 0) {
			cache->attachment1 = made + 1;
			cache->epoch = ns->epoch;
			mdg__cache_note_fd(ns, cache);
			return 0;
		}
		if (rc == -EAGAIN)
			rc = mdg__attachments_ready(ns, made + 1);
		if (rc < 0)
			return rc;
	}
}

/* ---- stamps --------------------------------------------------------------- */

/* A death is a detach too, and is stamped when somebody notices it. The dead died before this call,
 * so their stamps have to come before its own. Only a few processes are looked at, because
 * each one costs a question to the kernel. */
static void notice_deaths(struct mdg_namespace *ns, uint32_t index, uint32_t tag)
{
	struct mdg__holder holders[NOTICED_MOST];
	int count = mdg__object_holders(&ns->registry, MDG__SEGMENTS, index, tag, holders,
	                                NOTICED_MOST);
	for (int i = 0; i < count; i++)
		if (!mdg__slot_lives_on(&ns->registry, holders[i].slot, holders[i].generation))
			mdg__reap(ns, &holders[i], 1);
}

static void stamp(struct mdg_namespace *ns, mdg__a64 *time, mdg__a32 *lpid)
{
	atomic_store_explicit(time, (uint64_t)mdg__now_seconds(), memory_order_release);
	if (ns->registry.slot1 != 0)
		atomic_store_explicit(
			lpid, mdg__get32(&ns->registry.processes[ns->registry.slot1 - 1].pid),
			memory_order_release);
}

void mdg__stamp_attached(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__segment *segment = &ns->registry.segments[index];
	notice_deaths(ns, index, mdg__get32(&segment->tag));
	stamp(ns, &segment->atime, &segment->lpid);
}

void mdg__stamp_detached(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__segment *segment = &ns->registry.segments[index];
	notice_deaths(ns, index, mdg__get32(&segment->tag));
	stamp(ns, &segment->dtime, &segment->lpid);
}

/* ---- attached ------------------------------------------------------------- */

/* The count went up while the segment was REMOVED, or was just being removed. Was that in time?
 * With the writer lock held, nobody is in the middle of deciding that. */
static int still_there(struct mdg_namespace *ns, uint32_t index, uint32_t sequence)
{
	int rc = mdg__enter_writer(ns);
	if (rc < 0)
		return rc;
	uint32_t tag = mdg__get32(&ns->registry.segments[index].tag);
	mdg__unlock(&ns->registry);
	return tag == mdg__tag(sequence, MDG__REMOVED) || tag == mdg__tag(sequence, MDG__LIVE)
	               ? 0
	               : -EINVAL;
}

/* Adds to this process's record. False: there is none. */
static bool add_own(struct mdg_namespace *ns, const struct mdg__segment_cache *cache, int32_t delta)
{
	return mdg__cache_has_record(ns, cache) &&
	       mdg__tie_add(&ns->registry, cache->attachment1 - 1, cache->generation, delta);
}

int mdg__count_attached(struct mdg_namespace *ns, uint32_t index, uint32_t sequence)
{
	struct mdg__segment_cache *cache = &ns->caches[index];
	int rc = 0;
	/* There may be no record, or it was lost with the slot, or a sweep took it away just
	 * after it was made. It is made again, as long as the segment is there. */
	for (int tries = 0; !add_own(ns, cache, 1); tries++) {
		cache->attachment1 = 0;
		rc = tries < RECORDS_MADE_MOST ? ensure_record(ns, index, cache) : MDG_DAMAGED;
		if (rc < 0)
			return rc;
	}
	const uint32_t record1 = cache->attachment1, generation = cache->generation;
	/* A2 in registry/tie.c. */
	if (atomic_load(&ns->registry.segments[index].tag) != mdg__tag(sequence, MDG__LIVE))
		rc = still_there(ns, index, sequence);
	bool same = cache->attachment1 == record1 && cache->generation == generation;
	if (rc < 0 && same)
		(void)add_own(ns, cache, -1);
	/* The slot was lost, and a new one taken. All attachments were entered anew then, but
	 * this one was not among them yet. */
	if (rc == 0 && !same && !add_own(ns, cache, 1))
		rc = -EINVAL;
	if (rc < 0)
		return rc;
	cache->pieces++;
	/* Its descriptor is in use again. Others reach a removed segment through it. */
	if (ns->kept_detached1 == index + 1)
		ns->kept_detached1 = 0;
	return 0;
}

/* ---- detached ------------------------------------------------------------- */

/* Clears a removed segment away if nobody has it attached any more. */
static void clear_if_last(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__clearing clearing = { 0 };
	if (mdg__enter_writer(ns) < 0)
		return; /* the next process that comes across it does it */
	(void)mdg__object_begin_clearing(&ns->registry, MDG__SEGMENTS, index, &clearing);
	mdg__unlock(&ns->registry);
	mdg__clear(ns, &clearing);
}

/* This process has nothing of the segment attached any more. If it attaches and detaches the
 * segment for the second time, it will do so again. Then its descriptor is kept, and the one that
 * was kept before is closed. The descriptor of a removed segment is not kept, because it would
 * hold on to the memory. */
static void keep_detached(struct mdg_namespace *ns, uint32_t index, bool live)
{
	struct mdg__segment_cache *cache = &ns->caches[index];
	if (!live || cache->detached == 0) {
		mdg__cache_drop_fd(ns, index);
		cache->detached = 1;
		return;
	}
	if (ns->kept_detached1 != 0 && ns->kept_detached1 != index + 1)
		mdg__cache_drop_fd(ns, ns->kept_detached1 - 1);
	ns->kept_detached1 = cache->fd >= 0 ? index + 1 : 0;
}

void mdg__count_detached(struct mdg_namespace *ns, uint32_t index, uint32_t sequence)
{
	struct mdg__segment_cache *cache = &ns->caches[index];
	struct mdg__segment *segment = &ns->registry.segments[index];
	if (cache->sequence1 != sequence + 1 || cache->pieces == 0)
		return; /* somebody has scribbled over the registry */
	cache->pieces--;
	if (mdg__cache_has_record(ns, cache))
		(void)mdg__tie_add(&ns->registry, cache->attachment1 - 1, cache->generation, -1);
	uint32_t tag = atomic_load(&segment->tag);
	if (cache->pieces == 0)
		keep_detached(ns, index, tag == mdg__tag(sequence, MDG__LIVE));
	if (cache->pieces == 0 && tag == mdg__tag(sequence, MDG__REMOVED))
		clear_if_last(ns, index);
}
