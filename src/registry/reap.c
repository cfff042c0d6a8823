/* SPDX-License-Identifier: MIT */
/*
 * reap.c - what the dead leave behind.
 *
 * There is no daemon. A process that comes across the slot of a dead process gives back
 * what that process had. The ties are freed one by one, each in a change of its own. So
 * the work can be cut off anywhere, and the next process goes on with it. The slot becomes
 * FREE last.
 *
 * What the death of a process means for an object that it was tied to depends on the
 * class of the object: see `classes` below.
 *
 * A data file is unlinked without the lock. One that is made together with its object is made
 * without it too. (One that is made later is made with the lock: segment/objectfile.c.) Meanwhile
 * the entry is BUSY, and names the process at work on it. If that process dies, the file may or may
 * not be there. The reaper becomes the worker, unlinks the file in either case, and
 * frees the entry. So a creation that was cut off has not happened, and a removal that
 * was cut off has.
 */
#include <errno.h>

#include "platform/sys.h"
#include "registry/internal.h"

/* What a class has of its own at a death. */
struct class_rules {
	/* The tie of a dead process counted something: called before it is freed. `pid`
	 * 0: not known any more. NULL: nothing to do. [lock] */
	void (*tie_died)(struct mdg__registry *registry, uint32_t index, uint32_t pid);
	/* A removed object stays while a living process is tied to it, and counts in its tie.
	 * Otherwise the ties go with it. */
	bool held_by_ties;
};

/* Stamps the segment as the kernel does when a process ends. */
static void segment_tie_died(struct mdg__registry *registry, uint32_t index, uint32_t pid)
{
	struct mdg__segment *segment = &registry->segments[index];
	atomic_store_explicit(&segment->dtime, (uint64_t)mdg__now_seconds(), memory_order_release);
	if (pid != 0)
		atomic_store_explicit(&segment->lpid, pid, memory_order_release);
}

static const struct class_rules classes[MDG__CLASSES] = {
	[MDG__SEGMENTS] = { .tie_died = segment_tie_died, .held_by_ties = true },
	[MDG__SEMAPHORE_SETS] = { .tie_died = NULL, .held_by_ties = false },
	[MDG__MESSAGE_QUEUES] = { .tie_died = NULL, .held_by_ties = false },
};

/* Whether an object has something outside of the registry (a data file), which is cleared away
 * without the lock before the entry is freed. */
static bool has_outside(const struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	return mdg__object_file(registry, class, index) != MDG__FILE_NONE;
}

static bool has_room(const struct mdg__clearing *clearing)
{
	return clearing->count < sizeof clearing->list / sizeof clearing->list[0];
}

void mdg__clearing_add(struct mdg__clearing *clearing, enum mdg__class class, uint32_t index)
{
	clearing->list[clearing->count].class = class;
	clearing->list[clearing->count++].index = index;
}

/* Whether a slot's process lives. If it is found dead, the slot is marked, so that the
 * question is not asked again for each of its segments. The mark is not journalled: it is
 * true even if the change during which it was set is undone. [lock] */
static bool lives(struct mdg__registry *registry, uint32_t slot)
{
	mdg__a32 *field = &registry->processes[slot].tag;
	uint32_t tag = mdg__get32(field);
	enum mdg__process_state state = mdg__slot_state(tag);
	if (mdg__slot_alive(registry, slot, mdg__tag_generation(tag)))
		return true;
	if (state == MDG__SLOT_LIVE || state == MDG__SLOT_FORKING)
		(void)atomic_compare_exchange_strong(
			field, &tag, mdg__slot_tag(mdg__tag_generation(tag), MDG__SLOT_DEAD));
	return false;
}

