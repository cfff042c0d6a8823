/* SPDX-License-Identifier: MIT */
/*
 * reap.c - what the dead leave behind.
 *
 * There is no daemon: whoever meets a dead process slot gives back what it
 * had. Its attachments are freed one by one, each a change of its own, so that
 * the work can be cut off anywhere and taken up by the next. The slot becomes
 * FREE last.
 *
 * A segment's data file is made and unlinked without the lock. Meanwhile the
 * entry is BUSY, and names the process at work on it. If that dies, the file
 * may or may not be there: the reaper becomes the worker, unlinks it in either
 * case, and frees the entry. So a creation that was cut off has not happened,
 * and a removal that was cut off has.
 */
#include <errno.h>

#include "platform/sys.h"
#include "registry/internal.h"

static struct mdg__process *own(const struct mdg__registry *registry)
{
	return &registry->processes[registry->slot1 - 1];
}

static void add_working(struct mdg__registry *registry, struct mdg__process *process, int delta)
{
	mdg__put32(registry, &process->working, mdg__get32(&process->working) + (uint32_t)delta);
}

void mdg__segment_set_worker(struct mdg__registry *registry, uint32_t index)
{
	struct mdg__segment *segment = &registry->segments[index];
	mdg__put32(registry, &segment->worker, registry->slot1);
	mdg__put32(registry, &segment->worker_generation, registry->generation);
	add_working(registry, own(registry), 1);
}

void mdg__segment_worker_done(struct mdg__registry *registry, uint32_t index)
{
	(void)index;
	if (mdg__get32(&own(registry)->working) > 0)
		add_working(registry, own(registry), -1);
}

void mdg__segment_take_work(struct mdg__registry *registry, uint32_t index)
{
	struct mdg__segment *segment = &registry->segments[index];
	uint32_t worker1 = mdg__get32(&segment->worker);
	if (mdg__is_slot1(registry, worker1)) {
		struct mdg__process *process = &registry->processes[worker1 - 1];
		if (mdg__get32(&process->tag) >> 8 == mdg__get32(&segment->worker_generation) &&
		    mdg__get32(&process->working) > 0)
			add_working(registry, process, -1);
	}
	mdg__segment_set_worker(registry, index);
}

bool mdg__segment_is_own_work(const struct mdg__registry *registry, uint32_t index)
{
	const struct mdg__segment *segment = &registry->segments[index];
	return registry->slot1 != 0 && mdg__tag_state(mdg__get32(&segment->tag)) == MDG__BUSY &&
	       mdg__get32(&segment->worker) == registry->slot1;
}

static bool has_room(const struct mdg__clearing *clearing)
{
	return clearing->count < sizeof clearing->index / sizeof clearing->index[0];
}

/* Whether a slot's process lives. One found dead is marked, so that a thousand
 * of them are not asked for each of their segments. Not journalled: it is true
 * whatever becomes of the change it is asked for. [lock] */
static bool lives(struct mdg__registry *registry, uint32_t slot)
{
	mdg__a32 *field = &registry->processes[slot].tag;
	uint32_t tag = mdg__get32(field), state = tag & 0xff;
	if (mdg__slot_alive(registry, slot, tag >> 8))
		return true;
	if (state == MDG__SLOT_LIVE || state == MDG__SLOT_FORKING)
		(void)atomic_compare_exchange_strong(field, &tag,
		                                     (tag & ~UINT32_C(0xff)) | MDG__SLOT_DEAD);
	return false;
}

/* Whether a living process has the segment attached. [lock] */
static bool is_held(struct mdg__registry *registry, uint32_t index)
{
	uint32_t at = mdg__get32(&registry->segments[index].attachments);
	uint32_t records = mdg__registry_ready_count(registry, MDG__ATTACHMENTS);
	uint32_t processes = mdg__registry_ready_count(registry, MDG__PROCESSES);
	for (uint32_t steps = 0; at != 0 && at <= records && steps < registry->process_capacity;
	     steps++) {
		struct mdg__attachment *record = &registry->attachments[at - 1];
		uint32_t slot = mdg__get32(&record->process);
		if ((uint32_t)atomic_load(&record->word) != 0 && slot < processes &&
		    lives(registry, slot))
			return true;
		at = mdg__get32(&record->segment_next);
	}
	return false;
}

