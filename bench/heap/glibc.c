/* SPDX-License-Identifier: MIT */
/*
 * glibc.c - malloc of the C library, private to a process.
 */
#include "bench/heap/heap.h"

#include <stdlib.h>

static inline void *heap_take(struct heap_end *end, size_t size)
{
	(void)end;
	return malloc(size);
}

static inline int heap_give(struct heap_end *end, void *block)
{
	(void)end;
	free(block);
	return 0;
}

#include "bench/heap/blocks.h"

const struct heap_side *heap_side_glibc(void)
{
	static struct heap_side side = { .name = "libc" };

	side_plays(&side);
	return &side;
}
