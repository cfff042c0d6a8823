/* SPDX-License-Identifier: MIT */
/*
 * check.c - every invariant of the registry, and its repair.
 *
 * What the segment entries and process slots say is taken for the truth; the
 * bitmap, the buckets, the totals and the lists of attachments follow from it.
 * The check computes what they should be and compares; the repair writes it.
 * So the repair can lose nothing that is not lost already: a segment whose own
 * entry is damaged beyond its state is left as it is.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "registry/registry.h"

struct check {
	struct mdg__registry *registry;
	mdg__report report;
	void *context;
	int found;
	uint32_t segments, processes, attachments; /* how many are ready */
};

static void __attribute__((format(printf, 3, 4)))
say(struct check *check, int32_t id, const char *format, ...)
{
	struct mdg_finding finding = { .size = sizeof finding, .kind = MDG_FOUND_DAMAGE, .id = id };
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(finding.text, sizeof finding.text, format, arguments);
	va_end(arguments);
	check->found++;
	if (check->report != NULL)
		(void)check->report(&finding, check->context);
}

static struct check begin(struct mdg__registry *registry, mdg__report report, void *context)
{
	return (struct check){
		registry,
		report,
		context,
		0,
		mdg__registry_ready_count(registry, MDG__SEGMENTS),
		mdg__registry_ready_count(registry, MDG__PROCESSES),
		mdg__registry_ready_count(registry, MDG__ATTACHMENTS),
	};
}

static struct mdg__segment *segment_at(struct check *check, uint32_t index)
{
	return &check->registry->segments[index];
}

static enum mdg__segment_state state_of(struct check *check, uint32_t index)
{
	return mdg__tag_state(mdg__get32(&segment_at(check, index)->tag));
}

static bool is_indexed(struct check *check, uint32_t index)
{
	struct mdg__segment *segment = segment_at(check, index);
	return mdg__get32(&segment->key) != 0 || mdg__get32(&segment->name_hash) != 0;
}

static bool is_process(struct check *check, uint32_t slot)
{
	return slot < check->processes &&
	       (mdg__get32(&check->registry->processes[slot].tag) & 0xff) != MDG__SLOT_FREE;
}

/* ---- entries, bitmap, totals ------------------------------------------------- */

static void check_entry(struct check *check, uint32_t index)
{
	struct mdg__segment *segment = segment_at(check, index);
	uint32_t tag = mdg__get32(&segment->tag), state = tag & 0xff;
	int32_t id = (int32_t)((tag >> 8 & MDG__SEQUENCE_MAX) * MDG__IDS + index);
	if (state > MDG__REMOVED || tag >> 8 > MDG__SEQUENCE_MAX)
		say(check, (int32_t)index, "segment entry %u has the impossible tag %#x", index,
		    tag);
	if ((state != MDG__FREE) != mdg__index_in_use(check->registry, index))
		say(check, id, "segment entry %u is %s, the bitmap says otherwise", index,
		    state != MDG__FREE ? "in use" : "free");
	if (state == MDG__REMOVED && is_indexed(check, index))
		say(check, id, "removed segment %d still has its key or name", id);
	if (state == MDG__FREE && mdg__get32(&segment->attachments) != 0)
		say(check, (int32_t)index, "free segment entry %u has attachments", index);
	if (state >= MDG__LIVE && (mdg__get64(&segment->size) == 0 ||
	                           mdg__get64(&segment->size) > mdg__get64(&segment->mapped)))
		say(check, id, "segment %d has an impossible size", id);
}

