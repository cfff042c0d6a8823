/* SPDX-License-Identifier: MIT */
/*
 * map_get.c - looking a key up, without a lock.
 */
#include "heap/guard.h"
#include "heap/map_internal.h"
#include "platform/sized.h"

int mdg__map_is_reading(const struct mdg_map *map)
{
	int why = 0;
	struct mdg__heap_own *own = mdg__own_begin(mdg__heap_of(map->heap), &why);
	if (own == NULL)
		return why;
	int rc = own->reading != 0 ? 0 : -EPERM;
	mdg__own_end(own);
	return rc == 0 && !mdg__map_is_there(map) ? -EIDRM : rc;
}

/* ---- what an entry shows ------------------------------------------------------------------- */

static bool show_block(const struct mdg_map *map, const struct mdg__map_seen *seen,
                       struct mdg_map_entry *ret)
{
	struct mdg__block block;
	/* Acquire: pairs with the release of who has put the block here. */
	uint64_t ref = atomic_load_explicit(&seen->node->value, memory_order_acquire);
	const void *at = mdg_at(map->heap, ref);
	if (at == NULL || mdg__block_find(mdg__heap_of(map->heap), ref, &block) != 0)
		return false;
	ret->length = mdg__usable(mdg__heap_of(map->heap), &block);
	ret->version = ret->ref = ref;
	ret->value = at;
	return true;
}

bool mdg__map_show(const struct mdg_map *map, const struct mdg__map_seen *seen,
                   struct mdg_map_entry *ret)
{
	ret->key_length = seen->key_length;
	ret->key = mdg__map_key(seen->node);
	if ((map->flags & MDG_MAP_REFS) != 0)
		return show_block(map, seen, ret);
	ret->length = seen->length;
	ret->version = MDG__LOAD(seen->node->value);
	ret->ref = seen->ref + mdg__map_value_offset(seen->key_length);
	ret->value = mdg__map_value(seen);
	return true;
}

/* 0, -ENOENT or MDG_BROKEN. [in a read section] */
static int look_up(const struct mdg_map *map, const void *key, size_t key_length,
                   struct mdg_map_entry *ret)
{
	struct mdg__map_view view;
	struct mdg__map_seen seen;
	uint64_t hash = mdg__map_hash(map, key, key_length);
	if (!mdg__map_is_there(map))
		return -EIDRM;
	/* Acquire: pairs with the release of who has put the table here. */
	uint64_t table =
		atomic_load_explicit(&mdg__map_part_of(map, hash)->table, memory_order_acquire);
	int rc = mdg__map_table_read(map, table, &view);
	if (rc != 0)
		return rc;
	if (mdg__map_find(map, &view, hash, key, key_length, &seen) &&
	    mdg__map_show(map, &seen, ret))
		return 0;
	/* Again: somebody may have taken it out to remove the map. */
	return mdg__map_is_there(map) ? -ENOENT : -EIDRM;
}

/* ---- the public functions ------------------------------------------------------------------ */

static int copy_out(const struct mdg_map *map, const struct mdg_map_entry *entry, void *value,
                    size_t room, size_t *ret_length)
{
	bool is_ref = (map->flags & MDG_MAP_REFS) != 0;
	uint64_t length = is_ref ? sizeof entry->ref : entry->length;
	if (ret_length != NULL)
		*ret_length = (size_t)length;
	if (length > room)
		return -EMSGSIZE;
	if (length != 0)
		memcpy(value, is_ref ? &entry->ref : entry->value, (size_t)length);
	return 0;
}

int mdg_map_get(mdg_map *map, const void *key, size_t key_length, void *value, size_t room,
                size_t *ret_length, uint64_t *ret_version)
{
	struct mdg_map_entry entry;
	int rc = mdg_read_begin(map->heap);
	if (rc != 0)
		return rc;
	rc = key_length > MDG_MAP_KEY_MAX ? -ENOENT : look_up(map, key, key_length, &entry);
	if (rc == 0)
		rc = copy_out(map, &entry, value, room, ret_length);
	if (rc == 0 && ret_version != NULL)
		*ret_version = entry.version;
	(void)mdg_read_end(map->heap);
	return rc;
}

int mdg_map_see(mdg_map *map, const void *key, size_t key_length, struct mdg_map_entry *ret_entry)
{
	struct mdg_map_entry own = { 0 };
	if (!mdg__sized_is_valid(ret_entry->size))
		return -EINVAL;
	int rc = mdg__map_is_reading(map);
	if (rc == 0)
		rc = key_length > MDG_MAP_KEY_MAX ? -ENOENT : look_up(map, key, key_length, &own);
	if (rc == 0)
		mdg__sized_give(ret_entry, &own, sizeof own);
	return rc;
}
