/* SPDX-License-Identifier: MIT */
/*
 * presence.c - whether the process that a sign or a pair names lives. See presence.h.
 */
#include "registry/presence.h"

#include "registry/internal.h"

bool mdg__is_slot1(const struct mdg__registry *registry, uint32_t slot1)
{
	return slot1 != 0 && slot1 <= mdg__registry_ready_count(registry, MDG__PROCESSES);
}

/* The whole generation of a sign, or false: the slot was given to another process since,
 * or was never there. */
static bool whole(const struct mdg__registry *registry, uint32_t sign, uint32_t *ret_generation)
{
	uint32_t slot1 = sign & MDG__SIGN_SLOT1;
	if (!mdg__is_slot1(registry, slot1))
		return false;
	*ret_generation = mdg__tag_generation(mdg__get32(&registry->processes[slot1 - 1].tag));
	return (*ret_generation & 0xffff) == sign >> 16;
}

bool mdg__pair_lives(struct mdg__registry *registry, uint32_t slot1, uint32_t generation)
{
	return mdg__is_slot1(registry, slot1) && mdg__slot_alive(registry, slot1 - 1, generation);
}

bool mdg__sign_lives(struct mdg__registry *registry, uint32_t sign)
{
	uint32_t generation;
	return whole(registry, sign, &generation) &&
	       mdg__slot_alive(registry, (sign & MDG__SIGN_SLOT1) - 1, generation);
}

bool mdg__pair_at_work(struct mdg__registry *registry, uint32_t slot1, uint32_t generation)
{
	return mdg__is_slot1(registry, slot1) && mdg__slot_at_work(registry, slot1 - 1, generation);
}

bool mdg__sign_at_work(struct mdg__registry *registry, uint32_t sign)
{
	uint32_t generation;
	return whole(registry, sign, &generation) &&
	       mdg__slot_at_work(registry, (sign & MDG__SIGN_SLOT1) - 1, generation);
}
