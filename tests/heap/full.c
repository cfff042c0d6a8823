/* SPDX-License-Identifier: MIT */
/*
 * full.c - a file system that is full at each step of a heap's growth.
 *
 * The growth fails with -ENOMEM and never with SIGBUS. What it did not get, it does not keep: the
 * file system has as much room as before. The same is true on a kernel that cannot populate a
 * mapping, on one that has no fallocate(2), and in a process that has no descriptor left.
 */
#include "heap/heap.h"

#include "heap/full.h"
#include "support/forbid.h"

#include <sys/resource.h>

enum { MIB = 1 << 20, MOST = 70000, PAGE = 4096, UNIT = 65536 };

static void *blocks[MOST];
static const size_t sizes[] = { 400, 3000, 8192, 20000, 131072, 200000, 700000 };
enum { SIZES = sizeof sizes / sizeof *sizes };

enum lack { NOTHING, NO_POPULATE, NO_FALLOCATE, NO_DESCRIPTOR };
static struct {
	enum lack lack;
	bool has_tables; /* the heap has the memory of all its tables */
} now;

/* ---- filling a heap ------------------------------------------------------------------------ */

/* Allocates, or leaves the file system as it is. Tables of new units may stay, in part: the next
 * growth needs them. */
static void *allocate(mdg_heap *heap, size_t size)
{
	enum { TABLES = 16 * PAGE };
	static int64_t before;
	static uint64_t committed = UINT64_MAX; /* when `before` was seen */
	const struct mdg__heap_head *head = mdg__heap_of(heap)->head;
	if (MDG__LOAD(head->committed) != committed)
		before = room();
	committed = MDG__LOAD(head->committed);
	void *block = mdg_alloc(heap, size);
	if (block != NULL)
		return block;
	committed = UINT64_MAX;
	int64_t lost = before - room();
	if (!CHECK(now.has_tables ? lost == 0 : lost <= TABLES))
		fprintf(stderr, "%zu bytes, lack %d: %lld bytes of %lld are lost\n", size,
		        (int)now.lack, (long long)lost, (long long)before);
	return NULL;
}

static int fill(mdg_heap *heap, size_t size)
{
	int count = 0;
	while (count < MOST && (blocks[count] = allocate(heap, size)) != NULL)
		memset(blocks[count++], 0x5a, size);
	return count;
}

static void empty(mdg_heap *heap, int count)
{
	for (int i = 0; i < count; i++)
		CHECK(mdg_free(heap, blocks[i]) == 0);
}

/* ---- what a process may lack --------------------------------------------------------------- */

static void lose_descriptors(bool lose)
{
	struct rlimit limit;
	if (now.lack != NO_DESCRIPTOR || !CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0))
		return;
	limit.rlim_cur = lose ? 0 : limit.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void lose_call(void)
{
	if (now.lack == NO_POPULATE)
		CHECK(forbid_call(SYS_madvise, ENOSYS));
	if (now.lack == NO_FALLOCATE)
		CHECK(forbid_call(SYS_fallocate, ENOSYS));
}

/* ---- a full file system -------------------------------------------------------------------- */

/* Fills the heap. What else is on the file system takes some of the room. */
static void fill_full(const char *name, size_t size, bool expect_some)
{
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 64 * MIB };
	mdg_heap *heap = NULL;
	int rc = mdg_heap_open(&heap, ns, name, &options);
	if (rc < 0) {
		CHECK((rc == -ENOMEM || rc == -ENOSPC) && !expect_some);
		return;
	}
	now.has_tables = expect_some;
	if (expect_some)
		CHECK(mdg_read_begin(heap) == 0 && mdg_read_end(heap) == 0 && /* a slot */
		      mdg__tables_promise(mdg__heap_of(heap), 0, options.maximum / UNIT) == 0);
	lose_descriptors(true);
	int count = fill(heap, size);
	CHECK(count < MOST && mdg_heap_why(heap) == -ENOMEM);
	CHECK(count > 0 || !expect_some);
	CHECK_LIVE(heap, (uint64_t)count);
	CHECK(allocate(heap, 3 * MIB) == NULL && mdg_heap_why(heap) == -ENOMEM);
	empty(heap, count);
	CHECK_LIVE(heap, 0);
	int again = fill(heap, size);
	CHECK(again >= count);
	empty(heap, again);
	lose_descriptors(false);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, name) == 0);
}

static void fill_each(int lack)
{
	now.lack = (enum lack)lack;
	lose_call();
	CHECK(mdg_namespace_open(&ns, full_path("ns"), NULL) == 0);
	int each = now.lack == NOTHING ? 1 : 5;
	for (int i = 0; i < SIZES; i += each)
		fill_full("full", sizes[i], true);
	mdg_id id;
	CHECK(mdg_segment_create(ns, "first", 4096, 0600, 0, &id) == 0);
	/* All amounts of room, so that each piece of the growth fails once. */
	for (int left = 0; left < 3 * MIB; left += left < 200000 ? each * PAGE : MIB / 8) {
		leave_room(left);
		fill_full("room", sizes[left / PAGE % SIZES], false);
		make_room();
	}
	/* The tables have their memory, so that each page counts that was not given back. */
	for (int left = 3 * MIB; left < 3 * MIB + UNIT; left += each * PAGE) {
		leave_room(left);
		fill_full("page", sizes[left / PAGE % SIZES], true);
		make_room();
	}
}

int main(void)
{
	for (int lack = NOTHING; lack <= NO_DESCRIPTOR; lack++)
		if (!CHECK(full_in_child(fill_each, lack)))
			fprintf(stderr, "lack %d\n", lack);
	return test_result();
}
