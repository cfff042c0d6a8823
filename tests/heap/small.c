/* SPDX-License-Identifier: MIT */
/*
 * small.c - the memory of a heap that has little in it: how much it takes, how it grows until it
 * has a piece of 1 MiB, and that all of it goes back.
 */
#include "heap/heap.h"

#include <unistd.h>

enum { UNIT = MDG__UNIT_BYTES, BLOCK = 40000, KIB = 1024 };

static mdg_heap *new_heap(const char *name, uint64_t keep)
{
	const struct mdg_heap_options options = { .size = sizeof options,
		                                  .maximum = 16 << 20,
		                                  .keep = keep };
	return heap_open(name, &options);
}

static void end(mdg_heap *heap, const char *name)
{
	CHECK(look(heap).wrong == 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, name) == 0);
}

static uint64_t committed(mdg_heap *heap)
{
	return look(heap).committed;
}

/* Bytes in memory of the segment of that name. */
static uint64_t resident(const char *name)
{
	struct mdg_segment_info info = { .size = sizeof info };
	mdg_id id = -1;
	CHECK(mdg_segment_open(ns, name, 0, 0, &id) == 0);
	CHECK(mdg_segment_stat(ns, id, MDG_STAT_RESIDENT, &info) == 0);
	return info.resident;
}

/* Spans of one unit, in a heap where larger blocks are spans: each takes a unit. */
static void *take_units(mdg_heap *heap, uint64_t units)
{
	struct mdg__units_wanted wanted = { .units = (uint32_t)units,
		                            .head = MDG__HEAD(MDG__UNIT_SPAN, 0, 0, units) };
	uint64_t unit;
	if (!CHECK(mdg__units_take(mdg__heap_of(heap), &wanted, &unit) == 0))
		return NULL;
	return mdg__unit_at(mdg__heap_of(heap), unit);
}

static void give_units(mdg_heap *heap, uint64_t unit)
{
	struct mdg__heap *inside = mdg__heap_of(heap);
	CHECK(mdg__units_give(inside, unit, MDG__LOAD(inside->heads[unit])) == 0);
}

/* One block of 64 bytes. */
static void one_block(void)
{
	mdg_heap *heap = new_heap("one", 0);
	CHECK(committed(heap) == 0);
	void *block = mdg_alloc(heap, 64);
	CHECK(block != NULL && committed(heap) == 1);
	if (sysconf(_SC_PAGESIZE) == 4096 && mdg__heap_of(heap)->flags == 0)
		CHECK(resident("one") <= 128 * (uint64_t)KIB);
	CHECK(mdg_free(heap, block) == 0);
	end(heap, "one");
}

/* It doubles until it has a piece, and goes on by pieces. */
static void doubling(void)
{
	mdg_heap *heap = new_heap("doubling", 0);
	uint64_t expected = 1;
	for (uint64_t units = 1; units <= 40; units++) {
		unsigned char *span = take_units(heap, 1);
		if (span != NULL)
			memset(span, 1, UNIT);
		while (expected < units)
			expected += expected < MDG__PIECE_UNITS ? expected : MDG__PIECE_UNITS;
		CHECK(committed(heap) == expected);
	}
	end(heap, "doubling");
}

/* More at once than the step: as much as is needed. */
static void at_once(void)
{
	mdg_heap *heap = new_heap("at-once", 0);
	CHECK(take_units(heap, 5) != NULL && committed(heap) == 5);
	CHECK(take_units(heap, 2) != NULL && committed(heap) == 8);
	CHECK(take_units(heap, 16) != NULL && committed(heap) == 24);
	CHECK(take_units(heap, 1) != NULL && committed(heap) == 24);
	CHECK(take_units(heap, 1) != NULL && committed(heap) == 32);
	end(heap, "at-once");
	heap = new_heap("medium", 0);
	CHECK(mdg_alloc(heap, BLOCK) != NULL && committed(heap) == MDG__MEDIUM_UNITS);
	end(heap, "medium");
}

/* A piece of which a part has memory goes back as a whole. */
static void back(void)
{
	mdg_heap *heap = new_heap("back", 2 * UNIT);
	uint64_t empty = resident("back");
	CHECK(take_units(heap, 1) != NULL && take_units(heap, 1) != NULL);
	CHECK(take_units(heap, 1) != NULL && committed(heap) == 4);
	give_units(heap, 0);
	give_units(heap, 2);
	CHECK(committed(heap) == 4); /* the piece is in use */
	give_units(heap, 1);         /* more than is to be kept */
	CHECK(committed(heap) == 0 && look(heap).wrong == 0);
	CHECK(take_units(heap, 1) != NULL && committed(heap) == 1);
	CHECK(take_units(heap, 1) != NULL && committed(heap) == 2);
	give_units(heap, 0);
	give_units(heap, 1);
	CHECK(committed(heap) == 2); /* so many are to be kept */
	CHECK(mdg_heap_trim(heap, UNIT) == 0 && committed(heap) == 2);
	CHECK(mdg_heap_trim(heap, 0) == 0 && committed(heap) == 0);
	CHECK(resident("back") <= empty + 17 * 4 * (uint64_t)KIB);
	end(heap, "back");
}

int main(void)
{
	enter_namespace();
	one_block();
	doubling();
	at_once();
	back();
	mdg_namespace_close(ns);
	return test_result();
}
