/* SPDX-License-Identifier: MIT */
/*
 * free.c - mdg_free: small blocks of the thread's own slabs, at once; and all others.
 */
#include "heap/internal.h"

static __attribute__((noinline)) int free_slowly(struct mdg__heap *heap, void *address)
{
	int rc;
	if (address == NULL)
		return 0;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return rc;
	rc = mdg__free_any(heap, own, (uint64_t)((uintptr_t)address - (uintptr_t)heap->view.base));
	mdg__own_end(own);
	return rc;
}

/* ---- a small block of another thread's slab, or of a full one ------------------------------ */

/* A small block, and its bit in the bitmaps of its slab. */
struct where {
	uint64_t unit;
	uint32_t index; /* in the slab: of bit index % 64 in word index / 64 */
};

/* Finds the small block that begins there. False: none does. */
static inline bool find(size_t offset, const struct mdg__heap_cache *cache, struct where *ret)
{
	uint64_t product = (uint64_t)(offset % MDG__UNIT_BYTES) * cache->inverse;
	ret->unit = offset >> MDG__UNIT_SHIFT;
	ret->index = (uint32_t)(product >> 32);
	/* The rest of the product is below the inverse if and only if a block begins there. */
	return (uint32_t)product < cache->inverse && ret->index < cache->blocks;
}

/* Whether somebody holds the block, or has held it and not ended that yet. */
static inline bool may_be_held(const struct mdg__heap *heap, const struct where *where)
{
	return __builtin_expect(mdg__is_labelled(heap, where->unit), 0) &&
	       (MDG__LOAD(heap->labels[where->unit * MDG__LABELS_OF_UNIT + where->index]) &
	        MDG__LABEL_HELD) != 0;
}

/* A block of another thread's slab. False: it is free already, or there is more to do. */
static inline bool free_remote(struct mdg__heap *heap, const struct where *where)
{
	uint32_t at = where->index / 64;
	_Atomic uint64_t *remote = &mdg__remote_words(heap, where->unit)[at];
	uint64_t hint = UINT64_C(1) << at, bit = UINT64_C(1) << (where->index % 64);
	if ((MDG__LOAD(mdg__free_words(heap, where->unit)[at]) & bit) != 0)
		return false;
	/* As in mdg__slab_free_remote. */
	if ((atomic_fetch_or_explicit(remote, bit, memory_order_seq_cst) & bit) != 0)
		return false;
	if ((atomic_load_explicit(&heap->hints[where->unit], memory_order_seq_cst) & hint) == 0)
		atomic_fetch_or_explicit(&heap->hints[where->unit], hint, memory_order_seq_cst);
	return true;
}

/* [in an operation, which ends] */
static __attribute__((noinline)) int free_of_others(struct mdg__heap *heap,
                                                    struct mdg__heap_own *own, void *address)
{
	struct where where;
	size_t offset = (size_t)((uintptr_t)address - (uintptr_t)heap->data);
	bool known = offset < MDG__LOAD(heap->known);
	uint32_t head = known ? (uint32_t)MDG__LOAD(heap->heads[offset >> MDG__UNIT_SHIFT]) : 0;
	uint32_t owner = MDG__HEAD_OWNER(head);
	const struct mdg__heap_cache *cache = &own->cache[MDG__HEAD_CLASS(head)];
	bool freed = find(offset, cache, &where) && !may_be_held(heap, &where) &&
	             MDG__HEAD_STATE(head) == MDG__UNIT_SLAB && owner != 0 &&
	             owner != MDG__LOAD(own->slot1) && free_remote(heap, &where);
	/* seq_cst: the slab may have lost its owner meanwhile, as in mdg__slab_free_remote. */
	if (freed && __builtin_expect(MDG__HEAD_OWNER(atomic_load_explicit(
					      &heap->heads[where.unit], memory_order_seq_cst)) == 0,
	                              0))
		mdg__slab_give_orphan(heap, where.unit, MDG__HEAD_CLASS(head),
		                      (uint32_t)MDG__LOAD(own->slot1));
	mdg__own_end(own);
	return __builtin_expect(freed, 1) ? 0 : free_slowly(heap, address);
}

/* ---- a small block of a slab of this thread ------------------------------------------------ */

/* Whether there is more to do than to set its bit: somebody holds the block, or somebody else has
 * freed it. The hint does not say that: who frees sets it a moment later, and may be killed before
 * that. */
static inline bool is_more(const struct mdg__heap *heap, const struct where *where)
{
	uint64_t remote = MDG__LOAD(mdg__remote_words(heap, where->unit)[where->index / 64]);
	return may_be_held(heap, where) ||
	       __builtin_expect((remote >> (where->index % 64) & 1) != 0, 0);
}

/* A block of a slab of this thread, of this class. False: it is free already, or there is more to
 * do. */
static inline __attribute__((always_inline)) bool free_own(struct mdg__heap *heap,
                                                           struct mdg__heap_cache *cache,
                                                           size_t offset, unsigned char *address)
{
	struct where where;
	if (!find(offset, cache, &where) || is_more(heap, &where))
		return false;
	uintptr_t bit = (uintptr_t)where.unit * MDG__SLAB_BITS + where.index;
	_Atomic uint64_t *word = &heap->free[bit / 64];
	uint64_t bits = MDG__LOAD(*word), all = bits | UINT64_C(1) << (bit % 64);
	if (__builtin_expect(all == bits, 0))
		return false;
	if (__builtin_expect(all == cache->whole, 0)) {
		if (mdg__is_time_to_tidy(cache))
			return false;
		cache->tick++;
	}
	/* Release: what was done with the block is before its next life. Now it is free. */
	atomic_store_explicit(word, all, memory_order_release);
	mdg__cache_remember(cache, bit, address);
	return true;
}

__attribute__((aligned(64))) int mdg_free(mdg_heap *view, void *address)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__heap_own *own = mdg__own_at_once(heap);
	size_t offset = (size_t)((uintptr_t)address - (uintptr_t)heap->data);
	if (__builtin_expect(own == NULL || offset >= heap->data_bytes, 0))
		return free_slowly(heap, address);
	own->idle.heap = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	struct mdg__heap_cache *cache = own->slabs[offset >> MDG__UNIT_SHIFT];
	if (__builtin_expect(cache == NULL, 0))
		return free_of_others(heap, own, address);
	bool freed = free_own(heap, cache, offset, address);
	atomic_signal_fence(memory_order_seq_cst);
	own->idle.heap = heap;
	return __builtin_expect(freed, 1) ? 0 : free_slowly(heap, address);
}
