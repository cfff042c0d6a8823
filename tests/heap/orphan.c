/* SPDX-License-Identifier: MIT */
/*
 * orphan.c - who frees the last block of a slab gives the slab back, also if its owner has died and
 * was swept since this thread looked at the block.
 *
 *     heap-orphan [--all]
 *
 * Another thread may own the slab for a moment while the last block is freed: it moves what others
 * have freed to the bitmap of the owner. That is done at every third instruction of mdg_free until
 * the block is free; or at each of them, to the end.
 */
#include "heap/heap.h"

#include <signal.h>
#include <sys/mman.h>

#include "sync/points/step.h"

enum { SIZE = 8000, POINTS_MOST = 5000 };

static mdg_heap *heap;
static struct mdg__heap *inside;
static uint32_t me; /* slot idx1 of this thread */

static uint64_t *refs; /* of two blocks that a process allocated which is dead. Shared */

static bool blocks_of_dead(void)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0) {
		refs[0] = mdg_ref_of(heap, mdg_alloc(heap, SIZE));
		refs[1] = mdg_ref_of(heap, mdg_alloc(heap, SIZE));
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
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
	CHECK(blocks_of_dead());
	CHECK(mdg_free(heap, mdg_at(heap, refs[0])) == 0);
	CHECK(mdg__block_find(inside, refs[1], &block) == 0);
	CHECK(MDG__HEAD_OWNER(block.head) != 0);
	CHECK(mdg_heap_sweep(heap) == 1);
	CHECK(is_slab(block.unit) && owner(block.unit) == 0);
	CHECK(mdg__slab_free_remote(inside, &block, me) == 0);
	CHECK(!is_slab(block.unit));
}

/* ---- while the last block is freed --------------------------------------------------------- */

static uint64_t instructions; /* each is a point */

static void count(void)
{
	instructions++;
}

/* It has a slab of the class before the other one dies. So it takes the short way, and does not
 * adopt that one's slab. */
static void free_in_steps(void *unused)
{
	sigset_t child;
	(void)unused;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL); /* the tracer would see it */
	void *own = mdg_alloc(heap, SIZE);
	bool good = blocks_of_dead();
	step_begins();
	int rc = mdg_free(heap, mdg_at(heap, refs[1]));
	step_ends();
	if (!good || rc != 0 || mdg_free(heap, own) != 0)
		_exit(1);
}

/* As a sweeper, or somebody who was about to give the slab back. */
static void own_for_a_moment(const struct mdg__block *block)
{
	uint64_t head = MDG__LOAD(inside->heads[block->unit]);
	if (!is_slab(block->unit) || !mdg__slab_adopt(inside, block->unit, head, me))
		return;
	(void)mdg__slab_merge(inside, block->unit, block->class, true);
	mdg__slab_abandon(inside, block->unit, head | (uint64_t)me << 16);
	mdg__slab_give_orphan(inside, block->unit, block->class, me);
}

/* `swept`: the slab has lost its owner before. Else it does at the point. False: the other one had
 * ended before, or, unless it goes `to_the_end`, had freed the
 * block. */
static bool owned_at(unsigned point, bool swept, bool to_the_end)
{
	static struct step step;
	struct mdg__block block;
	int status = -1;
	if (!CHECK(step_start(&step, &instructions, sizeof instructions, free_in_steps, NULL)))
		return false;
	CHECK(mdg__block_find(inside, refs[1], &block) == 0);
	if (swept)
		(void)mdg_heap_sweep(heap);
	CHECK(mdg_free(heap, mdg_at(heap, refs[0])) == 0);
	bool cut = step_to(&step, point) == STEP_POINT;
	cut = cut && (to_the_end || !mdg__block_is_free(inside, &block));
	step_pause(&step);
	/* The heap's lock may be the other one's. */
	if ((MDG__LOAD(inside->head->lock.robust.word) & MDG__TID) == 0) {
		if (swept)
			own_for_a_moment(&block);
		else
			(void)mdg_heap_sweep(heap);
	}
	kill(step.pid, SIGCONT);
	CHECK(ends_within(step.pid, 20000, &status, true) && WIFEXITED(status) &&
	      WEXITSTATUS(status) == 0);
	(void)mdg_heap_sweep(heap);
	if (!CHECK(!is_slab(block.unit)))
		fprintf(stderr, "    at instruction %u, %s\n", point, swept ? "merged" : "swept");
	return cut;
}

static void owned_meanwhile(unsigned stride, bool to_the_end)
{
	step_refresh = count;
	for (int swept = 0; swept < 2; swept++) {
		unsigned point = first_point() % stride;
		while (point < POINTS_MOST && check_failures == 0 &&
		       owned_at(point, swept, to_the_end))
			point += stride;
		CHECK(point >= 50 && point < POINTS_MOST);
		printf("%u instructions\n", point);
	}
}

int main(int argc, char **argv)
{
	const char *reason;
	bool all = wants_all_points(&argc, &argv);
	enter_namespace();
	refs = mmap(NULL, 2 * sizeof *refs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	            0);
	if (refs == MAP_FAILED)
		return 1;
	heap = heap_open("orphan", NULL);
	inside = mdg__heap_of(heap);
	CHECK(mdg_free(heap, mdg_alloc(heap, 64)) == 0); /* this thread has a slot */
	me = mdg__heap_thread.first->slot1;
	swept_after_the_look();
	if (step_possible(&reason))
		owned_meanwhile(all ? 1 : 3, all);
	CHECK_LIVE(heap, 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "orphan") == 0);
	return test_result();
}
