/* SPDX-License-Identifier: MIT */
/*
 * map_table.c - the table of a part: finding a key, and room for one.
 *
 * A node lies in its home bucket, or in one of the 7 behind it. A node never moves within a table.
 * So a reader that meets no node with its key has been in a moment in which there was none:
 *   - While the key is in the table, it stays in one slot. A new value replaces the node there.
 *   - It gets another slot only after it was removed.
 *   - Tag and reach are right from before the slot is filled until after it is empty.
 */
#include "heap/map_internal.h"

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define TAGS      UINT64_C(0x00ffffffffffffff) /* without the reach */
#define ONE_REACH (UINT64_C(1) << 56)

static inline uint64_t tag_of(uint64_t hash)
{
	return hash & 0xff;
}

/* The highest bit of each byte of `tags` that is `tag`, and perhaps of others. */
static inline uint64_t matches(uint64_t tags, uint64_t tag)
{
	uint64_t unlike = tags ^ tag * EACH_BYTE;
	return (unlike - EACH_BYTE) & ~unlike & (EACH_BYTE << 7) & TAGS;
}

/* ---- tables -------------------------------------------------------------------------------- */

static inline uint64_t buckets_begin(uint64_t ref)
{
	return MDG__MAP_ALIGN(ref + sizeof(struct mdg__map_table), sizeof(struct mdg__map_bucket));
}

uint64_t mdg__map_table_bytes(uint32_t bits)
{
	return sizeof(struct mdg__map_table) + sizeof(struct mdg__map_bucket) +
	       (sizeof(struct mdg__map_bucket) << bits);
}

static void view_fill(const struct mdg_map *map, uint64_t ref, uint32_t bits,
                      struct mdg__map_view *ret)
{
	ret->buckets =
		(struct mdg__map_bucket *)(void *)(map->heap->base + (size_t)buckets_begin(ref));
	ret->bits = bits;
	ret->mask = (UINT32_C(1) << bits) - 1;
}

void mdg__map_table_make(const struct mdg_map *map, void *block, uint32_t bits,
                         struct mdg__map_view *ret)
{
	struct mdg__map_table *table = block;
	memset(block, 0, (size_t)mdg__map_table_bytes(bits));
	MDG__STORE(table->mark, MDG__MAP_TABLE_MARK);
	MDG__STORE(table->bits, bits);
	view_fill(map, mdg_ref_of(map->heap, block), bits, ret);
}

/* `room`: bytes that may be read at `ref`. */
static inline int table_check(const struct mdg_map *map, uint64_t ref, uint64_t room,
                              struct mdg__map_view *ret)
{
	if (room < sizeof(struct mdg__map_table))
		return MDG_BROKEN;
	const struct mdg__map_table *table =
		(const struct mdg__map_table *)(void *)(map->heap->base + (size_t)ref);
	uint32_t bits = MDG__LOAD(table->bits);
	if (MDG__LOAD(table->mark) != MDG__MAP_TABLE_MARK || bits > MDG__MAP_BITS_MOST ||
	    room < buckets_begin(ref) - ref + (sizeof(struct mdg__map_bucket) << bits))
		return MDG_BROKEN;
	view_fill(map, ref, bits, ret);
	return 0;
}

int mdg__map_table_at(const struct mdg_map *map, uint64_t ref, struct mdg__map_view *ret)
{
	struct mdg__block block;
	ret->buckets = NULL;
	if (ref == 0)
		return 0;
	if (mdg__block_find(mdg__heap_of(map->heap), ref, &block) != 0)
		return MDG_BROKEN;
	return table_check(map, ref, block.size, ret);
}

int mdg__map_table_read(const struct mdg_map *map, uint64_t ref, struct mdg__map_view *ret)
{
	ret->buckets = NULL;
	return ref == 0 ? 0 : table_check(map, ref, mdg__map_readable(map, ref), ret);
}

/* ---- nodes --------------------------------------------------------------------------------- */

static inline bool node_check(const struct mdg_map *map, uint64_t ref, struct mdg__map_seen *ret)
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

bool mdg__map_node_at(const struct mdg_map *map, uint64_t ref, struct mdg__map_seen *ret)
{
	return node_check(map, ref, ret);
}

