/* SPDX-License-Identifier: MIT */
/*
 * census.h - what a look at the whole registry goes by: check.c, rebuild.c.
 *
 * The counts of ready records are read once. Everything that is found in the file is
 * compared with them.
 */
#ifndef MADANG_REGISTRY_CENSUS_H
#define MADANG_REGISTRY_CENSUS_H

#include "registry/internal.h"

struct mdg__census {
	struct mdg__registry *registry;
	uint32_t objects[MDG__CLASSES], processes, ties; /* how many are ready */
};

static inline struct mdg__census mdg__census_of(struct mdg__registry *registry)
{
	struct mdg__census all = {
		registry,
		{ 0 },
		mdg__registry_ready_count(registry, MDG__PROCESSES),
		mdg__registry_ready_count(registry, MDG__TIES),
	};
	for (int class = 0; class < MDG__CLASSES; class ++)
		all.objects[class] = mdg__registry_ready_count(registry, (enum mdg__class) class);
	return all;
}

static inline enum mdg__object_state mdg__state_of(const struct mdg__object *object)
{
	return mdg__tag_state(mdg__get32(&object->tag));
}

static inline bool mdg__is_process(const struct mdg__census *all, uint32_t slot)
{
	return slot < all->processes &&
	       mdg__slot_state(mdg__get32(&all->registry->processes[slot].tag)) != MDG__SLOT_FREE;
}

/* The object of a tie, if there is such a one, and such a process. */
static inline struct mdg__object *mdg__owner_of(const struct mdg__census *all, uint32_t tie)
{
	const struct mdg__tie *record = &all->registry->ties[tie];
	struct mdg__object *object = mdg__tie_object(all->registry, record, NULL, NULL);
	bool owned = object != NULL && mdg__state_of(object) != MDG__FREE &&
	             mdg__is_process(all, mdg__get32(&record->process));
	return owned ? object : NULL;
}

/* Whether an object is BUSY with the process of this slot. */
static inline bool mdg__works_on(const struct mdg__census *all, uint32_t slot,
                                 const struct mdg__object *object)
{
	uint32_t tag = mdg__get32(&all->registry->processes[slot].tag);
	return mdg__state_of(object) == MDG__BUSY && mdg__get32(&object->worker) == slot + 1 &&
	       mdg__get32(&object->worker_generation) == mdg__tag_generation(tag);
}

/* Whether what the class says of an object can be true: the size of a segment, the number of
 * semaphores in a set, the state of a file. */
static inline bool mdg__is_entry_possible(const struct mdg__registry *registry,
                                          enum mdg__class class, uint32_t index)
{
	if (class == MDG__SEGMENTS) {
		const struct mdg__segment *segment = &registry->segments[index];
		uint64_t size = mdg__get64(&segment->size);
		return size != 0 && size <= mdg__get64(&segment->mapped) &&
		       mdg__object_amount(registry, class, index) <=
		               mdg__pages_of(mdg__get64(&segment->mapped));
	}
	const struct mdg__late *late = mdg__late_at(registry, class, index);
	uint64_t amount = mdg__object_amount(registry, class, index);
	return mdg__get32(&late->file) <= MDG__FILE_MADE && amount <= INT32_MAX &&
	       (class != MDG__SEMAPHORE_SETS || amount != 0);
}

/* Whether what a segment says of its file can be true. The inode is noted after the file was
 * made. */
static inline bool mdg__is_file_possible(const struct mdg__segment *segment)
{
	uint32_t flags = mdg__get32(&segment->flags);
	bool none = (flags & MDG__SEG_FILE_NONE) != 0, begun = (flags & MDG__SEG_FILE_BEGUN) != 0;
	return !(none && begun) && (!(none || begun) || mdg__get64(&segment->inode) == 0);
}

/* What the objects of a class take together, by their entries. */
static inline uint64_t mdg__total_counted(const struct mdg__census *all, enum mdg__class class)
{
	uint64_t total = 0;
	for (uint32_t index = 0; index < all->objects[class]; index++)
		if (mdg__state_of(mdg__object_at(all->registry, class, index)) != MDG__FREE)
			total += mdg__object_amount(all->registry, class, index);
	return total;
}

#endif
