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
	struct mdg_finding finding = { .size = sizeof finding, .kind = MDG_FOUND_DAMAGE, .id = id };
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(finding.text, sizeof finding.text, format, arguments);
	va_end(arguments);
	check->found++;
	if (check->report != NULL)
		(void)check->report(&finding, check->context);
}

/* What the objects of a class are called: one, and several. */
static const char *const names[MDG__CLASSES][2] = {
	[MDG__SEGMENTS] = { "segment", "segments" },
	[MDG__SEMAPHORE_SETS] = { "semaphore set", "semaphore sets" },
	[MDG__MESSAGE_QUEUES] = { "message queue", "message queues" },
};

/* ---- entries, bitmap, totals ------------------------------------------------- */

static void check_entry(struct check *check, enum mdg__class class, uint32_t index)
{
	const struct mdg__object *object = mdg__object_at(check->all.registry, class, index);
	const char *name = names[class][0];
	uint32_t tag = mdg__get32(&object->tag), sequence = mdg__tag_generation(tag);
	enum mdg__object_state state = mdg__tag_state(tag);
	mdg_id id = (mdg_id)((sequence & MDG__SEQUENCE_MAX) * MDG__IDS + index);
	if (state > MDG__REMOVED || sequence > MDG__SEQUENCE_MAX)
		say(check, (int32_t)index, "%s entry %u has the impossible tag %#x", name, index,
		    tag);
	if ((state != MDG__FREE) != mdg__object_in_use(check->all.registry, class, index))
		say(check, id, "%s entry %u is %s, the bitmap says otherwise", name, index,
		    state != MDG__FREE ? "in use" : "free");
	if (state == MDG__REMOVED && mdg__object_is_indexed(object))
		say(check, id, "removed %s %d still has its key or name", name, id);
	if (state == MDG__FREE && mdg__get32(&object->ties) != 0)
		say(check, (int32_t)index, "free %s entry %u has ties", name, index);
	if (state >= MDG__LIVE && !mdg__is_entry_possible(check->all.registry, class, index))
		say(check, id,
		    class == MDG__SEGMENTS ? "%s %d has an impossible size"
		                           : "%s %d has impossible figures",
		    name, id);
	if (state >= MDG__LIVE && class == MDG__SEGMENTS &&
	    !mdg__is_file_possible(&check->all.registry->segments[index]))
		say(check, id, "%s %d says that it has no file, and has had one", name, id);
}

static void check_directory(struct check *check, enum mdg__class class, uint32_t in_use)
{
	struct mdg__registry *registry = check->all.registry;
	const struct mdg__objects *objects = &registry->objects[class];
	const struct mdg__directory *directory = objects->directory;
	const char *many = names[class][1];
	if (in_use != mdg__get32(&directory->in_use))
		say(check, -1, "%u %s are counted, %u are there", mdg__get32(&directory->in_use),
		    many, in_use);
	if (mdg__get32(&directory->most) > objects->capacity)
		say(check, -1, "%u %s are allowed, there is room for %u",
		    mdg__get32(&directory->most), many, objects->capacity);
	if (mdg__get32(&directory->next_id1) > UINT32_C(1) + INT32_MAX)
		say(check, -1, "the next %s is to get the impossible id %u", names[class][0],
		    mdg__get32(&directory->next_id1) - 1);
	if (mdg__get32(&directory->sequence) > MDG__SEQUENCE_MAX)
		say(check, -1, "the sequence of the next %s's id is out of range", names[class][0]);
	/* The bitmap of a directory that was never used has no memory. */
	uint32_t ready = check->all.objects[class];
	for (uint32_t index = ready; ready != 0 && index < objects->capacity; index++)
		if (mdg__object_in_use(registry, class, index))
			say(check, (int32_t)index,
			    "the bitmap says %s entry %u is in use, which never was",
			    names[class][0], index);
}

