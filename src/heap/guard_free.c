/* SPDX-License-Identifier: MIT */
/*
 * guard_free.c - free blocks of a checked heap: nobody has written to them since. See guard.h.
 */
#include "heap/guard.h"

bool mdg__free_is_whole(struct mdg__heap *heap, uint64_t ref, uint64_t room)
{
	struct mdg__guard guard = mdg__guard_read(heap, ref, room);
	if (mdg__guard_is_free(&guard) && mdg__fill_broken(heap, ref, 0, room - 8) == room - 8)
		return true;
	mdg__guard_write(heap, ref, room, MDG__GUARD_WRITTEN, guard.size);
	return false;
}

bool mdg__slab_is_whole(struct mdg__heap *heap, uint64_t unit, uint32_t class)
{
	const struct mdg__size_class *about = &mdg__heap_classes[class];
	bool whole = true;
	if (!mdg__is_checked(heap))
		return true;
	for (uint32_t at = 0; at < about->words; at++) {
		_Atomic uint64_t *word = &mdg__free_words(heap, unit)[at];
		/* Acquire: pairs with the release of who has freed. */
		uint64_t bits = atomic_load_explicit(word, memory_order_acquire) &
		                mdg__class_word(about, at);
		uint64_t left = bits;
		for (; left != 0; left &= left - 1) {
			uint32_t index = at * 64 + (uint32_t)__builtin_ctzll(left);
			if (!mdg__free_is_whole(heap,
			                        mdg__ref_of_index(heap, unit, index, about->size),
			                        about->size))
				bits &= ~(left & -left);
		}
		if (bits == (MDG__LOAD(*word) & mdg__class_word(about, at)))
			continue;
		/* Release: behind the guard words. Now these are set aside. */
		atomic_store_explicit(word, bits, memory_order_release);
		whole = false;
	}
	return whole;
}

bool mdg__kept_is_whole(struct mdg__heap *heap, uint64_t unit, uint64_t head)
{
	uint64_t units = MDG__HEAD_UNITS(head), high = mdg__units_high(heap);
	if (!mdg__is_checked(heap) || unit >= high || units == 0 || units > high - unit ||
	    units > MDG__FILLED_UNITS ||
	    mdg__free_is_whole(heap, mdg__ref_of_index(heap, unit, 0, 0), units << MDG__UNIT_SHIFT))
		return true;
	/* Release: behind the guard word. Now it is set aside. */
	(void)atomic_compare_exchange_strong_explicit(&heap->heads[unit], &head,
	                                              MDG__HEAD(MDG__UNIT_SPAN, 0, 0, units),
	                                              memory_order_acq_rel, memory_order_relaxed);
	return false;
}

int mdg__guard_slab(struct mdg__heap *heap, uint64_t unit, uint32_t class)
{
	const struct mdg__size_class *about = &mdg__heap_classes[class];
	int rc = mdg__labels_promise(heap, unit, about->blocks);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < about->blocks; i++)
		MDG__STORE(heap->labels[unit * MDG__LABELS_OF_UNIT + i], 0);
	mdg__fill(heap, mdg__ref_of_index(heap, unit, 0, 0), 0,
	          (uint64_t)about->units << MDG__UNIT_SHIFT);
	return 0;
}

void mdg__guard_span(struct mdg__heap *heap, uint64_t unit, uint64_t units, uint64_t size)
{
	uint64_t ref = mdg__ref_of_index(heap, unit, 0, 0), room = units << MDG__UNIT_SHIFT;
	mdg__fill(heap, ref, size, room - 8);
	mdg__guard_write(heap, ref, room, MDG__GUARD_LIVE, size);
}