/* One bucket; `tags` are its own. */
static inline bool find_in(const struct mdg_map *map, struct mdg__map_bucket *bucket, uint64_t tags,
                           uint64_t tag, const void *key, size_t key_length,
                           struct mdg__map_seen *ret)
{
	for (uint64_t found = matches(tags, tag); found != 0; found &= found - 1) {
		uint32_t slot = (uint32_t)__builtin_ctzll(found) / 8;
		/* Acquire: pairs with the release of who has put the node here. */
		uint64_t ref = atomic_load_explicit(&bucket->slot[slot], memory_order_acquire);
		if (node_check(map, ref, ret) && ret->key_length == key_length &&
		    memcmp(mdg__map_key(ret->node), key, key_length) == 0) {
			ret->bucket = bucket;
			ret->slot = slot;
			return true;
		}
	}
	return false;
}

bool mdg__map_find(const struct mdg_map *map, const struct mdg__map_view *view, uint64_t hash,
                   const void *key, size_t key_length, struct mdg__map_seen *ret)
{
	if (view->buckets == NULL)
		return false;
	uint32_t home = mdg__map_home(view, hash);
	struct mdg__map_bucket *bucket = &view->buckets[home];
	uint64_t tags = atomic_load_explicit(&bucket->tags, memory_order_acquire);
	uint32_t reach = mdg__map_reach(tags);
	for (uint32_t i = 0;; tags = atomic_load_explicit(&bucket->tags, memory_order_acquire)) {
		if (find_in(map, bucket, tags, tag_of(hash), key, key_length, ret))
			return true;
		if (i++ == reach)
			return false;
		bucket = &view->buckets[(home + i) & view->mask];
	}
}

/* ---- room ---------------------------------------------------------------------------------- */

static void reach_set(struct mdg__map_bucket *bucket, uint32_t reach)
{
	atomic_store_explicit(&bucket->tags, (MDG__LOAD(bucket->tags) & TAGS) | reach * ONE_REACH,
	                      memory_order_release);
}

static void tag_set(struct mdg__map_bucket *bucket, uint32_t slot, uint64_t tag)
{
	uint64_t others = MDG__LOAD(bucket->tags) & ~(UINT64_C(0xff) << (8 * slot));
	atomic_store_explicit(&bucket->tags, others | tag << (8 * slot), memory_order_release);
}

_Atomic uint64_t *mdg__map_room(const struct mdg__map_view *view, uint64_t hash)
{
	uint32_t home = mdg__map_home(view, hash);
	for (uint32_t i = 0; i <= MDG__MAP_REACH_MOST && i <= view->mask; i++) {
		struct mdg__map_bucket *bucket = &view->buckets[(home + i) & view->mask];
		for (uint32_t slot = 0; slot < MDG__MAP_SLOTS; slot++)
			if (MDG__LOAD(bucket->slot[slot]) == 0) {
				struct mdg__map_bucket *first = &view->buckets[home];
				if (mdg__map_reach(MDG__LOAD(first->tags)) < i)
					reach_set(first, i);
				tag_set(bucket, slot, tag_of(hash));
				return &bucket->slot[slot];
			}
	}
	return NULL;
}

/* Whether a bucket has a node whose home is this one. */
static bool has_from(const struct mdg_map *map, const struct mdg__map_view *view,
                     struct mdg__map_bucket *bucket, uint32_t home)
{
	for (uint32_t slot = 0; slot < MDG__MAP_SLOTS; slot++) {
		struct mdg__map_seen seen;
		uint64_t ref = MDG__LOAD(bucket->slot[slot]);
		if (ref != 0 && (!mdg__map_node_at(map, ref, &seen) ||
		                 mdg__map_home(view, MDG__LOAD(seen.node->hash)) == home))
			return true;
	}
	return false;
}

void mdg__map_gone(const struct mdg_map *map, const struct mdg__map_view *view,
                   const struct mdg__map_bucket *from, uint64_t hash)
{
	uint32_t home = mdg__map_home(view, hash);
	struct mdg__map_bucket *first = &view->buckets[home];
	uint32_t reach = mdg__map_reach(MDG__LOAD(first->tags)), now = reach;
	if (reach == 0 || from != &view->buckets[(home + reach) & view->mask])
		return;
	while (now > 0 && !has_from(map, view, &view->buckets[(home + now) & view->mask], home))
		now--;
	if (now != reach)
		reach_set(first, now);
}
