/* SPDX-License-Identifier: MIT */
/*
 * slot.h - the slot of this process, and the slots of its children.
 *
 * A process takes a slot when it first needs one, for instance to attach. slot.c takes
 * and keeps it; process.c has what is done at a fork.
 */
#ifndef MADANG_REGISTRY_SLOT_H
#define MADANG_REGISTRY_SLOT_H

#include "registry/clearing.h"
#include "registry/registry.h"

/* ---- slot.c: this process ---- */

/* Takes a slot for this process if it has none; `ret_new` says so. Opens and locks again
 * what the program has closed. Remains of dead processes may come up; they are listed
 * in `clearing`. Fails with MDG_NO_SLOT, MDG_NS_GONE, -EMFILE and others. [signals] */
int mdg__slot_ensure(struct mdg__registry *registry, bool *ret_new, struct mdg__clearing *clearing);
/* Whether this process, which has a slot, has a witness there (alive.c). */
bool mdg__slot_is_witnessed(const struct mdg__registry *registry);
/* If not: makes the calling thread its witness. [signals] */
void mdg__slot_bear_witness(struct mdg__registry *registry);
/* Whether the slot that was found still has the remains of a dead process. The caller
 * then reaps it, clears away what that lists, and calls one of the next two. */
bool mdg__slot_is_inherited(const struct mdg__registry *registry);
/* The remains are gone: the slot is this process's own. */
void mdg__slot_settle(struct mdg__registry *registry);
/* The remains could not be cleared away: this process has no slot again. */
void mdg__slot_leave(struct mdg__registry *registry);
/* In a forked child: makes the slot and the descriptor that its parent took for it this
 * process's own. `fd` -1: the program has closed the descriptor. */
void mdg__slot_adopt(struct mdg__registry *registry, int fd, uint32_t slot, uint32_t generation);

/* ---- process.c: a child ---- */

/* Takes a slot for a child that is about to be forked, and locks the slot's byte by
 * `fd`. That is the descriptor that the child is to have, or `registry->fd`, which
 * parent and child then share. */
int mdg__slot_for_child(struct mdg__registry *registry, int fd, uint32_t *ret_slot,
                        uint32_t *ret_generation);
/* Gives up the lock on a slot's byte, if `registry->fd` holds it. */
void mdg__slot_unlock(const struct mdg__registry *registry, uint32_t slot);
/* In the child, once it has closed the parent's description, or if it shares it: the
 * slot has a process now. Touches nothing but the registry. */
void mdg__slot_born(const struct mdg__registry *registry, uint32_t slot, uint32_t generation,
                    bool shares_description);
/* In the parent, if the child shares its description: waits until the child is born,
 * because nobody could notice the death of a child before that. A child that is not
 * born within a second was killed, or the fork failed: its slot is then marked dead. */
void mdg__slot_await_birth(const struct mdg__registry *registry, uint32_t slot,
                           uint32_t generation);

#endif
