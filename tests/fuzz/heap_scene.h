/* SPDX-License-Identifier: MIT */
/*
 * heap_scene.h - a heap with maps whose memory is damaged, and every call on them.
 *
 * An input is a list of steps. Most are a call, some damage the heap's memory. A call may return an
 * error. It must not crash or hang (calls.h says when one hangs), nor sleep for longer than
 * SLEEP_MOST, and whatever it gives out lies in the data of the heap.
 */
#ifndef MADANG_TESTS_FUZZ_HEAP_SCENE_H
#define MADANG_TESTS_FUZZ_HEAP_SCENE_H

#include "fuzz/calls.h"
#include "heap/map_internal.h"

struct step {
	uint8_t what;  /* which call or damage */
	uint8_t which; /* block or place */
	uint8_t how;
	uint8_t width; /* of a damage: 1, 4 or 8 bytes */
	uint32_t where;
	uint64_t value;
};
_Static_assert(sizeof(struct step) == 16, "inputs are lists of it");

enum { BLOCKS = 16, PLACES = 16, MAPS = 2, UNITS = 64 };
#define SLEEP_MOST UINT64_C(60000000000) /* nanoseconds, in one call */

/* What the calls have in hand. */
struct heap_scene {
	struct caller *caller;
	mdg_namespace *ns;
	mdg_heap *heap; /* NULL: it could not be opened again */
	struct mdg__heap *in;
	uint32_t flags; /* MDG_HEAP_* */
	void *block[BLOCKS];
	mdg_ref *place; /* PLACES of them, in a block */
	mdg_txn *txn;
	mdg_map *map[MAPS]; /* of bytes, of references */
};

/* A new heap with a map, places and a transaction. */
void heap_scene_open(struct heap_scene *scene, const struct step *how);
void heap_scene_close(struct heap_scene *scene);
/* Makes the first of these steps, and says how many it has made. */
size_t heap_scene_step(struct heap_scene *scene, const struct step *steps, size_t count);

/* heap_damage.c: changes a word, a part of it, or many, and nothing that the kernel follows. */
void heap_damage(const struct heap_scene *scene, const struct step *step);

/* heap_time.c */
void heap_time_begin(void);
uint64_t heap_time_slept(void);

#endif
