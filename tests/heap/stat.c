/* SPDX-License-Identifier: MIT */
/*
 * stat.c - mdg_heap_stat, mdg_heap_next_user and mdg_heap_next: exact numbers, while the threads
 * live and after they have died.
 */
#include "heap/heap.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/identity.h"

enum { SMALL = 100, MEDIUM = 3, SPANS = 2, SPAN_UNITS = 5, ALL = SMALL + MEDIUM + SPANS };

static struct mdg_heap_info stat_of(mdg_heap *heap)
{
	struct mdg_heap_info info = { .size = sizeof info };
	CHECK(mdg_heap_stat(heap, &info) == 0);
	return info;
}

static size_t size_of(int i)
{
	return i < SMALL ? 64 : i < SMALL + MEDIUM ? 100000 : SPAN_UNITS * MDG__UNIT_BYTES - 1000;
}

static uint64_t room_of(int i)
{
	return i < SMALL + MEDIUM ? mdg__heap_classes[mdg__heap_class_of(size_of(i))].size
	                          : SPAN_UNITS * MDG__UNIT_BYTES;
}

static uint64_t fill(mdg_heap *heap, void **blocks)
{
	uint64_t bytes = 0;
	for (int i = 0; i < ALL; i++) {
		CHECK((blocks[i] = mdg_alloc(heap, size_of(i))) != NULL);
		bytes += room_of(i);
	}
	return bytes;
}

/* ---- numbers ------------------------------------------------------------------------------- */

static void check_empty(mdg_heap *heap)
{
	struct mdg_heap_info info = stat_of(heap);
	CHECK(info.size == sizeof info && info.flags == MDG_HEAP_LABELS);
	CHECK(info.maximum == 64 << 20 && info.limit == 32 << 20 && info.keep == 2 << 20);
	CHECK(info.home == 0 && info.committed == 0 && info.live == 0 && info.blocks == 0);
	CHECK(info.threads == 0 && info.threads_max == 64 && info.dead == 0 && info.roots == 0);
	CHECK(info.retired == 0 && info.spans == 0 && info.span_bytes == 0);
	for (uint32_t i = 0; i < MDG_HEAP_CLASSES; i++)
		CHECK(info.classes[i].block == mdg__heap_classes[i].size &&
		      info.classes[i].slabs == 0 && info.classes[i].live == 0);
}

static void check_numbers(mdg_heap *heap, uint64_t bytes)
{
	struct mdg_heap_info info = stat_of(heap);
	const struct mdg_heap_class *small = &info.classes[mdg__heap_class_of(64)];
	const struct mdg_heap_class *medium = &info.classes[mdg__heap_class_of(100000)];
	CHECK(info.live == bytes && info.blocks == ALL);
	CHECK(info.spans == SPANS && info.span_bytes == SPANS * SPAN_UNITS * MDG__UNIT_BYTES);
	CHECK(small->slabs == 1 && small->blocks == 1024 && small->live == SMALL);
	CHECK(medium->slabs == 1 && medium->blocks == 9 && medium->live == MEDIUM);
	CHECK(info.committed == look(heap).committed << MDG__UNIT_SHIFT);
	CHECK(info.tables > mdg__heap_of(heap)->parts.slots && info.threads == 1);
}

/* An older caller has a smaller structure, and a wrong size is refused. */
static void check_sizes(mdg_heap *heap)
{
	struct mdg_heap_info info = { .size = 16 };
	CHECK(mdg_heap_stat(heap, &info) == 0 && info.size == 16 && info.limit == 0);
	info.size = 0;
	CHECK(mdg_heap_stat(heap, &info) == -EINVAL);
	struct mdg_heap_user_info user = { .size = 0 };
	struct mdg_block_info block = { .size = 3 };
	uint32_t cursor = 0;
	uint64_t place = 0;
	CHECK(mdg_heap_next_user(heap, &cursor, &user) == -EINVAL && cursor == 0);
	CHECK(mdg_heap_next(heap, &place, &block) == -EINVAL && place == 0);
}

/* ---- users ---------------------------------------------------------------------------------- */

/* How many rows there are. The first one of that process, if there is any, is in *ret. */
static int users_of(mdg_heap *heap, int32_t pid, struct mdg_heap_user_info *ret)
{
	struct mdg_heap_user_info user = { .size = sizeof user };
	uint32_t cursor = 0;
	int count = 0;
	memset(ret, 0, sizeof *ret);
	for (; mdg_heap_next_user(heap, &cursor, &user) == 1; count++)
		if (user.pid == pid && ret->pid == 0)
			*ret = user;
	return count;
}