static void check_entries(struct check *check)
{
	struct mdg__head *head = check->registry->head;
	uint32_t in_use = 0;
	uint64_t pages = 0;
	for (uint32_t index = 0; index < check->segments; index++) {
		check_entry(check, index);
		if (state_of(check, index) == MDG__FREE)
			continue;
		in_use++;
		pages += mdg__pages_of(mdg__get64(&segment_at(check, index)->size));
	}
	for (uint32_t index = check->segments; index < check->registry->segment_capacity; index++)
		if (mdg__index_in_use(check->registry, index))
			say(check, (int32_t)index,
			    "the bitmap says entry %u is in use, which never was", index);
	if (in_use != mdg__get32(&head->in_use))
		say(check, -1, "%u segments are counted, %u are there", mdg__get32(&head->in_use),
		    in_use);
	if (mdg__get32(&head->shmmni) > check->registry->segment_capacity)
		say(check, -1, "%u segments are allowed, there is room for %u",
		    mdg__get32(&head->shmmni), check->registry->segment_capacity);
	if (mdg__get32(&head->next_id1) > UINT32_C(1) + INT32_MAX)
		say(check, -1, "the next segment is to get the impossible id %u",
		    mdg__get32(&head->next_id1) - 1);
	if (pages != mdg__get64(&head->pages))
		say(check, -1, "%llu pages are counted, %llu are there",
		    (unsigned long long)mdg__get64(&head->pages), (unsigned long long)pages);
}

/* ---- the index ---------------------------------------------------------------- */

static mdg__a32 *bucket_of(struct check *check, uint32_t index)
{
	struct mdg__segment *segment = segment_at(check, index);
	uint32_t key = mdg__get32(&segment->key);
	uint32_t hash = key != 0 ? mdg__key_hash(key) : mdg__get32(&segment->name_hash);
	return &check->registry->buckets[hash & (check->registry->bucket_count - 1)];
}

static void check_buckets(struct check *check)
{
	uint32_t linked = 0, expected = 0;
	for (uint32_t bucket = 0; bucket < check->registry->bucket_count; bucket++) {
		mdg__a32 *head = &check->registry->buckets[bucket];
		uint32_t at = mdg__get32(head);
		for (uint32_t steps = 0; at != 0; steps++) {
			if (at > check->segments || steps > check->segments) {
				say(check, -1, "hash bucket %u leads to nowhere or in a circle",
				    bucket);
				break;
			}
			enum mdg__segment_state state = state_of(check, at - 1);
			if ((state != MDG__LIVE && state != MDG__BUSY) ||
			    !is_indexed(check, at - 1) || bucket_of(check, at - 1) != head) {
				say(check, (int32_t)(at - 1),
				    "hash bucket %u holds entry %u, which is not of it", bucket,
				    at - 1);
				break;
			}
			linked++;
			at = mdg__get32(&segment_at(check, at - 1)->next);
		}
	}
	for (uint32_t index = 0; index < check->segments; index++)
		expected += state_of(check, index) != MDG__FREE && is_indexed(check, index);
	if (linked != expected)
		say(check, -1, "%u segments have a key or name, %u can be found by it", expected,
		    linked);
}

/* ---- attachments ---------------------------------------------------------------- */

static bool is_owned(struct check *check, uint32_t attachment)
{
	struct mdg__attachment *record = &check->registry->attachments[attachment];
	uint32_t index = mdg__get32(&record->segment);
	return index < check->segments && state_of(check, index) != MDG__FREE &&
	       is_process(check, mdg__get32(&record->process));
}

/* Follows one list; the records in it must belong there and point back. */
static uint32_t follow(struct check *check, uint32_t first, bool of_process, uint32_t owner)
{
	uint32_t at = first, before = 0, count = 0;
	for (; at != 0; count++) {
		if (at > check->attachments || count > check->attachments) {
			say(check, -1, "the attachments of %s %u lead to nowhere or in a circle",
			    of_process ? "process slot" : "segment entry", owner);
			return count;
		}
		struct mdg__attachment *record = &check->registry->attachments[at - 1];
		uint32_t back = mdg__get32(of_process ? &record->process_previous
		                                      : &record->segment_previous);
		uint32_t of = mdg__get32(of_process ? &record->process : &record->segment);
		if (of != owner || back != before) {
			/* No further: a circle ends here at the latest. */
			say(check, -1, "attachment record %u is in the list of %s %u by mistake",
			    at - 1, of_process ? "process slot" : "segment entry", owner);
			return count;
		}
		before = at;
		at = mdg__get32(of_process ? &record->process_next : &record->segment_next);
	}
	return count;
}

