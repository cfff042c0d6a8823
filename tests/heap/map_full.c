/* SPDX-License-Identifier: MIT */
/*
 * map_full.c - a file system that is full while a map grows.
 *
 * Putting and interning fail with -ENOMEM then, and never with SIGBUS. The map is as it was before
 * the call, no block is lost, and all goes on when there is room again.
 */
#include "heap/maps.h"

#include "heap/full.h"

enum { MIB = 1 << 20, FIRST = 600, MOST = 200000, AFTER = 300, OLD = 1, NEW = 2 };

static mdg_map *bytes, *blocks;
static uint32_t tables_failed; /* of all failures, those of a table and not of a node */

/* Which number the key has; 0: it is not there. */
static uint32_t number_of(uint32_t which)
{
	char key[KEY_ROOM];
	struct value value;
	size_t length = 0;
	int rc = mdg_map_get(bytes, key, key_of(which, key), &value, sizeof value, &length, NULL);
	CHECK(rc == -ENOENT || (rc == 0 && is_whole(which, &value, length)));
	return rc == 0 ? value.number : 0;
}

static int put_block(uint32_t which)
{
	char key[KEY_ROOM];
	void *old = NULL, *block = mdg_hold(heap, 64);
	if (block == NULL)
		return mdg_heap_why(heap);
	int rc = mdg_map_put_ref(blocks, key, key_of(which, key), block, &old);
	if (rc != 0)
		CHECK_RC(0, mdg_free(heap, block)); /* it is still the caller's */
	CHECK(old == NULL);
	return rc;
}

static int intern(uint32_t which)
{
	char text[KEY_ROOM + 1] = "+";
	mdg_ref ref = 0;
	size_t length = 1 + key_of(which, text + 1);
	int rc = mdg_map_intern(bytes, text, length, &ref);
	CHECK(rc != 0 || memcmp(mdg_at(heap, ref), text, length) == 0);
	return rc;
}

/* Goes on from `from` until there is no memory, and says where that was. */
static uint32_t fill(int (*one)(uint32_t which), uint32_t from)
{
	int rc = 0;
	while (rc == 0 && from < MOST)
		rc = one(from++);
	CHECK_RC(-ENOMEM, rc);
	/* A map that only lacks memory for a larger table has some for nodes. */
	void *small = mdg_alloc(heap, 64);
	tables_failed += small != NULL;
	CHECK_RC(0, mdg_free(heap, small));
	return from - 1;
}

static int put_old(uint32_t which)
{
	return put_number(bytes, which, OLD);
}

static void check_whole(uint32_t many, uint32_t many_blocks, uint32_t many_texts)
{
	uint64_t texts = many_texts;
	for (uint32_t i = 0; i < many; i++)
		CHECK(number_of(i) != 0);
	CHECK(entries_of(bytes) == many + texts && mdg_map_count(bytes) == many + texts);
	CHECK(entries_of(blocks) == many_blocks && mdg_map_count(blocks) == many_blocks);
	CHECK_RC(0, mdg_heap_check(heap, 0, NULL, NULL));
	for (int i = 0; i < 20 && blocks_allocated() != blocks_of(bytes) + blocks_of(blocks); i++)
		(void)mdg_heap_sweep(heap);
	CHECK(blocks_allocated() == blocks_of(bytes) + blocks_of(blocks));
}

/* Keys that are there get another value, or keep what they have. */
static void replace(uint32_t many)
{
	for (uint32_t i = 0; i < many; i += 7) {
		int rc = put_number(bytes, i, NEW);
		CHECK(rc == 0 || rc == -ENOMEM);
		CHECK(number_of(i) == (rc == 0 ? NEW : OLD));
	}
}

static void grow_with(int64_t left)
{
	uint32_t many = FIRST, many_blocks = FIRST, texts = FIRST;
	for (uint32_t i = 0; i < FIRST; i++)
		CHECK(put_number(bytes, i, OLD) == 0 && put_block(i) == 0 && intern(i) == 0);
	leave_room(left);
	many_blocks = fill(put_block, many_blocks);
	texts = fill(intern, texts);
	many = fill(put_old, many);
	CHECK(number_of(many) == 0);
	CHECK_RC(0, intern(0));
	replace(many);
	check_whole(many, many_blocks, texts);
	make_room();
	for (uint32_t i = 0; i < AFTER; i++) {
		CHECK_RC(0, put_number(bytes, many++, OLD));
		CHECK_RC(0, put_block(many_blocks++));
		CHECK_RC(0, intern(texts++));
	}
	check_whole(many, many_blocks, texts);
}

static void in_a_heap(int64_t left)
{
	const struct mdg_heap_options options = { .size = sizeof options, .maximum = 64 * MIB };
	if (!CHECK(mdg_heap_open(&heap, ns, "maps", &options) == 0))
		return;
	bytes = map_of("bytes", 0);
	blocks = map_of("blocks", MDG_MAP_REFS);
	grow_with(left);
	mdg_map_close(bytes);
	mdg_map_close(blocks);
	mdg_heap_close(heap);
	CHECK_RC(0, mdg_heap_remove(ns, "maps"));
}

static void each(int unused)
{
	(void)unused;
	mdg_id id;
	CHECK_RC(0, mdg_namespace_open(&ns, full_path("ns"), NULL));
	CHECK_RC(0, mdg_segment_create(ns, "first", 4096, 0600, 0, &id));
	for (int64_t left = 0; left < 4 * MIB && check_failures == 0;
	     left += left < 48 * FULL_PAGE ? FULL_PAGE : MIB / 4)
		in_a_heap(left);
	printf("%u tables failed\n", tables_failed);
	CHECK(tables_failed > 0);
}

int main(void)
{
	CHECK(full_in_child(each, 0));
	return test_result();
}