bool mdg__segment_begin_clearing(struct mdg__registry *registry, uint32_t index,
                                 struct mdg__clearing *clearing)
{
	struct mdg__segment *segment = &registry->segments[index];
	uint32_t tag = mdg__get32(&segment->tag);
	if (mdg__tag_state(tag) != MDG__REMOVED || !has_room(clearing))
		return false;
	/* B1 in attachment.c once more: REMOVED was put by a plain release, which a
	 * processor may let the loads of the counts (B2) overtake. */
	(void)atomic_fetch_or(&segment->tag, 0);
	if (is_held(registry, index))
		return false;
	mdg__put32(registry, &segment->tag, mdg__tag(tag >> 8, MDG__BUSY));
	mdg__segment_set_worker(registry, index);
	mdg__commit(registry);
	clearing->index[clearing->count++] = index;
	return true;
}

void mdg__segment_end_clearing(struct mdg__registry *registry, uint32_t index)
{
	struct mdg__segment *segment = &registry->segments[index];
	uint32_t tag = mdg__get32(&segment->tag);
	if (mdg__tag_state(tag) != MDG__BUSY || mdg__get32(&segment->worker) != registry->slot1)
		return;
	uint32_t at, records = mdg__registry_ready_count(registry, MDG__ATTACHMENTS);
	for (uint32_t steps = 0; (at = mdg__get32(&segment->attachments)) != 0; steps++)
		if (at > records || steps > records || mdg__attachment_free(registry, at - 1) < 0)
			break; /* damaged: the check will find the records without owner */
	if (mdg__get32(&segment->key) != 0 || mdg__get32(&segment->name_hash) != 0)
		(void)mdg__index_unlink(registry, index);
	mdg__put32(registry, &segment->attachments, 0);
	mdg__put32(registry, &segment->key, 0);
	mdg__put32(registry, &segment->name_hash, 0);
	mdg__put32(registry, &segment->worker, 0);
	mdg__put32(registry, &segment->tag, mdg__tag(tag >> 8, MDG__FREE));
	mdg__id_give_back(registry, index, mdg__pages_of(mdg__get64(&segment->size)));
	mdg__segment_worker_done(registry, index);
	mdg__commit(registry);
}

static bool is_listed(const struct mdg__clearing *clearing, uint32_t index)
{
	for (uint32_t i = 0; i < clearing->count; i++)
		if (clearing->index[i] == index)
			return true;
	return false;
}

void mdg__segment_leave_clearing(struct mdg__registry *registry, uint32_t index)
{
	struct mdg__segment *segment = &registry->segments[index];
	uint32_t tag = mdg__get32(&segment->tag);
	if (mdg__tag_state(tag) != MDG__BUSY || mdg__get32(&segment->worker) != registry->slot1)
		return;
	if (mdg__get32(&segment->key) != 0 || mdg__get32(&segment->name_hash) != 0)
		(void)mdg__index_unlink(registry, index); /* it was only half made */
	mdg__put32(registry, &segment->mode, mdg__get32(&segment->mode) | MDG_MODE_REMOVED);
	mdg__put32(registry, &segment->key, 0);
	mdg__put32(registry, &segment->name_hash, 0);
	mdg__put32(registry, &segment->worker, 0);
	mdg__put32(registry, &segment->tag, mdg__tag(tag >> 8, MDG__REMOVED));
	mdg__segment_worker_done(registry, index);
	mdg__commit(registry);
}

/* The segments a dead process was at work on become ours to clear. With its slot
 * inherited, they are that already, and so are those just listed. */