static void check_attachments(struct check *check)
{
	struct mdg__registry *registry = check->registry;
	struct mdg__head *head = registry->head;
	uint32_t by_segment = 0, by_process = 0, owned = 0, free_records = 0;
	uint32_t used = mdg__get32(&head->used_attachments);
	if (used > check->attachments) {
		say(check, -1, "%u attachment records are used, %u are there", used,
		    check->attachments);
		return;
	}
	for (uint32_t index = 0; index < check->segments; index++)
		by_segment += follow(check, mdg__get32(&registry->segments[index].attachments),
		                     false, index);
	for (uint32_t slot = 0; slot < check->processes; slot++)
		by_process += follow(check, mdg__get32(&registry->processes[slot].attachments),
		                     true, slot);
	for (uint32_t at = 0; at < used; at++)
		owned += is_owned(check, at);
	uint32_t at = mdg__get32(&head->free_attachment);
	while (at != 0 && at <= used && free_records <= used) {
		free_records++;
		at = mdg__get32(&registry->attachments[at - 1].segment_next);
	}
	if (at != 0 || by_segment != owned || by_process != owned || owned + free_records != used)
		say(check, -1,
		    "of %u attachment records %u are owned, %u listed by segment, %u by process, "
		    "%u free",
		    used, owned, by_segment, by_process, free_records);
}

/* Whether a segment is BUSY with the process of this slot. */
static bool works_on(struct check *check, uint32_t slot, uint32_t index)
{
	struct mdg__segment *segment = segment_at(check, index);
	uint32_t tag = mdg__get32(&check->registry->processes[slot].tag);
	return state_of(check, index) == MDG__BUSY && mdg__get32(&segment->worker) == slot + 1 &&
	       mdg__get32(&segment->worker_generation) == tag >> 8;
}

static void check_processes(struct check *check)
{
	struct mdg__registry *registry = check->registry;
	for (uint32_t slot = 0; slot < check->processes; slot++) {
		struct mdg__process *process = &registry->processes[slot];
		uint32_t state = mdg__get32(&process->tag) & 0xff, busy = 0;
		if (state > MDG__SLOT_INHERITED)
			say(check, -1, "process slot %u has the impossible state %u", slot, state);
		if (state == MDG__SLOT_FREE && mdg__get32(&process->attachments) != 0)
			say(check, -1, "free process slot %u has attachments", slot);
		uint32_t working = mdg__get32(&process->working);
		for (uint32_t index = 0; working != 0 && index < check->segments; index++)
			busy += works_on(check, slot, index);
		if (working != busy)
			say(check, -1,
			    "process slot %u says it works on %u segments, and does on %u", slot,
			    working, busy);
	}
}

int mdg__registry_check(struct mdg__registry *registry, mdg__report report, void *context)
{
	struct check check = begin(registry, report, context);
	struct mdg__head *head = registry->head;
	if (mdg__get32(&head->undo_count) != 0 || (mdg__get32(&head->version) & 1) != 0)
		say(&check, -1, "a change of the registry is half done");
	if (mdg__get32(&head->sequence) > MDG__SEQUENCE_MAX)
		say(&check, -1, "the sequence of the next id is out of range");
	check_entries(&check);
	check_buckets(&check);
	check_attachments(&check);
	check_processes(&check);
	return check.found;
}

/* ---- repair ---------------------------------------------------------------------- */

/* Plain stores: a repair that is cut off is done again from the start, by the
 * next who takes the writer lock. */
static void set32(mdg__a32 *field, uint32_t value)
{
	atomic_store_explicit(field, value, memory_order_release);
}

