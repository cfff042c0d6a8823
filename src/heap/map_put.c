/* SPDX-License-Identifier: MIT */
/*
 * map_put.c - putting and removing values that are bytes.
 *
 * The node is made before the lock is taken, and held until it is in the table. What it replaces is
 * held until it is retired, after the lock was given back.
 */
#include "heap/map_internal.h"

static inline void change_make(struct mdg__map_change *change, const struct mdg_map *map,
                               const void *key, size_t key_length, const uint64_t *expected)
{
	*change = (struct mdg__map_change){ .key = key,
		                            .key_length = key_length,
		                            .hash = mdg__map_hash(map, key, key_length),
		                            .is_conditional = expected != NULL,
		                            .expected = expected != NULL ? *expected : 0 };
}

/* A held block with the entry; its version is still to come. NULL: mdg_heap_why. */
static struct mdg__map_node *node_make(const struct mdg_map *map,
                                       const struct mdg__map_change *change, const void *value,
                                       size_t length)
{
	uint64_t offset = mdg__map_value_offset((uint32_t)change->key_length);
	struct mdg__map_node *node = mdg_hold(map->heap, (size_t)(offset + length));
	if (node == NULL)
		return NULL;
	mdg__map_node_fill(node, change, value, length);
	return node;
}

/* ---- under the lock ------------------------------------------------------------------------ */

static int insert(const struct mdg_map *map, struct mdg__map_part *part,
                  const struct mdg__map_change *change)
{
	_Atomic uint64_t *slot;
	int rc = mdg__map_make_room(map, part, change->hash, &slot);
	if (rc == 0)
		rc = mdg_publish(map->heap, change->node, mdg__map_place(slot), 0);
	if (rc == 0)
		mdg__map_count_add(part, 1);
	return rc;
}

static int take_out(const struct mdg_map *map, struct mdg__map_part *part,
                    const struct mdg__map_view *view, const struct mdg__map_seen *seen,
                    struct mdg__map_change *change)
{
	change->old = mdg_take(map->heap, mdg__map_place(&seen->bucket->slot[seen->slot]));
	if (change->old == NULL)
		return mdg_heap_why(map->heap) != 0 ? mdg_heap_why(map->heap) : MDG_BROKEN;
	mdg__map_gone(map, view, seen->bucket, change->hash);
	mdg__map_count_add(part, (uint64_t)-1);
	mdg__map_shrink(map, part);
	return 0;
}

static int change_locked(const struct mdg_map *map, struct mdg__map_part *part,
                         struct mdg__map_change *change)
{
	struct mdg__map_view view;
	struct mdg__map_seen seen;
	int rc = mdg__map_table_at(map, MDG__LOAD(part->table), &view);
	if (rc != 0)
		return rc;
	bool is_there =
		mdg__map_find(map, &view, change->hash, change->key, change->key_length, &seen);
	uint64_t version = is_there ? MDG__LOAD(seen.node->value) : 0;
	if (change->node == NULL && !is_there)
		return -ENOENT;
	if (change->is_conditional && change->expected != version)
		return -ESTALE;
	if (change->node == NULL)
		return take_out(map, part, &view, &seen, change);
	change->version = MDG__LOAD(part->version) + 1;
	MDG__STORE(part->version, change->version);
	MDG__STORE(change->node->value, change->version);
	return is_there ? mdg_swap(map->heap, change->node,
	                           mdg__map_place(&seen.bucket->slot[seen.slot]), &change->old)
	                : insert(map, part, change);
}

static int change_do(const struct mdg_map *map, struct mdg__map_change *change)
{
	struct mdg__map_part *part = mdg__map_part_of(map, change->hash);
	int rc = mdg__map_lock(map, part);
	if (rc == 0) {
		rc = change_locked(map, part, change);
		mdg__map_unlock(map, part);
	}
	if (rc == 0)
		mdg__map_retire(map, change->old);
	else if (change->node != NULL)
		(void)mdg_free(map->heap, change->node);
	return rc;
}

/* ---- the public functions ------------------------------------------------------------------ */

static int put(const struct mdg_map *map, const void *key, size_t key_length, const void *value,
               size_t length, const uint64_t *expected, struct mdg__map_change *ret)
{
	if ((map->flags & MDG_MAP_REFS) != 0 || key_length > MDG_MAP_KEY_MAX ||
	    length > MDG_MAP_VALUE_MAX)
		return -EINVAL;
	change_make(ret, map, key, key_length, expected);
	if (mdg__map_over(map, ret, value, length))
		return 0;
	if (ret->node == NULL)
		ret->node = node_make(map, ret, value, length);
	return ret->node == NULL ? mdg_heap_why(map->heap) : change_do(map, ret);
}

int mdg_map_put(mdg_map *map, const void *key, size_t key_length, const void *value, size_t length,
                uint64_t *ret_version)
{
	struct mdg__map_change change;
	int rc = put(map, key, key_length, value, length, NULL, &change);
	if (rc == 0 && ret_version != NULL)
		*ret_version = change.version;
	return rc;
}

int mdg_map_put_if(mdg_map *map, const void *key, size_t key_length, const void *value,
                   size_t length, uint64_t expected, uint64_t *ret_version)
{
	struct mdg__map_change change;
	int rc = put(map, key, key_length, value, length, &expected, &change);
	if (rc == 0 && ret_version != NULL)
		*ret_version = change.version;
	return rc;
}

static int drop(const struct mdg_map *map, const void *key, size_t key_length,
                const uint64_t *expected)
{
	struct mdg__map_change change;
	if ((map->flags & MDG_MAP_REFS) != 0)
		return -EINVAL;
	if (key_length > MDG_MAP_KEY_MAX)
		return -ENOENT;
	change_make(&change, map, key, key_length, expected);
	return change_do(map, &change);
}

int mdg_map_remove(mdg_map *map, const void *key, size_t key_length)
{
	return drop(map, key, key_length, NULL);
}

int mdg_map_remove_if(mdg_map *map, const void *key, size_t key_length, uint64_t expected)
{
	return drop(map, key, key_length, &expected);
}

int mdg__map_put_new(const struct mdg_map *map, const void *key, size_t key_length,
                     mdg_ref *ret_ref)
{
	struct mdg__map_change change;
	const uint64_t none = 0;
	int rc = put(map, key, key_length, NULL, 0, &none, &change);
	if (rc == 0)
		*ret_ref = mdg_ref_of(map->heap, change.node + 1);
	return rc;
}
