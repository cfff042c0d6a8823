/* SPDX-License-Identifier: MIT */
/*
 * map_content.c - what a map contains, against a private reference; and what each function says.
 */
#include "heap/maps.h"

enum { KEYS = 3000, STEPS = 120000 };

static struct {
	bool is_there;
	uint32_t number;
	uint64_t version;
} reference[KEYS];
static uint64_t entries, versions;

/* ---- values that are bytes ----------------------------------------------------------------- */

static void put(mdg_map *map, uint32_t which, uint32_t number, bool conditional)
{
	char key[KEY_ROOM];
	struct value value;
	size_t key_length = key_of(which, key), length = value_of(which, number, &value);
	uint64_t version = 0, before = reference[which].version;
	if (conditional && !reference[which].is_there)
		before = 0;
	if (conditional) {
		CHECK_RC(-ESTALE,
		         mdg_map_put_if(map, key, key_length, "x", 1, before + 1, &version));
		CHECK_RC(0, mdg_map_put_if(map, key, key_length, &value, length, before, &version));
	} else {
		CHECK_RC(0, mdg_map_put(map, key, key_length, &value, length, &version));
	}
	CHECK(version > reference[which].version);
	entries += !reference[which].is_there;
	reference[which].is_there = true;
	reference[which].number = number;
	reference[which].version = version;
	versions++;
}

static void drop(mdg_map *map, uint32_t which, bool conditional)
{
	char key[KEY_ROOM];
	size_t key_length = key_of(which, key);
	bool is_there = reference[which].is_there;
	if (conditional && is_there)
		CHECK_RC(-ESTALE,
		         mdg_map_remove_if(map, key, key_length, reference[which].version - 1));
	int rc = conditional ? mdg_map_remove_if(map, key, key_length, reference[which].version)
	                     : mdg_map_remove(map, key, key_length);
	CHECK_RC(is_there ? 0 : -ENOENT, rc);
	entries -= is_there;
	reference[which].is_there = false;
}

static void look(mdg_map *map, uint32_t which)
{
	char key[KEY_ROOM];
	struct value value;
	size_t key_length = key_of(which, key), length = 77;
	uint64_t version = 77;
	int rc = mdg_map_get(map, key, key_length, &value, sizeof value, &length, &version);
	CHECK_RC(reference[which].is_there ? 0 : -ENOENT, rc);
	if (rc != 0) {
		CHECK(length == 77 && version == 77);
		return;
	}
	CHECK(is_whole(which, &value, length) && value.number == reference[which].number &&
	      version == reference[which].version);
	struct mdg_map_entry entry = { .size = sizeof entry };
	CHECK_RC(-EPERM, mdg_map_see(map, key, key_length, &entry));
	CHECK_RC(0, mdg_read_begin(heap));
	CHECK_RC(0, mdg_map_see(map, key, key_length, &entry));
	CHECK(entry.length == length && memcmp(entry.value, &value, length) == 0 &&
	      entry.version == version && entry.key_length == key_length &&
	      memcmp(entry.key, key, key_length) == 0 && mdg_at(heap, entry.ref) == entry.value &&
	      (uintptr_t)entry.value % 8 == 0 && (uintptr_t)entry.key % 8 == 0);
	CHECK_RC(0, mdg_read_end(heap));
}

static void at_random(mdg_map *map)
{
	uint64_t random = 1;
	for (uint32_t step = 0; step < STEPS && check_failures == 0; step++) {
		/* The map grows for a while, and shrinks for a while. */
		uint32_t shrinks = step / (STEPS / 6) % 2, which = draw(&random, KEYS);
		uint32_t what = draw(&random, 8);
		if (what < 2)
			look(map, which);
		else if (what < (shrinks ? 7 : 4))
			drop(map, which, what == 2);
		else
			put(map, which, step, what == 7);
		if (step % (STEPS / 12) == 0) {
			CHECK(walk_whole(map) == entries && mdg_map_count(map) == entries);
			(void)mdg_heap_sweep(heap);
		}
	}
	for (uint32_t i = 0; i < KEYS; i++)
		look(map, i);
}

/* ---- values that are blocks ---------------------------------------------------------------- */

