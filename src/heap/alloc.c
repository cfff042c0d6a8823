/* SPDX-License-Identifier: MIT */
/*
 * alloc.c - allocation.
 *
 * A block of a class is taken by one store: the word of the bitmap without the block's bit. First
 * come blocks that were freed lately, since they are in the processor's cache. Then come the lowest
 * ones of the word in use. If that has none, refill.c finds another one.
 *
 * Addresses are computed from private memory, and a bit counts only where a block can be. So what
 * these functions return lies in the heap, whatever the bitmaps say.
 */
#include "heap/guard.h"

/* A block that is free by its bit. */
struct pick {
	_Atomic uint64_t *word;
	uint64_t rest; /* the word without it */
	uintptr_t bit; /* its bit, counted from the first one of the heap; and so its label */
	unsigned char *block;
};

/* Finds a free block. False: there is none at hand. */
static inline __attribute__((always_inline)) bool
pick(const struct mdg__heap *heap, struct mdg__heap_cache *cache, struct pick *ret)
{
	uint32_t used = cache->late_bytes;
	if (used != 0) {
		const struct mdg__late *late = mdg__late_at(cache, used) - 1;
		ret->bit = late->bit;
		ret->block = late->block;
		ret->word = &heap->free[ret->bit / 64];
		cache->late_bytes = used - (uint32_t)sizeof *late;
		uint64_t bits = MDG__LOAD(*ret->word);
		ret->rest = bits & ~(UINT64_C(1) << (ret->bit % 64));
		__asm__("" : "+r"(ret->rest)); /* x86: btr and a comparison, not six instructions */
		return __builtin_expect(ret->rest != bits, 1);
	}
	ret->word = cache->word;
	uint64_t bits = MDG__LOAD(*ret->word) & cache->mask;
	if (__builtin_expect(bits == 0, 0))
		return false;
	uint32_t at = (uint32_t)__builtin_ctzll(bits);
	ret->rest = bits & (bits - 1);
	ret->bit = cache->first + at;
	ret->block = cache->base + (size_t)at * cache->size;
	return true;
}

static inline uint64_t unit_of(const struct pick *picked)
{
	return picked->bit / MDG__SLAB_BITS;
}

/* Writes the block's label. False: its slab has no memory for labels yet. */
static inline bool label(const struct mdg__heap *heap, const struct pick *picked, uint64_t now)
{
	if (__builtin_expect(!mdg__is_labelled(heap, unit_of(picked)), 0))
		return false;
	MDG__STORE(heap->labels[picked->bit], now);
	return true;
}

/* [label or hand] */
static int mark(struct mdg__heap *heap, struct mdg__heap_own *own, const struct pick *picked,
                struct mdg__hand *hand)
{
	uint32_t index = (uint32_t)(picked->bit % MDG__SLAB_BITS);
	uint64_t ref = (uint64_t)(picked->block - heap->view.base);
	return mdg__heap_mark(heap, own, hand, unit_of(picked), index, ref);
}

void *mdg__alloc_class(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class,
                       struct mdg__hand *hand)
{
	struct mdg__heap_cache *cache = &own->cache[class];
	struct pick picked;
	while (!pick(heap, cache, &picked)) {
		if (cache->late_bytes != 0 || (MDG__LOAD(*cache->word) & cache->mask) != 0)
			continue; /* it was a late one that is not free any more */
		int rc = mdg__refill(heap, own, class);
		if (rc < 0) {
			own->why = rc;
			return NULL;
		}
	}
	int rc = mark(heap, own, &picked, hand);
	if (rc < 0) {
		own->why = rc;
		return NULL;
	}
	/* Release: what mark has written is before it. Now it is allocated. */
	atomic_store_explicit(picked.word, picked.rest, memory_order_release);
	return picked.block;
}

