/* SPDX-License-Identifier: MIT */
/*
 * limit.c - growth, its limits, and giving memory back: the heap's limit, its maximum, and the
 * namespace's shmall. full.c has a file system that is full.
 */
#include "heap/heap.h"

#include <pthread.h>

enum { MIB = 1 << 20, MOST = 70000 };

static void *blocks[MOST];
static mdg_heap *current;

/* Allocates until there is no more. Every byte can be written. */
static int fill(mdg_heap *heap, size_t size)
{
	int count = 0;
	while (count < MOST && (blocks[count] = mdg_alloc(heap, size)) != NULL)
		memset(blocks[count++], 0x5a, size);
	return count;
}

static void empty(mdg_heap *heap, int count)
{
	for (int i = 0; i < count; i++)
		CHECK(mdg_free(heap, blocks[i]) == 0);
}

static const size_t sizes[] = { 400, 3000, 8192, 20000, 131072, 200000, 700000 };
enum { SIZES = sizeof sizes / sizeof *sizes };

static uint64_t resident(const char *name)
{
	struct mdg_segment_info info = { .size = sizeof info };
	mdg_id id;
	CHECK(mdg_segment_open(ns, name, 0, 0, &id) == 0);
	CHECK(mdg_segment_stat(ns, id, MDG_STAT_RESIDENT, &info) == 0);
	return info.resident;
}

/* ---- the heap's own limits ----------------------------------------------------------------- */

static void limits(void)
{
	struct mdg_heap_options options = { .size = sizeof options,
		                            .maximum = 16 * MIB,
		                            .limit = 5 * MIB };
	mdg_heap *heap = heap_open("limit", &options);
	for (int i = 0; i < SIZES; i++) {
		int count = fill(heap, sizes[i]);
		CHECK(mdg_heap_why(heap) == -EDQUOT);
		CHECK((uint64_t)count * sizes[i] > 3 * MIB && look(heap).committed <= 80);
		CHECK_LIVE(heap, (uint64_t)count);
		empty(heap, count);
		CHECK_LIVE(heap, 0);
	}
	CHECK(mdg_heap_limit(heap, 17 * MIB) == -EINVAL);
	CHECK(mdg_heap_limit(heap, 16 * MIB + 1) == -EINVAL);
	CHECK(mdg_heap_limit(heap, 8 * MIB) == 0);
	int count = fill(heap, 100000);
	CHECK(mdg_heap_why(heap) == -EDQUOT && count > 60 && look(heap).committed == 128);
	CHECK(mdg_heap_limit(heap, MIB) == 0 && look(heap).committed == 128);
	CHECK(mdg_alloc(heap, 1000000) == NULL && mdg_heap_why(heap) == -EDQUOT);
	empty(heap, count);
	CHECK(mdg_heap_limit(heap, 16 * MIB) == 0);
	count = fill(heap, 100000);
	CHECK(mdg_heap_why(heap) == -ENOMEM && count >= 130 && look(heap).committed == 256);
	empty(heap, count);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "limit") == 0);
}

static void *free_it(void *block)
{
	CHECK(mdg_free(current, block) == 0);
	return NULL;
}

/* One block that another thread frees is found, in whichever slab it lies. */
static void others_at_the_limit(void)
{
	enum { SIZE = 64, SLAB = MDG__UNIT_BYTES / SIZE };
	struct mdg_heap_options options = { .size = sizeof options,
		                            .maximum = 4 * MIB,
		                            .limit = 2 * MIB };
	mdg_heap *heap = current = heap_open("others", &options);
	int count = fill(heap, SIZE), slabs = count / SLAB;
	CHECK(slabs > 20);
	for (int i = 0, slab = 0; i < slabs; i++, slab = (slab + 7) % slabs) {
		pthread_t thread;
		CHECK(pthread_create(&thread, NULL, free_it, blocks[slab * SLAB]) == 0);
		pthread_join(thread, NULL);
		CHECK(mdg_alloc(heap, SIZE) == blocks[slab * SLAB]);
		CHECK(mdg_alloc(heap, SIZE) == NULL && mdg_heap_why(heap) == -EDQUOT);
	}
	CHECK_LIVE(heap, (uint64_t)count);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "others") == 0);
}

static void *fill_and_end(void *ret_count)
{
	*(int *)ret_count = fill(current, 1024);
	return NULL;
}

/* So is one that was freed in a slab of a dead thread, however many there are. */
static void nobodys_at_the_limit(void)
{
	enum { SIZE = 1024, SLAB = MDG__UNIT_BYTES / SIZE };
	struct mdg_heap_options options = { .size = sizeof options,
		                            .maximum = 16 * MIB,
		                            .limit = 14 * MIB };
	pthread_t thread;
	int count = 0;
	mdg_heap *heap = current = heap_open("nobodys", &options);
	CHECK(pthread_create(&thread, NULL, fill_and_end, &count) == 0);
	pthread_join(thread, NULL);
	CHECK(count > 200 * SLAB);
	for (int i = count - 1; i > 0; i -= 9 * SLAB) {
		CHECK(mdg_free(heap, blocks[i]) == 0);
		CHECK(mdg_alloc(heap, SIZE) == blocks[i]);
		CHECK(mdg_alloc(heap, SIZE) == NULL && mdg_heap_why(heap) == -EDQUOT);
	}
	CHECK_LIVE(heap, (uint64_t)count);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "nobodys") == 0);
}

