/* SPDX-License-Identifier: MIT */
/*
 * on_heap.h - what the tests of libraries share: a heap, and the count of its blocks.
 */
#ifndef MADANG_TESTS_ON_HEAP_H
#define MADANG_TESTS_ON_HEAP_H

#include "tests/heap/heap.h"

#include <madang/sync.h>

static mdg_heap *heap;

/* Opens the heap `name`, or makes it. Ends the test when it cannot. */
static inline void heap_enter(const char *name, uint32_t flags)
{
	struct mdg_heap_options options = { .size = sizeof options, .flags = flags };
	enter_namespace();
	heap = heap_open(name, &options);
}

/* How many blocks are allocated. */
static inline uint64_t heap_blocks(void)
{
	return look(heap).live;
}

/* Nothing is wrong in the heap. */
static inline bool heap_whole(void)
{
	mdg_heap_sweep(heap); /* of children that have ended */
	return look(heap).wrong == 0 && mdg_heap_check(heap, 0, NULL, NULL) == 0;
}

/* A block of zeros: something that processes share. */
static inline void *heap_place(size_t size)
{
	void *place = mdg_alloc_zeroed(heap, 1, size);

	if (place == NULL) {
		fprintf(stderr, "no memory: %s\n", mdg_strerror(mdg_heap_why(heap)));
		exit(1);
	}
	return place;
}

#endif
