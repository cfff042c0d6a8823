/* SPDX-License-Identifier: MIT */
/*
 * map_walk.c - a walk over all entries, and counting them.
 *
 * A walk goes by the hash, and the cursor is the hash of the entry that was shown last. An entry
 * keeps its hash for life, whatever table it lies in. So none is shown twice and none is left out
 * when a part grows or when an entry gets a new value. If two keys have the same hash, a second one
 * decides.
 *
 * All nodes with the same home have hashes between those of the home before and of the one behind.
 * So one step looks at the buckets of one home, for the least hash above the cursor, and goes to
 * the next home if there is none.
 */
#include "heap/map_internal.h"
#include "platform/sized.h"

struct position {
	uint64_t hash, second;
};

static uint64_t second_hash(const struct mdg_map *map, const struct mdg__map_seen *seen)
{
	const uint64_t secret[2] = { map->secret.sip[1], ~map->secret.sip[0] };
	return mdg__map_siphash(secret, mdg__map_key(seen->node), seen->key_length, 1);
}

/* Whether a node comes behind the position. */
static bool is_behind(const struct mdg_map *map, const struct mdg__map_seen *seen, uint64_t hash,
                      const struct position *position)
{
	return hash > position->hash ||
	       (hash == position->hash && second_hash(map, seen) > position->second);
}

/* Finds the next one of those whose home is this bucket. */
static bool next_of_home(const struct mdg_map *map, const struct mdg__map_view *view, uint32_t home,
                         const struct position *after, struct mdg_map_entry *ret,
                         struct position *ret_position)
{
	bool found = false;
	uint32_t reach = mdg__map_reach(
		atomic_load_explicit(&view->buckets[home].tags, memory_order_acquire));
	for (uint32_t i = 0; i < (reach + 1) * MDG__MAP_SLOTS; i++) {
		struct mdg__map_seen seen;
		struct mdg__map_bucket *bucket =
			&view->buckets[(home + i / MDG__MAP_SLOTS) & view->mask];
		uint64_t ref = atomic_load_explicit(&bucket->slot[i % MDG__MAP_SLOTS],
		                                    memory_order_acquire);
		if (!mdg__map_node_at(map, ref, &seen))
			continue;
		uint64_t hash = MDG__LOAD(seen.node->hash);
		if (mdg__map_home(view->bits, hash) != home ||
		    !is_behind(map, &seen, hash, after) ||
		    (found && is_behind(map, &seen, hash, ret_position)) ||
		    !mdg__map_show(map, &seen, ret))
			continue;
		found = true;
		*ret_position = (struct position){ hash, second_hash(map, &seen) };
	}
	return found;
}

/* Finds the next one of this part. 1, 0: none, or MDG_BROKEN. */
static int next_of_part(const struct mdg_map *map, uint64_t index, const struct position *after,
                        struct mdg_map_entry *ret, struct position *ret_position)
{
	struct mdg__map_view view;
	/* Acquire: pairs with the release of who has put the table here. */
	uint64_t ref = atomic_load_explicit(&map->head->part[index].table, memory_order_acquire);
	int rc = mdg__map_table_read(map, ref, &view);
	if (rc != 0 || view.buckets == NULL)
		return rc;
	for (uint32_t home = (uint32_t)mdg__map_home(view.bits, after->hash); home <= view.mask;
	     home++)
		if (next_of_home(map, &view, home, after, ret, ret_position))
			return 1;
	return 0;
}

int mdg_map_next(mdg_map *map, struct mdg_map_cursor *cursor, struct mdg_map_entry *ret_entry)
{
	struct mdg_map_entry own = { 0 };
	struct position after = { cursor->mdg_private[0], cursor->mdg_private[1] }, found = { 0 };
	if (!mdg__sized_is_valid(ret_entry->size))
		return -EINVAL;
	int rc = mdg__map_is_reading(map);
	uint64_t index = after.hash >> MDG__MAP_PART_SHIFT;
	for (; rc == 0 && index < MDG__MAP_PARTS; index++) {
		rc = next_of_part(map, index, &after, &own, &found);
		after = (struct position){ (index + 1) << MDG__MAP_PART_SHIFT, 0 };
	}
	if (rc == 0 && !mdg__map_is_there(map)) /* as in map_get.c */
		rc = -EIDRM;
	if (rc != 1)
		return rc;
	cursor->mdg_private[0] = found.hash;
	cursor->mdg_private[1] = found.second;
	mdg__sized_give(ret_entry, &own, sizeof own);
	return 1;
}

uint64_t mdg_map_count(mdg_map *map)
{
	uint64_t count = 0;
	bool reads = mdg_read_begin(map->heap) == 0; /* not if the heap is read only */
	for (int i = 0; i < MDG__MAP_PARTS && mdg__map_is_there(map); i++)
		count += MDG__LOAD(map->head->part[i].count);
	if (reads)
		(void)mdg_read_end(map->heap);
	return count;
}
