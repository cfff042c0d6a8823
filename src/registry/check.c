/* SPDX-License-Identifier: MIT */
/*
 * check.c - every invariant of the registry.
 *
 * What the segment entries and the process slots say is taken for the truth. The
 * bitmap, the buckets, the totals and the lists of attachments follow from it. The
 * check computes what they should be and compares. rebuild.c writes it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "registry/census.h"

struct check {
	struct mdg__census all;
	mdg__report report;
	void *context;
	int found;
};

static void __attribute__((format(printf, 3, 4)))
say(struct check *check, int32_t id, const char *format, ...)
{
	struct mdg_finding finding = { .kind = MDG_FOUND_DAMAGE, .id = id };
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(finding.text, sizeof finding.text, format, arguments);
	va_end(arguments);
	check->found++;
	if (check->report != NULL)
		(void)check->report(&finding, check->context);
}

/* ---- entries, bitmap, totals ------------------------------------------------- */

static void check_entry(struct check *check, uint32_t index)
{
	struct mdg__segment *segment = mdg__segment_at(&check->all, index);
	uint32_t tag = mdg__get32(&segment->tag), state = tag & 0xff;
	int32_t id = (int32_t)((tag >> 8 & MDG__SEQUENCE_MAX) * MDG__IDS + index);
	if (state > MDG__REMOVED || tag >> 8 > MDG__SEQUENCE_MAX)
		say(check, (int32_t)index, "segment entry %u has the impossible tag %#x", index,
		    tag);
	if ((state != MDG__FREE) != mdg__index_in_use(check->all.registry, index))
		say(check, id, "segment entry %u is %s, the bitmap says otherwise", index,
		    state != MDG__FREE ? "in use" : "free");
	if (state == MDG__REMOVED && mdg__is_indexed(&check->all, index))
		say(check, id, "removed segment %d still has its key or name", id);
	if (state == MDG__FREE && mdg__get32(&segment->attachments) != 0)
		say(check, (int32_t)index, "free segment entry %u has attachments", index);
	if (state >= MDG__LIVE && (mdg__get64(&segment->size) == 0 ||
	                           mdg__get64(&segment->size) > mdg__get64(&segment->mapped)))
		say(check, id, "segment %d has an impossible size", id);
}

static void check_entries(struct check *check)
{
	struct mdg__head *head = check->all.registry->head;
	uint32_t in_use = 0;
	uint64_t pages = 0;
	for (uint32_t index = 0; index < check->all.segments; index++) {
		check_entry(check, index);
		if (mdg__state_of(&check->all, index) == MDG__FREE)
			continue;
		in_use++;
		pages += mdg__pages_of(mdg__get64(&mdg__segment_at(&check->all, index)->size));
	}
	for (uint32_t index = check->all.segments; index < check->all.registry->segment_capacity;
	     index++)
		if (mdg__index_in_use(check->all.registry, index))
			say(check, (int32_t)index,
			    "the bitmap says entry %u is in use, which never was", index);
	if (in_use != mdg__get32(&head->in_use))
		say(check, -1, "%u segments are counted, %u are there", mdg__get32(&head->in_use),
		    in_use);
	if (mdg__get32(&head->shmmni) > check->all.registry->segment_capacity)
		say(check, -1, "%u segments are allowed, there is room for %u",
		    mdg__get32(&head->shmmni), check->all.registry->segment_capacity);
	if (mdg__get32(&head->next_id1) > UINT32_C(1) + INT32_MAX)
		say(check, -1, "the next segment is to get the impossible id %u",
		    mdg__get32(&head->next_id1) - 1);
	if (pages != mdg__get64(&head->pages))
		say(check, -1, "%llu pages are counted, %llu are there",
		    (unsigned long long)mdg__get64(&head->pages), (unsigned long long)pages);
}

/* ---- the index ---------------------------------------------------------------- */