static void check_users(mdg_heap *heap, uint64_t span_bytes, uint64_t bytes)
{
	struct mdg_heap_user_info me;
	CHECK(users_of(heap, getpid(), &me) == 1 && me.tid == mdg__tid() && me.slabs == 2);
	CHECK(me.blocks == SMALL + MEDIUM && me.bytes == bytes - span_bytes);
	CHECK(me.held == 0 && me.reading == 0 && me.retired == 0);
	void *held = mdg_hold(heap, 64);
	CHECK(mdg_read_begin(heap) == 0 && users_of(heap, getpid(), &me) == 1);
	CHECK(me.held == 1 && me.reading == 1 && me.blocks == SMALL + MEDIUM + 1);
	CHECK(mdg_read_end(heap) == 0 && mdg_free(heap, held) == 0);
	CHECK(users_of(heap, getpid(), &me) == 1 && me.held == 0 && me.reading == 0);
}

/* ---- the walk -------------------------------------------------------------------------------- */

static int find_block(mdg_heap *heap, void **blocks, mdg_ref ref)
{
	for (int i = 0; i < ALL; i++)
		if (blocks[i] != NULL && mdg_ref_of(heap, blocks[i]) == ref)
			return i;
	return -1;
}

static void check_walk(mdg_heap *heap, void **blocks)
{
	struct mdg_block_info block = { .size = sizeof block };
	uint64_t cursor = 0;
	int count = 0;
	bool seen[ALL] = { false };
	int64_t now = time(NULL);
	while (mdg_heap_next(heap, &cursor, &block) == 1) {
		int i = find_block(heap, blocks, block.ref);
		count++;
		if (!CHECK(i >= 0 && !seen[i]))
			continue;
		seen[i] = true;
		CHECK(block.bytes == room_of(i) && block.held == 0);
		CHECK(block.pid == getpid() && block.alive == 1);
		CHECK(block.time >= now - 180 && block.time <= now + 60);
	}
	CHECK(count == ALL && mdg_heap_next(heap, &cursor, &block) == 0);
}

static struct mdg_block_info info_of(mdg_heap *heap, mdg_ref ref)
{
	struct mdg_block_info block = { .size = sizeof block };
	uint64_t cursor = 0;
	while (mdg_heap_next(heap, &cursor, &block) == 1)
		if (block.ref == ref)
			return block;
	return (struct mdg_block_info){ .size = 0 };
}

static void check_tags(mdg_heap *heap)
{
	static const size_t sizes[] = { 30, 20000, 400000 };
	CHECK(mdg_alloc_tag(heap, 77) == 0 && mdg_alloc_tag(heap, UINT32_MAX) == 77);
	CHECK(mdg_alloc_tag(heap, 77) == MDG_TAG_MOST);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		void *block = mdg_alloc(heap, sizes[i]), *held = mdg_hold(heap, sizes[i]);
		CHECK(info_of(heap, mdg_ref_of(heap, block)).tag == 77);
		struct mdg_block_info info = info_of(heap, mdg_ref_of(heap, held));
		CHECK(info.tag == 77 && info.pid == getpid() && info.held == 1 && info.alive == 1);
		CHECK(mdg_keep(heap, held) == 0);
		info = info_of(heap, mdg_ref_of(heap, held));
		CHECK(info.tag == 77 && info.pid == getpid() && info.held == 0);
		CHECK(mdg_free(heap, block) == 0 && mdg_free(heap, held) == 0);
	}
	CHECK(mdg_alloc_tag(heap, 0) == 77);
}

/* Any number is a valid cursor. */
static void check_cursors(mdg_heap *heap)
{
	struct mdg_block_info block = { .size = sizeof block };
	uint64_t random = 1;
	for (int i = 0; i < 10000; i++) {
		uint64_t cursor = (uint64_t)next_random(&random) << (i % 34);
		int steps = 0;
		cursor ^= next_random(&random);
		while (mdg_heap_next(heap, &cursor, &block) == 1 && steps < ALL)
			steps++;
		CHECK(steps <= ALL && mdg_usable_size(heap, mdg_at(heap, block.ref)) != 1);
	}
}

/* ---- deaths ---------------------------------------------------------------------------------- */

static mdg_ref *shared; /* in the heap: what the child has allocated */

