/* SPDX-License-Identifier: MIT */
/*
 * missing.c - a kernel that lacks a system call: a filter forbids it, with ENOSYS. Each call on a
 * heap works without it, or says clearly that it cannot. And memory is made without opening a file.
 */
#include "heap/heap.h"

#include <madang/map.h>

#include "support/forbid.h"

#include <sys/resource.h>

static mdg_heap *heap;
static mdg_ref theirs; /* of the parent */
static mdg_ref *root;

static void open_one(uint32_t flags)
{
	struct mdg_heap_options options = { .size = sizeof options,
		                            .flags = flags,
		                            .maximum = 16 << 20 };
	heap = heap_open("missing", &options);
}

/* ---- what needs a slot --------------------------------------------------------------------- */

static void check_null(const void *block)
{
	CHECK(block == NULL && mdg_heap_why(heap) == -ENOSYS);
}

static void no_robust_list(void *unused)
{
	struct mdg_root_info root_info = { .size = sizeof root_info };
	struct mdg_heap_info info = { .size = sizeof info };
	struct mdg_block_info block_info = { .size = sizeof block_info };
	struct mdg_heap_user_info user_info = { .size = sizeof user_info };
	uint32_t cursor = 0;
	uint64_t walk = 0;
	mdg_ref *place = NULL;
	void *old = NULL, *block;
	mdg_map *map;
	(void)unused;
	CHECK(forbid_call(SYS_get_robust_list, ENOSYS));
	open_one(0);
	block = mdg_at(heap, theirs);
	check_null(mdg_alloc(heap, 10));
	check_null(mdg_alloc(heap, 1000000));
	check_null(mdg_alloc_zeroed(heap, 3, 10));
	check_null(mdg_alloc_aligned(heap, 64, 10));
	check_null(mdg_realloc(heap, NULL, 10));
	check_null(mdg_realloc(heap, block, 1000000));
	check_null(mdg_hold(heap, 10));
	check_null(mdg_take(heap, root));
	CHECK_RC(-ENOSYS, mdg_free(heap, block));
	CHECK_RC(0, mdg_free(heap, NULL));
	CHECK_RC(-ENOSYS, mdg_keep(heap, block));
	CHECK_RC(-ENOSYS, mdg_publish(heap, block, root, 0));
	CHECK_RC(-ENOSYS, mdg_swap(heap, block, root, &old));
	CHECK_RC(-ENOSYS, mdg_retire(heap, block));
	CHECK_RC(-ENOSYS, mdg_read_begin(heap));
	CHECK_RC(-ENOSYS, mdg_root(heap, "new", 1, 1, &place, 0));
	CHECK_RC(-ENOSYS, mdg_root(heap, "root", 1, 1, &place, 0));
	CHECK_RC(-ENOSYS, mdg_root_remove(heap, "root"));
	CHECK_RC(-ENOSYS, mdg_map_open(&map, heap, "map", NULL));
	CHECK_RC(-ENOENT, mdg_map_destroy(heap, "map"));
	CHECK(place == NULL && old == NULL && mdg_alloc_tag(heap, 3) == 0);
	/* What only looks, works. */
	CHECK(mdg_usable_size(heap, block) >= 100);
	CHECK_RC(0, mdg_heap_stat(heap, &info));
	CHECK_RC(1, mdg_root_next(heap, &cursor, &root_info));
	CHECK_RC(1, mdg_heap_next(heap, &walk, &block_info));
	cursor = 0;
	CHECK_RC(1, mdg_heap_next_user(heap, &cursor, &user_info));
	CHECK_RC(0, mdg_heap_check(heap, 0, NULL, NULL));
	CHECK_RC(0, mdg_heap_limit(heap, 8 << 20));
	CHECK(mdg_heap_sweep(heap) <= 0 && mdg_heap_trim(heap, 0) <= 0);
	mdg_heap_close(heap);
}

/* It says so when the heap is made, and no half of one stays. */
static void make_without_list(void *unused)
{
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 16 << 20 };
	mdg_heap *other = NULL;
	(void)unused;
	CHECK(forbid_call(SYS_get_robust_list, ENOSYS));
	int rc = mdg_heap_open(&other, ns, "other", &options);
	CHECK_RC(-ENOSYS, rc);
	CHECK_RC(-ENOENT, mdg_heap_remove(ns, "other"));
	CHECK(other == NULL);
}

/* ---- what there is another way for --------------------------------------------------------- */