/* Whether a living process is tied to the object, and counts in its tie. [lock] */
static bool is_held(struct mdg__registry *registry, const struct mdg__object *object)
{
	uint32_t at = mdg__get32(&object->ties);
	uint32_t records = mdg__registry_ready_count(registry, MDG__TIES);
	uint32_t processes = mdg__registry_ready_count(registry, MDG__PROCESSES);
	for (uint32_t steps = 0; at != 0 && at <= records && steps < registry->process_capacity;
	     steps++) {
		struct mdg__tie *record = &registry->ties[at - 1];
		uint32_t slot = mdg__get32(&record->process);
		if ((uint32_t)atomic_load(&record->word) != 0 && slot < processes &&
		    lives(registry, slot))
			return true;
		at = mdg__get32(&record->object_next);
	}
	return false;
}

/* Frees an object that this process is the worker of: a change of its own. [lock] */
static void end(struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	mdg__object_free(registry, class, index);
	mdg__object_worker_done(registry);
	mdg__commit(registry);
}

/* Makes this process the worker of a BUSY object, and ends the change. What has something
 * outside of the registry is listed, and the list has to have room. The rest is freed. [lock] */
static void work_on(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                    struct mdg__clearing *clearing)
{
	mdg__object_set_worker(registry, class, index);
	mdg__commit(registry);
	if (has_outside(registry, class, index))
		mdg__clearing_add(clearing, class, index);
	else
		end(registry, class, index);
}

bool mdg__object_begin_clearing(struct mdg__registry *registry, enum mdg__class class,
                                uint32_t index, struct mdg__clearing *clearing)
{
	struct mdg__object *object = mdg__object_at(registry, class, index);
	uint32_t tag = mdg__get32(&object->tag);
	if (mdg__tag_state(tag) != MDG__REMOVED ||
	    (has_outside(registry, class, index) && !has_room(clearing)))
		return false;
	/* B1 in tie.c once more: REMOVED was put by a plain release, which a processor may
	 * let the loads of the counts (B2) overtake. */
	(void)atomic_fetch_or(&object->tag, 0);
	if (classes[class].held_by_ties && is_held(registry, object))
		return false;
	mdg__put32(registry, &object->tag, mdg__tag(mdg__tag_generation(tag), MDG__BUSY));
	work_on(registry, class, index, clearing);
	return true;
}

void mdg__object_end_clearing(struct mdg__registry *registry, enum mdg__class class, uint32_t index)
{
	if (mdg__object_is_own_work(registry, class, index))
		end(registry, class, index);
}

static bool is_listed(const struct mdg__clearing *clearing, enum mdg__class class, uint32_t index)
{
	for (uint32_t i = 0; i < clearing->count; i++)
		if (clearing->list[i].class == class && clearing->list[i].index == index)
			return true;
	return false;
}

void mdg__object_leave_clearing(struct mdg__registry *registry, enum mdg__class class,
                                uint32_t index)
{
	if (!mdg__object_is_own_work(registry, class, index))
		return;
	mdg__object_remove(registry, class, index); /* with its key: it was only half made */
	mdg__put32(registry, &mdg__object_at(registry, class, index)->worker, 0);
	mdg__object_worker_done(registry);
	mdg__commit(registry);
}

/* Takes over the work on one object that a dead process was at work on. -EAGAIN: the
 * list is full. */
static int take_over(struct mdg__registry *registry, struct mdg__process *dead,
                     enum mdg__class class, uint32_t index, struct mdg__clearing *clearing)
{
	if (has_outside(registry, class, index) && !has_room(clearing))
		return -EAGAIN;
	mdg__process_add_work(registry, dead, -1);
	work_on(registry, class, index, clearing);
	return 0;
}

/* Takes over the objects of a class that a dead process was at work on. If this process has
 * inherited the slot, it is their worker already, and those that were just listed are left
 * out. */