static void check_entries(struct check *check, enum mdg__class class)
{
	struct mdg__registry *registry = check->all.registry;
	uint32_t in_use = 0;
	for (uint32_t index = 0; index < check->all.objects[class]; index++) {
		check_entry(check, class, index);
		in_use += mdg__state_of(mdg__object_at(registry, class, index)) != MDG__FREE;
	}
	check_directory(check, class, in_use);
}

static void check_total(struct check *check, enum mdg__class class)
{
	uint64_t total = mdg__total_counted(&check->all, class);
	uint64_t counted = mdg__get64(mdg__object_total(check->all.registry, class));
	if (total != counted)
		say(check, -1, "%llu %s are counted, %llu are there", (unsigned long long)counted,
		    class == MDG__SEGMENTS ? "pages" : "semaphores", (unsigned long long)total);
}

/* ---- the index ---------------------------------------------------------------- */

/* Follows one chain; the entries in it must belong there. Returns how many. */
static uint32_t follow_chain(struct check *check, enum mdg__class class, uint32_t bucket)
{
	struct mdg__registry *registry = check->all.registry;
	mdg__a32 *head = &registry->objects[class].buckets[bucket];
	uint32_t ready = check->all.objects[class], at = mdg__get32(head), count = 0;
	for (; at != 0; count++) {
		if (at > ready || count > ready) {
			say(check, -1, "hash bucket %u of the %s leads to nowhere or in a circle",
			    bucket, names[class][1]);
			break;
		}
		const struct mdg__object *object = mdg__object_at(registry, class, at - 1);
		enum mdg__object_state state = mdg__state_of(object);
		if ((state != MDG__LIVE && state != MDG__BUSY) || !mdg__object_is_indexed(object) ||
		    mdg__index_bucket(registry, class, object) != head) {
			say(check, (int32_t)(at - 1),
			    "hash bucket %u of the %s holds entry %u, which is not of it", bucket,
			    names[class][1], at - 1);
			break;
		}
		at = mdg__get32(&object->next);
	}
	return count;
}

static void check_buckets(struct check *check, enum mdg__class class)
{
	struct mdg__registry *registry = check->all.registry;
	uint32_t linked = 0, expected = 0, ready = check->all.objects[class];
	for (uint32_t b = 0; ready != 0 && b < registry->objects[class].bucket_count; b++)
		if (mdg__bucket_is_ready(&registry->objects[class], b))
			linked += follow_chain(check, class, b);
	for (uint32_t index = 0; index < ready; index++) {
		const struct mdg__object *object = mdg__object_at(registry, class, index);
		expected += mdg__state_of(object) != MDG__FREE && mdg__object_is_indexed(object);
	}
	if (linked != expected)
		say(check, -1, "%u %s have a key or name, %u can be found by it", expected,
		    names[class][1], linked);
}

/* ---- ties ----------------------------------------------------------------------- */

/* Whose list is followed: what a message calls it, and its number in the ties. */
struct list {
	const char *whose;
	uint32_t number, owner;
	bool of_process;
};

/* Follows one list; the records in it must belong there and point back. */
static uint32_t follow(struct check *check, uint32_t first, const struct list *list)
{
	uint32_t at = first, before = 0, count = 0;
	for (; at != 0; count++) {
		if (at > check->all.ties || count > check->all.ties) {
			say(check, -1, "the ties of %s %u lead to nowhere or in a circle",
			    list->whose, list->number);
			return count;
		}
		struct mdg__tie *record = &check->all.registry->ties[at - 1];
		uint32_t back = mdg__get32(list->of_process ? &record->process_previous
		                                            : &record->object_previous);
		uint32_t of = mdg__get32(list->of_process ? &record->process : &record->object);
		if (of != list->owner || back != before) {
			/* No further: a circle ends here at the latest. */
			say(check, -1, "tie %u is in the list of %s %u by mistake", at - 1,
			    list->whose, list->number);
			return count;
		}
		before = at;
		at = mdg__get32(list->of_process ? &record->process_next : &record->object_next);
	}
	return count;
}

