/* SPDX-License-Identifier: MIT */
/*
 * map.h - what madang.c uses of Madang's map (map.c).
 */
#ifndef MADANG_BENCH_HEAP_MAP_H
#define MADANG_BENCH_HEAP_MAP_H

#include "bench/heap/heap.h"

/* Opens the map in the heap of this member. */
bool heap_map_begin(struct heap_end *end);
/* Puts n keys. */
bool heap_map_fill(struct heap_end *end, unsigned n);
/* Its fill is heap_map_fill. */
void heap_map_plays(struct heap_side *side);

#endif
