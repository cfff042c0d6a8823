/* SPDX-License-Identifier: MIT */
/*
 * tie.c - which process is tied to which object, and how often.
 *
 * There is one record per pair of process and object. It is in two doubly linked lists:
 * the list of the object tells which processes are tied to it, and the list of the process
 * tells what to free at its death. The lists change under the writer lock. The count changes
 * without it: the process swaps (generation, count) as one word. The swap fails if the record
 * was freed and given to another pair in the meantime.
 *
 * How counting without the lock and removal agree (both sequentially consistent), for
 * a segment:
 *     attach:  count + 1 (A1); then load the segment's tag (A2)
 *     remove:  tag := REMOVED or BUSY (B1); then load all counts (B2)
 * Either A2 sees the removal, and asks again under the lock whether it was in time; or
 * B2 sees the count. It cannot be that neither does.
 *
 * A record keeps its place when its count falls to 0: the next attach by the same
 * process finds it. It is freed with its object or its process.
 */
#include <errno.h>

#include "registry/internal.h"

#define TRIES 32

static bool valid(const struct mdg__registry *registry, uint32_t tie1)
{
	return tie1 != 0 && tie1 <= mdg__registry_ready_count(registry, MDG__TIES);
}

/* ---- records ------------------------------------------------------------ */

/* The record of this pair in the object's list, or 0. */
static uint32_t find(struct mdg__registry *registry, const struct mdg__object *object,
                     uint32_t slot)
{
	uint32_t at = mdg__get32(&object->ties);
	for (uint32_t steps = 0; valid(registry, at) && steps < registry->process_capacity;
	     steps++) {
		struct mdg__tie *record = &registry->ties[at - 1];
		if (mdg__get32(&record->process) == slot)
			return at;
		at = mdg__get32(&record->object_next);
	}
	return 0;
}

/* Takes a free record: 0, or -EAGAIN when it has no memory behind it yet. */
static int take_record(struct mdg__registry *registry, uint32_t *ret_tie)
{
	struct mdg__head *head = registry->head;
	uint32_t first = mdg__get32(&head->free_tie);
	if (valid(registry, first)) {
		*ret_tie = first - 1;
		mdg__put32(registry, &head->free_tie,
		           mdg__get32(&registry->ties[first - 1].object_next));
		return 0;
	}
	uint32_t used = mdg__get32(&head->used_ties);
	used = used < registry->tie_capacity ? used : registry->tie_capacity;
	*ret_tie = used;
	if (used >= mdg__registry_ready_count(registry, MDG__TIES))
		return -EAGAIN;
	mdg__put32(registry, &head->used_ties, used + 1);
	return 0;
}

int mdg__tie_make(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                  uint32_t slot, uint32_t *ret_tie, uint32_t *ret_generation)
{
	struct mdg__object *object = mdg__object_at(registry, class, index);
	uint32_t found = find(registry, object, slot);
	if (found != 0) {
		*ret_tie = found - 1;
		*ret_generation = (uint32_t)(mdg__get64(&registry->ties[found - 1].word) >> 32);
		return 0;
	}
	uint32_t taken = 0;
	int rc = take_record(registry, &taken);
	*ret_tie = taken;
	if (rc < 0)
		return rc;
	struct mdg__tie *record = &registry->ties[taken];
	mdg__a32 *object_head = &object->ties;
	mdg__a32 *process_head = &registry->processes[slot].ties;
	uint32_t object_next = mdg__get32(object_head), process_next = mdg__get32(process_head);
	uint32_t generation = (uint32_t)(mdg__get64(&record->word) >> 32);
	atomic_store(&record->word, (uint64_t)generation << 32);
	atomic_store_explicit(&record->fd, 0, memory_order_release);
	mdg__put32(registry, &record->object, mdg__tied(class, index));
	mdg__put32(registry, &record->process, slot);
	mdg__put32(registry, &record->object_previous, 0);
	mdg__put32(registry, &record->object_next, object_next);
	mdg__put32(registry, &record->process_previous, 0);
	mdg__put32(registry, &record->process_next, process_next);
	if (valid(registry, object_next))
		mdg__put32(registry, &registry->ties[object_next - 1].object_previous, taken + 1);
	if (valid(registry, process_next))
		mdg__put32(registry, &registry->ties[process_next - 1].process_previous, taken + 1);
	mdg__put32(registry, object_head, taken + 1);
	mdg__put32(registry, process_head, taken + 1);
	mdg__commit(registry);
	*ret_generation = generation;
	return 0;
}

struct mdg__object *mdg__tie_object(const struct mdg__registry *registry,
                                    const struct mdg__tie *record, enum mdg__class *ret_class,
                                    uint32_t *ret_index)
{
	uint32_t tied = mdg__get32(&record->object), class = tied >> MDG__CLASS_SHIFT;
	uint32_t index = tied & ((UINT32_C(1) << MDG__CLASS_SHIFT) - 1);
	if (class >= MDG__CLASSES ||
	    index >= mdg__registry_ready_count(registry, (enum mdg__class) class))
		return NULL;
	if (ret_class != NULL) {
		*ret_class = (enum mdg__class) class;
		*ret_index = index;
	}
	return mdg__object_at(registry, (enum mdg__class) class, index);
}

/* The link that leads to this record: in the record before it, or the head of the list.
 * NULL: the lists are damaged. */
static mdg__a32 *link_to(struct mdg__registry *registry, struct mdg__tie *record, bool of_process)
{
	uint32_t previous =
		mdg__get32(of_process ? &record->process_previous : &record->object_previous);
	if (valid(registry, previous)) {
		struct mdg__tie *before = &registry->ties[previous - 1];
		return of_process ? &before->process_next : &before->object_next;
	}
	if (previous != 0)
		return NULL;
	uint32_t slot = mdg__get32(&record->process);
	if (of_process)
		return slot < mdg__registry_ready_count(registry, MDG__PROCESSES)
		               ? &registry->processes[slot].ties
		               : NULL;
	struct mdg__object *object = mdg__tie_object(registry, record, NULL, NULL);
	return object != NULL ? &object->ties : NULL;
}

