/* SPDX-License-Identifier: MIT */
/*
 * mimalloc.c - Debian's mimalloc, private to a process: what Madang's heap is compared with.
 *
 * The library is opened when it is needed. If the program were linked with it, it would take the
 * place of malloc for all sides.
 */
#include "bench/heap/heap.h"

#include <dlfcn.h>

static void *(*take)(size_t size);
static void (*give)(void *block);

static inline void *heap_take(struct heap_end *end, size_t size)
{
	(void)end;
	return take(size);
}

static inline int heap_give(struct heap_end *end, void *block)
{
	(void)end;
	give(block);
	return 0;
}

#include "bench/heap/blocks.h"

const struct heap_side *heap_side_mimalloc(void)
{
	static struct heap_side side = { .name = "mimalloc" };
	void *library = dlopen(MIMALLOC_LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		return NULL;
	*(void **)&take = dlsym(library, "mi_malloc");
	*(void **)&give = dlsym(library, "mi_free");
	side_plays(&side);
	return take != NULL && give != NULL ? &side : NULL;
}
