/* SPDX-License-Identifier: MIT */
/*
 * map_clear.c - removing all entries.
 *
 * Each of them is taken by itself, so that nothing is lost if the caller is killed on the way. The
 * tables are made small at the end, and stay.
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

static int clear_part(const struct mdg_map *map, struct mdg__map_part *part)
{
	struct mdg__map_view view;
	int rc = mdg__map_table_at(map, MDG__LOAD(part->table), &view);
	if (rc != 0 || view.buckets == NULL)
		return rc;
	for (uint32_t i = 0; rc == 0 && i <= view.mask; i++)
		for (uint32_t slot = 0; rc == 0 && slot < MDG__MAP_SLOTS; slot++)
			if (MDG__LOAD(view.buckets[i].slot[slot]) != 0)
				rc = clear_slot(map, &view.buckets[i].slot[slot]);
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
		mdg__map_unlock(part);
	}
	return rc;
}