static void rebuild_entries(struct check *check)
{
	struct mdg__registry *registry = check->registry;
	uint32_t in_use = 0;
	uint64_t pages = 0;
	for (uint32_t word = 0; word < (registry->segment_capacity + 63) / 64; word++)
		atomic_store(&registry->bitmap[word], 0);
	for (uint32_t bucket = 0; bucket < registry->bucket_count; bucket++)
		set32(&registry->buckets[bucket], 0);
	for (uint32_t index = 0; index < check->segments; index++) {
		struct mdg__segment *segment = segment_at(check, index);
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
		if (is_indexed(check, index)) {
			mdg__a32 *bucket = bucket_of(check, index);
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
static void put_in_front(struct check *check, mdg__a32 *head, uint32_t at, bool of_process)
{
	struct mdg__attachment *records = check->registry->attachments;
	uint32_t first = mdg__get32(head);
	set32(of_process ? &records[at].process_previous : &records[at].segment_previous, 0);
	set32(of_process ? &records[at].process_next : &records[at].segment_next, first);
	if (first != 0 && first <= check->attachments)
		set32(of_process ? &records[first - 1].process_previous
		                 : &records[first - 1].segment_previous,
		      at + 1);
	set32(head, at + 1);
}

/* Enters a record in the lists of both it names, if they are in use. */
static bool link_attachment(struct check *check, uint32_t at)
{
	struct mdg__registry *registry = check->registry;
	uint32_t index = mdg__get32(&registry->attachments[at].segment);
	uint32_t slot = mdg__get32(&registry->attachments[at].process);
	if (index >= check->segments || state_of(check, index) == MDG__FREE ||
	    !is_process(check, slot))
		return false;
	put_in_front(check, &registry->segments[index].attachments, at, false);
	put_in_front(check, &registry->processes[slot].attachments, at, true);
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

static void rebuild_attachments(struct check *check)
{
	struct mdg__registry *registry = check->registry;
	struct mdg__head *head = registry->head;
	uint32_t used = mdg__get32(&head->used_attachments);
	if (used > check->attachments)
		set32(&head->used_attachments, used = check->attachments);
	for (uint32_t slot = 0; slot < check->processes; slot++)
		set32(&registry->processes[slot].attachments, 0);
	uint32_t free_record = 0;
	for (uint32_t at = 0; at < used; at++) {
		struct mdg__attachment *record = &registry->attachments[at];
		bool rests = put_to_rest(record);
		if (!rests && link_attachment(check, at))
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

static void rebuild_processes(struct check *check)
{
	struct mdg__process *processes = check->registry->processes;
	for (uint32_t slot = 0; slot < check->processes; slot++) {
		uint32_t tag = mdg__get32(&processes[slot].tag);
		if ((tag & 0xff) > MDG__SLOT_INHERITED)
			set32(&processes[slot].tag, tag & ~UINT32_C(0xff));
		set32(&processes[slot].working, 0);
	}
	for (uint32_t index = 0; index < check->segments; index++) {
		uint32_t worker1 = mdg__get32(&segment_at(check, index)->worker);
		if (worker1 != 0 && worker1 <= check->processes &&
		    works_on(check, worker1 - 1, index))
			set32(&processes[worker1 - 1].working,
			      mdg__get32(&processes[worker1 - 1].working) + 1);
	}
}

void mdg__registry_rebuild(struct mdg__registry *registry)
{
	struct check check = begin(registry, NULL, NULL);
	struct mdg__head *head = registry->head;
	/* Readers wait while the version is odd. */
	set32(&head->version, mdg__get32(&head->version) | 1);
	set32(&head->undo_count, MDG__REBUILDING);
	rebuild_entries(&check);
	rebuild_processes(&check);
	rebuild_attachments(&check);
	set32(&head->undo_count, 0);
	set32(&head->version, mdg__get32(&head->version) + 1);
}
