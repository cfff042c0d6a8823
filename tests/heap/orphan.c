/* SPDX-License-Identifier: MIT */
/*
 * orphan.c - who frees the last block of a slab gives the slab back, also if its owner has died and
 * was swept since this thread looked at the block.
 */
#include "heap/heap.h"

enum { SIZE = 8000 };

static mdg_heap *heap;
static struct mdg__heap *inside;

/* A block that a process allocated which is dead. */
static uint64_t block_of_dead(void)
{
	int ends[2], status;
	uint64_t ref = 0;
	CHECK(pipe(ends) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		ref = mdg_ref_of(heap, mdg_alloc(heap, SIZE));
		_exit(write(ends[1], &ref, sizeof ref) == (ssize_t)sizeof ref ? 0 : 1);
	}
	CHECK(read(ends[0], &ref, sizeof ref) == (ssize_t)sizeof ref);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(ends[0]);
	close(ends[1]);
	return ref;
}

static bool is_slab(uint64_t unit)
{
	return MDG__HEAD_STATE(MDG__LOAD(inside->heads[unit])) == MDG__UNIT_SLAB;
}

static uint32_t owner(uint64_t unit)
{
	return MDG__HEAD_OWNER(MDG__LOAD(inside->heads[unit]));
}

/* The thread has looked, and then the slab loses its owner. */
static void swept_after_the_look(void)
{
	struct mdg__block block;
	CHECK(mdg__block_find(inside, block_of_dead(), &block) == 0);
	CHECK(MDG__HEAD_OWNER(block.head) != 0);
	CHECK(mdg_heap_sweep(heap) == 1);
	CHECK(is_slab(block.unit) && owner(block.unit) == 0);
	CHECK(mdg__slab_free_remote(inside, &block, mdg__heap_thread.first->slot1) == 0);
	CHECK(!is_slab(block.unit));
}

int main(void)
{
	enter_namespace();
	heap = heap_open("orphan", NULL);
	inside = mdg__heap_of(heap);
	CHECK(mdg_free(heap, mdg_alloc(heap, 64)) == 0); /* this thread has a slot */
	swept_after_the_look();
	CHECK_LIVE(heap, 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "orphan") == 0);
	return test_result();
}