static uint32_t follow_objects(struct check *check, enum mdg__class class)
{
	uint32_t count = 0;
	for (uint32_t index = 0; index < check->all.objects[class]; index++) {
		struct list list = { names[class][0], index, mdg__tied(class, index), false };
		const struct mdg__object *object =
			mdg__object_at(check->all.registry, class, index);
		count += follow(check, mdg__get32(&object->ties), &list);
	}
	return count;
}

static uint32_t follow_processes(struct check *check)
{
	uint32_t count = 0;
	for (uint32_t slot = 0; slot < check->all.processes; slot++) {
		struct list list = { "process slot", slot, slot, true };
		count += follow(check, mdg__get32(&check->all.registry->processes[slot].ties),
		                &list);
	}
	return count;
}

static void check_ties(struct check *check)
{
	struct mdg__registry *registry = check->all.registry;
	struct mdg__head *head = registry->head;
	uint32_t by_object = 0, owned = 0, free_records = 0;
	uint32_t used = mdg__get32(&head->used_ties);
	if (used > check->all.ties) {
		say(check, -1, "%u ties are used, %u are there", used, check->all.ties);
		return;
	}
	for (int class = 0; class < MDG__CLASSES; class ++)
		by_object += follow_objects(check, (enum mdg__class) class);
	uint32_t by_process = follow_processes(check);
	for (uint32_t at = 0; at < used; at++)
		owned += mdg__owner_of(&check->all, at) != NULL;
	uint32_t at = mdg__get32(&head->free_tie);
	while (at != 0 && at <= used && free_records <= used) {
		free_records++;
		at = mdg__get32(&registry->ties[at - 1].object_next);
	}
	if (at != 0 || by_object != owned || by_process != owned || owned + free_records != used)
		say(check, -1,
		    "of %u ties %u are owned, %u listed by object, %u by process, %u free", used,
		    owned, by_object, by_process, free_records);
}

/* How many objects are BUSY with the process of this slot. */
static uint32_t work_of(struct check *check, uint32_t slot)
{
	uint32_t busy = 0;
	for (int class = 0; class < MDG__CLASSES; class ++)
		for (uint32_t index = 0; index < check->all.objects[class]; index++)
			busy += mdg__works_on(&check->all, slot,
			                      mdg__object_at(check->all.registry,
			                                     (enum mdg__class) class, index));
	return busy;
}

static void check_processes(struct check *check)
{
	struct mdg__registry *registry = check->all.registry;
	for (uint32_t slot = 0; slot < check->all.processes; slot++) {
		struct mdg__process *process = &registry->processes[slot];
		enum mdg__process_state state = mdg__slot_state(mdg__get32(&process->tag));
		if (state > MDG__SLOT_INHERITED)
			say(check, -1, "process slot %u has the impossible state %u", slot,
			    (unsigned)state);
		if (state == MDG__SLOT_FREE && mdg__get32(&process->ties) != 0)
			say(check, -1, "free process slot %u has ties", slot);
		uint32_t working = mdg__get32(&process->working);
		uint32_t busy = working != 0 ? work_of(check, slot) : 0;
		if (working != busy)
			say(check, -1,
			    "process slot %u says it works on %u objects, and does on %u", slot,
			    working, busy);
	}
}

int mdg__registry_check(struct mdg__registry *registry, mdg__report report, void *context)
{
	struct check check = { mdg__census_of(registry), report, context, 0 };
	if (mdg__journal_is_dirty(&registry->journal))
		say(&check, -1, "a change of the registry is half done");
	for (int class = 0; class < MDG__CLASSES; class ++) {
		check_entries(&check, (enum mdg__class) class);
		check_buckets(&check, (enum mdg__class) class);
		check_total(&check, (enum mdg__class) class);
	}
	check_ties(&check);
	check_processes(&check);
	return check.found;
}
