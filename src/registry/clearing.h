/* SPDX-License-Identifier: MIT */
/*
 * clearing.h - giving back what dead processes had, and what nobody has any more (reap.c).
 *
 * An object may have a data file outside of the registry. The file is unlinked without the
 * writer lock, so clearing an object away has three steps:
 *
 *     with the lock       mdg__slot_reap() or mdg__object_begin_clearing() makes the
 *                         entry BUSY with this process as worker, and lists it
 *     without the lock    src/segment/clear.c unlinks the file
 *     with the lock       mdg__object_end_clearing() frees the entry
 */
#ifndef MADANG_REGISTRY_CLEARING_H
#define MADANG_REGISTRY_CLEARING_H

#include "registry/registry.h"

/* Objects whose files are to be cleared away after the lock is given back. */
struct mdg__clearing {
	uint32_t count;
	struct {
		enum mdg__class class;
		uint32_t index;
	} list[32];
};

/* Lists an object that this process is the worker of. There has to be room. */
void mdg__clearing_add(struct mdg__clearing *clearing, enum mdg__class class, uint32_t index);

/* Frees everything that a dead slot has. Frees the slot too, unless this process has
 * inherited it. Removed objects to which no living process is tied any more are cleared
 * away, or listed. -EAGAIN: the list is full; clear it and call again. [lock] */
int mdg__slot_reap(struct mdg__registry *registry, uint32_t slot, uint32_t generation,
                   struct mdg__clearing *clearing);
/* Makes a REMOVED object BUSY if no living process holds it. If it has something
 * outside of the registry it is listed, else it is freed at once. Returns whether it
 * did that. [lock] */
bool mdg__object_begin_clearing(struct mdg__registry *registry, enum mdg__class class,
                                uint32_t index, struct mdg__clearing *clearing);
/* Frees the entry of an object with which this process was BUSY. That is the last step
 * of clearing an object away, or of a creation that failed. [lock] */
void mdg__object_end_clearing(struct mdg__registry *registry, enum mdg__class class,
                              uint32_t index);
/* This process could not clear the object's file away: the object is REMOVED again,
 * for a process that may. [lock] */
void mdg__object_leave_clearing(struct mdg__registry *registry, enum mdg__class class,
                                uint32_t index);

#endif