static void blocks_at_random(mdg_map *map)
{
	static uint64_t refs[KEYS];
	uint64_t random = 2, count = 0;
	for (uint32_t step = 0; step < STEPS / 4 && check_failures == 0; step++) {
		char key[KEY_ROOM];
		void *old = &random;
		uint32_t which = draw(&random, KEYS), what = draw(&random, 3);
		size_t key_length = key_of(which, key);
		if (what == 0) {
			int rc = mdg_map_take(map, key, key_length, &old);
			CHECK_RC(refs[which] != 0 ? 0 : -ENOENT, rc);
			CHECK(rc != 0 || mdg_ref_of(heap, old) == refs[which]);
			if (rc == 0)
				CHECK_RC(0, mdg_retire(heap, old));
			count -= rc == 0;
			refs[which] = 0;
			continue;
		}
		uint32_t *block = mdg_hold(heap, 8);
		*block = which;
		uint64_t ref = mdg_ref_of(heap, block);
		if (what == 1) {
			CHECK_RC(-ESTALE, mdg_map_put_ref_if(map, key, key_length, block,
			                                     refs[which] + 2, &old));
			CHECK_RC(0, mdg_map_put_ref_if(map, key, key_length, block, refs[which],
			                               &old));
		} else {
			CHECK_RC(0, mdg_map_put_ref(map, key, key_length, block, &old));
		}
		CHECK(mdg_ref_of(heap, old) == refs[which]);
		count += refs[which] == 0;
		if (old != NULL)
			CHECK_RC(0, mdg_retire(heap, old));
		refs[which] = ref;
		mdg_ref got = 0;
		uint64_t version = 0;
		size_t length = 0;
		CHECK_RC(0, mdg_map_get(map, key, key_length, &got, sizeof got, &length, &version));
		CHECK(got == ref && version == ref && length == 8);
	}
	CHECK(walk_whole(map) == count && mdg_map_count(map) == count);
}

static void blocks_and_errors(mdg_map *map)
{
	void *old = NULL, *block = mdg_hold(heap, 100), *other = mdg_alloc(heap, 16);
	struct mdg_map_entry entry = { .size = sizeof entry };
	uint64_t before = mdg_map_count(map), blocks = blocks_of(map);
	CHECK_RC(-EINVAL, mdg_map_put(map, "k", 1, "v", 1, NULL));
	CHECK_RC(-EINVAL, mdg_map_remove(map, "k", 1));
	CHECK_RC(-EINVAL, mdg_map_put_ref(map, "k", 1, NULL, &old));
	/* A block that is not held is not taken, and nothing of the attempt stays. */
	CHECK_RC(-EPERM, mdg_map_put_ref(map, "a new key", 9, other, &old));
	CHECK(mdg_map_count(map) == before && blocks_of(map) == blocks && old == NULL);
	CHECK_RC(0, mdg_map_put_ref(map, "a new key", 9, block, &old));
	CHECK_RC(-EPERM, mdg_map_put_ref(map, "a new key", 9, other, &old));
	CHECK_RC(-EMSGSIZE, mdg_map_get(map, "a new key", 9, &old, 7, NULL, NULL));
	CHECK_RC(0, mdg_read_begin(heap));
	CHECK_RC(0, mdg_map_see(map, "a new key", 9, &entry));
	CHECK(entry.value == block && entry.length >= 100 && mdg_at(heap, entry.ref) == block);
	CHECK_RC(0, mdg_read_end(heap));
	CHECK_RC(-ESTALE, mdg_map_take_if(map, "a new key", 9, entry.ref + 16, &old));
	CHECK_RC(0, mdg_map_take_if(map, "a new key", 9, entry.ref, &old));
	CHECK(old == block);
	CHECK_RC(-ENOENT, mdg_map_take(map, "a new key", 9, &old));
	CHECK_RC(0, mdg_free(heap, block));
	CHECK_RC(0, mdg_free(heap, other));
}

static void hold_and_free(void **held, int from, int to)
{
	for (; from < to; from++)
		CHECK((held[from] = mdg_hold(heap, 16)) != NULL);
	for (; from > to; from--)
		CHECK_RC(0, mdg_free(heap, held[from - 1]));
}

/* Who holds so much that the node stays has removed the entry all the same. Later puts use such
 * nodes, or take them away. */
static void blocks_and_full_hands(void)
{
	enum { TIMES = 2000, FEW = MDG_HELD_MOST - 3, MANY = MDG_HELD_MOST - 1 };
	void *held[MDG_HELD_MOST], *old = NULL;
	mdg_map *map = map_of("hands", MDG_MAP_REFS);
	hold_and_free(held, 0, FEW);
	for (uint32_t i = 0; i < TIMES; i++) {
		uint32_t key = i / 2;
		CHECK_RC(0, mdg_map_put_ref(map, &key, sizeof key, mdg_hold(heap, 32), &old));
		CHECK(old == NULL && mdg_map_count(map) == 1);
		hold_and_free(held, FEW, MANY);
		CHECK_RC(0, mdg_map_take(map, &key, sizeof key, &old));
		hold_and_free(held, MANY, FEW);
		CHECK(mdg_map_count(map) == 0 && walk_whole(map) == 0);
		CHECK_RC(0, mdg_retire(heap, old));
		old = NULL;
	}
	hold_and_free(held, FEW, 0);
	CHECK(blocks_of(map) <= 1 + MDG__MAP_PARTS * (1 + MDG__MAP_SLOTS));
	CHECK_RC(0, mdg_map_destroy(heap, "hands"));
	mdg_map_close(map);
}