static pid_t child_dies(mdg_heap *heap)
{
	pid_t child = fork();
	if (child == 0) {
		shared[0] = mdg_ref_of(heap, mdg_alloc(heap, 200));
		shared[1] = mdg_ref_of(heap, mdg_hold(heap, 200));
		shared[2] = mdg_ref_of(heap, mdg_hold(heap, 200000));
		(void)kill(getpid(), SIGKILL);
	}
	CHECK(waitpid(child, NULL, 0) == child);
	return child;
}

static void check_deaths(mdg_heap *heap)
{
	shared = mdg_alloc_zeroed(heap, 3, sizeof *shared);
	uint64_t before = stat_of(heap).blocks;
	pid_t child = child_dies(heap);
	struct mdg_heap_info info = stat_of(heap);
	struct mdg_heap_user_info user;
	CHECK(info.dead == 1 && info.threads == 1 && info.blocks == before + 3);
	CHECK(users_of(heap, child, &user) == 2 && user.pid == child && user.tid == 0);
	CHECK(user.held == 2 && user.slabs == 1 && user.blocks == 2);
	struct mdg_block_info block = info_of(heap, shared[0]);
	CHECK(block.size != 0 && block.pid == child && block.alive == 0 && block.held == 0);
	CHECK(info_of(heap, shared[1]).held == 1 && info_of(heap, shared[2]).held == 1);
	CHECK(mdg_heap_sweep(heap) == 1);
	info = stat_of(heap);
	CHECK(info.dead == 0 && info.blocks == before + 1);
	CHECK(users_of(heap, child, &user) == 1 && user.pid == 0);
	block = info_of(heap, shared[0]);
	CHECK(block.size != 0 && block.pid == child && block.alive == 0 && block.time != 0);
	CHECK(info_of(heap, shared[1]).size == 0 && info_of(heap, shared[2]).size == 0);
	CHECK(mdg_free(heap, mdg_at(heap, shared[0])) == 0 && mdg_free(heap, shared) == 0);
}

/* ---- who only looks -------------------------------------------------------------------------- */

static int look_only(void)
{
	struct mdg_heap_options options = { .size = sizeof options, .flags = MDG_HEAP_RDONLY };
	mdg_heap *heap = heap_open("stat", &options);
	struct mdg_block_info block = { .size = sizeof block };
	struct mdg_heap_user_info user = { .size = sizeof user };
	uint64_t place = 0, blocks = 0;
	uint32_t cursor = 0;
	while (mdg_heap_next(heap, &place, &block) == 1)
		blocks++;
	CHECK(blocks == ALL && stat_of(heap).blocks == ALL);
	CHECK(mdg_heap_next_user(heap, &cursor, &user) == 1 && user.pid == getppid());
	mdg_heap_close(heap);
	return test_result();
}

static void check_looking(void)
{
	int status;
	pid_t child = fork();
	if (child == 0)
		_exit(look_only());
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* The segment says that it is a heap. */
static void check_kind(void)
{
	struct mdg_segment_info info = { .size = sizeof info };
	mdg_id id;
	CHECK(mdg_segment_open(ns, "stat", 0, 0, &id) == 0);
	CHECK(mdg_segment_stat(ns, id, 0, &info) == 0 && info.kind == MDG_SEGMENT_HEAP);
	CHECK(mdg_segment_create(ns, "plain", 4096, 0600, 0, &id) == 0);
	CHECK(mdg_segment_stat(ns, id, 0, &info) == 0 && info.kind == MDG_SEGMENT_PLAIN);
	CHECK(mdg_segment_remove(ns, id) == 0);
}

int main(void)
{
	struct mdg_heap_options options = { .size = sizeof options,
		                            .flags = MDG_HEAP_LABELS,
		                            .maximum = 64 << 20,
		                            .limit = 32 << 20,
		                            .keep = 2 << 20,
		                            .threads = 64 };
	static void *blocks[ALL];
	enter_namespace();
	mdg_heap *heap = heap_open("stat", &options);
	check_kind();
	check_empty(heap);
	uint64_t bytes = fill(heap, blocks);
	check_numbers(heap, bytes);
	check_sizes(heap);
	check_users(heap, SPANS * SPAN_UNITS * MDG__UNIT_BYTES, bytes);
	check_walk(heap, blocks);
	check_cursors(heap);
	check_tags(heap);
	check_looking();
	check_deaths(heap);
	for (int i = 0; i < ALL; i++)
		CHECK(mdg_free(heap, blocks[i]) == 0);
	CHECK(stat_of(heap).blocks == 0 && stat_of(heap).live == 0);
	mdg_heap_close(heap);
	return test_result();
}