static int take_over_work(struct mdg__registry *registry, uint32_t slot, uint32_t generation,
                          struct mdg__clearing *clearing)
{
	struct mdg__process *dead = &registry->processes[slot];
	uint32_t ready = mdg__registry_ready_count(registry, MDG__SEGMENTS);
	for (uint32_t index = 0; index < ready && mdg__get32(&dead->working) != 0; index++) {
		struct mdg__segment *segment = &registry->segments[index];
		if (mdg__tag_state(mdg__get32(&segment->tag)) != MDG__BUSY ||
		    mdg__get32(&segment->worker) != slot + 1 ||
		    mdg__get32(&segment->worker_generation) != generation ||
		    is_listed(clearing, index))
			continue;
		if (!has_room(clearing))
			return -EAGAIN;
		add_working(registry, dead, -1);
		mdg__segment_set_worker(registry, index);
		mdg__commit(registry);
		clearing->index[clearing->count++] = index;
	}
	return 0;
}

/* Frees one record of a dead process, and stamps the segment as the kernel
 * does when a process ends. */
static int free_one(struct mdg__registry *registry, uint32_t attachment, uint32_t pid,
                    struct mdg__clearing *clearing)
{
	struct mdg__attachment *record = &registry->attachments[attachment];
	uint32_t index = mdg__get32(&record->segment);
	if (index >= mdg__registry_ready_count(registry, MDG__SEGMENTS))
		return MDG_DAMAGED;
	struct mdg__segment *segment = &registry->segments[index];
	if ((uint32_t)atomic_load(&record->word) != 0) {
		atomic_store_explicit(&segment->dtime, (uint64_t)mdg__now_seconds(),
		                      memory_order_release);
		if (pid != 0)
			atomic_store_explicit(&segment->lpid, pid, memory_order_release);
	}
	if (!has_room(clearing))
		return -EAGAIN;
	/* In this order: as long as the record is there, whoever comes after our
	 * own death meets the segment again. */
	(void)mdg__segment_begin_clearing(registry, index, clearing);
	return mdg__attachment_free(registry, attachment);
}

int mdg__slot_reap(struct mdg__registry *registry, uint32_t slot, uint32_t generation,
                   struct mdg__clearing *clearing)
{
	struct mdg__process *dead = &registry->processes[slot];
	uint32_t tag = mdg__get32(&dead->tag);
	if (tag >> 8 != generation || (tag & 0xff) == MDG__SLOT_FREE)
		return 0; /* somebody else has done it */
	/* The slot of this process is reaped only while it is inherited. */
	bool own_slot = mdg__slot_is_own(registry, slot);
	if (!own_slot && mdg__slot_at_work(registry, slot, generation))
		return 0; /* it had only lost its lock for a moment, or has an heir */
	uint32_t pid = own_slot ? 0 : mdg__get32(&dead->pid); /* ours, no longer its */
	uint32_t at, records = mdg__registry_ready_count(registry, MDG__ATTACHMENTS);
	for (uint32_t steps = 0; (at = mdg__get32(&dead->attachments)) != 0; steps++) {
		int rc = at <= records && steps <= records
		                 ? free_one(registry, at - 1, pid, clearing)
		                 : MDG_DAMAGED;
		if (rc == -EAGAIN)
			return rc;
		if (rc < 0)
			mdg__put32(registry, &dead->attachments, 0); /* check.c mends the rest */
	}
	int rc = take_over_work(registry, slot, generation, clearing);
	mdg__commit(registry);
	if (rc < 0 || own_slot)
		return rc;
	mdg__slot_forked(registry, slot); /* a child that was never born */
	mdg__put32(registry, &dead->working, 0);
	mdg__commit(registry);
	/* One store, so no journal; and none if it was inherited meanwhile. */
	tag = mdg__get32(&dead->tag);
	if (tag >> 8 == generation && (tag & 0xff) != MDG__SLOT_INHERITED) {
		/* If it shared our description, nobody else could take the slot. */
		if (mdg__get32(&dead->forking) & MDG__SHARING)
			mdg__slot_unlock(registry, slot);
		(void)atomic_compare_exchange_strong(&dead->tag, &tag,
		                                     mdg__slot_tag(generation, MDG__SLOT_FREE));
	}
	return 0;
}
