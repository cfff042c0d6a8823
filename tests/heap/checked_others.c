/* SPDX-License-Identifier: MIT */
/*
 * checked_others.c - a checked heap: what other processes free, overrun, hold and write to; also if
 * they are killed.
 */
#include "heap/checked.h"

static const size_t sizes[] = { 0, 1, 15, 48, 1000, 8000, 20000, 131056, 200000, 3 << 20 };
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void frees(void *block)
{
	CHECK(mdg_free(heap, block) == 0);
}
static void cannot_free(void *block)
{
	CHECK(mdg_free(heap, block) == MDG_OVERRUN);
}
static void overruns_what_it_holds(void *argument)
{
	size_t size = *(size_t *)argument;
	unsigned char *block = mdg_hold(heap, size);
	block[size] = 0;
	CHECK(mdg_hold(heap, size) != NULL);
}
/* The heap is not trimmed when it dies. */
static void frees_and_writes(void *argument)
{
	size_t size = *(size_t *)argument;
	unsigned char *block = mdg_alloc(heap, size);
	CHECK(mdg_free(heap, block) == 0);
	block[1] = 0;
}

static void other_processes(void)
{
	for (int i = 0; i < SIZES; i++) {
		size_t size = sizes[i];
		unsigned char *block = mdg_alloc(heap, size);
		in_process(frees, block, 0);
		if (size < 2 << 20)
			CHECK(is_filled(block, size));
		CHECK(mdg_free(heap, block) == MDG_FREED_TWICE);
		block = mdg_alloc(heap, size);
		block[size] = 0;
		in_process(cannot_free, block, SIGKILL);
		CHECK(mdg_heap_sweep(heap) > 0);
		CHECK_FINDS(block, OVERRUN, "it is set aside");
		CHECK_MENDS();
		in_process(overruns_what_it_holds, &size, SIGKILL);
		CHECK(mdg_heap_sweep(heap) == 1 && finds(0) == 1);
		CHECK(found.kind == MDG_HEAP_FOUND_OVERRUN);
		CHECK_MENDS();
		if (size < 2 << 20 && size > 1) {
			in_process(frees_and_writes, &size, SIGKILL);
			CHECK(mdg_heap_sweep(heap) == 1 && finds(0) == 1);
			CHECK(found.kind == MDG_HEAP_FOUND_AFTER_FREE);
			CHECK_MENDS();
		}
		CHECK(mdg_heap_trim(heap, 0) == 0);
		CHECK_LIVE(heap, 0);
	}
}

/* ---- who owns the slab ----------------------------------------------------------------------- */

static mdg_ref *place;

static void holds_two(void *argument)
{
	(void)argument;
	CHECK(mdg_publish(heap, mdg_hold(heap, 7000), &place[0], 0) == 0);
	CHECK(mdg_publish(heap, mdg_hold(heap, 7000), &place[1], 0) == 0);
}

/* The last block of a slab without an owner is freed: the slab stays, because of the other one. */
static void last_of_slab(void)
{
	in_process(holds_two, NULL, SIGKILL);
	CHECK(mdg_heap_sweep(heap) == 1);
	unsigned char *one = mdg_take(heap, &place[0]), *two = mdg_take(heap, &place[1]);
	CHECK(mdg_free(heap, one) == 0);
	one[5] = 0;
	CHECK(mdg_free(heap, two) == 0);
	CHECK_FINDS(one, AFTER_FREE, "it is set aside");
	uint64_t unit = (mdg_ref_of(heap, one) - in->parts.data) >> MDG__UNIT_SHIFT;
	CHECK(MDG__HEAD_STATE(MDG__LOAD(in->heads[unit])) == MDG__UNIT_SLAB);
	CHECK_MENDS();
	CHECK(MDG__LOAD(in->heads[unit]) == 0); /* now the slab goes */
}

static void overruns_and_frees(void *argument)
{
	(void)argument;
	unsigned char *block = mdg_take(heap, &place[0]);
	CHECK(block != NULL);
	block[300] = 0;
	CHECK(mdg_free(heap, block) == MDG_OVERRUN);
	CHECK_FINDS(block, OVERRUN, "it is set aside");
}

static void takes_and_frees(void *argument)
{
	(void)argument;
	CHECK(mdg_free(heap, mdg_take(heap, &place[0])) == 0);
}

/* What another thread's slab has is taken, and freed. Nobody holds it after that, and it is known
 * what it was for. */
static void of_my_slab(void)
{
	(void)mdg_alloc_tag(heap, 4711);
	void *beside = mdg_alloc(heap, 300);
	unsigned char *block = mdg_hold(heap, 300);
	CHECK(mdg_publish(heap, block, &place[0], 0) == 0);
	in_process(overruns_and_frees, NULL, 0);
	CHECK(mdg_heap_sweep(heap) == 1);
	CHECK_FINDS(block, OVERRUN, "of 300 bytes");
	CHECK_MENDS();
	block = mdg_hold(heap, 300);
	CHECK(mdg_publish(heap, block, &place[0], 0) == 0);
	in_process(takes_and_frees, NULL, 0);
	CHECK(mdg_heap_sweep(heap) == 1);
	CHECK(mdg_heap_trim(heap, UINT64_MAX) == 0); /* now it has it back */
	block[0] = 0;
	CHECK_FINDS(block, AFTER_FREE, "tag 4711");
	CHECK_MENDS();
	CHECK(mdg_free(heap, beside) == 0);
}

/* Only the owner of a slab can mend what is free in it. It does, when it comes across it. */
static void of_living_owner(void)
{
	int to_child[2] = { -1, -1 }, to_parent[2] = { -1, -1 };
	char go = 0;
	CHECK(pipe(to_child) == 0 && pipe(to_parent) == 0);
	pid_t child = fork();
	if (child == 0) {
		check_failures = 0;
		void *beside = mdg_alloc(heap, 2000);
		unsigned char *block = mdg_alloc(heap, 2000);
		CHECK(mdg_free(heap, block) == 0);
		block[1999] = 0;
		place[2] = mdg_ref_of(heap, block);
		CHECK(write(to_parent[1], &go, 1) == 1 && read(to_child[0], &go, 1) == 1);
		CHECK(block[1999] == 0);
		for (int i = 0; i < 100; i++) {
			void *other = mdg_alloc(heap, 2000);
			CHECK(other != block && mdg_free(heap, other) == 0);
		}
		CHECK(write(to_parent[1], &go, 1) == 1 && read(to_child[0], &go, 1) == 1);
		CHECK(beside != NULL);
		_exit(test_result());
	}
	int status;
	CHECK(read(to_parent[0], &go, 1) == 1);
	CHECK(finds(MDG_CHECK_REPAIR) == 1 && found.ref == place[2]);
	CHECK_FINDS(mdg_at(heap, place[2]), AFTER_FREE, "was written to while it was free");
	CHECK(write(to_child[1], &go, 1) == 1 && read(to_parent[0], &go, 1) == 1);
	CHECK_FINDS(mdg_at(heap, place[2]), AFTER_FREE, "it is set aside");
	CHECK_MENDS();
	CHECK(write(to_child[1], &go, 1) == 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(mdg_heap_sweep(heap) == 1);
}

int main(void)
{
	enter_namespace();
	begin("others", 0);
	other_processes();
	place = mdg_alloc_zeroed(heap, 3, sizeof *place);
	last_of_slab();
	of_my_slab();
	of_living_owner();
	end("others");
	mdg_namespace_close(ns);
	return test_result();
}
