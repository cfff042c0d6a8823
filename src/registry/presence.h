/* SPDX-License-Identifier: MIT */
/*
 * presence.h - who a process is among those that use a namespace, and who still lives.
 *
 * A process that uses a namespace owns a slot (process.c), and each taking of a slot
 * is a new generation of it. Slot and generation name a process for as long as the
 * registry exists. Shared memory holds such a name in one of two forms:
 *
 *   a sign   one word, for a lock: bits 0..14 the slot's index + 1, bit 15 free for
 *            the user of the word, bits 16..31 the low bits of the generation.
 *            0 is nobody.
 *   a pair   the slot's index + 1 and the whole generation (24 bits), for what may
 *            stay there for long. 0 as the first is nobody.
 *
 * Neither is trusted: a name that no process can have had is the name of a dead one.
 */
#ifndef MADANG_REGISTRY_PRESENCE_H
#define MADANG_REGISTRY_PRESENCE_H

#include "registry/registry.h"

#define MDG__SIGN_SLOT1 UINT32_C(0x7fff)

static inline uint32_t mdg__sign_of(uint32_t slot1, uint32_t generation)
{
	return (generation & 0xffff) << 16 | slot1;
}
/* The sign of this process; it has a slot. */
static inline uint32_t mdg__own_sign(const struct mdg__registry *registry)
{
	return mdg__sign_of(registry->slot1, registry->generation);
}
/* Whether slot1 can be of a process: the slot exists. */
bool mdg__is_slot1(const struct mdg__registry *registry, uint32_t slot1);
/* Whether the process of a sign lives. */
bool mdg__sign_lives(struct mdg__registry *registry, uint32_t sign);
/* Whether the process of a pair lives. */
bool mdg__pair_lives(struct mdg__registry *registry, uint32_t slot1, uint32_t generation);
/* Whether that, or a process that is clearing away after it in its name, may still hold
 * the writer lock or have work to finish. */
bool mdg__sign_at_work(struct mdg__registry *registry, uint32_t sign);
bool mdg__pair_at_work(struct mdg__registry *registry, uint32_t slot1, uint32_t generation);

#endif