/* `asked`: what was asked for. */
static void *alloc_span(struct mdg__heap *heap, struct mdg__heap_own *own, size_t size,
                        size_t asked, struct mdg__hand *hand)
{
	uint64_t units = ((uint64_t)size + MDG__UNIT_BYTES - 1) >> MDG__UNIT_SHIFT, unit;
	if (size > PTRDIFF_MAX || units > heap->capacity) {
		own->why = -ENOMEM;
		return NULL;
	}
	struct mdg__units_wanted wanted = {
		.units = (uint32_t)units,
		.head = MDG__HEAD(MDG__UNIT_SPAN, 0, hand != NULL ? own->slot1 : 0, units),
		.own = own,
		.hand = hand,
		.asked = asked,
	};
	int rc = mdg__span_take_kept(heap, &wanted, &unit);
	if (rc == -ENOENT)
		rc = mdg__units_take(heap, &wanted, &unit);
	if ((rc == -ENOMEM || rc == -EDQUOT) && mdg__memory_find(heap, own))
		rc = mdg__units_take(heap, &wanted, &unit);
	if (rc < 0) {
		own->why = rc;
		return NULL;
	}
	return mdg__unit_at(heap, unit);
}

static void *alloc_any(struct mdg__heap *heap, struct mdg__heap_own *own, size_t size,
                       struct mdg__hand *hand)
{
	size_t room = mdg__guarded(heap, size);
	if (room > MDG__MEDIUM_MOST)
		return alloc_span(heap, own, room, size, hand);
	uint32_t class = mdg__heap_class_of(room);
	return mdg__is_checked(heap) ? mdg__alloc_checked(heap, own, class, size, hand)
	                             : mdg__alloc_class(heap, own, class, hand);
}

void *mdg__alloc(struct mdg__heap *heap, struct mdg__heap_own *own, size_t size,
                 struct mdg__hand *hand)
{
	void *block = alloc_any(heap, own, size, hand);
	/* What this thread has retired may be what is missing. */
	if (__builtin_expect(block == NULL, 0) && (own->why == -ENOMEM || own->why == -EDQUOT) &&
	    mdg__retired_free(heap, own) > 0)
		block = alloc_any(heap, own, size, hand);
	return block;
}

/* ---- blocks that are held -------------------------------------------------------------------- */

/* In a heap with labels, or a checked one, a block is not held at once. */
static inline bool has_more_to_do(const struct mdg__heap *heap)
{
	return (heap->flags & (MDG_HEAP_LABELS | MDG_HEAP_CHECKED)) != 0;
}

/* Finds a small block that is at hand, in a slab that has labels. */
static inline __attribute__((always_inline)) bool pick_labelled(const struct mdg__heap *heap,
                                                                struct mdg__heap_own *own,
                                                                size_t size, struct pick *ret)
{
	return size <= MDG__SMALL_MOST && pick(heap, mdg__cache_small(own, size), ret) &&
	       mdg__is_labelled(heap, unit_of(ret));
}

/* Allocates it, held by the hand `i`. */
static inline __attribute__((always_inline)) void take_held(const struct mdg__heap *heap,
                                                            struct mdg__heap_own *own,
                                                            const struct pick *picked, size_t i)
{
	mdg__hand_fill(own, i, (uint64_t)(picked->block - heap->view.base),
	               &heap->labels[picked->bit]);
	/* Release: the hand and the label are before it. Now it is allocated. */
	atomic_store_explicit(picked->word, picked->rest, memory_order_release);
}

void *mdg__alloc_held_at_once(struct mdg__heap *heap, struct mdg__heap_own *own, size_t size,
                              struct mdg__hand *hand)
{
	struct pick picked;
	size_t i = (size_t)(hand - own->slot->hands);
	if (has_more_to_do(heap) || !pick_labelled(heap, own, size, &picked))
		return NULL;
	take_held(heap, own, &picked, i);
	return picked.block;
}

