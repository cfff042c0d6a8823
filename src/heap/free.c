/* SPDX-License-Identifier: MIT */
/*
 * free.c - giving blocks back.
 *
 * A block of the thread's own slab is freed by one store: the word of `free` with the block's bit.
 * Blocks of other slabs go into `remote` (slab.c), and spans to the units (units.c).
 *
 * The unit, the class and the index have to be computed anyway. If no block begins at the address,
 * or its bit says that it is free, that is found with it.
 */
#include "heap/internal.h"

/* A word is about to become wholly free. Now and then, slabs that are free as a whole are looked
 * for. */
static inline bool is_time_to_tidy(const struct mdg__heap_cache *cache)
{
	return ((cache->tick + 1) & cache->tick_mask) == 0;
}

static void remember(struct mdg__heap_cache *cache, _Atomic uint64_t *word, uint64_t bit,
                     unsigned char *block)
{
	if (cache->late_count < MDG__LATE)
		cache->late[cache->late_count++] = (struct mdg__late){ word, block, bit };
}

static int free_own(struct mdg__heap *heap, struct mdg__heap_own *own,
                    const struct mdg__block *block)
{
	_Atomic uint64_t *word = &mdg__free_words(heap, block->unit)[block->index / 64];
	uint64_t bits = MDG__LOAD(*word), bit = UINT64_C(1) << (block->index % 64);
	struct mdg__heap_cache *cache = &own->cache[block->class];
	if (mdg__block_is_free(heap, block))
		return MDG_FREED_TWICE;
	/* Release: what was done with the block is before its next life. Now it is free. */
	atomic_store_explicit(word, bits | bit, memory_order_release);
	remember(cache, word, bit,
	         mdg__unit_at(heap, block->unit) + (size_t)block->index * block->size);
	if ((own->links[block->unit].next & MDG__LINK_FULL) != 0)
		mdg__slab_unfull(own, block->class, block->unit);
	if ((bits | bit) == mdg__heap_classes[block->class].whole) {
		if (is_time_to_tidy(cache))
			mdg__slabs_tidy(heap, own, block->class);
		cache->tick++;
	}
	return 0;
}

/* Nothing begins there. Was it given back? */
static int not_found(struct mdg__heap *heap, uint64_t ref)
{
	uint64_t unit = (ref - heap->parts.data) >> MDG__UNIT_SHIFT;
	bool gone = ref >= heap->parts.data && ref % 16 == 0 && unit < mdg__units_high(heap) &&
	            mdg__bit_is_set(heap, MDG__BITS_FREE, unit);
	return gone ? MDG_FREED_TWICE : -EINVAL;
}

int mdg__free(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref)
{
	struct mdg__block block;
	if (mdg__block_find(heap, ref, &block) < 0)
		return not_found(heap, ref);
	if (MDG__HEAD_STATE(block.head) == MDG__UNIT_SPAN) {
		int rc = mdg__units_give(heap, block.unit, block.head);
		return rc == -EINVAL ? MDG_FREED_TWICE : rc;
	}
	if (MDG__HEAD_OWNER(block.head) == own->slot1)
		return free_own(heap, own, &block);
	return mdg__slab_free_remote(heap, &block, own->slot1);
}

/* ---- the call ------------------------------------------------------------------------------ */

static __attribute__((noinline)) int free_slowly(struct mdg__heap *heap, void *address)
{
	int rc;
	if (address == NULL)
		return 0;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return rc;
	rc = mdg__free(heap, own, (uint64_t)((uintptr_t)address - (uintptr_t)heap->view.base));
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
	if (__builtin_expect((head & 0xffff00ffu) != own->mine || index * class->size != inside ||
	                             index >= class->blocks ||
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
		if (is_time_to_tidy(cache))
			return false;
		cache->tick++;
	}
	MDG__STORE(*word, bits | bit); /* now it is free */
	remember(cache, word, bit, address);
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
