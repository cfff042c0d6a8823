/* SPDX-License-Identifier: MIT */
/*
 * alloc_checked.c - allocation in a checked heap.
 *
 * A block is taken by the same store as in every heap. Before that, it is looked at whether
 * somebody has written to it while it was free, and the guard word is written. Blocks that the
 * thread has freed lately are left alone (quarantine.h).
 */
#include "heap/quarantine.h"

/* Another word, of another slab if need be. If memory is short, the quarantine ends (tidy.c), and
 * slabs have free blocks by that. */
static int refill(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class)
{
	int rc = mdg__refill(heap, own, class);
	bool again = (rc == -ENOMEM || rc == -EDQUOT) && own->cache[class].partial != 0;
	return again ? mdg__refill(heap, own, class) : rc;
}

/* A free block of the word in use. 0: it has none. */
static uint64_t pick(const struct mdg__heap_own *own, uint32_t class)
{
	const struct mdg__heap_cache *cache = &own->cache[class];
	uint64_t bits = MDG__LOAD(*cache->word) & cache->mask;
	bits &= ~mdg__quarantine_bits(own, class, cache->word);
	return bits & -bits;
}

/* Takes the block with this bit. *ret is NULL: it is set aside. */
static int take(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class, uint64_t bit,
                size_t size, struct mdg__hand *hand, void **ret)
{
	const struct mdg__heap_cache *cache = &own->cache[class];
	_Atomic uint64_t *word = cache->word;
	uint64_t at = (uint64_t)(word - heap->free), unit = at / MDG__SLAB_WORDS;
	uint32_t index = (uint32_t)(at % MDG__SLAB_WORDS) * 64 + (uint32_t)__builtin_ctzll(bit);
	uint64_t ref = mdg__ref_of_index(heap, unit, index, cache->size);
	*ret = NULL;
	if (mdg__free_is_whole(heap, ref, cache->size)) {
		mdg__guard_write(heap, ref, cache->size, MDG__GUARD_LIVE, size);
		int rc = mdg__heap_mark(heap, own, hand, unit, index, ref);
		if (rc < 0)
			return rc;
		*ret = heap->view.base + (size_t)ref;
	}
	/* Release: what was written is before it. Now it is allocated. */
	atomic_store_explicit(word, MDG__LOAD(*word) & ~bit, memory_order_release);
	return 0;
}

void *mdg__alloc_checked(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class,
                         size_t size, struct mdg__hand *hand)
{
	enum { TRIES = 100000 }; /* enough, unless somebody scribbles in the bitmaps */
	void *block = NULL;
	int rc = 0;
	for (int i = 0; i < TRIES && block == NULL && rc == 0; i++) {
		uint64_t bit = pick(own, class);
		rc = bit == 0 ? refill(heap, own, class)
		              : take(heap, own, class, bit, size, hand, &block);
	}
	if (block == NULL)
		own->why = rc < 0 ? rc : MDG_BROKEN;
	return block;
}
