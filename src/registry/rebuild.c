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

/* A store without a note in the journal. A repair that is cut off is done again from the
 * start, by the next process that takes the writer lock. */
static void set32(mdg__a32 *field, uint32_t value)
{
	atomic_store_explicit(field, value, memory_order_release);
}

/* An entry that cannot be true is given up; its file becomes an orphan. */
static bool is_possible(const struct mdg__census *all, enum mdg__class class, uint32_t index)
{
	uint32_t tag = mdg__get32(&mdg__object_at(all->registry, class, index)->tag);
	return mdg__tag_state(tag) <= MDG__REMOVED &&
	       mdg__tag_generation(tag) <= MDG__SEQUENCE_MAX &&
	       (mdg__tag_state(tag) < MDG__LIVE ||
	        mdg__is_entry_possible(all->registry, class, index));
}

/* A segment whose inode is known has had its file since. Of others, whoever needs the file makes
 * it, in place of one that may be there. */
static void mend_file(struct mdg__segment *segment)
{
	uint32_t flags = mdg__get32(&segment->flags);
	if (mdg__is_file_possible(segment))
		return;
	flags &= ~(MDG__SEG_FILE_NONE | MDG__SEG_FILE_BEGUN);
	set32(&segment->flags,
	      mdg__get64(&segment->inode) != 0 ? flags : flags | MDG__SEG_FILE_BEGUN);
}

/* Enters one object in bitmap and bucket. False: the entry is free. */
static bool rebuild_entry(const struct mdg__census *all, enum mdg__class class, uint32_t index)
{
	struct mdg__registry *registry = all->registry;
	struct mdg__object *object = mdg__object_at(registry, class, index);
	uint32_t tag = mdg__get32(&object->tag);
	set32(&object->ties, 0);
	set32(&object->next, 0);
	if (!is_possible(all, class, index)) {
		tag = mdg__tag(mdg__tag_generation(tag) & MDG__SEQUENCE_MAX, MDG__FREE);
		set32(&object->tag, tag);
	}
	if (mdg__tag_state(tag) == MDG__FREE)
		return false;
	if (class == MDG__SEGMENTS)
		mend_file(&registry->segments[index]);
	atomic_fetch_or(&registry->objects[class].bitmap[index / 64], UINT64_C(1) << (index % 64));
	if (mdg__tag_state(tag) == MDG__REMOVED) {
		set32(&object->key, 0);
		set32(&object->name_hash, 0);
	}
	if (mdg__object_is_indexed(object)) {
		mdg__a32 *bucket = mdg__index_bucket(registry, class, object);
		if (bucket != NULL) { /* else there is no memory, and it is not found by its key */
			set32(&object->next, mdg__get32(bucket));
			set32(bucket, index + 1);
		}
	}
	return true;
}

/* Makes all buckets empty. Those that the objects need have memory, also if the bit that says so
 * was scribbled over. */
static void empty_buckets(const struct mdg__census *all, enum mdg__class class)
{
	struct mdg__registry *registry = all->registry;
	const struct mdg__objects *objects = &registry->objects[class];
	for (uint32_t index = 0; index < all->objects[class]; index++) {
		const struct mdg__object *object = mdg__object_at(registry, class, index);
		if (mdg__state_of(object) != MDG__FREE && mdg__object_is_indexed(object))
			(void)mdg__registry_bucket_ready(registry, class, mdg__index_hash(object));
	}
	for (uint32_t bucket = 0; bucket < objects->bucket_count; bucket++)
		if (mdg__bucket_is_ready(objects, bucket))
			set32(&objects->buckets[bucket], 0);
}

static void rebuild_directory(const struct mdg__census *all, enum mdg__class class)
{
	const struct mdg__objects *objects = &all->registry->objects[class];
	struct mdg__directory *directory = objects->directory;
	uint32_t in_use = 0, ready = all->objects[class];
	/* The tables of a directory that was never used have no memory. */
	for (uint32_t word = 0; ready != 0 && word < (objects->capacity + 63) / 64; word++)
		atomic_store(&objects->bitmap[word], 0);
	empty_buckets(all, class);
	for (uint32_t index = 0; index < ready; index++)
		in_use += rebuild_entry(all, class, index);
	set32(&directory->in_use, in_use);
	atomic_store(mdg__object_total(all->registry, class), mdg__total_counted(all, class));
	if (mdg__get32(&directory->sequence) > MDG__SEQUENCE_MAX)
		set32(&directory->sequence, mdg__first_sequence(all->registry->unique));
	if (mdg__get32(&directory->cursor) > objects->capacity)
		set32(&directory->cursor, 0);
	if (mdg__get32(&directory->most) > objects->capacity)
		set32(&directory->most, objects->capacity);
	if (mdg__get32(&directory->next_id1) > UINT32_C(1) + INT32_MAX)
		set32(&directory->next_id1, 0);
}

