/* SPDX-License-Identifier: MIT */
/*
 * map_find.h - finding a key in a table, as a part of the caller: of mdg_map_get above all.
 *
 * What is read is checked first: see map_internal.h, WHAT IS BELIEVED.
 */
#ifndef MADANG_HEAP_MAP_FIND_H
#define MADANG_HEAP_MAP_FIND_H

#include "heap/map_internal.h"

#define MDG__EACH_BYTE UINT64_C(0x0101010101010101)
#define MDG__TAGS      UINT64_C(0x00ffffffffffffff) /* without the reach */

static inline uint64_t mdg__map_tag_of(uint64_t hash)
{
	return hash & 0xff;
}

/* The highest bit of each byte of `tags` that is `tag`, and perhaps of others. */
static inline uint64_t mdg__map_matches(uint64_t tags, uint64_t tag)
{
	uint64_t unlike = tags ^ tag * MDG__EACH_BYTE;
	return (unlike - MDG__EACH_BYTE) & ~unlike & (MDG__EACH_BYTE << 7) & MDG__TAGS;
}

/* ---- tables -------------------------------------------------------------------------------- */

static inline uint64_t mdg__map_buckets_begin(uint64_t ref)
{
	return MDG__MAP_ALIGN(ref + sizeof(struct mdg__map_table), sizeof(struct mdg__map_bucket));
}

static inline void mdg__map_view_fill(const struct mdg_map *map, uint64_t ref, uint32_t bits,
                                      struct mdg__map_view *ret)
{
	ret->buckets = (struct mdg__map_bucket *)(void *)(map->heap->base +
	                                                  (size_t)mdg__map_buckets_begin(ref));
	ret->bits = bits;
	ret->mask = (UINT32_C(1) << bits) - 1;
}

/* The processor begins to read the bucket before it is known whether it is one. */
static inline void mdg__map_fetch(const struct mdg_map *map, const struct mdg__map_part *part,
                                  uint64_t table, uint64_t hash)
{
	uint64_t at = mdg__map_buckets_begin(table) +
	              mdg__map_home(MDG__LOAD(part->bits), hash) * sizeof(struct mdg__map_bucket);
	if (at < map->heap->extent)
		__builtin_prefetch(map->heap->base + (size_t)at);
}

/* `room`: bytes that may be read at `ref`. */
static inline int mdg__map_table_check(const struct mdg_map *map, uint64_t ref, uint64_t room,
                                       struct mdg__map_view *ret)
{
	if (room < sizeof(struct mdg__map_table))
		return MDG_BROKEN;
	const struct mdg__map_table *table =
		(const struct mdg__map_table *)(void *)(map->heap->base + (size_t)ref);
	uint32_t bits = MDG__LOAD(table->bits);
	if (MDG__LOAD(table->mark) != MDG__MAP_TABLE_MARK || bits > MDG__MAP_BITS_MOST ||
	    room < mdg__map_buckets_begin(ref) - ref + (sizeof(struct mdg__map_bucket) << bits))
		return MDG_BROKEN;
	mdg__map_view_fill(map, ref, bits, ret);
	return 0;
}

/* mdg__map_table_read. */
static inline int mdg__map_table_look(const struct mdg_map *map, uint64_t ref,
                                      struct mdg__map_view *ret)
{
	ret->buckets = NULL;
	return ref == 0 ? 0 : mdg__map_table_check(map, ref, mdg__map_readable(map, ref), ret);
}

/* The same for a reader that looks at few buckets, and asks for each of them whether it has memory:
 * not all of the table is checked. */
static inline int mdg__map_table_glance(const struct mdg_map *map, uint64_t ref,
                                        struct mdg__map_view *ret)
{
	ret->buckets = NULL;
	return ref == 0 ? 0
	                : mdg__map_table_check(map, ref,
	                                       mdg__map_has_memory(map, ref) ? UINT64_MAX : 0, ret);
}

/* ---- nodes --------------------------------------------------------------------------------- */

static inline bool mdg__map_node_check(const struct mdg_map *map, uint64_t ref,
                                       struct mdg__map_seen *ret)
{
	uint64_t room = ref == 0 ? 0 : mdg__map_readable(map, ref);
	if (room < sizeof(struct mdg__map_node))
		return false;
	struct mdg__map_node *node =
		(struct mdg__map_node *)(void *)(map->heap->base + (size_t)ref);
	ret->node = node;
	ret->ref = ref;
	ret->key_length = MDG__LOAD(node->key_length);
	ret->length = MDG__LOAD(node->length);
	return mdg__map_value_offset(ret->key_length) + ret->length <= room;
}

/* Whether the bytes are equal. Keys are short, mostly. */
static inline bool mdg__map_equal(const unsigned char *one, const unsigned char *other,
                                  size_t length)
{
	if (length == 16)
		return ((mdg__sip_read(one) ^ mdg__sip_read(other)) |
		        (mdg__sip_read(one + 8) ^ mdg__sip_read(other + 8))) == 0;
	if (length < 8 || length > 64)
		return length == 0 || memcmp(one, other, length) == 0;
	for (size_t at = 0; at + 8 < length; at += 8)
		if (mdg__sip_read(one + at) != mdg__sip_read(other + at))
			return false;
	return mdg__sip_read(one + length - 8) == mdg__sip_read(other + length - 8);
}

/* One bucket; `tags` are its own. */
static inline __attribute__((always_inline)) bool
mdg__map_find_in(const struct mdg_map *map, struct mdg__map_bucket *bucket, uint64_t tags,
                 uint64_t tag, const void *key, size_t key_length, struct mdg__map_seen *ret)
{
	for (uint64_t found = mdg__map_matches(tags, tag); found != 0; found &= found - 1) {
		uint32_t slot = (uint32_t)__builtin_ctzll(found) / 8;
		/* Acquire: pairs with the release of who has put the node here. */
		uint64_t ref = atomic_load_explicit(&bucket->slot[slot], memory_order_acquire);
		if (mdg__map_node_check(map, ref, ret) && ret->key_length == key_length &&
		    mdg__map_equal(mdg__map_key(ret->node), key, key_length)) {
			ret->bucket = bucket;
			ret->slot = slot;
			return true;
		}
	}
	return false;
}

/* 0 or -ENOENT. `glance`: the view is from mdg__map_table_glance; MDG_BROKEN: a part of the table
 * has no memory. */
static inline __attribute__((always_inline)) int
mdg__map_find_in_table(const struct mdg_map *map, const struct mdg__map_view *view, bool glance,
                       uint64_t hash, const void *key, size_t key_length, struct mdg__map_seen *ret)
{
	if (view->buckets == NULL)
		return -ENOENT;
	uint64_t begin = (uint64_t)((uintptr_t)view->buckets - (uintptr_t)map->heap->base);
	uint32_t home = (uint32_t)mdg__map_home(view->bits, hash), reach = 0;
	for (uint32_t i = 0;; i++) {
		uint32_t at = (home + i) & view->mask;
		if (glance && !mdg__map_has_memory(map, begin + at * sizeof *view->buckets))
			return MDG_BROKEN;
		struct mdg__map_bucket *bucket = &view->buckets[at];
		uint64_t tags = atomic_load_explicit(&bucket->tags, memory_order_acquire);
		if (mdg__map_find_in(map, bucket, tags, mdg__map_tag_of(hash), key, key_length,
		                     ret))
			return 0;
		if (i == 0)
			reach = mdg__map_reach(tags);
		if (i == reach)
			return -ENOENT;
	}
}

#endif