/* ---- the rest ------------------------------------------------------------------------------ */

static void limits(mdg_map *map)
{
	enum { LARGE = 3000000 };
	char *key = calloc(1, MDG_MAP_KEY_MAX + 1), *value = malloc(LARGE), *back = malloc(LARGE);
	size_t length = 0;
	memset(value, 'v', LARGE);
	CHECK_RC(0, mdg_map_put(map, NULL, 0, NULL, 0, NULL)); /* an empty key and value */
	CHECK_RC(0, mdg_map_get(map, "", 0, NULL, 0, &length, NULL));
	CHECK(length == 0);
	CHECK_RC(0, mdg_map_put(map, key, MDG_MAP_KEY_MAX, value, LARGE, NULL));
	CHECK_RC(-EINVAL, mdg_map_put(map, key, MDG_MAP_KEY_MAX + 1, value, 1, NULL));
	CHECK_RC(-EINVAL, mdg_map_put(map, "k", 1, value, (size_t)MDG_MAP_VALUE_MAX + 1, NULL));
	CHECK_RC(-ENOENT, mdg_map_get(map, key, MDG_MAP_KEY_MAX + 1, back, 1, NULL, NULL));
	CHECK_RC(-ENOENT, mdg_map_get(map, key, MDG_MAP_KEY_MAX - 1, back, 1, NULL, NULL));
	CHECK_RC(-EMSGSIZE, mdg_map_get(map, key, MDG_MAP_KEY_MAX, back, LARGE - 1, &length, NULL));
	CHECK(length == LARGE);
	CHECK_RC(0, mdg_map_get(map, key, MDG_MAP_KEY_MAX, back, LARGE, &length, NULL));
	CHECK(length == LARGE && memcmp(value, back, LARGE) == 0);
	CHECK_RC(0, mdg_map_remove(map, key, MDG_MAP_KEY_MAX));
	CHECK_RC(0, mdg_map_remove(map, "", 0));
	free(key);
	free(value);
	free(back);
}

static void interning(mdg_map *map)
{
	mdg_ref first = 0, again = 0, other = 0;
	CHECK_RC(0, mdg_map_intern(map, "word", 4, &first));
	CHECK_RC(0, mdg_map_intern(map, "word", 4, &again));
	CHECK_RC(0, mdg_map_intern(map, "words", 5, &other));
	CHECK(first == again && first != other && first % 8 == 0);
	CHECK(memcmp(mdg_at(heap, first), "word", 4) == 0);
	CHECK_RC(0, mdg_map_remove(map, "word", 4));
	CHECK_RC(0, mdg_map_remove(map, "words", 5));
}

/* MDG_MAP_EXISTING makes nothing, and waits for nobody who will not come. */
static void existing(void)
{
	mdg_map *other = NULL;
	struct mdg_map_options options = { .size = sizeof options, .flags = MDG_MAP_EXISTING };
	struct mdg_root_info root = { .size = sizeof root };
	uint32_t cursor = 0;
	mdg_ref *place;
	CHECK_RC(-ENOENT, mdg_map_open(&other, heap, "none", &options));
	while (mdg_root_next(heap, &cursor, &root) == 1)
		CHECK(strcmp(root.name, "none") != 0);
	CHECK(mdg_root(heap, "left", MDG_MAP_TYPE, MDG__MAP_FORMAT, &place, 0) == MDG_ROOT_NEW);
	void *block = mdg_hold(heap, 16);
	CHECK_RC(0, mdg_publish(heap, block, place, 0));
	CHECK(mdg_take(heap, place) == block);
	CHECK_RC(0, mdg_free(heap, block));
	CHECK_RC(-ENOENT, mdg_map_open(&other, heap, "left", &options));
	CHECK_RC(0, mdg_root_remove(heap, "left"));
	CHECK(other == NULL);
	CHECK_RC(0, mdg_map_open(&other, heap, "bytes", &options));
	mdg_map_close(other);
}

