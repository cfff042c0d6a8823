/* SPDX-License-Identifier: MIT */
/*
 * refill.c - the next word of a bitmap that has a free block.
 *
 * For each class, a thread has one slab in use, a list of slabs that have free blocks (partial),
 * and a list of those that had none when it last looked (full). The lists are private (`links`).
 * When the slab in use has no more blocks, the thread looks in this order, and stops at the first
 * success:
 *   1. what others have freed in the slab in use;
 *   2. its slabs that have free blocks;
 *   3. what others have freed in up to 16 of its full slabs, each time the next ones;
 *   4. a slab of this class that has no owner;
 *   5. what dead threads left, and then 4 again;
 *   6. a new slab;
 *   7. if there is no memory for one, what has become free in any slab of the thread or of nobody.
 * Each step before the last looks at few slabs, so that no allocation takes long.
 */
#include "heap/lists.h"
#include "heap/quarantine.h"

/* ---- the slab in use ----------------------------------------------------------------------- */

/* Finds a word with a free block in the slab in use, from the last one on. */
static bool find_word(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class)
{
	struct mdg__heap_cache *cache = &own->cache[class];
	const struct mdg__size_class *about = &mdg__heap_classes[class];
	uint64_t unit = cache->unit1 - 1;
	for (uint32_t n = 0, at = cache->at; n < about->words; n++) {
		_Atomic uint64_t *word = &mdg__free_words(heap, unit)[at];
		uint64_t mask = mdg__class_word(about, at), parked = 0;
		if (mdg__is_checked(heap))
			parked = mdg__quarantine_bits(own, class, word);
		if ((MDG__LOAD(*word) & mask & ~parked) != 0) {
			cache->at = at;
			cache->mask = mask;
			cache->word = word;
			cache->first = (uintptr_t)(word - heap->free) * 64;
			cache->base = mdg__unit_at(heap, unit) + (size_t)at * 64 * about->size;
			return true;
		}
		at = at + 1 < about->words ? at + 1 : 0;
	}
	return false;
}

static void put_away(struct mdg__heap_own *own, struct mdg__heap_cache *cache)
{
	mdg__list_add(own, cache, true, cache->unit1);
	mdg__list_use_none(cache);
}

static bool use_partial(struct mdg__heap_own *own, struct mdg__heap_cache *cache)
{
	uint32_t unit1 = cache->partial;
	if (unit1 == 0)
		return false;
	mdg__list_remove(own, unit1);
	mdg__list_use(own, cache, unit1 - 1);
	return true;
}

static bool use_merged(struct mdg__heap *heap, struct mdg__heap_own *own,
                       struct mdg__heap_cache *cache, uint32_t class)
{
	enum { LOOKS = 16 };
	uint32_t unit1 = cache->look_full != 0 ? cache->look_full : cache->full;
	for (int i = 0; i < LOOKS && unit1 != 0; i++) {
		uint32_t next = mdg__list_next(own, unit1);
		if (mdg__slab_merge(heap, unit1 - 1, class, false) != 0) {
			cache->look_full = next;
			mdg__list_remove(own, unit1);
			mdg__list_use(own, cache, unit1 - 1);
			return true;
		}
		unit1 = next;
	}
	cache->look_full = unit1;
	return false;
}

/* ---- slabs without an owner ---------------------------------------------------------------- */

/* Adopts the slab at this unit if it is of this class and has free blocks. */
static bool adopt_unit(struct mdg__heap *heap, struct mdg__heap_own *own,
                       struct mdg__heap_cache *cache, uint64_t unit, uint32_t class)
{
	uint64_t head = atomic_load_explicit(&heap->heads[unit], memory_order_acquire);
	if (MDG__HEAD_STATE(head) != MDG__UNIT_SLAB || MDG__HEAD_OWNER(head) != 0) {
		mdg__bit_clear(heap, MDG__BITS_ABANDONED, unit);
		/* It may have been abandoned just before that. */
		head = atomic_load_explicit(&heap->heads[unit], memory_order_seq_cst);
		if (MDG__HEAD_STATE(head) == MDG__UNIT_SLAB && MDG__HEAD_OWNER(head) == 0)
			mdg__bit_set(heap, MDG__BITS_ABANDONED, unit);
		return false;
	}
	if (MDG__HEAD_CLASS(head) != class ||
	    heap->capacity - unit < mdg__heap_classes[class].units ||
	    mdg__slab_count_free(heap, unit, class) == 0 ||
	    !mdg__slab_adopt(heap, unit, head, own->slot1))
		return false;
	(void)mdg__slab_merge(heap, unit, class, true);
	mdg__list_use_new(own, cache, unit);
	return true;
}

