/* SPDX-License-Identifier: MIT */
/*
 * opened.h - the side of a private allocator whose library is opened when it is needed. If the
 * program were linked with it, it would take the place of malloc for all sides.
 *
 * Before, the side has defined its NAME, the LIBRARY, and the names of its functions: TAKE and
 * GIVE. It then has opened_side(). No guard: it is included once, by each side's file.
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

/* NULL: the library, or a function of it, is missing. */
static const struct heap_side *opened_side(void)
{
	static struct heap_side side = { .name = NAME };
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		return NULL;
	*(void **)&take = dlsym(library, TAKE);
	*(void **)&give = dlsym(library, GIVE);
	side_plays(&side);
	return take != NULL && give != NULL ? &side : NULL;
}
