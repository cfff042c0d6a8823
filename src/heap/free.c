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

/* Frees a small block of a slab of this thread. False: it is not that, or there is more to do. */
static inline bool free_at_once(struct mdg__heap *heap, struct mdg__heap_own *own, size_t offset,
                                unsigned char *address)
{
	uint64_t unit = offset >> MDG__UNIT_SHIFT, inside = offset % MDG__UNIT_BYTES;
	uint32_t head = (uint32_t)MDG__LOAD(heap->heads[unit]), at = MDG__HEAD_CLASS(head);
	const struct mdg__size_class *class = &mdg__heap_classes[at];
	uint32_t index = (uint32_t)(inside * class->inverse >> 32);
	/* In a slab with labels, somebody may hold the block. */
	if (__builtin_expect((head & 0xffff00ffu) != own->mine || index * class->size != inside ||
	                             index >= class->blocks || mdg__is_labelled(heap, unit) ||
	                             (own->links[unit].next & MDG__LINK_FULL) != 0,
	                     0))
		return false;
	struct mdg__heap_cache *cache = &own->cache[at];
	_Atomic uint64_t *word = &mdg__free_words(heap, unit)[index / 64];
	uint64_t bits = MDG__LOAD(*word), bit = UINT64_C(1) << (index % 64);
	/* What somebody else has freed is in `remote`, and the hint says so. */
	if (__builtin_expect((bits & bit) != 0 ||
	                             (MDG__LOAD(heap->hints[unit]) >> (index / 64) & 1) != 0,
	                     0))
		return false;
	if (__builtin_expect((bits | bit) == class->whole, 0)) {
		if (mdg__is_time_to_tidy(cache))
			return false;
		cache->tick++;
	}
	MDG__STORE(*word, bits | bit); /* now it is free */
	mdg__cache_remember(cache, word, bit, address);
	return true;
}

int mdg_free(mdg_heap *view, void *address)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__heap_own *own = mdg__own_at_once(heap);
	size_t offset = (size_t)((uintptr_t)address - (uintptr_t)heap->data);
	if (__builtin_expect(own == NULL || offset >= MDG__LOAD(heap->known) ||
	                             (heap->flags & (MDG_HEAP_LABELS | MDG_HEAP_CHECKED)) != 0,
	                     0))
		return free_slowly(heap, address);
	own->busy = 1;
	atomic_signal_fence(memory_order_seq_cst);
	bool freed = free_at_once(heap, own, offset, address);
	atomic_signal_fence(memory_order_seq_cst);
	own->busy = 0;
	return __builtin_expect(freed, 1) ? 0 : free_slowly(heap, address);
}
