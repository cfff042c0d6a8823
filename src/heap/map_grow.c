/* SPDX-License-Identifier: MIT */
/*
 * map_grow.c - another table for a part, larger or smaller.
 *
 * The new table is held until it is swapped for the old one, and refers to the same nodes. So if
 * its maker is killed, it is freed and nothing has happened; or it is there and the old one is
 * freed. Readers of the old table go on with it until their read sections end. They may miss what
 * happens meanwhile, as if they had been faster.
 */
#include "heap/map_internal.h"

enum {
	ENTRIES_MOST_PERCENT = 70, /* of the slots: then a table grows */
	ENTRIES_LEAST_PERCENT = 7  /* then it shrinks */
};

static inline uint64_t percent(uint32_t bits, uint64_t of)
{
	return ((uint64_t)MDG__MAP_SLOTS << bits) * of / 100;
}

/* Puts all nodes of the old table into the new one, and counts the entries. False: there is not
 * room for all. */
static bool copy(const struct mdg_map *map, const struct mdg__map_view *old,
                 const struct mdg__map_view *new, uint64_t *ret_count)
{
	uint64_t count = 0;
	if (old->buckets != NULL)
		for (uint32_t i = 0; i <= old->mask; i++)
			for (uint32_t slot = 0; slot < MDG__MAP_SLOTS; slot++) {
				struct mdg__map_seen seen;
				uint64_t ref = MDG__LOAD(old->buckets[i].slot[slot]);
				if (!mdg__map_node_at(map, ref, &seen))
					continue; /* 0, or nonsense, which stays behind */
				_Atomic uint64_t *room =
					mdg__map_room(new, MDG__LOAD(seen.node->hash));
				if (room == NULL)
					return false;
				MDG__STORE(*room, ref);
				count += (map->flags & MDG_MAP_REFS) == 0 ||
				         MDG__LOAD(seen.node->value) != 0;
			}
	*ret_count = count;
	return true;
}

/* [L] Makes the new table the part's. Its nodes are seen by whoever sees the table (release). */
static int exchange(const struct mdg_map *map, struct mdg__map_part *part, void *block,
                    uint32_t bits)
{
	mdg_ref *place = mdg__map_place(&part->table);
	void *old = NULL;
	int rc = MDG__LOAD(part->table) == 0 ? mdg_publish(map->heap, block, place, 0)
	                                     : mdg_swap(map->heap, block, place, &old);
	if (rc == 0) {
		MDG__STORE(part->bits, bits);
		mdg__map_retire(map, old);
	}
	return rc;
}

/* [L] Gives the part a table of 2^bits buckets, or more if its nodes need more. */
static int rebuild(const struct mdg_map *map, struct mdg__map_part *part,
                   const struct mdg__map_view *old, uint32_t bits)
{
	for (; bits <= MDG__MAP_BITS_MOST; bits++) {
		struct mdg__map_view new;
		uint64_t count;
		void *block = mdg_hold(map->heap, (size_t)mdg__map_table_bytes(bits));
		if (block == NULL)
			return mdg_heap_why(map->heap);
		mdg__map_table_make(map, block, bits, &new);
		int rc = copy(map, old, &new, &count) ? exchange(map, part, block, bits) : -E2BIG;
		if (rc == 0) {
			MDG__STORE(part->count, count);
			return 0;
		}
		(void)mdg_free(map->heap, block);
		/* No hash fills few buckets of many: these nodes say what no call has said. */
		if (rc != -E2BIG || percent(bits, ENTRIES_LEAST_PERCENT) > MDG__LOAD(part->count))
			return rc == -E2BIG ? MDG_BROKEN : rc;
	}
	return -ENOMEM;
}

static bool is_full(const struct mdg__map_part *part, const struct mdg__map_view *view)
{
	return MDG__LOAD(part->count) >= percent(view->bits, ENTRIES_MOST_PERCENT);
}

/* One attempt. *ret_slot is NULL if a new table has no room for this hash either. */
static int room_or_grow(const struct mdg_map *map, struct mdg__map_part *part, uint64_t hash,
                        _Atomic uint64_t **ret_slot)
{
	struct mdg__map_view view;
	*ret_slot = NULL;
	int rc = mdg__map_table_at(map, MDG__LOAD(part->table), &view);
	if (rc != 0)
		return rc;
	if (view.buckets == NULL) {
		rc = rebuild(map, part, &view, map->least);
	} else {
		if (!is_full(part, &view))
			*ret_slot = mdg__map_room(&view, hash);
		if (*ret_slot == NULL) {
			/* The count was only a hint, and does not contain nodes without a value. */
			mdg__map_tidy(map, part);
			if (!is_full(part, &view))
				*ret_slot = mdg__map_room(&view, hash);
		}
		if (*ret_slot != NULL)
			return 0;
		rc = rebuild(map, part, &view, view.bits + 1);
	}
	if (rc == 0)
		rc = mdg__map_table_at(map, MDG__LOAD(part->table), &view);
	/* If there is no memory for a larger table, this one may have room all the same. */
	if (view.buckets != NULL)
		*ret_slot = mdg__map_room(&view, hash);
	return *ret_slot != NULL ? 0 : rc;
}

int mdg__map_make_room(const struct mdg_map *map, struct mdg__map_part *part, uint64_t hash,
                       _Atomic uint64_t **ret_slot)
{
	_Atomic uint64_t *slot = NULL;
	for (int tries = 0; slot == NULL && tries < 3; tries++) {
		int rc = room_or_grow(map, part, hash, &slot);
		if (rc != 0)
			return rc;
	}
	if (slot == NULL)
		return MDG_BROKEN;
	*ret_slot = slot;
	return 0;
}

void mdg__map_shrink(const struct mdg_map *map, struct mdg__map_part *part)
{
	struct mdg__map_view view;
	if (mdg__map_table_at(map, MDG__LOAD(part->table), &view) != 0 || view.buckets == NULL ||
	    view.bits <= map->least ||
	    MDG__LOAD(part->count) > percent(view.bits, ENTRIES_LEAST_PERCENT))
		return;
	uint32_t bits = view.bits > map->least + 2 ? view.bits - 2 : map->least;
	(void)rebuild(map, part, &view, bits); /* if it fails, the table stays as it is */
}