/* ---- giving back --------------------------------------------------------------------------- */

static void trimming(void)
{
	struct mdg_heap_options options = { .size = sizeof options,
		                            .maximum = 256 * MIB,
		                            .keep = 4 * MIB };
	mdg_heap *heap = heap_open("trim", &options);
	for (int i = 0; i < 40; i++)
		memset(blocks[i] = mdg_alloc(heap, 2 * MIB), 1, 2 * MIB);
	CHECK(resident("trim") >= 80 * MIB && look(heap).committed >= 1280);
	empty(heap, 40);
	struct found found = look(heap);
	/* The thread keeps some for its next allocations, up to 8 MiB. */
	CHECK(found.committed <= 224 && found.wrong == 0 && resident("trim") <= 16 * MIB);
	/* What was given back can be had again, and is zeros. */
	unsigned char *again = mdg_alloc(heap, 50 * MIB);
	CHECK(again != NULL && again[40 * MIB] == 0);
	memset(again, 1, 50 * MIB);
	CHECK(mdg_free(heap, again) == 0 && look(heap).committed <= 224);
	CHECK(mdg_heap_trim(heap, 0) == 0);
	found = look(heap);
	CHECK(found.committed == 0 && found.wrong == 0 && resident("trim") < 2 * MIB);
	/* Small blocks too: a slab that is free as a whole goes back to the units. */
	for (int i = 0; i < MOST; i++)
		CHECK((blocks[i] = mdg_alloc(heap, 512)) != NULL);
	CHECK(look(heap).committed >= 460);
	empty(heap, MOST);
	found = look(heap);
	CHECK(found.live == 0 && found.slabs < 150);
	CHECK(mdg_heap_trim(heap, 0) == 0 && look(heap).committed < 250);
	mdg_heap_close(heap);
	/* Nobody has a slab any more. */
	heap = heap_open("trim", &options);
	CHECK(look(heap).slabs == 0 && mdg_heap_trim(heap, 0) == 0 && look(heap).committed == 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "trim") == 0);
}

/* What goes up and down does not ask the system for memory each time: neither if much is free in
 * pieces that are not wholly free, nor if the blocks were freed from the last one on. */
static void keeping(void)
{
	struct mdg_heap_options options = { .size = sizeof options,
		                            .maximum = 256 * MIB,
		                            .keep = 8 * MIB };
	mdg_heap *heap = heap_open("keep", &options);
	enum { HOLES = 200, LARGE = 10 };
	for (int i = 0; i < HOLES; i++)
		CHECK((blocks[i] = mdg_alloc(heap, 140000)) != NULL);
	for (int i = 0; i < HOLES; i += 2)
		CHECK(mdg_free(heap, blocks[i]) == 0);
	for (int i = 0; i < LARGE; i++)
		CHECK((blocks[HOLES + i] = mdg_alloc(heap, 3 * MIB)) != NULL);
	for (int i = LARGE; i-- > 0;)
		CHECK(mdg_free(heap, blocks[HOLES + i]) == 0);
	uint64_t before = look(heap).committed;
	void *block = mdg_alloc(heap, 3 * MIB);
	CHECK(look(heap).committed == before);
	CHECK(mdg_free(heap, block) == 0 && look(heap).committed == before);
	CHECK_LIVE(heap, HOLES / 2);
	/* At most `keep` is in pieces that are wholly free. */
	CHECK(mdg_heap_trim(heap, 0) == 0 && before - look(heap).committed <= 128 + 16);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "keep") == 0);
}

/* ---- the namespace's limit ----------------------------------------------------------------- */

static void shmall(const char *path)
{
	const struct mdg_namespace_options options = { .size = sizeof options, .shmall = 2048 };
	mdg_namespace *before = ns;
	CHECK(mdg_namespace_open(&ns, path, &options) == 0); /* 8 MiB */
	mdg_heap *heap = heap_open("all", NULL);
	int count = fill(heap, 100000);
	CHECK(mdg_heap_why(heap) == -ENOMEM && count > 30 && look(heap).committed < 128);
	mdg_id id;
	CHECK(mdg_segment_create(ns, "other", 4 * MIB, 0600, 0, &id) == -ENOSPC);
	empty(heap, count);
	CHECK(mdg_heap_trim(heap, 0) == 0);
	CHECK(mdg_segment_create(ns, "other", 4 * MIB, 0600, 0, &id) == 0);
	CHECK(fill(heap, 100000) < count / 2 + 4);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "all") == 0);
	mdg_namespace_close(ns);
	ns = before;
}

int main(void)
{
	char path[256];
	enter_namespace();
	limits();
	others_at_the_limit();
	nobodys_at_the_limit();
	trimming();
	keeping();
	snprintf(path, sizeof path, "%s/small", getenv("MADANG_NAMESPACE"));
	shmall(path);
	mdg_namespace_close(ns);
	return test_result();
}
