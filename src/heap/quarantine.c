/* SPDX-License-Identifier: MIT */
/*
 * quarantine.c - see quarantine.h.
 *
 * A slab may be on the list of full ones because its free blocks are in quarantine. When one
 * leaves, the slab goes to the list of those that have free blocks.
 */
#include "heap/quarantine.h"

#include "heap/lists.h"

#define CLASS_BYTES_MOST (512u << 10) /* in quarantine, of one class */

static uint32_t room_of(uint32_t class)
{
	uint32_t room = CLASS_BYTES_MOST / mdg__heap_classes[class].size;
	return room < MDG__PARKED ? room : MDG__PARKED;
}

static uint64_t unit_of(const struct mdg__heap *heap, const _Atomic uint64_t *word)
{
	return (uint64_t)(word - heap->free) / MDG__SLAB_WORDS;
}

static void oldest_leaves(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class)
{
	struct mdg__quarantine *parked = &own->quarantine[class];
	uint64_t unit = unit_of(heap, parked->word[parked->first]);
	parked->first = (parked->first + 1) % MDG__PARKED;
	parked->count--;
	if (mdg__list_cache(own, unit) == &own->cache[class] &&
	    mdg__list_is_full(own, (uint32_t)unit + 1))
		mdg__list_unfull(own, (uint32_t)unit + 1);
}

void mdg__quarantine_add(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class,
                         _Atomic uint64_t *word, uint64_t bit)
{
	struct mdg__quarantine *parked = &own->quarantine[class];
	if (parked->count >= room_of(class))
		oldest_leaves(heap, own, class);
	uint32_t at = (parked->first + parked->count) % MDG__PARKED;
	parked->word[at] = word;
	parked->bit[at] = bit;
	parked->count++;
}

uint64_t mdg__quarantine_bits(const struct mdg__heap_own *own, uint32_t class,
                              const _Atomic uint64_t *word)
{
	const struct mdg__quarantine *parked = &own->quarantine[class];
	uint64_t bits = 0;
	for (uint32_t i = 0; i < parked->count; i++) {
		uint32_t at = (parked->first + i) % MDG__PARKED;
		if (parked->word[at] == word)
			bits |= parked->bit[at];
	}
	return bits;
}

void mdg__quarantine_end(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class)
{
	while (own->quarantine[class].count != 0)
		oldest_leaves(heap, own, class);
}

bool mdg__quarantine_has(const struct mdg__heap *heap, const struct mdg__heap_own *own,
                         uint32_t class, uint64_t unit)
{
	const struct mdg__quarantine *parked = &own->quarantine[class];
	for (uint32_t i = 0; i < parked->count; i++)
		if (unit_of(heap, parked->word[(parked->first + i) % MDG__PARKED]) == unit)
			return true;
	return false;
}
