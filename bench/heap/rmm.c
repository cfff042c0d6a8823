/* SPDX-License-Identifier: MIT */
/*
 * rmm.c - the relocatable memory of APR's utilities, in memory of a fixed size that processes
 * share. Its lock is APR's mutex of processes, by pthread.
 */
#include "bench/heap/heap.h"

#include <apr_general.h>
#include <apr_rmm.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { MEMORY = 256 << 20 };

struct rmm_heap {
	apr_pool_t *pool;
	apr_anylock_t lock;
	apr_rmm_t *rmm;
	void *memory;
};

static inline void *heap_take(struct heap_end *end, size_t size)
{
	apr_rmm_t *rmm = end->own;
	apr_rmm_off_t at = apr_rmm_malloc(rmm, size);

	return at == 0 ? NULL : apr_rmm_addr_get(rmm, at);
}

static inline int heap_give(struct heap_end *end, void *block)
{
	apr_rmm_t *rmm = end->own;

	return apr_rmm_free(rmm, apr_rmm_offset_get(rmm, block));
}

#include "bench/heap/blocks.h"

static bool rmm_make(struct heap_game *game)
{
	struct rmm_heap *heap = bench_alloc(sizeof *heap);

	game->heap = heap;
	heap->memory = shared_memory(MEMORY);
	heap->lock.type = apr_anylock_procmutex;
	if (apr_pool_create(&heap->pool, NULL) == APR_SUCCESS &&
	    apr_proc_mutex_create(&heap->lock.lock.pm, NULL, APR_LOCK_PROC_PTHREAD, heap->pool) ==
	            APR_SUCCESS &&
	    apr_rmm_init(&heap->rmm, &heap->lock, heap->memory, MEMORY, heap->pool) == APR_SUCCESS)
		return true;
	errno = ENOMEM;
	return false;
}

static void rmm_remove(struct heap_game *game)
{
	struct rmm_heap *heap = game->heap;

	if (heap == NULL)
		return;
	if (heap->pool != NULL)
		apr_pool_destroy(heap->pool);
	munmap(heap->memory, MEMORY);
	free(heap);
}

static bool rmm_begin(struct heap_end *end)
{
	struct rmm_heap *heap = end->game->heap;

	end->own = heap->rmm;
	return true;
}

const struct heap_side *heap_side_rmm(void)
{
	static struct heap_side side = { .name = "apr-rmm",
		                         .shared = true,
		                         .slow = true,
		                         .make = rmm_make,
		                         .remove = rmm_remove,
		                         .begin = rmm_begin };

	if (apr_initialize() != APR_SUCCESS)
		return NULL;
	side_plays(&side);
	return &side;
}