static int take_over_class(struct mdg__registry *registry, uint32_t slot, uint32_t generation,
                           enum mdg__class class, struct mdg__clearing *clearing)
{
	struct mdg__process *dead = &registry->processes[slot];
	uint32_t ready = mdg__registry_ready_count(registry, class);
	for (uint32_t index = 0; index < ready && mdg__get32(&dead->working) != 0; index++) {
		const struct mdg__object *object = mdg__object_at(registry, class, index);
		if (mdg__tag_state(mdg__get32(&object->tag)) != MDG__BUSY ||
		    mdg__get32(&object->worker) != slot + 1 ||
		    mdg__get32(&object->worker_generation) != generation ||
		    is_listed(clearing, class, index))
			continue;
		int rc = take_over(registry, dead, class, index, clearing);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int take_over_work(struct mdg__registry *registry, uint32_t slot, uint32_t generation,
                          struct mdg__clearing *clearing)
{
	int rc = 0;
	for (uint32_t class = 0; rc == 0 && class < MDG__CLASSES; class ++)
		rc = take_over_class(registry, slot, generation, (enum mdg__class) class, clearing);
	return rc;
}

/* Frees one tie of a dead process. */
static int free_one(struct mdg__registry *registry, uint32_t tie, uint32_t pid,
                    struct mdg__clearing *clearing)
{
	struct mdg__tie *record = &registry->ties[tie];
	enum mdg__class class;
	uint32_t index;
	if (mdg__tie_object(registry, record, &class, &index) == NULL)
		return MDG_DAMAGED;
	if ((uint32_t)atomic_load(&record->word) != 0 && classes[class].tie_died != NULL)
		classes[class].tie_died(registry, index, pid);
	if (!has_room(clearing))
		return -EAGAIN;
	/* In this order: if this process dies in between, the record is still there, and
	 * the next process that reaps the slot meets the object again. */
	bool outside = has_outside(registry, class, index);
	bool begun = mdg__object_begin_clearing(registry, class, index, clearing);
	/* An object with nothing outside is freed by now, and its ties with it. */
	return begun && !outside ? 0 : mdg__tie_free(registry, tie);
}

int mdg__slot_reap(struct mdg__registry *registry, uint32_t slot, uint32_t generation,
                   struct mdg__clearing *clearing)
{
	struct mdg__process *dead = &registry->processes[slot];
	uint32_t tag = mdg__get32(&dead->tag);
	if (mdg__tag_generation(tag) != generation || mdg__slot_state(tag) == MDG__SLOT_FREE)
		return 0; /* somebody else has done it */
	/* The slot of this process is reaped only while it is inherited. */
	bool own_slot = mdg__slot_is_own(registry, slot);
	if (!own_slot && mdg__slot_at_work(registry, slot, generation))
		return 0; /* it had only lost its lock for a moment, or was inherited */
	/* In an inherited slot is the pid of this process, not that of the dead one. */
	uint32_t pid = own_slot ? 0 : mdg__get32(&dead->pid);
	uint32_t at, records = mdg__registry_ready_count(registry, MDG__TIES);
	for (uint32_t steps = 0; (at = mdg__get32(&dead->ties)) != 0; steps++) {
		int rc = at <= records && steps <= records
		                 ? free_one(registry, at - 1, pid, clearing)
		                 : MDG_DAMAGED;
		if (rc == -EAGAIN)
			return rc;
		if (rc < 0)
			mdg__put32(registry, &dead->ties, 0); /* check.c mends the rest */
	}
	int rc = take_over_work(registry, slot, generation, clearing);
	mdg__commit(registry);
	if (rc < 0 || own_slot)
		return rc;
	mdg__slot_forked(registry, slot); /* a child that was never born */
	mdg__put32(registry, &dead->working, 0);
	mdg__commit(registry);
	/* This is one store, so it needs no journal. It is not made if another process has
	 * inherited the slot meanwhile. */
	tag = mdg__get32(&dead->tag);
	if (mdg__tag_generation(tag) == generation && mdg__slot_state(tag) != MDG__SLOT_INHERITED) {
		/* If the dead process shared this process's description, the byte is still
		 * locked, and no other process could take the slot. */
		if (mdg__get32(&dead->forking) & MDG__SHARING)
			mdg__slot_unlock(registry, slot);
		(void)atomic_compare_exchange_strong(&dead->tag, &tag,
		                                     mdg__slot_tag(generation, MDG__SLOT_FREE));
	}
	return 0;
}