/* Looks at so many words of the bitmap, and at about so many slabs: each time the next ones. */
static bool adopt_among(struct mdg__heap *heap, struct mdg__heap_own *own,
                        struct mdg__heap_cache *cache, uint32_t class, uint64_t words_most,
                        uint64_t slabs_most)
{
	uint64_t words = (mdg__units_high(heap) + 63) / 64;
	if (MDG__LOAD(heap->head->abandoned) == 0)
		return false;
	for (uint64_t n = 0, slabs = 0; n < words_most && n < words && slabs < slabs_most; n++) {
		if (own->adopt >= words)
			own->adopt = 0;
		uint64_t bits = MDG__LOAD(heap->bits[MDG__BITS_ABANDONED][own->adopt]);
		for (; bits != 0; bits &= bits - 1, slabs++) {
			uint64_t unit = own->adopt * UINT64_C(64) + (uint64_t)__builtin_ctzll(bits);
			if (unit < heap->capacity && adopt_unit(heap, own, cache, unit, class))
				return true;
		}
		own->adopt++;
	}
	return false;
}

static bool adopt(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__heap_cache *cache,
                  uint32_t class)
{
	enum { WORDS = 1024, SLABS = 64 };
	return adopt_among(heap, own, cache, class, WORDS, SLABS);
}

static bool adopt_any(struct mdg__heap *heap, struct mdg__heap_own *own,
                      struct mdg__heap_cache *cache, uint32_t class)
{
	return adopt_among(heap, own, cache, class, UINT64_MAX, UINT64_MAX);
}

/* ---- refill -------------------------------------------------------------------------------- */

bool mdg__memory_find(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	bool slabs = mdg__slabs_give_idle(heap, own), spans = mdg__spans_give(heap, own);
	return mdg__sweep_some(heap, heap->slots) > 0 || slabs || spans;
}

static int use_new(struct mdg__heap *heap, struct mdg__heap_own *own, struct mdg__heap_cache *cache,
                   uint32_t class)
{
	uint32_t units = mdg__heap_classes[class].units;
	struct mdg__units_wanted wanted = {
		.units = units,
		.head = MDG__HEAD(MDG__UNIT_SLAB, class, own->slot1, units),
	};
	uint64_t unit;
	int rc = mdg__units_take(heap, &wanted, &unit);
	if (rc == 0)
		mdg__list_use_new(own, cache, unit);
	return rc;
}

/* Another slab, which may have a free block. 0 or a negative code. */
static int next_slab(struct mdg__heap *heap, struct mdg__heap_own *own,
                     struct mdg__heap_cache *cache, uint32_t class)
{
	enum { DEAD_AT_ONCE = 8 };
	if (use_partial(own, cache) || use_merged(heap, own, cache, class) ||
	    adopt(heap, own, cache, class))
		return 0;
	if (mdg__sweep_some(heap, DEAD_AT_ONCE) > 0 && adopt(heap, own, cache, class))
		return 0;
	int rc = use_new(heap, own, cache, class);
	if (rc != -ENOMEM && rc != -EDQUOT)
		return rc;
	bool found = mdg__memory_find(heap, own);
	/* It also takes what others have freed in slabs that stay. */
	if (use_partial(own, cache) || adopt_any(heap, own, cache, class))
		return 0;
	return found ? use_new(heap, own, cache, class) : rc;
}

int mdg__refill(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class)
{
	enum { TRIES = 1000 }; /* enough, unless somebody scribbles in the bitmaps */
	struct mdg__heap_cache *cache = &own->cache[class];
	for (int i = 0; i < TRIES; i++) {
		if (cache->unit1 != 0) {
			if (find_word(heap, own, class) ||
			    (mdg__slab_merge(heap, cache->unit1 - 1, class, false) != 0 &&
			     find_word(heap, own, class)))
				return 0;
			put_away(own, cache);
		}
		int rc = next_slab(heap, own, cache, class);
		if (rc < 0)
			return rc;
	}
	return MDG_BROKEN;
}
