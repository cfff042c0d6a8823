/* SPDX-License-Identifier: MIT */
/*
 * users.c - a heap of several users: who may only read it, who may do nothing, and who may write.
 */
#include "heap/heap.h"

#include "support/userns.h"

enum { USER = 12345 };

static mdg_ref shared;

static int opens_with(uint32_t flags, mdg_heap **ret)
{
	const struct mdg_heap_options options = { .size = sizeof options, .flags = flags };
	return mdg_heap_open(ret, ns, "users", &options);
}

static void become(void)
{
	if (!CHECK(become_user(USER)))
		_exit(1);
	enter_namespace();
}

static void read_it(void *unused)
{
	mdg_heap *heap = NULL;
	(void)unused;
	become();
	CHECK(opens_with(0, &heap) == -EACCES && heap == NULL);
	if (!CHECK(opens_with(MDG_HEAP_RDONLY, &heap) == 0))
		return;
	CHECK(stamped(mdg_at(heap, shared), 3000, 6));
	CHECK(mdg_usable_size(heap, mdg_at(heap, shared)) >= 3000);
	CHECK(mdg_alloc(heap, 10) == NULL && mdg_heap_why(heap) == -EROFS);
	CHECK(mdg_free(heap, mdg_at(heap, shared)) == -EROFS);
	CHECK(mdg_heap_remove(ns, "users") == -EPERM);
	mdg_heap_close(heap);
}

static void do_nothing(void *unused)
{
	mdg_heap *heap = NULL;
	(void)unused;
	become();
	CHECK(opens_with(0, &heap) == -EACCES && opens_with(MDG_HEAP_RDONLY, &heap) == -EACCES);
}

static void write_it(void *unused)
{
	mdg_heap *heap = NULL;
	(void)unused;
	become();
	if (!CHECK(opens_with(0, &heap) == 0))
		return;
	CHECK(stamped(mdg_at(heap, shared), 3000, 6));
	CHECK(mdg_free(heap, mdg_at(heap, shared)) == 0);
	for (int i = 0; i < 1000; i++) /* the heap grows */
		CHECK(mdg_alloc(heap, 3000) != NULL);
	CHECK(mdg_hold(heap, 3000) != NULL && mdg_hold(heap, 300000) != NULL);
	_exit(test_result()); /* and the other user sweeps: what it held is free again */
}

static void with_mode(uint32_t mode, void (*work)(void *), uint64_t left)
{
	const struct mdg_heap_options options = { .size = sizeof options,
		                                  .maximum = 64 << 20,
		                                  .mode = mode };
	mdg_heap *heap = heap_open("users", &options);
	void *block = mdg_alloc(heap, 3000);
	stamp(block, 3000, 6);
	shared = mdg_ref_of(heap, block);
	mdg_heap_close(heap); /* the child does not inherit it */
	CHECK(in_child(work, NULL));
	heap = heap_open("users", &options);
	CHECK(mdg_heap_sweep(heap) >= 0);
	CHECK_LIVE(heap, left);
	void *next = mdg_alloc(heap, 3000); /* of the slab that the dead one has left, if any */
	CHECK(next != NULL && mdg_free(heap, next) == 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "users") == 0);
}

int main(void)
{
	if (geteuid() != 0)
		SKIP("only root can become another user");
	enter_namespace();
	with_mode(0644, read_it, 1);
	with_mode(0600, do_nothing, 1);
	with_mode(0666, write_it, 1000);
	mdg_namespace_close(ns);
	return test_result();
}