static void grow_and_shrink(mdg_heap *other)
{
	void *blocks[20];
	for (size_t i = 0; i < 20; i++) {
		size_t size = (size_t)64 << (i % 14);
		blocks[i] = mdg_alloc(other, size);
		if (CHECK(blocks[i] != NULL))
			stamp(blocks[i], size, (uint32_t)i);
	}
	for (size_t i = 0; i < 20; i++) {
		CHECK(stamped(blocks[i], (size_t)64 << (i % 14), (uint32_t)i));
		CHECK_RC(0, mdg_free(other, blocks[i]));
	}
	CHECK_RC(0, mdg_heap_trim(other, 0));
}

static void end_other(mdg_heap *other)
{
	CHECK_RC(0, mdg_heap_check(other, 0, NULL, NULL));
	CHECK_RC(0, mdg_read_begin(other));
	CHECK_RC(0, mdg_read_end(other));
	CHECK_LIVE(other, 0);
	mdg_heap_close(other);
	CHECK_RC(0, mdg_heap_remove(ns, "other"));
}

/* A heap is made, grows, shrinks and is removed. */
static void works_without(void *call)
{
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 16 << 20 };
	mdg_heap *other;
	CHECK(forbid_call(*(const uint32_t *)call, ENOSYS));
	CHECK_RC(0, mdg_heap_open(&other, ns, "other", &options));
	grow_and_shrink(other);
	end_other(other);
}

/* As a program does that closes descriptors which it does not know. */
static void close_kept(void)
{
	char path[32], target[256];
	for (int fd = 3; fd < 1024; fd++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ssize_t length = readlink(path, target, sizeof target - 1);
		target[length < 0 ? 0 : length] = '\0';
		if (strstr(target, "/seg-") != NULL)
			(void)close(fd);
	}
}

/* Nothing is open and nothing can be opened. Then a kernel that can populate a mapping does so;
 * without that, the heap does not grow. */
static void no_descriptor(void *populates)
{
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 16 << 20 };
	struct rlimit limit;
	mdg_heap *other;
	CHECK(populates != NULL || forbid_call(SYS_madvise, ENOSYS));
	CHECK_RC(0, mdg_heap_open(&other, ns, "other", &options));
	CHECK_RC(0, mdg_free(other, mdg_alloc(other, 1)));
	struct found before = look(other);
	close_kept();
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 0;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	if (populates != NULL) {
		grow_and_shrink(other);
	} else {
		CHECK(mdg_alloc(other, 2 << 20) == NULL && mdg_heap_why(other) == -ENOMEM);
		CHECK(look(other).committed == before.committed);
	}
	limit.rlim_cur = limit.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	grow_and_shrink(other);
	end_other(other);
}

/* ---- what is not done ---------------------------------------------------------------------- */

/* A file that is open for a moment might have the number of stderr, in a program that has closed
 * that. What another thread then writes there would go into the heap. */
static void grows_without_opening(void *unused)
{
	(void)unused;
	void *first = mdg_alloc(heap, 10);
	CHECK(first != NULL && forbid_call_by_death(SYS_openat));
	void *second = mdg_alloc(heap, 4 << 20), *third = mdg_alloc(heap, 3 << 20);
	CHECK(second != NULL && third != NULL);
	CHECK_RC(0, mdg_free(heap, first));
	CHECK_RC(0, mdg_free(heap, second));
	CHECK_RC(0, mdg_free(heap, third));
}

int main(void)
{
	static const uint32_t calls[] = { SYS_madvise, SYS_fallocate, SYS_getrandom,
		                          SYS_membarrier };
	enter_namespace();
	/* First: a process asks only once what there is. */
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (!CHECK(in_child(works_without, (void *)(uintptr_t)&calls[i])))
			fprintf(stderr, "without system call %u\n", calls[i]);
	CHECK(in_child(no_descriptor, &ns));
	CHECK(in_child(no_descriptor, NULL));
	open_one(0);
	CHECK(mdg_root(heap, "root", 1, 1, &root, 0) == MDG_ROOT_NEW);
	theirs = mdg_ref_of(heap, mdg_alloc(heap, 100));
	CHECK(theirs != 0 && mdg_publish(heap, mdg_hold(heap, 100), root, 0) == 0);
	CHECK(in_child(no_robust_list, NULL));
	CHECK(in_child(grows_without_opening, NULL));
	CHECK_RC(1, mdg_heap_sweep(heap));
	CHECK(in_child(make_without_list, NULL));
	CHECK_RC(0, mdg_heap_check(heap, 0, NULL, NULL));
	CHECK_LIVE(heap, 2);
	mdg_heap_close(heap);
	CHECK_RC(0, mdg_heap_remove(ns, "missing"));
	mdg_namespace_close(ns);
	return test_result();
}
