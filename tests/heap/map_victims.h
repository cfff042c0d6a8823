/* SPDX-License-Identifier: MIT */
/*
 * map_victims.h - processes that change a map, and are killed or stopped where a test wants it.
 */
#ifndef MADANG_TESTS_HEAP_MAP_VICTIMS_H
#define MADANG_TESTS_HEAP_MAP_VICTIMS_H

#include "heap/held.h"
#include "heap/maps.h"
#include "heap/watched.h"
#include "sync/points/step.h"

#include <sys/wait.h>

enum { KEY = 7, POINTS_MOST = 4000 };

static const uint32_t key = KEY;
static mdg_map *bytes;

/* The table of the part of the key, and the node. */
static bool find(const mdg_map *map, struct mdg__map_view *view, struct mdg__map_seen *seen)
{
	uint64_t hash = mdg__map_hash(map, &key, sizeof key);
	uint64_t table = MDG__LOAD(mdg__map_part_of(map, hash)->table);
	return mdg__map_table_at(map, table, view) == 0 &&
	       mdg__map_find(map, view, hash, &key, sizeof key, seen);
}

/* ---- where a victim stands ----------------------------------------------------------------- */

static void watch_map(const mdg_map *map)
{
	struct mdg__map_view view = { .buckets = NULL };
	struct mdg__map_seen seen;
	bool found = find(map, &view, &seen);
	watch(mdg__map_part_of(map, mdg__map_hash(map, &key, sizeof key)),
	      sizeof(struct mdg__map_part));
	if (view.buckets != NULL)
		watch(view.buckets, (view.mask + 1) * sizeof *view.buckets);
	if (found)
		watch(seen.node, sizeof *seen.node);
}

/* What the victims of this test change. */
static void watch_all(void);

/* The victim does this until `stands` is true. It goes on standing there. */
static bool bring(struct step *step, void (*act)(void *), bool (*stands)(void))
{
	watch_all();
	refresh();
	if (!CHECK(step_start(step, watched, watched_size, act, NULL)))
		return false;
	for (unsigned i = 0; i < POINTS_MOST && !stands(); i++)
		if (!CHECK(step_next(step) == STEP_POINT))
			return false;
	return CHECK(stands());
}

static bool kill_at(void (*act)(void *), bool (*stands)(void))
{
	static struct step step;
	bool stood = bring(&step, act, stands);
	step_kill(&step);
	return stood;
}

/* ---- victims ------------------------------------------------------------------------------- */

static void have_memory(void)
{
	for (size_t size = 16; size <= 512; size += 16)
		(void)mdg_free(heap, mdg_alloc(heap, size));
}

/* It allocates nothing before: that would sweep. */
static void sweep(void *unused)
{
	(void)unused;
	step_begins();
	(void)mdg_heap_sweep(heap);
	step_ends();
}

#endif