static void opening(mdg_map *map)
{
	mdg_map *other = NULL;
	struct mdg_map_options options = { .size = sizeof options, .flags = MDG_MAP_REFS };
	mdg_ref *place;
	char value[8];
	CHECK_RC(MDG_UNLIKE_FLAGS, mdg_map_open(&other, heap, "bytes", &options));
	options.flags = 4;
	CHECK_RC(-EINVAL, mdg_map_open(&other, heap, "bytes", &options));
	options.size = 7;
	CHECK_RC(-EINVAL, mdg_map_open(&other, heap, "bytes", &options));
	CHECK_RC(-EINVAL, mdg_map_open(&other, heap, "", NULL));
	CHECK(mdg_root(heap, "no map", 1, 1, &place, 0) == MDG_ROOT_NEW);
	CHECK_RC(MDG_UNLIKE_TYPE, mdg_map_open(&other, heap, "no map", NULL));
	CHECK_RC(0, mdg_root_remove(heap, "no map"));
	CHECK(other == NULL);
	existing();
	CHECK_RC(0, mdg_map_open(&other, heap, "bytes", NULL));
	CHECK_RC(0, mdg_map_put(map, "one", 3, "handle", 6, NULL));
	CHECK_RC(0, mdg_map_get(other, "one", 3, value, sizeof value, NULL, NULL));
	CHECK_RC(0, mdg_map_remove(other, "one", 3));
	mdg_map_close(other);
	mdg_map_close(NULL);
}

/* A map that was made for many entries has room for them. */
static void expecting(void)
{
	struct mdg_map_options options = { .size = sizeof options, .expect = 100000 };
	struct mdg__map_view view;
	mdg_map *map;
	CHECK_RC(0, mdg_map_open(&map, heap, "large", &options));
	CHECK_RC(0, mdg_map_put(map, "k", 1, "v", 1, NULL));
	uint64_t hash = mdg__map_hash(map, "k", 1);
	CHECK(mdg__map_table_at(map, mdg__map_part_of(map, hash)->table, &view) == 0);
	CHECK(view.bits == map->least && ((uint64_t)7 << view.bits) > 100000 / 64);
	mdg_map_close(map);
}

/* ---- a heap without memory ----------------------------------------------------------------- */

/* A put that finds no memory changes nothing. Removing makes room again. */
static void full_heap(mdg_map *map)
{
	static char value[1000];
	uint32_t number = 0, count = 0;
	int rc = 0;
	CHECK_RC(0, mdg_heap_limit(heap, UINT64_C(0x800000)));
	for (int round = 0; round < 3; round++) {
		uint64_t before = mdg_map_count(map);
		for (number = 0, rc = 0; rc == 0 && number < 100000; number++)
			rc = mdg_map_put(map, &number, sizeof number, value, sizeof value, NULL);
		CHECK(rc == -EDQUOT || rc == -ENOMEM);
		count = number - 1;
		CHECK(count > 1000 && mdg_map_count(map) == before + count);
		rc = mdg_map_put(map, &count, sizeof count, value, sizeof value, NULL);
		CHECK(rc == -EDQUOT || rc == -ENOMEM);
		CHECK_RC(-ENOENT, mdg_map_get(map, &count, sizeof count, value, 1, NULL, NULL));
		for (number = 0; number < count; number++)
			CHECK_RC(0, mdg_map_remove(map, &number, sizeof number));
		CHECK(mdg_map_count(map) == before);
	}
	CHECK_RC(0, mdg_heap_limit(heap, UINT64_C(0x10000000)));
}

int main(void)
{
	open_heap();
	mdg_map *map = map_of("bytes", 0), *refs = map_of("blocks", MDG_MAP_REFS);
	at_random(map);
	limits(map);
	interning(map);
	opening(map);
	CHECK(mdg_map_count(map) == entries);
	blocks_at_random(refs);
	blocks_and_errors(refs);
	blocks_and_full_hands();
	(void)mdg_heap_sweep(heap);
	CHECK(blocks_allocated() == blocks_of(map) + blocks_of(refs));
	CHECK_RC(0, mdg_map_clear(map));
	CHECK_RC(0, mdg_map_clear(refs));
	CHECK(walk_whole(map) == 0 && walk_whole(refs) == 0 && mdg_map_count(refs) == 0);
	(void)mdg_heap_sweep(heap);
	CHECK(blocks_allocated() == blocks_of(map) + blocks_of(refs));
	full_heap(map);
	(void)mdg_heap_sweep(heap);
	CHECK(blocks_allocated() == blocks_of(map) + blocks_of(refs));
	expecting();
	mdg_map_close(map);
	mdg_map_close(refs);
	mdg_heap_close(heap);
	mdg_namespace_close(ns);
	return test_result();
}