static void check_buckets(struct check *check)
{
	uint32_t linked = 0, expected = 0;
	for (uint32_t bucket = 0; bucket < check->all.registry->bucket_count; bucket++) {
		mdg__a32 *head = &check->all.registry->buckets[bucket];
		uint32_t at = mdg__get32(head);
		for (uint32_t steps = 0; at != 0; steps++) {
			if (at > check->all.segments || steps > check->all.segments) {
				say(check, -1, "hash bucket %u leads to nowhere or in a circle",
				    bucket);
				break;
			}
			enum mdg__segment_state state = mdg__state_of(&check->all, at - 1);
			if ((state != MDG__LIVE && state != MDG__BUSY) ||
			    !mdg__is_indexed(&check->all, at - 1) ||
			    mdg__bucket_of(&check->all, at - 1) != head) {
				say(check, (int32_t)(at - 1),
				    "hash bucket %u holds entry %u, which is not of it", bucket,
				    at - 1);
				break;
			}
			linked++;
			at = mdg__get32(&mdg__segment_at(&check->all, at - 1)->next);
		}
	}
	for (uint32_t index = 0; index < check->all.segments; index++)
		expected += mdg__state_of(&check->all, index) != MDG__FREE &&
		            mdg__is_indexed(&check->all, index);
	if (linked != expected)
		say(check, -1, "%u segments have a key or name, %u can be found by it", expected,
		    linked);
}

/* ---- attachments ---------------------------------------------------------------- */

static bool is_owned(struct check *check, uint32_t attachment)
{
	struct mdg__attachment *record = &check->all.registry->attachments[attachment];
	uint32_t index = mdg__get32(&record->segment);
	return index < check->all.segments && mdg__state_of(&check->all, index) != MDG__FREE &&
	       mdg__is_process(&check->all, mdg__get32(&record->process));
}

/* Follows one list; the records in it must belong there and point back. */
static uint32_t follow(struct check *check, uint32_t first, bool of_process, uint32_t owner)
{
	uint32_t at = first, before = 0, count = 0;
	for (; at != 0; count++) {
		if (at > check->all.attachments || count > check->all.attachments) {
			say(check, -1, "the attachments of %s %u lead to nowhere or in a circle",
			    of_process ? "process slot" : "segment entry", owner);
			return count;
		}
		struct mdg__attachment *record = &check->all.registry->attachments[at - 1];
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
	struct mdg__registry *registry = check->all.registry;
	struct mdg__head *head = registry->head;
	uint32_t by_segment = 0, by_process = 0, owned = 0, free_records = 0;
	uint32_t used = mdg__get32(&head->used_attachments);
	if (used > check->all.attachments) {
		say(check, -1, "%u attachment records are used, %u are there", used,
		    check->all.attachments);
		return;
	}
	for (uint32_t index = 0; index < check->all.segments; index++)
		by_segment += follow(check, mdg__get32(&registry->segments[index].attachments),
		                     false, index);
	for (uint32_t slot = 0; slot < check->all.processes; slot++)
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

static void check_processes(struct check *check)
{
	struct mdg__registry *registry = check->all.registry;
	for (uint32_t slot = 0; slot < check->all.processes; slot++) {
		struct mdg__process *process = &registry->processes[slot];
		uint32_t state = mdg__get32(&process->tag) & 0xff, busy = 0;
		if (state > MDG__SLOT_INHERITED)
			say(check, -1, "process slot %u has the impossible state %u", slot, state);
		if (state == MDG__SLOT_FREE && mdg__get32(&process->attachments) != 0)
			say(check, -1, "free process slot %u has attachments", slot);
		uint32_t working = mdg__get32(&process->working);
		for (uint32_t index = 0; working != 0 && index < check->all.segments; index++)
			busy += mdg__works_on(&check->all, slot, index);
		if (working != busy)
			say(check, -1,
			    "process slot %u says it works on %u segments, and does on %u", slot,
			    working, busy);
	}
}

int mdg__registry_check(struct mdg__registry *registry, mdg__report report, void *context)
{
	struct check check = { mdg__census_of(registry), report, context, 0 };
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
