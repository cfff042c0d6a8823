/* SPDX-License-Identifier: MIT */
/*
 * map.c - a table of keys: Madang's map, in the heap of madang.c.
 *
 * Each member opens it by its name.
 */
#include "bench/heap/map.h"

#include "bench/heap/keys.h"

#include <madang/map.h>

static mdg_map *map;

static inline bool table_get(struct heap_end *end, const void *key, uint64_t *ret_value)
{
	(void)end;
	return mdg_map_get(map, key, HEAP_KEY, ret_value, sizeof *ret_value, NULL, NULL) == 0;
}

static inline bool table_put(struct heap_end *end, const void *key, uint64_t value)
{
	(void)end;
	return mdg_map_put(map, key, HEAP_KEY, &value, sizeof value, NULL) == 0;
}

static inline const char *table_intern(struct heap_end *end, const char *text)
{
	mdg_ref ref;

	return mdg_map_intern(map, text, HEAP_KEY, &ref) == 0 ? mdg_at((mdg_heap *)end->own, ref)
	                                                      : NULL;
}

#include "bench/heap/tables.h"

bool heap_map_begin(struct heap_end *end)
{
	struct mdg_map_options options = { .size = sizeof options };

	return mdg_map_open(&map, (mdg_heap *)end->own, "keys", &options) == 0;
}

bool heap_map_fill(struct heap_end *end, unsigned n)
{
	return table_fill(end, n);
}

void heap_map_plays(struct heap_side *side)
{
	table_plays(side);
}
