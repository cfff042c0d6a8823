/* SPDX-License-Identifier: MIT */
/*
 * tidy.c - slabs of a thread that have free blocks again, and giving back those that are free as a
 * whole.
 *
 * No freeing counts the blocks of its slab. When a word of a bitmap becomes wholly free, that is
 * counted, and each time that some words have, a few slabs are looked at. When memory is short, all
 * are.
 */
#include "heap/lists.h"
#include "heap/quarantine.h"

/* Gives back a slab of the list `partial` that is free as a whole. No block of it is in
 * quarantine. */
static bool give(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class, uint32_t unit1)
{
	struct mdg__heap_cache *cache = &own->cache[class];
	uint64_t head =
		MDG__HEAD(MDG__UNIT_SLAB, class, own->slot1, mdg__heap_classes[class].units);
	if (!mdg__slab_is_whole(heap, unit1 - 1, class))
		return false;
	cache->late_bytes = 0; /* these may be blocks of the slab */
	mdg__list_remove(own, unit1);
	if (mdg__units_give(heap, unit1 - 1, head) == 0)
		return true;
	mdg__list_add(own, cache, false, unit1);
	return false;
}

/* One slab with free blocks stays beside the one in use. Others that are free as a whole go. */
void mdg__slabs_tidy(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class)
{
	enum { LOOKS = 16 };
	struct mdg__heap_cache *cache = &own->cache[class];
	uint32_t unit1 = cache->look_partial != 0 ? cache->look_partial : cache->partial;
	for (int i = 0; i < LOOKS && unit1 != 0; i++) {
		uint32_t next = mdg__list_next(own, unit1);
		bool alone = cache->partial == unit1 && next == 0;
		if (!alone && mdg__slab_is_idle(heap, unit1 - 1, class) &&
		    !mdg__quarantine_has(heap, own, class, unit1 - 1))
			(void)give(heap, own, class, unit1);
		unit1 = next;
	}
	cache->look_partial = unit1;
}

/* All slabs of the class: what others freed in full ones is merged, and what is free as a whole
 * goes. */
static bool give_all(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class)
{
	struct mdg__heap_cache *cache = &own->cache[class];
	bool given = false;
	uint32_t next;
	/* If somebody has scribbled in `heads`, a slab may be in two lists, which have no end. */
	mdg__quarantine_end(heap, own, class);
	if (cache->unit1 != 0) {
		mdg__list_add(own, cache, false, cache->unit1);
		mdg__list_use_none(cache);
	}
	for (uint32_t unit1 = cache->full; unit1 != 0; unit1 = next) {
		next = mdg__list_next(own, unit1);
		if (mdg__slab_merge(heap, unit1 - 1, class, false) != 0)
			mdg__list_unfull(own, unit1);
	}
	for (uint32_t unit1 = cache->partial; unit1 != 0; unit1 = next) {
		next = mdg__list_next(own, unit1);
		(void)mdg__slab_merge(heap, unit1 - 1, class, false);
		if (mdg__slab_is_idle(heap, unit1 - 1, class))
			given |= give(heap, own, class, unit1);
	}
	return given;
}

bool mdg__slabs_give_idle(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	bool given = false;
	for (uint32_t class = 0; class < MDG__HEAP_CLASSES_ALL; class ++)
		given |= give_all(heap, own, class);
	return given;
}
