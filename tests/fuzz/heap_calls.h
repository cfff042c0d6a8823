/* SPDX-License-Identifier: MIT */
/*
 * heap_calls.h - what the calls on a heap that is fuzzed share: heap_calls.c, heap_maps.c.
 */
#ifndef MADANG_TESTS_FUZZ_HEAP_CALLS_H
#define MADANG_TESTS_FUZZ_HEAP_CALLS_H

#include "fuzz/heap_scene.h"

extern struct heap_scene *my;
extern const char *const heap_roots[]; /* the names of roots; the first ones are of the maps */

void wrong(const char *what);
/* The block, which lies in the data of the heap with so many bytes. */
void *inside(void *block, uint64_t size);
void read_all(const void *bytes, uint64_t length);

/* What a step speaks about. */
size_t size_of(const struct step *step);
void **block_of(const struct step *step);

void maps_open(unsigned which, uint32_t flags);
void maps_open_or_remove(const struct step *step);
void maps_put(const struct step *step);
void maps_put_many(const struct step *step);
void maps_drop(const struct step *step);
void maps_get(const struct step *step);
void maps_walk(const struct step *step);

#endif
