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

static inline bool mdg__list_is_full(const struct mdg__heap_own *own, uint32_t unit1)
{
	return (own->links[unit1 - 1].next & MDG__LINK_FULL) != 0;
}

/* The cache of the class that this slab has in the thread's lists. NULL: no slab of the thread
 * begins there. */
static inline struct mdg__heap_cache *mdg__list_cache(struct mdg__heap_own *own, uint64_t unit)
{
	uint32_t class1 = own->links[unit].class1;
	return class1 == 0 ? NULL : &own->cache[class1 - 1];
}

/* `word`: the next one, and whether it is full. */
static inline void mdg__list_note(struct mdg__heap_own *own, const struct mdg__heap_cache *cache,
                                  uint32_t unit1, uint32_t word)
{
	own->links[unit1 - 1] =
		(struct mdg__link){ .next = word, .class1 = (uint32_t)(cache - own->cache) + 1 };
}

/* `full`: to the list of full ones. */
static inline void mdg__list_add(struct mdg__heap_own *own, struct mdg__heap_cache *cache,
                                 bool full, uint32_t unit1)
{
	uint32_t *list = full ? &cache->full : &cache->partial;
	own->slabs[unit1 - 1] = full ? NULL : cache;
	mdg__list_note(own, cache, unit1, *list | (full ? MDG__LINK_FULL : 0));
	if (*list != 0)
		own->links[*list - 1].prev = unit1;
	*list = unit1;
}

/* Takes it from its list. */
static inline void mdg__list_remove(struct mdg__heap_own *own, uint32_t unit1)
{
	struct mdg__heap_cache *cache = mdg__list_cache(own, unit1 - 1);
	bool full = mdg__list_is_full(own, unit1);
	uint32_t *list = full ? &cache->full : &cache->partial;
	uint32_t *look = full ? &cache->look_full : &cache->look_partial;
	uint32_t next = mdg__list_next(own, unit1), prev = own->links[unit1 - 1].prev;
	if (prev == 0)
		*list = next;
	else
		own->links[prev - 1].next = next | (own->links[prev - 1].next & MDG__LINK_FULL);
	if (next != 0)
		own->links[next - 1].prev = prev;
	if (*look == unit1)
		*look = next;
	own->links[unit1 - 1] = (struct mdg__link){ 0, 0, 0 };
	own->slabs[unit1 - 1] = NULL;
}

/* This slab, which is in the list of full ones, has a free block. */
static inline void mdg__list_unfull(struct mdg__heap_own *own, uint32_t unit1)
{
	struct mdg__heap_cache *cache = mdg__list_cache(own, unit1 - 1);
	mdg__list_remove(own, unit1);
	mdg__list_add(own, cache, false, unit1);
}

/* A slab of this thread, which is in no list, is the one in use. */
static inline void mdg__list_use(struct mdg__heap_own *own, struct mdg__heap_cache *cache,
                                 uint64_t unit)
{
	own->slabs[unit] = cache;
	mdg__list_note(own, cache, (uint32_t)unit + 1, 0);
	cache->unit1 = (uint32_t)unit + 1;
	cache->at = 0;
}

/* No slab is in use. */
static inline void mdg__list_use_none(struct mdg__heap_cache *cache)
{
	cache->unit1 = 0;
	cache->mask = 0; /* so that the word is not looked at */
}

/* A slab that came to this thread from outside is the one in use. If the thread has a slab there
 * already, somebody has scribbled in `heads`, and that one is forgotten. */
static inline void mdg__list_use_new(struct mdg__heap_own *own, struct mdg__heap_cache *cache,
                                     uint64_t unit)
{
	uint32_t unit1 = (uint32_t)unit + 1;
	struct mdg__heap_cache *before = mdg__list_cache(own, unit);
	if (before != NULL && before->unit1 == unit1)
		mdg__list_use_none(before);
	else if (before != NULL)
		mdg__list_remove(own, unit1);
	mdg__list_use(own, cache, unit);
}

#endif
