/* SPDX-License-Identifier: MIT */
/*
 * attachment.c - who has attached what, how often.
 *
 * One record per (process, segment) pair, in two doubly linked lists: of the
 * segment, to count; of the process, to clean up after it. Lists change under
 * the writer lock. The count changes without it: the owner does a compare and
 * swap on (generation, count), which fails when the record was freed and given
 * to another pair in the meantime.
 *
 * How counting without the lock and removal agree (both sequentially
 * consistent):
 *     attach:  count + 1 (A1); then load the segment's tag (A2)
 *     remove:  tag := REMOVED or BUSY (B1); then load all counts (B2)
 * Either A2 sees the removal, and asks again under the lock whether it was in
 * time; or B2 sees the count. It cannot be that neither does.
 *
 * A record keeps its place when its count falls to 0: the next attach by the
 * same process finds it. It is freed with its segment or its process.
 */
#include <errno.h>

#include "registry/internal.h"

#define FREE_RECORD UINT32_MAX /* in `segment` of a record on the free list */
#define TRIES       32

static bool valid(const struct mdg__registry *registry, uint32_t attachment1)
{
	return attachment1 != 0 &&
	       attachment1 <= mdg__registry_ready_count(registry, MDG__ATTACHMENTS);
}

/* ---- records ------------------------------------------------------------ */

/* The record of this pair in the segment's list, or 0. */
static uint32_t find(struct mdg__registry *registry, uint32_t index, uint32_t slot)
{
	uint32_t at = mdg__get32(&registry->segments[index].attachments);
	for (uint32_t steps = 0; valid(registry, at) && steps < registry->process_capacity;
	     steps++) {
		struct mdg__attachment *record = &registry->attachments[at - 1];
		if (mdg__get32(&record->process) == slot)
			return at;
		at = mdg__get32(&record->segment_next);
	}
	return 0;
}

/* Takes a free record: 0, or -EAGAIN when it has no memory behind it yet. */
static int take_record(struct mdg__registry *registry, uint32_t *ret_attachment)
{
	struct mdg__head *head = registry->head;
	uint32_t first = mdg__get32(&head->free_attachment);
	if (valid(registry, first)) {
		*ret_attachment = first - 1;
		mdg__put32(registry, &head->free_attachment,
		           mdg__get32(&registry->attachments[first - 1].segment_next));
		return 0;
	}
	uint32_t used = mdg__get32(&head->used_attachments);
	used = used < registry->attachment_capacity ? used : registry->attachment_capacity;
	*ret_attachment = used;
	if (used >= mdg__registry_ready_count(registry, MDG__ATTACHMENTS))
		return -EAGAIN;
	mdg__put32(registry, &head->used_attachments, used + 1);
	return 0;
}

int mdg__attachment_make(struct mdg__registry *registry, uint32_t index, uint32_t slot,
                         uint32_t *ret_attachment, uint32_t *ret_generation)
{
	uint32_t found = find(registry, index, slot);
	if (found != 0) {
		*ret_attachment = found - 1;
		*ret_generation =
			(uint32_t)(mdg__get64(&registry->attachments[found - 1].word) >> 32);
		return 0;
	}
	uint32_t taken = 0;
	int rc = take_record(registry, &taken);
	*ret_attachment = taken;
	if (rc < 0)
		return rc;
	struct mdg__attachment *record = &registry->attachments[taken];
	mdg__a32 *segment_head = &registry->segments[index].attachments;
	mdg__a32 *process_head = &registry->processes[slot].attachments;
	uint32_t segment_next = mdg__get32(segment_head), process_next = mdg__get32(process_head);
	uint32_t generation = (uint32_t)(mdg__get64(&record->word) >> 32);
	atomic_store(&record->word, (uint64_t)generation << 32);
	atomic_store_explicit(&record->fd, 0, memory_order_release);
	mdg__put32(registry, &record->segment, index);
	mdg__put32(registry, &record->process, slot);
	mdg__put32(registry, &record->segment_previous, 0);
	mdg__put32(registry, &record->segment_next, segment_next);
	mdg__put32(registry, &record->process_previous, 0);
	mdg__put32(registry, &record->process_next, process_next);
	if (valid(registry, segment_next))
		mdg__put32(registry, &registry->attachments[segment_next - 1].segment_previous,
		           taken + 1);
	if (valid(registry, process_next))
		mdg__put32(registry, &registry->attachments[process_next - 1].process_previous,
		           taken + 1);
	mdg__put32(registry, segment_head, taken + 1);
	mdg__put32(registry, process_head, taken + 1);
	mdg__commit(registry);
	*ret_generation = generation;
	return 0;
}

/* Where the link that leads to this record is: the neighbour's or the head's.
 * NULL when the lists are damaged. */
static mdg__a32 *link_to(struct mdg__registry *registry, struct mdg__attachment *record,
                         bool of_process)
{
	uint32_t previous =
		mdg__get32(of_process ? &record->process_previous : &record->segment_previous);
	if (valid(registry, previous)) {
		struct mdg__attachment *before = &registry->attachments[previous - 1];
		return of_process ? &before->process_next : &before->segment_next;
	}
	uint32_t owner = mdg__get32(of_process ? &record->process : &record->segment);
	uint32_t limit =
		mdg__registry_ready_count(registry, of_process ? MDG__PROCESSES : MDG__SEGMENTS);
	if (previous != 0 || owner >= limit)
		return NULL;
	return of_process ? &registry->processes[owner].attachments
	                  : &registry->segments[owner].attachments;
}

static void bump_generation(struct mdg__attachment *record)
{
	uint64_t word = atomic_load(&record->word), freed;
	do
		freed = (uint64_t)((uint32_t)(word >> 32) + 1) << 32;
	while (!atomic_compare_exchange_weak(&record->word, &word, freed));
}

