/* SPDX-License-Identifier: MIT */
/*
 * ids.h - taking the id of a new object, and which ids are in use.
 */
#ifndef MADANG_REGISTRY_IDS_H
#define MADANG_REGISTRY_IDS_H

#include "platform/memory.h"
#include "registry/registry.h"

/* Takes an index and a sequence in the order in which the kernel gives them, or those of
 * `next_id1` if that is set. Fails with -ENOSPC, or with -EAGAIN: make the entry of
 * *ret_index ready without the lock, and ask again. [lock] */
int mdg__object_id_take(struct mdg__registry *registry, enum mdg__class class, uint32_t *ret_index,
                        uint32_t *ret_sequence);
/* The same for an object that takes so much of what is limited too: pages of a segment,
 * semaphores of a set. Once the entry is filled in, mdg__object_amount() says the same. [lock] */
int mdg__object_id_take_for(struct mdg__registry *registry, enum mdg__class class, uint64_t amount,
                            uint32_t *ret_index, uint32_t *ret_sequence);
/* How much of that an object takes, and where it is said what all take. */
uint64_t mdg__object_amount(const struct mdg__registry *registry, enum mdg__class class,
                            uint32_t index);
mdg__a64 *mdg__object_total(const struct mdg__registry *registry, enum mdg__class class);
/* Of a segment that takes its memory as it grows: from now on it takes so many pages. Fails with
 * -EINVAL: it has not so many, or -ENOSPC. Commits. [lock] */
int mdg__object_charge(struct mdg__registry *registry, uint32_t index, uint64_t pages);
bool mdg__object_in_use(const struct mdg__registry *registry, enum mdg__class class,
                        uint32_t index);
/* The highest index in use, -1 for none. */
int32_t mdg__object_highest(const struct mdg__registry *registry, enum mdg__class class);

/* How many pages so many bytes need. */
static inline uint64_t mdg__pages_of(uint64_t bytes)
{
	return bytes / mdg__page_size() + (bytes % mdg__page_size() != 0);
}

#endif
