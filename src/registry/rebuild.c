/* SPDX-License-Identifier: MIT */
/*
 * rebuild.c - the repair of a registry that the check found damaged.
 *
 * The segment entries and the process slots are taken for the truth. The bitmap, the
 * buckets, the totals and the lists of attachments follow from them, and are written
 * anew. So the repair loses nothing that is not lost already: a segment whose own
 * entry is damaged beyond its state is left as it is.
 *
 * The repair is not undone when its process dies. `undo_count` is MDG__REBUILDING
 * throughout, and the next process that takes the writer lock begins it again.
 */
#include "registry/census.h"

/* Plain stores: a repair that is cut off is done again from the start, by the
 * next who takes the writer lock. */
static void set32(mdg__a32 *field, uint32_t value)
{
	atomic_store_explicit(field, value, memory_order_release);
}

static void rebuild_entries(const struct mdg__census *all)
{
	struct mdg__registry *registry = all->registry;
	uint32_t in_use = 0;
	uint64_t pages = 0;
	for (uint32_t word = 0; word < (registry->segment_capacity + 63) / 64; word++)
		atomic_store(&registry->bitmap[word], 0);
	for (uint32_t bucket = 0; bucket < registry->bucket_count; bucket++)
		set32(&registry->buckets[bucket], 0);
	for (uint32_t index = 0; index < all->segments; index++) {
		struct mdg__segment *segment = mdg__segment_at(all, index);
		uint32_t tag = mdg__get32(&segment->tag);
		set32(&segment->attachments, 0);
		set32(&segment->next, 0);
		if ((tag & 0xff) > MDG__REMOVED || tag >> 8 > MDG__SEQUENCE_MAX ||
		    ((tag & 0xff) >= MDG__LIVE &&
		     (mdg__get64(&segment->size) == 0 ||
		      mdg__get64(&segment->size) > mdg__get64(&segment->mapped)))) {
			tag = (tag >> 8 & MDG__SEQUENCE_MAX) << 8 |
			      MDG__FREE; /* its file becomes an orphan */
			set32(&segment->tag, tag);
		}
		if ((tag & 0xff) == MDG__FREE)
			continue;
		in_use++;
		pages += mdg__pages_of(mdg__get64(&segment->size));
		atomic_fetch_or(&registry->bitmap[index / 64], UINT64_C(1) << (index % 64));
		if ((tag & 0xff) == MDG__REMOVED) {
			set32(&segment->key, 0);
			set32(&segment->name_hash, 0);
		}
		if (mdg__is_indexed(all, index)) {
			mdg__a32 *bucket = mdg__bucket_of(all, index);
			set32(&segment->next, mdg__get32(bucket));
			set32(bucket, index + 1);
		}
	}
	set32(&registry->head->in_use, in_use);
	atomic_store(&registry->head->pages, pages);
	if (mdg__get32(&registry->head->sequence) > MDG__SEQUENCE_MAX)
		set32(&registry->head->sequence, mdg__first_sequence(registry->unique));
	if (mdg__get32(&registry->head->cursor) > registry->segment_capacity)
		set32(&registry->head->cursor, 0);
	if (mdg__get32(&registry->head->shmmni) > registry->segment_capacity)
		set32(&registry->head->shmmni, registry->segment_capacity);
	if (mdg__get32(&registry->head->next_id1) > UINT32_C(1) + INT32_MAX)
		set32(&registry->head->next_id1, 0);
}

/* In front of a list. `first` is read once: others may scribble on meanwhile. */
static void put_in_front(const struct mdg__census *all, mdg__a32 *head, uint32_t at,
                         bool of_process)
{
	struct mdg__attachment *records = all->registry->attachments;
	uint32_t first = mdg__get32(head);
	set32(of_process ? &records[at].process_previous : &records[at].segment_previous, 0);
	set32(of_process ? &records[at].process_next : &records[at].segment_next, first);
	if (first != 0 && first <= all->attachments)
		set32(of_process ? &records[first - 1].process_previous
		                 : &records[first - 1].segment_previous,
		      at + 1);
	set32(head, at + 1);
}

/* Enters a record in the lists of both it names, if they are in use. */
static bool link_attachment(const struct mdg__census *all, uint32_t at)
{
	struct mdg__registry *registry = all->registry;
	uint32_t index = mdg__get32(&registry->attachments[at].segment);
	uint32_t slot = mdg__get32(&registry->attachments[at].process);
	if (index >= all->segments || mdg__state_of(all, index) == MDG__FREE ||
	    !mdg__is_process(all, slot))
		return false;
	put_in_front(all, &registry->segments[index].attachments, at, false);
	put_in_front(all, &registry->processes[slot].attachments, at, true);
	return true;
}

/* A record that counts nothing can go: its process makes another when it needs
 * one. It may be one that was never used, which reads as the first segment's in
 * the first slot. False when somebody counts in it after all. */
static bool put_to_rest(struct mdg__attachment *record)
{
	uint64_t word = atomic_load(&record->word);
	return (uint32_t)word == 0 &&
	       atomic_compare_exchange_strong(&record->word, &word, ((word >> 32) + 1) << 32);
}

static void rebuild_attachments(const struct mdg__census *all)
{
	struct mdg__registry *registry = all->registry;
	struct mdg__head *head = registry->head;
	uint32_t used = mdg__get32(&head->used_attachments);
	if (used > all->attachments)
		set32(&head->used_attachments, used = all->attachments);
	for (uint32_t slot = 0; slot < all->processes; slot++)
		set32(&registry->processes[slot].attachments, 0);
	uint32_t free_record = 0;
	for (uint32_t at = 0; at < used; at++) {
		struct mdg__attachment *record = &registry->attachments[at];
		bool rests = put_to_rest(record);
		if (!rests && link_attachment(all, at))
			continue;
		/* A living process may still count in it: take it away. */
		if (!rests)
			atomic_store(&record->word, ((atomic_load(&record->word) >> 32) + 1) << 32);
		set32(&record->segment, UINT32_MAX);
		set32(&record->process, UINT32_MAX);
		set32(&record->segment_next, free_record);
		free_record = at + 1;
	}
	set32(&head->free_attachment, free_record);
}

static void rebuild_processes(const struct mdg__census *all)
{
	struct mdg__process *processes = all->registry->processes;
	for (uint32_t slot = 0; slot < all->processes; slot++) {
		uint32_t tag = mdg__get32(&processes[slot].tag);
		if ((tag & 0xff) > MDG__SLOT_INHERITED)
			set32(&processes[slot].tag, tag & ~UINT32_C(0xff));
		set32(&processes[slot].working, 0);
	}
	for (uint32_t index = 0; index < all->segments; index++) {
		uint32_t worker1 = mdg__get32(&mdg__segment_at(all, index)->worker);
		if (worker1 != 0 && worker1 <= all->processes &&
		    mdg__works_on(all, worker1 - 1, index))
			set32(&processes[worker1 - 1].working,
			      mdg__get32(&processes[worker1 - 1].working) + 1);
	}
}

void mdg__registry_rebuild(struct mdg__registry *registry)
{
	struct mdg__census all = mdg__census_of(registry);
	struct mdg__head *head = registry->head;
	/* Readers wait while the version is odd. */
	set32(&head->version, mdg__get32(&head->version) | 1);
	set32(&head->undo_count, MDG__REBUILDING);
	rebuild_entries(&all);
	rebuild_processes(&all);
	rebuild_attachments(&all);
	set32(&head->undo_count, 0);
	set32(&head->version, mdg__get32(&head->version) + 1);
}
