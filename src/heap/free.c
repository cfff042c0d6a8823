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

/* A small block, and its bit in the bitmaps of its slab. */
struct where {
	uint64_t unit, bit;
	uint32_t index, at; /* in the slab; of the word */
};

/* Finds the small block that begins there. False: none does. `head`: the word of its unit. */
static inline bool find(size_t offset, uint32_t head, struct where *ret)
{
	const struct mdg__size_class *class = &mdg__heap_classes[MDG__HEAD_CLASS(head)];
	uint32_t inside = (uint32_t)(offset % MDG__UNIT_BYTES);
	uint64_t product = (uint64_t)inside * class->inverse;
	ret->unit = offset >> MDG__UNIT_SHIFT;
	ret->index = (uint32_t)(product >> 32);
	ret->at = ret->index / 64;
	ret->bit = UINT64_C(1) << (ret->index % 64);
	/* The rest of the product is below the inverse if and only if a block begins there. */
	return (uint32_t)product < class->inverse && ret->index < class->blocks;
}

/* Whether somebody holds the block, or has held it and not ended that yet. */
static inline bool may_be_held(const struct mdg__heap *heap, const struct where *where)
{
	return __builtin_expect(mdg__is_labelled(heap, where->unit), 0) &&
	       (MDG__LOAD(heap->labels[where->unit * MDG__LABELS_OF_UNIT + where->index]) &
	        MDG__LABEL_HELD) != 0;
}

/* A block of a slab of this thread. False: it is free already, or there is more to do. */
static inline bool free_own(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t head,
                            const struct where *where, unsigned char *address)
{
	struct mdg__heap_cache *cache = &own->cache[MDG__HEAD_CLASS(head)];
	_Atomic uint64_t *word = &mdg__free_words(heap, where->unit)[where->at];
	uint64_t bits = MDG__LOAD(*word);
	if (__builtin_expect((bits & where->bit) != 0 ||
	                             (own->links[where->unit].next & MDG__LINK_FULL) != 0,
	                     0))
		return false;
	/* What somebody else has freed is in `remote`, and the hint says so. */
	if (__builtin_expect((MDG__LOAD(heap->hints[where->unit]) >> where->at & 1) != 0, 0) &&
	    (MDG__LOAD(mdg__remote_words(heap, where->unit)[where->at]) & where->bit) != 0)
		return false;
	bits |= where->bit;
	if (__builtin_expect(bits == mdg__heap_classes[MDG__HEAD_CLASS(head)].whole, 0)) {
		if (mdg__is_time_to_tidy(cache))
			return false;
		cache->tick++;
	}
	/* Release: what was done with the block is before its next life. Now it is free. */
	atomic_store_explicit(word, bits, memory_order_release);
	mdg__cache_remember(cache, word, where->bit, address);
	return true;
}

/* A block of another thread's slab. False: it is free already, or there is more to do. */
static inline bool free_remote(struct mdg__heap *heap, const struct where *where)
{
	_Atomic uint64_t *remote = &mdg__remote_words(heap, where->unit)[where->at];
	uint64_t hint = UINT64_C(1) << where->at;
	if ((MDG__LOAD(mdg__free_words(heap, where->unit)[where->at]) & where->bit) != 0)
		return false;
	/* As in mdg__slab_free_remote. */
	if ((atomic_fetch_or_explicit(remote, where->bit, memory_order_seq_cst) & where->bit) != 0)
		return false;
	if ((atomic_load_explicit(&heap->hints[where->unit], memory_order_seq_cst) & hint) == 0)
		atomic_fetch_or_explicit(&heap->hints[where->unit], hint, memory_order_seq_cst);
	return true;
}

/* Frees a small block. False: it is none, or there is more to do. */
static inline bool free_at_once(struct mdg__heap *heap, struct mdg__heap_own *own, size_t offset,
                                unsigned char *address)
{
	struct where where;
	uint32_t head = (uint32_t)MDG__LOAD(heap->heads[offset >> MDG__UNIT_SHIFT]);
	if (!find(offset, head, &where) || may_be_held(heap, &where))
		return false;
	if (__builtin_expect((head & 0xffff00ffu) == own->mine, 1))
		return free_own(heap, own, head, &where, address);
	return MDG__HEAD_STATE(head) == MDG__UNIT_SLAB && MDG__HEAD_OWNER(head) != 0 &&
	       free_remote(heap, &where);
}

int mdg_free(mdg_heap *view, void *address)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__heap_own *own = mdg__own_at_once(heap);
	size_t offset = (size_t)((uintptr_t)address - (uintptr_t)heap->data);
	if (__builtin_expect(own == NULL || offset >= MDG__LOAD(heap->known), 0))
		return free_slowly(heap, address);
	own->busy = 1;
	atomic_signal_fence(memory_order_seq_cst);
	bool freed = free_at_once(heap, own, offset, address);
	atomic_signal_fence(memory_order_seq_cst);
	own->busy = 0;
	return __builtin_expect(freed, 1) ? 0 : free_slowly(heap, address);
}