static void bump_generation(struct mdg__tie *record)
{
	uint64_t word = atomic_load(&record->word), freed;
	do
		freed = (uint64_t)((uint32_t)(word >> 32) + 1) << 32;
	while (!atomic_compare_exchange_weak(&record->word, &word, freed));
}

int mdg__tie_free(struct mdg__registry *registry, uint32_t tie)
{
	struct mdg__head *head = registry->head;
	struct mdg__tie *record = &registry->ties[tie];
	mdg__a32 *from_object = link_to(registry, record, false);
	mdg__a32 *from_process = link_to(registry, record, true);
	if (from_object == NULL || from_process == NULL || mdg__get32(from_object) != tie + 1 ||
	    mdg__get32(from_process) != tie + 1)
		return MDG_DAMAGED;
	uint32_t object_next = mdg__get32(&record->object_next);
	uint32_t process_next = mdg__get32(&record->process_next);
	mdg__put32(registry, from_object, object_next);
	mdg__put32(registry, from_process, process_next);
	if (valid(registry, object_next))
		mdg__put32(registry, &registry->ties[object_next - 1].object_previous,
		           mdg__get32(&record->object_previous));
	if (valid(registry, process_next))
		mdg__put32(registry, &registry->ties[process_next - 1].process_previous,
		           mdg__get32(&record->process_previous));
	mdg__put32(registry, &record->object, MDG__FREE_TIE);
	mdg__put32(registry, &record->process, MDG__FREE_TIE);
	mdg__put32(registry, &record->object_next, mdg__get32(&head->free_tie));
	mdg__put32(registry, &head->free_tie, tie + 1);
	/* Not journalled, so last: a death before the commit brings back a record
	 * with count 0, of an object or process that is going anyway. */
	bump_generation(record);
	mdg__commit(registry);
	return 0;
}

uint32_t mdg__ties_sweep(struct mdg__registry *registry)
{
	uint32_t used = mdg__get32(&registry->head->used_ties), freed = 0;
	uint32_t ready = mdg__registry_ready_count(registry, MDG__TIES);
	for (uint32_t at = 0; at < used && at < ready; at++) {
		struct mdg__tie *record = &registry->ties[at];
		uint64_t word = atomic_load(&record->word);
		if (mdg__get32(&record->object) == MDG__FREE_TIE || (uint32_t)word != 0)
			continue;
		/* First take the record away from its process, which may be counting in it
		 * at this moment. */
		uint64_t taken = (uint64_t)((uint32_t)(word >> 32) + 1) << 32;
		if (atomic_compare_exchange_strong(&record->word, &word, taken) &&
		    mdg__tie_free(registry, at) == 0)
			freed++;
	}
	return freed;
}

/* ---- counting ----------------------------------------------------------- */

bool mdg__tie_add(struct mdg__registry *registry, uint32_t tie, uint32_t generation, int32_t delta)
{
	struct mdg__tie *record = &registry->ties[tie];
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

/* One walk. It notes the generations of the processes. So a slot that is freed and taken anew
 * before its process is asked about does not count. */
static int walk(struct mdg__registry *registry, const struct mdg__object *object,
                struct mdg__holder *list, uint32_t room)
{
	uint32_t processes = mdg__registry_ready_count(registry, MDG__PROCESSES);
	uint32_t at = mdg__get32(&object->ties), count = 0;
	for (uint32_t steps = 0; at != 0; steps++) {
		if (!valid(registry, at) || steps > registry->process_capacity)
			return MDG_DAMAGED;
		struct mdg__tie *record = &registry->ties[at - 1];
		uint32_t slot = mdg__get32(&record->process);
		uint32_t attached = (uint32_t)atomic_load(&record->word); /* B2 */
		at = mdg__get32(&record->object_next);
		if (attached == 0)
			continue;
		if (slot >= processes)
			return MDG_DAMAGED;
		if (count < room)
			list[count] = (struct mdg__holder){
				slot,
				mdg__tag_generation(mdg__get32(&registry->processes[slot].tag)),
				attached, (int)(mdg__get32(&record->fd) - 1)
			};
		count++;
	}
	return count <= room ? (int)count : -E2BIG;
}

int mdg__object_holders(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                        uint32_t tag, struct mdg__holder *ret_list, uint32_t room)
{
	const struct mdg__object *object = mdg__object_at(registry, class, index);
	for (int i = 0; i < TRIES; i++) {
		uint32_t version;
		if (!mdg__read_begin(registry, &version))
			return -EAGAIN;
		int rc = walk(registry, object, ret_list, room);
		bool same = mdg__get32(&object->tag) == tag;
		if (!mdg__read_retry(registry, version))
			return same ? rc : -EINVAL;
	}
	return -EAGAIN;
}

uint32_t mdg__tie_of(struct mdg__registry *registry, uint32_t slot, enum mdg__class class,
                     uint32_t index)
{
	uint32_t at = mdg__get32(&registry->processes[slot].ties);
	for (uint32_t steps = 0; valid(registry, at) && steps < registry->tie_capacity; steps++) {
		struct mdg__tie *record = &registry->ties[at - 1];
		/* The list has changed, or is damaged. No more is read of a hostile one. */
		if (mdg__get32(&record->process) != slot)
			return 0;
		if (mdg__get32(&record->object) == mdg__tied(class, index))
			return at;
		at = mdg__get32(&record->process_next);
	}
	return 0;
}
