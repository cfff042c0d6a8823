/* SPDX-License-Identifier: MIT */
/*
 * tie.h - which process is tied to which object, and how often.
 *
 * For a segment a tie counts how often the process has it attached. The top of tie.c
 * says how counting and removal agree without a lock.
 */
#ifndef MADANG_REGISTRY_TIE_H
#define MADANG_REGISTRY_TIE_H

#include "registry/registry.h"

/* Makes the record of a pair, with count 0. -EAGAIN: make *ret_tie + 1 records ready,
 * without the lock, and ask again. [lock] */
int mdg__tie_make(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                  uint32_t slot, uint32_t *ret_tie, uint32_t *ret_generation);
/* Frees all records whose count is 0, of whatever process. The processes make new
 * records when they need them. Returns how many it freed. [lock] */
uint32_t mdg__ties_sweep(struct mdg__registry *registry);
/* Adds to the count of a record that this process owns. False: the record was freed
 * meanwhile, because its object is gone. */
bool mdg__tie_add(struct mdg__registry *registry, uint32_t tie, uint32_t generation, int32_t delta);
/* The record (index plus one) of a process for an object, 0 for none. Exact for this
 * process. The list of another process may change under the walk; then the walk may
 * miss records. */
uint32_t mdg__tie_of(struct mdg__registry *registry, uint32_t slot, enum mdg__class class,
                     uint32_t index);

/* A process that is tied to an object, and how often. */
struct mdg__holder {
	uint32_t slot, generation, count;
	int fd; /* of the data file in that process, -1: none */
};
/* Lists the processes whose count is above 0, and returns how many there are. `tag`:
 * what the object's tag has to be all the time, else -EINVAL. Also fails with
 * MDG_DAMAGED, -EAGAIN (take the lock), or -E2BIG (there are more than `room`; take the
 * lock and a bigger list). */
int mdg__object_holders(struct mdg__registry *registry, enum mdg__class class, uint32_t index,
                        uint32_t tag, struct mdg__holder *ret_list, uint32_t room);

#endif
