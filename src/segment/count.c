/* SPDX-License-Identifier: MIT */
/*
 * count.c - counting and stamping what is attached and detached.
 *
 * The usual way, of a process that has had the segment attached before, takes
 * no lock of the registry: the process counts in its own record, then looks
 * whether the segment was removed meanwhile. registry/attachment.c argues why
 * that is enough. If the process dies on the way, what it counted is not
 * counted any more.
 */
#include <errno.h>

#include "segment/internal.h"

#define NOTICED_MOST      8
#define RECORDS_MADE_MOST 1000

/* This process's record for the segment, made if need be. */
static int ensure_record(struct mdg_namespace *ns, uint32_t index, struct mdg__known *known)
{
	struct mdg__registry *registry = &ns->registry;
	for (;;) {
		uint32_t made;
		int rc = mdg__enter_writer(ns);
		if (rc < 0)
			return rc;
		uint32_t tag = mdg__get32(&registry->segments[index].tag);
		if (tag >> 8 != known->sequence1 - 1 || mdg__tag_state(tag) < MDG__LIVE)
			rc = -EINVAL;
		else
			rc = mdg__tie_make(registry, MDG__SEGMENTS, index, registry->slot1 - 1,
			                   &made, &known->generation);
		if (rc == 0 && mdg__get64(&registry->segments[index].inode) == 0) {
			/* The first who opened the file can say which it is. */
			mdg__put64(registry, &registry->segments[index].inode, known->inode);
			mdg__commit(registry);
		}
		mdg__unlock(registry);
		if (rc == 0) {
			known->attachment1 = made + 1;
			known->epoch = ns->epoch;
			mdg__known_note_fd(ns, known);
			return 0;
		}
		if (rc == -EAGAIN)
			rc = mdg__attachments_ready(ns, made + 1);
		if (rc < 0)
			return rc;
	}
}

/* ---- stamps --------------------------------------------------------------- */

/* Stamps are by whoever came last, and the dead came before this call: notice
 * them now. A few only: it costs a question for each other process. */
static void notice_deaths(struct mdg_namespace *ns, uint32_t index, uint32_t tag)
{
	struct mdg__holder holders[NOTICED_MOST];
	int count = mdg__object_holders(&ns->registry, MDG__SEGMENTS, index, tag, holders,
	                                NOTICED_MOST);
	for (int i = 0; i < count; i++)
		if (!mdg__slot_alive(&ns->registry, holders[i].slot, holders[i].generation))
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

/* The count went up while the segment was or became REMOVED: was that in time?
 * Under the lock nobody is in the middle of deciding. */
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

static bool add_own(struct mdg_namespace *ns, const struct mdg__known *known, int32_t delta)
{
	return mdg__known_has_record(ns, known) &&
	       mdg__tie_add(&ns->registry, known->attachment1 - 1, known->generation, delta);
}

int mdg__count_attached(struct mdg_namespace *ns, uint32_t index, uint32_t sequence)
{
	struct mdg__known *known = &ns->known[index];
	int rc = 0;
	/* No record, or it went with a slot that was lost, or a sweep took it away
	 * just when it was made: made again, as long as the segment is there. */
	for (int tries = 0; !add_own(ns, known, 1); tries++) {
		known->attachment1 = 0;
		rc = tries < RECORDS_MADE_MOST ? ensure_record(ns, index, known) : MDG_DAMAGED;
		if (rc < 0)
			return rc;
	}
	const uint32_t record1 = known->attachment1, generation = known->generation;
	/* A2 in registry/attachment.c. */
	if (atomic_load(&ns->registry.segments[index].tag) != mdg__tag(sequence, MDG__LIVE))
		rc = still_there(ns, index, sequence);
	bool same = known->attachment1 == record1 && known->generation == generation;
	if (rc < 0 && same)
		(void)add_own(ns, known, -1);
	/* The slot was found lost, and all was entered anew but this one. */
	if (rc == 0 && !same && !add_own(ns, known, 1))
		rc = -EINVAL;
	if (rc == 0)
		known->pieces++;
	return rc;
}

/* ---- detached ------------------------------------------------------------- */

/* Clears a removed segment away if nobody has it attached any more. */
static void clear_if_last(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__clearing clearing = { 0 };
	if (mdg__enter_writer(ns) < 0)
		return; /* whoever meets it next does it */
	(void)mdg__object_begin_clearing(&ns->registry, MDG__SEGMENTS, index, &clearing);
	mdg__unlock(&ns->registry);
	mdg__clear(ns, &clearing);
}

/* Nothing of it is attached any more. A program that has attached and detached
 * it before will do so again: keep its descriptor, as the one idle one. Not of
 * a removed segment, and not after the first time: a descriptor holds on to
 * the memory if the segment is removed by others. */
static void keep_idle(struct mdg_namespace *ns, uint32_t index, bool live)
{
	struct mdg__known *known = &ns->known[index];
	if (!live || known->detached == 0) {
		mdg__known_drop_fd(ns, index);
		known->detached = 1;
		return;
	}
	if (ns->idle1 != 0 && ns->idle1 != index + 1)
		mdg__known_drop_fd(ns, ns->idle1 - 1);
	ns->idle1 = known->fd >= 0 ? index + 1 : 0;
}

void mdg__count_detached(struct mdg_namespace *ns, uint32_t index, uint32_t sequence)
{
	struct mdg__known *known = &ns->known[index];
	struct mdg__segment *segment = &ns->registry.segments[index];
	if (known->sequence1 != sequence + 1 || known->pieces == 0)
		return; /* the registry was scribbled over */
	known->pieces--;
	if (mdg__known_has_record(ns, known))
		(void)mdg__tie_add(&ns->registry, known->attachment1 - 1, known->generation, -1);
	uint32_t tag = atomic_load(&segment->tag);
	if (known->pieces == 0)
		keep_idle(ns, index, tag == mdg__tag(sequence, MDG__LIVE));
	if (known->pieces == 0 && tag == mdg__tag(sequence, MDG__REMOVED))
		clear_if_last(ns, index);
}
