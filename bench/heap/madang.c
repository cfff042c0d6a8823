/* SPDX-License-Identifier: MIT */
/*
 * madang.c - Madang's heap.
 *
 * The driver opens it before the members are forked, and they use the handle that they inherit. In
 * HEAP_HOLD a block is held, published in a place, and freed after it was taken out of there by the
 * only one who may.
 */
#include "bench/heap/map.h"

#include "bench/common/processes.h"

#include <errno.h>
#include <madang/heap.h>
#include <madang/segment.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAP_NAME "bench-heap"

static mdg_namespace *space;

static inline void *heap_take(struct heap_end *end, size_t size)
{
	return mdg_alloc((mdg_heap *)end->own, size);
}

static inline int heap_give(struct heap_end *end, void *block)
{
	return mdg_free((mdg_heap *)end->own, block);
}

#include "bench/heap/blocks.h"

/* ---- hold and publish --------------------------------------------------------------------- */

static bool hold_at(struct heap_end *end, mdg_heap *heap, uint32_t at)
{
	mdg_ref *place = (mdg_ref *)end->places + at;
	void **block = mdg_hold(heap, end->sizes[at % HEAP_SIZES]);

	if (block == NULL)
		return false;
	*block = place;
	return mdg_publish(heap, block, place, 0) == 0;
}

static bool hold_pair(struct heap_end *end, unsigned n)
{
	mdg_heap *heap = end->own;
	mdg_ref *places = end->places;
	bool good = true;

	for (; n > 0 && good; n--) {
		uint32_t at = (uint32_t)(((uint64_t)heap_random(end) * end->live_count) >> 32);
		void **block = mdg_at(heap, places[at]);

		places[at] = 0;
		good = *block == &places[at] && mdg_free(heap, block) == 0 &&
		       hold_at(end, heap, at);
	}
	return good;
}

static bool hold_fill(struct heap_end *end, unsigned n)
{
	mdg_heap *heap = end->own;

	end->places = mdg_alloc_zeroed(heap, n, sizeof(mdg_ref));
	if (end->places == NULL)
		return false;
	while (end->live_count < n)
		if (!hold_at(end, heap, end->live_count++))
			return false;
	return true;
}

static bool is_map(enum heap_kind kind)
{
	return kind == HEAP_MAP_GET || kind == HEAP_MAP_PUT || kind == HEAP_MAP_INTERN;
}

static bool fill(struct heap_end *end, unsigned n)
{
	enum heap_kind kind = end->game->what->kind;

	if (is_map(kind))
		return heap_map_fill(end, n);
	return kind == HEAP_HOLD ? hold_fill(end, n) : side_fill(end, n);
}

/* ---- the sweep of a dead process ------------------------------------------------------------ */

enum { ROOM = sizeof(void *) < 8 ? 1 << 27 : 1 << 30, ROOM_BLOCK = 65536, DEATHS = 9 };

/* A process that allocates, notes its blocks in shared memory, and is killed. */
static bool die(struct heap_end *end, unsigned n)
{
	pid_t child = process_start();
	int status;

	if (child == 0) {
		end->live_count = 0;
		if (side_fill(end, n))
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status);
}

/* The median of a few deaths, in milliseconds. */
static bool sweep(struct heap_end *end, unsigned n)
{
	mdg_heap *heap = end->own;
	struct samples samples = { 0 };

	n = end->game->what->live;
	for (uint64_t filled = 0; filled < ROOM; filled += ROOM_BLOCK)
		if (mdg_alloc(heap, ROOM_BLOCK) == NULL)
			return false;
	for (int i = 0; i < DEATHS; i++) {
		uint64_t start;

		if (!die(end, n))
			return false;
		start = now_ns();
		if (mdg_heap_sweep(heap) != 1)
			return false;
		samples_add(&samples, (double)(now_ns() - start) / 1e6);
		for (uint32_t k = 0; k < n; k++)
			if (mdg_free(heap, end->live[k]) != 0)
				return false;
	}
	end->game->control->value = samples_spread(&samples).median;
	return true;
}

/* ---- the side -------------------------------------------------------------------------------- */

static bool make(struct heap_game *game)
{
	struct mdg_heap_options options = { .size = sizeof options,
		                            .flags = MDG_HEAP_EXCL |
		                                     (game->what->labels ? MDG_HEAP_LABELS : 0) };
	mdg_heap *heap;
	int rc = mdg_heap_open(&heap, space, HEAP_NAME, &options);

	if (rc != 0) {
		errno = rc > -4096 ? -rc : EIO;
		return false;
	}
	game->heap = heap;
	return true;
}

static void end_heap(struct heap_game *game)
{
	if (game->heap == NULL)
		return;
	mdg_heap_close((mdg_heap *)game->heap);
	mdg_heap_remove(space, HEAP_NAME);
}

static bool begin(struct heap_end *end)
{
	enum heap_kind kind = end->game->what->kind;

	end->own = end->game->heap;
	return !is_map(kind) || heap_map_begin(end);
}

static uint64_t bytes(struct heap_end *end)
{
	struct mdg_heap_info info = { .size = sizeof info };

	return mdg_heap_stat((mdg_heap *)end->own, &info) == 0 ? info.committed + info.tables : 0;
}

bool heap_madang_open(const char *namespace_dir)
{
	return mdg_namespace_open(&space, namespace_dir, NULL) == 0;
}

void heap_madang_close(void)
{
	mdg_namespace_close(space);
	space = NULL;
}

const struct heap_side *heap_side_madang(void)
{
	static struct heap_side side = { .name = "madang",
		                         .shared = true,
		                         .make = make,
		                         .remove = end_heap,
		                         .begin = begin,
		                         .bytes = bytes };

	if (space == NULL)
		return NULL;
	side_plays(&side);
	heap_map_plays(&side);
	side.fill = fill;
	side.play[HEAP_HOLD] = hold_pair;
	side.play[HEAP_SWEEP] = sweep;
	return &side;
}
