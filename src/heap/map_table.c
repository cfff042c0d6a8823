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
#include "heap/map_find.h"

#define ONE_REACH (UINT64_C(1) << 56)

/* ---- tables -------------------------------------------------------------------------------- */

uint64_t mdg__map_table_bytes(uint32_t bits)
{
	return sizeof(struct mdg__map_table) + sizeof(struct mdg__map_bucket) +
	       (sizeof(struct mdg__map_bucket) << bits);
}

void mdg__map_table_make(const struct mdg_map *map, void *block, uint32_t bits,
                         struct mdg__map_view *ret)
{
	struct mdg__map_table *table = block;
	memset(block, 0, (size_t)mdg__map_table_bytes(bits));
	MDG__STORE(table->mark, MDG__MAP_TABLE_MARK);
	MDG__STORE(table->bits, bits);
	mdg__map_view_fill(map, mdg_ref_of(map->heap, block), bits, ret);
}

int mdg__map_table_at(const struct mdg_map *map, uint64_t ref, struct mdg__map_view *ret)
{
	struct mdg__block block;
	ret->buckets = NULL;
	if (ref == 0)
		return 0;
	if (mdg__block_find(mdg__heap_of(map->heap), ref, &block) != 0)
		return MDG_BROKEN;
	return mdg__map_table_check(map, ref, block.size, ret);
}

int mdg__map_table_read(const struct mdg_map *map, uint64_t ref, struct mdg__map_view *ret)
{
	return mdg__map_table_look(map, ref, ret);
}

/* ---- nodes --------------------------------------------------------------------------------- */

bool mdg__map_node_at(const struct mdg_map *map, uint64_t ref, struct mdg__map_seen *ret)
{
	return mdg__map_node_check(map, ref, ret);
}

bool mdg__map_find(const struct mdg_map *map, const struct mdg__map_view *view, uint64_t hash,
                   const void *key, size_t key_length, struct mdg__map_seen *ret)
{
	return mdg__map_find_in_table(map, view, false, hash, key, key_length, ret) == 0;
}

/* ---- room ---------------------------------------------------------------------------------- */

static void reach_set(struct mdg__map_bucket *bucket, uint32_t reach)
{
	atomic_store_explicit(&bucket->tags,
	                      (MDG__LOAD(bucket->tags) & MDG__TAGS) | reach * ONE_REACH,
	                      memory_order_release);
}

static void tag_set(struct mdg__map_bucket *bucket, uint32_t slot, uint64_t tag)
{
	uint64_t others = MDG__LOAD(bucket->tags) & ~(UINT64_C(0xff) << (8 * slot));
	atomic_store_explicit(&bucket->tags, others | tag << (8 * slot), memory_order_release);
}

_Atomic uint64_t *mdg__map_room(const struct mdg__map_view *view, uint64_t hash)
{
	uint32_t home = (uint32_t)mdg__map_home(view->bits, hash);
	for (uint32_t i = 0; i <= MDG__MAP_REACH_MOST && i <= view->mask; i++) {
		struct mdg__map_bucket *bucket = &view->buckets[(home + i) & view->mask];
		for (uint32_t slot = 0; slot < MDG__MAP_SLOTS; slot++)
			if (MDG__LOAD(bucket->slot[slot]) == 0) {
				struct mdg__map_bucket *first = &view->buckets[home];
				if (mdg__map_reach(MDG__LOAD(first->tags)) < i)
					reach_set(first, i);
				tag_set(bucket, slot, mdg__map_tag_of(hash));
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
		                 mdg__map_home(view->bits, MDG__LOAD(seen.node->hash)) == home))
			return true;
	}
	return false;
}

void mdg__map_gone(const struct mdg_map *map, const struct mdg__map_view *view,
                   const struct mdg__map_bucket *from, uint64_t hash)
{
	uint32_t home = (uint32_t)mdg__map_home(view->bits, hash);
	struct mdg__map_bucket *first = &view->buckets[home];
	uint32_t reach = mdg__map_reach(MDG__LOAD(first->tags)), now = reach;
	if (reach == 0 || from != &view->buckets[(home + reach) & view->mask])
		return;
	while (now > 0 && !has_from(map, view, &view->buckets[(home + now) & view->mask], home))
		now--;
	if (now != reach)
		reach_set(first, now);
}