/* Puts a record in front of a list. `first` is read once, because its value may be scribbled
 * over meanwhile. */
static void put_in_front(const struct mdg__census *all, mdg__a32 *head, uint32_t at,
                         bool of_process)
{
	struct mdg__tie *records = all->registry->ties;
	uint32_t first = mdg__get32(head);
	set32(of_process ? &records[at].process_previous : &records[at].object_previous, 0);
	set32(of_process ? &records[at].process_next : &records[at].object_next, first);
	if (first != 0 && first <= all->ties)
		set32(of_process ? &records[first - 1].process_previous
		                 : &records[first - 1].object_previous,
		      at + 1);
	set32(head, at + 1);
}

/* Enters a record in the lists of its object and its process. False: one of them is not in
 * use. */
static bool link_tie(const struct mdg__census *all, uint32_t at)
{
	struct mdg__registry *registry = all->registry;
	struct mdg__object *object = mdg__owner_of(all, at);
	uint32_t slot = mdg__get32(&registry->ties[at].process);
	if (object == NULL || slot >= all->processes)
		return false;
	put_in_front(all, &object->ties, at, false);
	put_in_front(all, &registry->processes[slot].ties, at, true);
	return true;
}

/* Takes a record whose count is 0 from its process, which makes another when it needs one. A
 * record that was never used also has count 0, and reads as the first segment's in the first
 * slot. False: the count is not 0. */
static bool put_to_rest(struct mdg__tie *record)
{
	uint64_t word = atomic_load(&record->word);
	return (uint32_t)word == 0 &&
	       atomic_compare_exchange_strong(&record->word, &word, ((word >> 32) + 1) << 32);
}

static void rebuild_ties(const struct mdg__census *all)
{
	struct mdg__registry *registry = all->registry;
	struct mdg__head *head = registry->head;
	uint32_t used = mdg__get32(&head->used_ties);
	if (used > all->ties)
		set32(&head->used_ties, used = all->ties);
	for (uint32_t slot = 0; slot < all->processes; slot++)
		set32(&registry->processes[slot].ties, 0);
	uint32_t free_record = 0;
	for (uint32_t at = 0; at < used; at++) {
		struct mdg__tie *record = &registry->ties[at];
		bool rests = put_to_rest(record);
		if (!rests && link_tie(all, at))
			continue;
		/* A living process may still count in it: take it away. */
		if (!rests)
			atomic_store(&record->word, ((atomic_load(&record->word) >> 32) + 1) << 32);
		set32(&record->object, MDG__FREE_TIE);
		set32(&record->process, MDG__FREE_TIE);
		set32(&record->object_next, free_record);
		free_record = at + 1;
	}
	set32(&head->free_tie, free_record);
}

/* Counts the work on one object with its worker. */
static void count_work(const struct mdg__census *all, const struct mdg__object *object)
{
	struct mdg__process *processes = all->registry->processes;
	uint32_t worker1 = mdg__get32(&object->worker);
	if (worker1 != 0 && worker1 <= all->processes && mdg__works_on(all, worker1 - 1, object))
		set32(&processes[worker1 - 1].working,
		      mdg__get32(&processes[worker1 - 1].working) + 1);
}

static void rebuild_processes(const struct mdg__census *all)
{
	struct mdg__registry *registry = all->registry;
	struct mdg__process *processes = registry->processes;
	for (uint32_t slot = 0; slot < all->processes; slot++) {
		uint32_t tag = mdg__get32(&processes[slot].tag);
		if (mdg__slot_state(tag) > MDG__SLOT_INHERITED)
			set32(&processes[slot].tag,
			      mdg__slot_tag(mdg__tag_generation(tag), MDG__SLOT_FREE));
		set32(&processes[slot].working, 0);
	}
	for (int class = 0; class < MDG__CLASSES; class ++)
		for (uint32_t index = 0; index < all->objects[class]; index++)
			count_work(all, mdg__object_at(registry, (enum mdg__class) class, index));
}

void mdg__registry_rebuild(struct mdg__registry *registry)
{
	struct mdg__census all = mdg__census_of(registry);
	struct mdg__head *head = registry->head;
	/* Readers wait while the version is odd. */
	mdg__journal_begin(&registry->journal);
	set32(&head->undo_count, MDG__REBUILDING);
	for (int class = 0; class < MDG__CLASSES; class ++)
		rebuild_directory(&all, (enum mdg__class) class);
	rebuild_processes(&all);
	rebuild_ties(&all);
	set32(&head->undo_count, 0);
	set32(&head->version, mdg__get32(&head->version) + 1);
}
