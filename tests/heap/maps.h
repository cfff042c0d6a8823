/* SPDX-License-Identifier: MIT */
/*
 * maps.h - what the tests of maps share.
 *
 * They run under enclose, in a namespace of their own. Values are made from the key and a number,
 * so that each value tells whether it is whole. What is allocated in the heap is counted from its
 * bitmaps and compared with what the map refers to.
 */
#ifndef MADANG_TESTS_HEAP_MAPS_H
#define MADANG_TESTS_HEAP_MAPS_H

#include <madang/map.h>
#include <madang/segment.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "heap/map_internal.h"
#include "unit/unit.h"

static mdg_namespace *ns;
static mdg_heap *heap;

static inline void open_heap_of(uint64_t maximum, uint32_t flags)
{
	struct mdg_heap_options options = {
		.size = sizeof options, .maximum = maximum, .flags = flags, .threads = 256
	};
	int rc = mdg_namespace_open(&ns, NULL, NULL);
	if (rc == 0)
		rc = mdg_heap_open(&heap, ns, "maps", &options);
	if (rc != 0) {
		fprintf(stderr, "the heap: %s\n", mdg_strerror(rc));
		exit(1);
	}
}

static inline void open_heap(void)
{
	open_heap_of(UINT64_C(0x10000000), 0);
}

static inline mdg_map *map_of(const char *name, uint32_t flags)
{
	struct mdg_map_options options = { .size = sizeof options, .flags = flags };
	mdg_map *map = NULL;
	int rc = mdg_map_open(&map, heap, name, &options);
	if (rc != 0) {
		fprintf(stderr, "the map: %s\n", mdg_strerror(rc));
		_exit(1);
	}
	return map;
}

/* ---- random numbers, keys and values ------------------------------------------------------- */

/* A number below `below`; 0 if there is none. */
static inline uint32_t draw(uint64_t *state, uint32_t below)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return below == 0 ? 0 : (uint32_t)((*state >> 33) % below);
}

enum { KEY_ROOM = 64, VALUE_ROOM = 512 };

/* The key of this number. Keys have many lengths. */
static inline size_t key_of(uint32_t number, char key[KEY_ROOM])
{
	int length = snprintf(key, KEY_ROOM, "%x", number);
	for (uint32_t i = 0; i < number % 37; i++)
		key[length++] = (char)('a' + i % 26);
	return (size_t)length;
}

/* A value: which key, which number, and bytes that follow from both. */
struct value {
	uint32_t key, number;
	unsigned char rest[VALUE_ROOM - 8];
};

static inline size_t value_of(uint32_t key, uint32_t number, struct value *ret)
{
	size_t length = (key * 7 + number * 13) % (sizeof ret->rest + 1);
	ret->key = key;
	ret->number = number;
	memset(ret->rest, (int)((key ^ number) & 0xff), length);
	return 8 + length;
}

/* Puts the value of this number under the key. */
static inline int put_number(mdg_map *map, uint32_t which, uint32_t number)
{
	char key[KEY_ROOM];
	struct value value;
	size_t length = value_of(which, number, &value);
	return mdg_map_put(map, key, key_of(which, key), &value, length, NULL);
}

static inline bool is_whole(uint32_t key, const void *bytes, uint64_t length)
{
	struct value value, wanted;
	if (length < 8 || length > sizeof value)
		return false;
	memcpy(&value, bytes, (size_t)length);
	return value.key == key && value_of(key, value.number, &wanted) == length &&
	       memcmp(&value, &wanted, (size_t)length) == 0;
}

/* ---- what is allocated --------------------------------------------------------------------- */

/* Blocks of the heap that are allocated. [nobody else uses it] */
static inline uint64_t blocks_allocated(void)
{
	struct mdg__heap *own = mdg__heap_of(heap);
	uint64_t count = 0, high = mdg__units_high(own);
	for (uint64_t unit = 0; unit < high; unit++) {
		struct mdg__block block;
		uint64_t head = MDG__LOAD(own->heads[unit]);
		uint64_t at = own->parts.data + (unit << MDG__UNIT_SHIFT);
		if (MDG__HEAD_STATE(head) == MDG__UNIT_SPAN) {
			count++;
			unit += MDG__HEAD_UNITS(head) - 1;
		}
		if (MDG__HEAD_STATE(head) != MDG__UNIT_SLAB)
			continue;
		const struct mdg__size_class *class = &mdg__heap_classes[MDG__HEAD_CLASS(head)];
		for (uint32_t i = 0; i < class->blocks; i++)
			if (mdg__block_find(own, at + (uint64_t)i * class->size, &block) == 0 &&
			    !mdg__block_is_free(own, &block))
				count++;
	}
	return count;
}

/* Blocks that belong to the map: its head, tables, nodes, and values that are blocks. */
static inline uint64_t blocks_of(const mdg_map *map)
{
	uint64_t count = 1;
	for (int i = 0; i < MDG__MAP_PARTS; i++) {
		struct mdg__map_view view;
		uint64_t table = MDG__LOAD(map->head->part[i].table);
		CHECK(mdg__map_table_at(map, table, &view) == 0);
		if (view.buckets == NULL)
			continue;
		count++;
		for (uint32_t at = 0; at < (view.mask + 1) * MDG__MAP_SLOTS; at++) {
			struct mdg__map_seen seen;
			uint64_t ref = MDG__LOAD(
				view.buckets[at / MDG__MAP_SLOTS].slot[at % MDG__MAP_SLOTS]);
			if (ref == 0 || !CHECK(mdg__map_node_at(map, ref, &seen)))
				continue;
			count++;
			if ((map->flags & MDG_MAP_REFS) != 0 && MDG__LOAD(seen.node->value) != 0)
				count++;
		}
	}
	return count;
}

/* ---- checking a map ------------------------------------------------------------------------ */

/* How many entries a walk shows. */
static inline uint64_t entries_of(mdg_map *map)
{
	struct mdg_map_cursor cursor = { { 0, 0 } };
	struct mdg_map_entry entry = { .size = sizeof entry };
	uint64_t count = 0;
	CHECK_RC(0, mdg_read_begin(heap));
	while (mdg_map_next(map, &cursor, &entry) == 1)
		count++;
	CHECK_RC(0, mdg_read_end(heap));
	return count;
}

/* Walks over all entries; each must be whole. Returns how many there are. */
static inline uint64_t walk_whole(mdg_map *map)
{
	struct mdg_map_cursor cursor = { { 0, 0 } };
	struct mdg_map_entry entry = { .size = sizeof entry };
	uint64_t count = 0;
	int rc;
	CHECK_RC(0, mdg_read_begin(heap));
	while ((rc = mdg_map_next(map, &cursor, &entry)) == 1) {
		char key[KEY_ROOM];
		uint32_t number;
		memcpy(&number, entry.value, sizeof number);
		CHECK(key_of(number, key) == entry.key_length &&
		      memcmp(key, entry.key, entry.key_length) == 0);
		if ((map->flags & MDG_MAP_REFS) == 0)
			CHECK(is_whole(number, entry.value, entry.length));
		count++;
	}
	CHECK_RC(0, rc);
	CHECK_RC(0, mdg_read_end(heap));
	return count;
}

static inline uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
