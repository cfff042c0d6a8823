/* SPDX-License-Identifier: MIT */
/*
 * alive.h - whether the process of a slot lives.
 *
 * The top of alive.c says how that is found out. presence.h asks the same about a
 * process whose name lies in shared memory.
 */
#ifndef MADANG_REGISTRY_ALIVE_H
#define MADANG_REGISTRY_ALIVE_H

#include "registry/registry.h"

/* Whether the process of a slot lives. `generation`: as the slot's tag had it. */
bool mdg__slot_alive(struct mdg__registry *registry, uint32_t slot, uint32_t generation);
/* The same for those who count, again and again: usually some loads. If somebody has broken the
 * robust list of the process, its death may be noticed some 8 ms late. */
bool mdg__slot_lives_on(struct mdg__registry *registry, uint32_t slot, uint32_t generation);
/* Whether that process lives, or a process that is inheriting the slot from it: may one
 * of them hold the writer lock, or have work to finish? It does not say whether what
 * the slot has attached still counts. */
bool mdg__slot_at_work(struct mdg__registry *registry, uint32_t slot, uint32_t generation);
/* Whether a thread of the slot's process, other than the calling one, may be between
 * taking a lock of ours and giving it back. This asks the kernel and not shared memory.
 * It is slow. True if it cannot be told. */
bool mdg__slot_may_be_inside(struct mdg__registry *registry, uint32_t slot);
/* Whether it is the slot of the calling process. */
bool mdg__slot_is_own(const struct mdg__registry *registry, uint32_t slot);

#endif