/* The same, by a hand that has nothing. */
static inline __attribute__((always_inline)) bool
hold_at_once(const struct mdg__heap *heap, struct mdg__heap_own *own, size_t size, struct pick *ret)
{
	if (mdg__hands_vacant(own) == 0 || !pick_labelled(heap, own, size, ret))
		return false;
	uint32_t vacant = mdg__hands_vacant(own);
	own->hands |= vacant & -vacant;
	take_held(heap, own, ret, (size_t)__builtin_ctz(vacant));
	return true;
}

void *mdg__hold(struct mdg__heap *heap, struct mdg__heap_own *own, size_t size)
{
	struct mdg__hand *hand = mdg__hand_vacant(own);
	void *block = hand == NULL ? NULL : mdg__alloc_held_at_once(heap, own, size, hand);
	if (block == NULL && hand != NULL)
		block = mdg__alloc(heap, own, size, hand);
	if (block != NULL)
		own->hands |= 1u << (hand - own->slot->hands);
	return block;
}

/* ---- the calls ----------------------------------------------------------------------------- */

static __attribute__((noinline)) void *alloc_slowly(struct mdg__heap *heap, size_t size)
{
	int why;
	struct mdg__heap_own *own = mdg__own_begin(heap, &why);
	if (own == NULL) {
		mdg__own_failed(heap, why);
		return NULL;
	}
	void *block = mdg__alloc(heap, own, size, NULL);
	mdg__own_end(own);
	return block;
}

/* A small block that is at hand. NULL: there is none. `labels`: it gets one. */
static inline __attribute__((always_inline)) void *
alloc_at_once(struct mdg__heap *heap, struct mdg__heap_own *own, size_t size, bool labels)
{
	struct pick picked;
	own->idle.heap = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	uint64_t now = labels ? mdg__label_now(heap, own) : 0;
	struct mdg__heap_cache *cache = mdg__cache_small(own, size);
	bool found = pick(heap, cache, &picked) && (!labels || label(heap, &picked, now));
	/* Release: its label is before it. Now it is allocated. */
	if (__builtin_expect(found, 1))
		atomic_store_explicit(picked.word, picked.rest, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	own->idle.heap = heap;
	return __builtin_expect(found, 1) ? picked.block : alloc_slowly(heap, size);
}

/* In a heap with labels, or a block that is not small. */
static __attribute__((noinline)) void *alloc_other(struct mdg__heap *heap,
                                                   struct mdg__heap_own *own, size_t size)
{
	if (__builtin_expect(size > MDG__SMALL_MOST, 0))
		return alloc_slowly(heap, size);
	return alloc_at_once(heap, own, size, true);
}

__attribute__((aligned(64))) void *mdg_alloc(mdg_heap *view, size_t size)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__heap_own *own = mdg__own_at_once(heap);
	if (__builtin_expect(own == NULL, 0))
		return alloc_slowly(heap, size);
	if (__builtin_expect(size >= heap->at_once, 0))
		return alloc_other(heap, own, size);
	return alloc_at_once(heap, own, size, false);
}

static __attribute__((noinline)) void *hold_slowly(struct mdg__heap *heap, size_t size)
{
	int why;
	struct mdg__heap_own *own = mdg__own_begin(heap, &why);
	if (own == NULL) {
		mdg__own_failed(heap, why);
		return NULL;
	}
	void *block = mdg__hold(heap, own, size);
	mdg__own_end(own);
	return block;
}

__attribute__((aligned(64))) void *mdg_hold(mdg_heap *view, size_t size)
{
	struct pick picked;
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__heap_own *own = mdg__own_at_once(heap);
	if (__builtin_expect(own == NULL || has_more_to_do(heap), 0))
		return hold_slowly(heap, size);
	own->idle.heap = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	bool held = hold_at_once(heap, own, size, &picked);
	atomic_signal_fence(memory_order_seq_cst);
	own->idle.heap = heap;
	return __builtin_expect(held, 1) ? picked.block : hold_slowly(heap, size);
}
