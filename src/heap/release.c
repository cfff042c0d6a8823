/* SPDX-License-Identifier: MIT */
/*
 * release.c - a block becomes free.
 *
 * A block of the thread's own slab is freed by one store: the word of `free` with the block's bit.
 * Blocks of other slabs go into `remote` (slab.c), and spans to the units (units.c).
 *
 * The unit, the class and the index have to be computed anyway. If no block begins at the address,
 * or its bit says that it is free, that is found with it.
 */
#include "heap/held.h"
#include "heap/lists.h"
#include "heap/quarantine.h"

static int free_own(struct mdg__heap *heap, struct mdg__heap_own *own,
                    const struct mdg__block *block)
{
	_Atomic uint64_t *word = &mdg__free_words(heap, block->unit)[block->index / 64];
	uint64_t bits = MDG__LOAD(*word), bit = UINT64_C(1) << (block->index % 64);
	struct mdg__heap_cache *cache = mdg__list_cache(own, block->unit);
	if (cache != &own->cache[block->class])
		return MDG_BROKEN; /* somebody has scribbled in `heads` */
	if (mdg__block_is_free(heap, block))
		return MDG_FREED_TWICE;
	/* Release: what was done with the block is before its next life. Now it is free. */
	atomic_store_explicit(word, bits | bit, memory_order_release);
	/* Below, the slab may be given back. What its labels say then, they say in the unit's next
	 * life. */
	mdg__held_clear(heap, block, mdg__holder_own(own));
	if (mdg__is_checked(heap))
		mdg__quarantine_add(heap, own, block->class, word, bit);
	else
		mdg__cache_remember(cache, (uintptr_t)block->unit * MDG__SLAB_BITS + block->index,
		                    mdg__unit_at(heap, block->unit) +
		                            (size_t)block->index * block->size);
	if (mdg__list_is_full(own, (uint32_t)block->unit + 1))
		mdg__list_unfull(own, (uint32_t)block->unit + 1);
	if ((bits | bit) == mdg__heap_classes[block->class].whole) {
		if (mdg__is_time_to_tidy(cache))
			mdg__slabs_tidy(heap, own, block->class);
		cache->tick++;
	}
	return 0;
}

/* Nothing begins there. Was it given back? */
static int not_found(struct mdg__heap *heap, uint64_t ref)
{
	uint64_t unit = (ref - heap->parts.data) >> MDG__UNIT_SHIFT;
	if (ref < heap->parts.data || ref % 16 != 0 || unit >= mdg__units_high(heap))
		return -EINVAL;
	bool gone = mdg__bit_is_set(heap, MDG__BITS_FREE, unit) ||
	            MDG__HEAD_STATE(MDG__LOAD(heap->heads[unit])) == MDG__UNIT_KEPT;
	return gone ? MDG_FREED_TWICE : -EINVAL;
}

int mdg__free(struct mdg__heap *heap, struct mdg__heap_own *own, uint64_t ref)
{
	struct mdg__block block;
	if (mdg__block_find(heap, ref, &block) < 0)
		return not_found(heap, ref);
	int rc = mdg__guard_free(heap, &block);
	if (rc < 0)
		return rc;
	if (MDG__HEAD_STATE(block.head) == MDG__UNIT_SPAN) {
		rc = own != NULL ? mdg__span_free(heap, own, block.unit, block.head)
		                 : mdg__units_give(heap, block.unit, block.head);
		return rc == -EINVAL ? MDG_FREED_TWICE : rc;
	}
	if (own != NULL && MDG__HEAD_OWNER(block.head) == own->slot1)
		return free_own(heap, own, &block);
	return mdg__slab_free_remote(heap, &block, own != NULL ? own->slot1 : 0);
}
