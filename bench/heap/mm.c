/* SPDX-License-Identifier: MIT */
/*
 * mm.c - OSSP mm: memory of a fixed size that processes related by fork share.
 */
#include "bench/heap/heap.h"

#include <errno.h>
#include <mm.h>

enum { MEMORY = 256 << 20 };

static inline void *heap_take(struct heap_end *end, size_t size)
{
	return mm_malloc((MM *)end->own, size);
}

static inline int heap_give(struct heap_end *end, void *block)
{
	mm_free((MM *)end->own, block);
	return 0;
}

#include "bench/heap/blocks.h"

static bool ossp_make(struct heap_game *game)
{
	size_t most = mm_maxsize();

	game->heap = mm_create(most < MEMORY ? most : MEMORY, NULL);
	if (game->heap == NULL)
		errno = ENOMEM;
	return game->heap != NULL;
}

static void ossp_remove(struct heap_game *game)
{
	if (game->heap != NULL)
		mm_destroy((MM *)game->heap);
}

static bool ossp_begin(struct heap_end *end)
{
	end->own = end->game->heap;
	return true;
}

const struct heap_side *heap_side_mm(void)
{
	static struct heap_side side = { .name = "mm",
		                         .shared = true,
		                         .slow = true,
		                         .make = ossp_make,
		                         .remove = ossp_remove,
		                         .begin = ossp_begin };

	side_plays(&side);
	return &side;
}
