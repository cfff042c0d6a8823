/* SPDX-License-Identifier: MIT */
/*
 * heap.h - what the tests of the heap share: opening one, stamps in blocks, and whether its tables
 * agree with each other.
 */
#ifndef MADANG_TESTS_HEAP_H
#define MADANG_TESTS_HEAP_H

#include <madang/heap.h>
#include <madang/segment.h>

#include "heap/internal.h"
#include "support/check.h"
#include "support/code.h"

static mdg_namespace *ns;

__attribute__((unused)) static void enter_namespace(void)
{
	if (!CHECK(mdg_namespace_open(&ns, NULL, NULL) == 0))
		exit(1);
}

/* A heap of this name, made with these options. NULL: the defaults. With HEAP_TESTS_CHECKED in the
 * environment, it is a checked one. */
__attribute__((unused)) static mdg_heap *heap_open(const char *name,
                                                   const struct mdg_heap_options *options)
{
	struct mdg_heap_options own = { .size = sizeof own };
	mdg_heap *heap = NULL;
	if (options != NULL)
		own = *options;
	if (getenv("HEAP_TESTS_CHECKED") != NULL && (own.flags & MDG_HEAP_EXISTING) == 0)
		own.flags |= MDG_HEAP_CHECKED;
	int rc = mdg_heap_open(&heap, ns, name, &own);
	if (!CHECK(rc == 0)) {
		fprintf(stderr, "opening %s: %s\n", name, mdg_strerror(rc));
		exit(1);
	}
	return heap;
}

/* ---- stamps: a block is full of bytes that depend on its number ---------------------------- */

__attribute__((unused)) static void stamp(void *block, size_t size, uint32_t number)
{
	unsigned char *bytes = block;
	for (size_t i = 0; i < size; i += size < 4096 ? 1 : 509)
		bytes[i] = (unsigned char)(number * 31 + i);
	bytes[size - 1] = (unsigned char)(number * 31 + size - 1);
}

__attribute__((unused)) static bool stamped(const void *block, size_t size, uint32_t number)
{
	const unsigned char *bytes = block;
	for (size_t i = 0; i < size; i += size < 4096 ? 1 : 509)
		if (bytes[i] != (unsigned char)(number * 31 + i))
			return false;
	return bytes[size - 1] == (unsigned char)(number * 31 + size - 1);
}

__attribute__((unused)) static uint32_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

/* ---- tables -------------------------------------------------------------------------------- */

/* What a walk over the units finds. Nobody else uses the heap meanwhile. */
struct found {
	uint64_t free, committed, idle; /* units; `idle`: free and committed */
	uint64_t slabs, spans, live;    /* `live`: blocks */
	uint64_t wrong;                 /* contradictions */
};

__attribute__((unused)) static bool is_marked(const struct mdg__heap *heap, int which, uint64_t at)
{
	return mdg__bit_is_set(heap, (enum mdg__unit_bits)which, at);
}

__attribute__((unused)) static void look_at_units(struct mdg__heap *heap, uint64_t from,
                                                  uint64_t count, bool taken, struct found *found)
{
	for (uint64_t unit = from; unit < from + count; unit++) {
		bool free = is_marked(heap, MDG__BITS_FREE, unit);
		bool committed = is_marked(heap, MDG__BITS_COMMITTED, unit);
		found->wrong += taken == free || (taken && !committed);
		found->free += free;
		found->committed += committed;
		found->idle += free && committed;
	}
}

__attribute__((unused)) static struct found look(mdg_heap *view)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	struct found found = { 0 };
	uint64_t high = mdg__units_high(heap);
	for (uint64_t unit = 0; unit < high;) {
		uint64_t head = MDG__LOAD(heap->heads[unit]), units = 1;
		uint32_t state = MDG__HEAD_STATE(head), class = MDG__HEAD_CLASS(head);
		if (state == MDG__UNIT_SPAN || state == MDG__UNIT_KEPT) {
			units = MDG__HEAD_UNITS(head);
			found.spans++;
			found.live += state == MDG__UNIT_SPAN;
		} else if (state == MDG__UNIT_SLAB) {
			const struct mdg__size_class *about = &mdg__heap_classes[class];
			units = about->units;
			found.slabs++;
			found.live += about->blocks - mdg__slab_count_free(heap, unit, class);
			for (uint64_t i = 1; i < units; i++)
				found.wrong += MDG__LOAD(heap->heads[unit + i]) !=
				               MDG__HEAD(MDG__UNIT_INNER, 0, 0, i);
		} else {
			found.wrong += state != MDG__UNIT_FREE;
		}
		if (units == 0 || units > high - unit) {
			found.wrong++;
			units = 1;
		}
		look_at_units(heap, unit, units, state != MDG__UNIT_FREE, &found);
		unit += units;
	}
	found.wrong += MDG__LOAD(heap->head->committed) != found.committed;
	found.wrong += MDG__LOAD(heap->head->free) != found.idle;
	return found;
}

/* Nothing contradicts, and so many blocks are allocated. */
#define CHECK_LIVE(heap, wanted)                                                                   \
	do {                                                                                       \
		struct found found_ = look(heap);                                                  \
		CHECK(found_.wrong == 0);                                                          \
		if (!CHECK(found_.live == (wanted)))                                               \
			fprintf(stderr, "%llu blocks are live, %llu are wanted\n",                 \
			        (unsigned long long)found_.live, (unsigned long long)(wanted));    \
	} while (0)

#endif
