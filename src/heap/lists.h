/* SPDX-License-Identifier: MIT */
/*
 * lists.h - the lists of slabs of a thread, which are private to it.
 */
#ifndef MADANG_HEAP_LISTS_H
#define MADANG_HEAP_LISTS_H

#include "heap/internal.h"

static inline uint32_t mdg__list_next(const struct mdg__heap_own *own, uint32_t unit1)
{
	return own->links[unit1 - 1].next & ~MDG__LINK_FULL;
}

/* `cache`: of the slab's class, or NULL if it is to be the list of full ones. */
static inline void mdg__list_add(struct mdg__heap_own *own, struct mdg__heap_cache *cache,
                                 uint32_t *list, uint32_t unit1)
{
	own->slabs[unit1 - 1] = cache;
	own->links[unit1 - 1].next = *list | (cache == NULL ? MDG__LINK_FULL : 0);
	own->links[unit1 - 1].prev = 0;
	if (*list != 0)
		own->links[*list - 1].prev = unit1;
	*list = unit1;
}

/* `look`: the place in the list where somebody looks next. */
static inline void mdg__list_remove(struct mdg__heap_own *own, uint32_t *list, uint32_t *look,
                                    uint32_t unit1)
{
	uint32_t next = mdg__list_next(own, unit1), prev = own->links[unit1 - 1].prev;
	if (prev == 0)
		*list = next;
	else
		own->links[prev - 1].next = next | (own->links[prev - 1].next & MDG__LINK_FULL);
	if (next != 0)
		own->links[next - 1].prev = prev;
	if (*look == unit1)
		*look = next;
	own->links[unit1 - 1] = (struct mdg__link){ 0, 0 };
	own->slabs[unit1 - 1] = NULL;
}

/* A slab of this thread, which is in no list, is the one in use. */
static inline void mdg__list_use(struct mdg__heap_own *own, struct mdg__heap_cache *cache,
                                 uint64_t unit)
{
	own->slabs[unit] = cache;
	cache->unit1 = (uint32_t)unit + 1;
	cache->at = 0;
}

/* No slab is in use. */
static inline void mdg__list_use_none(struct mdg__heap_cache *cache)
{
	cache->unit1 = 0;
	cache->mask = 0; /* so that the word is not looked at */
}

#endif
