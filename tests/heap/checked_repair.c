/* SPDX-License-Identifier: MIT */
/*
 * checked_repair.c - mdg_heap_check repairs a block that was written to behind its end, while its
 * owner goes on.
 *
 * The repair is taken from store to store. After each one the owner asks for the whole block, which
 * is refused as long as the block is damaged. As soon as it gets it, it fills it. Then the repair
 * must not touch it any more.
 */
#include "heap/heap.h"

#include "heap/guard.h"
#include "sync/points/step.h"

/* The class of these sizes has blocks of 8 KiB. */
enum { SMALLER = 4500, LARGER = 8000, ROOM = 8192, BLOCKS = 8 };

static mdg_heap *heap;
static struct step step;

static void repair(void *unused)
{
	(void)unused;
	step_begins();
	int rc = mdg_heap_check(heap, MDG_CHECK_REPAIR, NULL, NULL);
	step_ends();
	_exit(rc == 0 ? 0 : 1);
}

/* `at`: the byte that is damaged. */
static void grow_meanwhile(unsigned char *block, size_t at)
{
	int status = -1;
	bool grown = false;
	unsigned points = 0;
	CHECK(mdg_realloc(heap, block, SMALLER) == block);
	block[at] = 0;
	CHECK(mdg_realloc(heap, block, LARGER) == NULL && mdg_heap_why(heap) == MDG_OVERRUN);
	if (!CHECK(step_start(&step, block, ROOM, repair, NULL)))
		return;
	while (!grown && step_next(&step) != STEP_ENDED && points < 100000) {
		points++;
		grown = mdg_realloc(heap, block, LARGER) == block;
		if (grown)
			stamp(block, LARGER, 7);
	}
	CHECK(grown);
	step_pause(&step);
	kill(step.pid, SIGCONT);
	if (!CHECK(ends_within(step.pid, 20000, &status, true)))
		step_kill(&step);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	if (!CHECK(stamped(block, LARGER, 7)))
		fprintf(stderr, "byte %zu, after %u points\n", at, points);
	CHECK(mdg_realloc(heap, block, LARGER) == block);
}

int main(void)
{
	const char *reason = NULL;
	struct mdg_heap_options options = {
		.size = sizeof options, .flags = MDG_HEAP_CHECKED, .maximum = 4 << 20, .threads = 16
	};
	unsigned char *blocks[BLOCKS];
	struct mdg__block found = { 0 };
	if (!step_possible(&reason))
		SKIP("%s", reason);
	enter_namespace();
	heap = heap_open("repaired", &options);
	/* The slab is full: what is free is read, and that takes long. */
	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = mdg_alloc(heap, LARGER);
		CHECK(blocks[i] != NULL);
	}
	CHECK(mdg__block_find(mdg__heap_of(heap), mdg_ref_of(heap, blocks[3]), &found) == 0);
	CHECK(found.size == ROOM);
	grow_meanwhile(blocks[3], SMALLER);
	grow_meanwhile(blocks[3], (SMALLER + ROOM) / 2);
	grow_meanwhile(blocks[3], ROOM - 9);
	CHECK_RC(0, mdg_heap_check(heap, 0, NULL, NULL));
	for (int i = 0; i < BLOCKS; i++)
		CHECK_RC(0, mdg_free(heap, blocks[i]));
	mdg_heap_close(heap);
	mdg_namespace_close(ns);
	return test_result();
}
