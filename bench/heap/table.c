/* SPDX-License-Identifier: MIT */
/*
 * table.c - the cases of `madang-bench --heap`, each with its bar and its moonshot.
 *
 * A bar is what Madang's time may be of private mimalloc's, although Madang's blocks are shared. A
 * moonshot is what it could be if sharing cost nothing.
 */
#include "bench/heap/heap.h"

enum { KEYS = 100000 };

/* clang-format off */
const struct heap_case heap_cases[] = {
	{ "pair", "64 B, 1,000 live: free one, allocate another", 1.8, 1.2,
	  HEAP_PAIR, 64, 64, 1000, 1, false, false, 1 },
	{ "pair-2", "the same, two processes at once", 1.8, 1.2,
	  HEAP_PAIR, 64, 64, 1000, 2, false, false, 2 },
	{ "hand", "64 B: one process allocates, another frees, at once (by the clock)", 1.3, 0.7,
	  HEAP_HAND, 64, 64, 0, 2, false, false, 4 },
	{ "hand-turns", "the same, 2,048 at a time, in turns (of the processor)", 1.3, 0.7,
	  HEAP_HAND_TURNS, 64, 64, 0, 2, false, false, 4 },
	{ "mixed", "16 to 4096 B, 1,000 live", 1.3, 0.9,
	  HEAP_PAIR, 16, 4096, 1000, 1, false, false, 2 },
	{ "large", "64 KiB to 1 MiB, 64 live", 1.5, 0.8,
	  HEAP_PAIR, 65536, 1048576, 64, 1, false, false, 2 },
	{ "labels", "as pair, in a heap with labels; others: as pair", 2.2, 1.5,
	  HEAP_PAIR, 64, 64, 1000, 1, true, false, 1 },
	{ "hold", "as pair: hold, publish and free; others: as pair", 5, 3,
	  HEAP_HOLD, 64, 64, 1000, 1, false, false, 1 },
	{ "grow", "64 MiB more in blocks of 64 B: one block", 1.5, 1.0,
	  HEAP_GROW, 64, 64, 1048576, 1, false, false, 1 },
	{ "churn", "16 to 4096 B: bytes of live blocks / memory, after a churn", 0.70, 0.80,
	  HEAP_CHURN, 16, 4096, 20000, 1, false, false, 1 },
	{ "sweep", "milliseconds to give back 512 slabs of a dead process, large heap", 2, 0.2,
	  HEAP_SWEEP, 1024, 1024, 32768, 1, false, false, 1 },
	{ "map-get", "value of a key of 16 B, 100,000 keys; other: GHashTable, mutex", 1.5, 1.0,
	  HEAP_MAP_GET, 16, 16, KEYS, 1, false, false, 1 },
	{ "map-get-2", "the same, two at once", 1.5, 1.0,
	  HEAP_MAP_GET, 16, 16, KEYS, 2, false, false, 2 },
	{ "map-put", "another value for a key of 16 B", 2.5, 1.5,
	  HEAP_MAP_PUT, 16, 16, KEYS, 1, false, false, 1 },
	{ "map-put-2", "the same, two at once", 2.5, 1.5,
	  HEAP_MAP_PUT, 16, 16, KEYS, 2, false, false, 2 },
	{ "map-intern", "the one copy of a text of 16 B, of 100,000; other: g_intern_string", 1.5,
	  1.0, HEAP_MAP_INTERN, 16, 16, KEYS, 1, false, false, 1 },
};
/* clang-format on */

const unsigned heap_case_count = sizeof heap_cases / sizeof *heap_cases;

_Static_assert(sizeof heap_cases / sizeof *heap_cases <= HEAP_CASES_MAX, "room for every result");