int mdg__attachment_free(struct mdg__registry *registry, uint32_t attachment)
{
	struct mdg__head *head = registry->head;
	struct mdg__attachment *record = &registry->attachments[attachment];
	mdg__a32 *from_segment = link_to(registry, record, false);
	mdg__a32 *from_process = link_to(registry, record, true);
	if (from_segment == NULL || from_process == NULL ||
	    mdg__get32(from_segment) != attachment + 1 ||
	    mdg__get32(from_process) != attachment + 1)
		return MDG_DAMAGED;
	uint32_t segment_next = mdg__get32(&record->segment_next);
	uint32_t process_next = mdg__get32(&record->process_next);
	mdg__put32(registry, from_segment, segment_next);
	mdg__put32(registry, from_process, process_next);
	if (valid(registry, segment_next))
		mdg__put32(registry, &registry->attachments[segment_next - 1].segment_previous,
		           mdg__get32(&record->segment_previous));
	if (valid(registry, process_next))
		mdg__put32(registry, &registry->attachments[process_next - 1].process_previous,
		           mdg__get32(&record->process_previous));
	mdg__put32(registry, &record->segment, FREE_RECORD);
	mdg__put32(registry, &record->process, FREE_RECORD);
	mdg__put32(registry, &record->segment_next, mdg__get32(&head->free_attachment));
	mdg__put32(registry, &head->free_attachment, attachment + 1);
	/* Not journalled, so last: a death before the commit brings back a record
	 * with count 0, of a segment or process that is going anyway. */
	bump_generation(record);
	mdg__commit(registry);
	return 0;
}

uint32_t mdg__attachments_sweep(struct mdg__registry *registry)
{
	uint32_t used = mdg__get32(&registry->head->used_attachments), freed = 0;
	uint32_t ready = mdg__registry_ready_count(registry, MDG__ATTACHMENTS);
	for (uint32_t at = 0; at < used && at < ready; at++) {
		struct mdg__attachment *record = &registry->attachments[at];
		uint64_t word = atomic_load(&record->word);
		if (mdg__get32(&record->segment) == FREE_RECORD || (uint32_t)word != 0)
			continue;
		/* Taken away from its owner first, who may just be counting in it. */
		uint64_t taken = (uint64_t)((uint32_t)(word >> 32) + 1) << 32;
		if (atomic_compare_exchange_strong(&record->word, &word, taken) &&
		    mdg__attachment_free(registry, at) == 0)
			freed++;
	}
	return freed;
}

/* ---- counting ----------------------------------------------------------- */

bool mdg__attachment_add(struct mdg__registry *registry, uint32_t attachment, uint32_t generation,
                         int32_t delta)
{
	struct mdg__attachment *record = &registry->attachments[attachment];
	uint64_t word = atomic_load(&record->word);
	for (;;) {
		uint32_t count = (uint32_t)word + (uint32_t)delta;
		if (word >> 32 != generation)
			return false;
		if (delta < 0 && (uint32_t)word < (uint32_t)-delta)
			count = 0; /* somebody scribbled on the count: do not wrap */
		uint64_t changed = (uint64_t)generation << 32 | count;
		/* A1: sequentially consistent, see the top. */
		if (atomic_compare_exchange_weak(&record->word, &word, changed))
			return true;
	}
}

/* One walk. The processes' generations are taken down here, so that a slot
 * that is freed and taken anew before it is asked about does not count. */
static int walk(struct mdg__registry *registry, uint32_t index, struct mdg__holder *list,
                uint32_t room)
{
	uint32_t processes = mdg__registry_ready_count(registry, MDG__PROCESSES);
	uint32_t at = mdg__get32(&registry->segments[index].attachments), count = 0;
	for (uint32_t steps = 0; at != 0; steps++) {
		if (!valid(registry, at) || steps > registry->process_capacity)
			return MDG_DAMAGED;
		struct mdg__attachment *record = &registry->attachments[at - 1];
		uint32_t slot = mdg__get32(&record->process);
		uint32_t attached = (uint32_t)atomic_load(&record->word); /* B2 */
		at = mdg__get32(&record->segment_next);
		if (attached == 0)
			continue;
		if (slot >= processes)
			return MDG_DAMAGED;
		if (count < room)
			list[count] = (struct mdg__holder){
				slot, mdg__get32(&registry->processes[slot].tag) >> 8, attached,
				(int)(mdg__get32(&record->fd) - 1)
			};
		count++;
	}
	return count <= room ? (int)count : -E2BIG;
}

int mdg__segment_holders(struct mdg__registry *registry, uint32_t index, uint32_t tag,
                         struct mdg__holder *ret_list, uint32_t room)
{
	struct mdg__segment *segment = &registry->segments[index];
	for (int i = 0; i < TRIES; i++) {
		uint32_t version;
		if (!mdg__read_begin(registry, &version))
			return -EAGAIN;
		int rc = walk(registry, index, ret_list, room);
		bool same = mdg__get32(&segment->tag) == tag;
		if (!mdg__read_retry(registry, version))
			return same ? rc : -EINVAL;
	}
	return -EAGAIN;
}

uint32_t mdg__attachment_of(struct mdg__registry *registry, uint32_t slot, uint32_t index)
{
	uint32_t at = mdg__get32(&registry->processes[slot].attachments);
	for (uint32_t steps = 0; valid(registry, at) && steps < registry->segment_capacity;
	     steps++) {
		struct mdg__attachment *record = &registry->attachments[at - 1];
		if (mdg__get32(&record->segment) == index && mdg__get32(&record->process) == slot)
			return at;
		at = mdg__get32(&record->process_next);
	}
	return 0;
}
