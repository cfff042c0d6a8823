/* SPDX-License-Identifier: MIT */
/*
 * census.h - what a look at the whole registry goes by: check.c, rebuild.c.
 *
 * The counts of ready records are read once. Everything that is found in the file
 * is compared with them.
 */
#ifndef MADANG_REGISTRY_CENSUS_H
#define MADANG_REGISTRY_CENSUS_H

#include "registry/internal.h"

struct mdg__census {
	struct mdg__registry *registry;
	uint32_t segments, processes, attachments; /* how many are ready */
};

static inline struct mdg__census mdg__census_of(struct mdg__registry *registry)
{
	return (struct mdg__census){
		registry,
		mdg__registry_ready_count(registry, MDG__SEGMENTS),
		mdg__registry_ready_count(registry, MDG__PROCESSES),
		mdg__registry_ready_count(registry, MDG__ATTACHMENTS),
	};
}

static inline struct mdg__segment *mdg__segment_at(const struct mdg__census *all, uint32_t index)
{
	return &all->registry->segments[index];
}

static inline enum mdg__segment_state mdg__state_of(const struct mdg__census *all, uint32_t index)
{
	return mdg__tag_state(mdg__get32(&mdg__segment_at(all, index)->tag));
}

static inline bool mdg__is_indexed(const struct mdg__census *all, uint32_t index)
{
	struct mdg__segment *segment = mdg__segment_at(all, index);
	return mdg__get32(&segment->key) != 0 || mdg__get32(&segment->name_hash) != 0;
}

static inline bool mdg__is_process(const struct mdg__census *all, uint32_t slot)
{
	return slot < all->processes &&
	       (mdg__slot_state(mdg__get32(&all->registry->processes[slot].tag))) != MDG__SLOT_FREE;
}

static inline mdg__a32 *mdg__bucket_of(const struct mdg__census *all, uint32_t index)
{
	struct mdg__segment *segment = mdg__segment_at(all, index);
	uint32_t key = mdg__get32(&segment->key);
	uint32_t hash = key != 0 ? mdg__key_hash(key) : mdg__get32(&segment->name_hash);
	return &all->registry->buckets[hash & (all->registry->bucket_count - 1)];
}

/* Whether a segment is BUSY with the process of this slot. */
static inline bool mdg__works_on(const struct mdg__census *all, uint32_t slot, uint32_t index)
{
	struct mdg__segment *segment = mdg__segment_at(all, index);
	uint32_t tag = mdg__get32(&all->registry->processes[slot].tag);
	return mdg__state_of(all, index) == MDG__BUSY && mdg__get32(&segment->worker) == slot + 1 &&
	       mdg__get32(&segment->worker_generation) == tag >> 8;
}

#endif
