/* SPDX-License-Identifier: MIT */
/*
 * read.h - what the tests of read sections share: how many blocks are allocated, and retiring one.
 */
#ifndef MADANG_TESTS_HEAP_READ_H
#define MADANG_TESTS_HEAP_READ_H

#include "unit/unit.h"

#include "heap/internal.h"

static mdg_namespace *ns;
static mdg_heap *heap;

__attribute__((unused)) static void open_heap(const char *name)
{
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 1 << 26 };
	CHECK_RC(0, mdg_heap_open(&heap, ns, name, &options));
}

/* ---- looking into the heap --------------------------------------------------------------- */

/* How many blocks are allocated. [nobody else allocates or frees] */
__attribute__((unused)) static uint64_t live(void)
{
	struct mdg__heap *inside = mdg__heap_of(heap);
	uint64_t count = 0, high = mdg__units_high(inside);
	for (uint64_t unit = 0; unit < high; unit++) {
		uint64_t head = MDG__LOAD(inside->heads[unit]);
		const struct mdg__size_class *class = &mdg__heap_classes[MDG__HEAD_CLASS(head)];
		count += MDG__HEAD_STATE(head) == MDG__UNIT_SPAN;
		if (MDG__HEAD_STATE(head) != MDG__UNIT_SLAB)
			continue;
		for (uint32_t at = 0; at < class->blocks; at++) {
			uint64_t bits = MDG__LOAD(mdg__free_words(inside, unit)[at / 64]) |
			                MDG__LOAD(mdg__remote_words(inside, unit)[at / 64]);
			count += (bits >> (at % 64) & 1) == 0;
		}
	}
	return count;
}

__attribute__((unused)) static bool is_free(mdg_ref ref)
{
	struct mdg__block block;
	struct mdg__heap *inside = mdg__heap_of(heap);
	return mdg__block_find(inside, ref, &block) < 0 || mdg__block_is_free(inside, &block);
}

/* Sweeps until nothing of the dead is left. */
__attribute__((unused)) static void sweep_all(void)
{
	struct mdg__heap *inside = mdg__heap_of(heap);
	for (int round = 0; round < 3; round++)
		(void)mdg_heap_sweep(heap);
	for (uint32_t at = 0; at < mdg__heap_slots_used(inside); at++)
		CHECK((MDG__LOAD(inside->slot[at].life.word) & MDG__DIED) == 0);
}

__attribute__((unused)) static mdg_ref retire_one(size_t size)
{
	void *block = mdg_hold(heap, size);
	CHECK(block != NULL);
	mdg_ref ref = mdg_ref_of(heap, block);
	CHECK_RC(0, mdg_retire(heap, block));
	return ref;
}

#endif
