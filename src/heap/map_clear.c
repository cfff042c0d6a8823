/* SPDX-License-Identifier: MIT */
/*
 * map_clear.c - removing all entries, and removing the whole map.
 *
 * Each entry is taken by itself, so that nothing is lost if the caller is killed on the way. When
 * all are cleared, the tables are made small at the end, and stay.
 *
 * Removing a map goes through it once more and takes the tables too. From the first store on, the
 * map is gone for everybody. Then whoever finds what is left of it goes on, one at a time: the one
 * who has the lock of part 0. It keeps that lock until it has taken the head out of the root.
 * Otherwise the head could be freed while another one is at work in a part.
 */
#include "heap/map_internal.h"

static int clear_slot(const struct mdg_map *map, _Atomic uint64_t *slot)
{
	struct mdg__map_seen seen;
	if ((map->flags & MDG_MAP_REFS) != 0 && mdg__map_node_at(map, MDG__LOAD(*slot), &seen))
		mdg__map_retire(map, mdg_take(map->heap, mdg__map_place(&seen.node->value)));
	void *node = mdg_take(map->heap, mdg__map_place(slot));
	if (node == NULL)
		return mdg_heap_why(map->heap) != 0 ? mdg_heap_why(map->heap) : MDG_BROKEN;
	mdg__map_retire(map, node);
	return 0;
}

/* `all`: what makes no sense is left where it is. */
static int clear_table(const struct mdg_map *map, const struct mdg__map_view *view, bool all)
{
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i <= view->mask; i++)
		for (uint32_t slot = 0; rc == 0 && slot < MDG__MAP_SLOTS; slot++)
			if (MDG__LOAD(view->buckets[i].slot[slot]) != 0) {
				rc = clear_slot(map, &view->buckets[i].slot[slot]);
				if (all && (rc == -EINVAL || rc == MDG_BROKEN))
					rc = 0;
			}
	return rc;
}

static int clear_part(const struct mdg_map *map, struct mdg__map_part *part)
{
	struct mdg__map_view view;
	int rc = mdg__map_table_at(map, MDG__LOAD(part->table), &view);
	if (rc != 0 || view.buckets == NULL)
		return rc;
	rc = clear_table(map, &view, false);
	mdg__map_tidy(map, part);
	mdg__map_shrink(map, part);
	return rc;
}

int mdg_map_clear(mdg_map *map)
{
	int rc = 0;
	for (int i = 0; rc == 0 && i < MDG__MAP_PARTS; i++) {
		struct mdg__map_part *part = &map->head->part[i];
		rc = mdg__map_lock(map, part);
		if (rc != 0)
			continue;
		rc = clear_part(map, part);
		mdg__map_unlock(map, part);
	}
	return rc;
}

/* ---- the whole map ------------------------------------------------------------------------- */

/* From here on the map is gone for everybody but those who remove it. */
static int mark(const struct mdg_map *map)
{
	uint64_t identity = map->identity;
	int rc = mdg_read_begin(map->heap);
	if (rc != 0)
		return rc;
	/* Acquire: as in mdg__map_is_there. */
	if (atomic_load_explicit(map->place, memory_order_acquire) != map->ref ||
	    (!atomic_compare_exchange_strong(&map->head->identity, &identity, 0) && identity != 0))
		rc = -EIDRM;
	(void)mdg_read_end(map->heap);
	return rc;
}

/* [L] Takes out what the part has. A table that makes no sense stays allocated. */
static int remove_part(const struct mdg_map *map, struct mdg__map_part *part)
{
	struct mdg__map_view view;
	if (MDG__LOAD(part->table) == 0 ||
	    mdg__map_table_at(map, MDG__LOAD(part->table), &view) != 0)
		return 0;
	int rc = clear_table(map, &view, true);
	if (rc != 0)
		return rc;
	void *table = mdg_take(map->heap, mdg__map_place(&part->table));
	if (table == NULL)
		return mdg_heap_why(map->heap);
	mdg__map_retire(map, table);
	return 0;
}

/* [L] */
static int remove_parts(const struct mdg_map *map)
{
	int rc = remove_part(map, &map->head->part[0]);
	for (int i = 1; rc == 0 && i < MDG__MAP_PARTS; i++) {
		struct mdg__map_part *part = &map->head->part[i];
		rc = mdg__map_lock_to_remove(map, part);
		if (rc != 0)
			break;
		rc = remove_part(map, part);
		mdg__map_give(part);
	}
	return rc;
}

/* With the lock of part 0 all the time. So nobody else has a lock of this map, or waits for one of
 * another part, when the head is taken out. */
int mdg__map_remove_all(const struct mdg_map *map)
{
	void *block = NULL;
	int rc = mark(map);
	if (rc == 0)
		rc = mdg__map_lock_to_remove(map, &map->head->part[0]);
	if (rc != 0)
		return rc;
	rc = remove_parts(map);
	if (rc == 0) {
		block = mdg_take(map->heap, mdg__map_place(map->place));
		rc = block == NULL ? mdg_heap_why(map->heap) : 0;
	}
	/* Who has not come to the end is not the one who frees the head. */
	mdg__map_unlock(map, &map->head->part[0]);
	mdg__map_retire(map, block);
	return rc;
}
