/* SPDX-License-Identifier: MIT */
/*
 * map_ref.c - putting and taking values that are blocks.
 *
 * The node of a key has a place for the block. To put a block is to publish it there, so that the
 * block passes from the caller's hand to the map by one store. For a new key, the node is put into
 * the table first, with an empty place. It does not count as an entry until the block is there. A
 * writer that is killed in between leaves such a node; the next one that uses or counts this part
 * of the map takes it away.
 */
#include "heap/map_internal.h"

struct request {
	const struct mdg_map *map;
	struct mdg__map_part *part;
	const void *key;
	size_t key_length;
	uint64_t hash;
	struct mdg__map_view view;
	struct mdg__map_seen seen; /* node NULL: there is none */
	uint64_t ref;              /* of the block; 0: there is none */
};

static int why(const struct request *request)
{
	int rc = mdg_heap_why(request->map->heap);
	return rc != 0 ? rc : MDG_BROKEN;
}

/* Locks the part, and finds the node. After an error it is not locked. */
static int begin(struct request *request, const struct mdg_map *map, const void *key,
                 size_t key_length)
{
	*request = (struct request){ .map = map, .key = key, .key_length = key_length };
	request->hash = mdg__map_hash(map, key, key_length);
	request->part = mdg__map_part_of(map, request->hash);
	int rc = mdg__map_lock(map, request->part);
	if (rc != 0)
		return rc;
	rc = mdg__map_table_at(map, MDG__LOAD(request->part->table), &request->view);
	if (rc != 0) {
		mdg__map_unlock(map, request->part);
		return rc;
	}
	if (mdg__map_find(map, &request->view, request->hash, key, key_length, &request->seen))
		request->ref = MDG__LOAD(request->seen.node->value);
	else
		request->seen.node = NULL;
	return 0;
}

/* [L] Takes the node, whose place is empty, out of the table. */
static void node_drop(struct request *request)
{
	struct mdg__map_seen *seen = &request->seen;
	void *node = mdg_take(request->map->heap, mdg__map_place(&seen->bucket->slot[seen->slot]));
	if (node == NULL)
		return; /* the caller holds too much; the next put uses it, or mdg__map_tidy */
	mdg__map_gone(request->map, &request->view, seen->bucket, request->hash);
	mdg__map_shrink(request->map, request->part);
	mdg__map_retire(request->map, node);
}

/* [L] Puts a node with an empty place into the table. */
static int node_add(struct request *request)
{
	const struct mdg_map *map = request->map;
	_Atomic uint64_t *slot;
	struct mdg__map_node *node =
		mdg_hold(map->heap, (size_t)mdg__map_value_offset((uint32_t)request->key_length));
	if (node == NULL)
		return why(request);
	MDG__STORE(node->value, 0);
	MDG__STORE(node->hash, request->hash);
	MDG__STORE(node->key_length, (uint32_t)request->key_length);
	MDG__STORE(node->length, 0);
	if (request->key_length != 0)
		memcpy(node + 1, request->key, request->key_length);
	int rc = mdg__map_make_room(map, request->part, request->hash, &slot);
	if (rc == 0)
		rc = mdg_publish(map->heap, node, mdg__map_place(slot), 0);
	if (rc != 0) {
		(void)mdg_free(map->heap, node);
		return rc;
	}
	/* It may lie in another table than the one that was looked at. */
	(void)mdg__map_table_at(map, MDG__LOAD(request->part->table), &request->view);
	return mdg__map_find(map, &request->view, request->hash, request->key, request->key_length,
	                     &request->seen)
	               ? 0
	               : MDG_BROKEN;
}

static int put_locked(struct request *request, void *block, void **ret_old)
{
	mdg_heap *heap = request->map->heap;
	void *old = NULL;
	bool is_new = request->seen.node == NULL;
	int rc = is_new ? node_add(request) : 0;
	if (rc != 0)
		return rc;
	mdg_ref *place = mdg__map_place(&request->seen.node->value);
	rc = request->ref != 0 ? mdg_swap(heap, block, place, &old)
	                       : mdg_publish(heap, block, place, 0);
	if (rc == 0) {
		*ret_old = old;
		if (request->ref == 0)
			mdg__map_count_add(request->part, 1);
	} else if (is_new) {
		node_drop(request);
	}
	return rc;
}

static int put(const struct mdg_map *map, const void *key, size_t key_length, void *block,
               const uint64_t *expected, void **ret_old)
{
	struct request request;
	if ((map->flags & MDG_MAP_REFS) == 0 || key_length > MDG_MAP_KEY_MAX || block == NULL)
		return -EINVAL;
	int rc = begin(&request, map, key, key_length);
	if (rc != 0)
		return rc;
	rc = expected != NULL && *expected != request.ref ? -ESTALE
	                                                  : put_locked(&request, block, ret_old);
	mdg__map_unlock(map, request.part);
	return rc;
}

static int take_locked(struct request *request, void **ret_block)
{
	void *block = mdg_take(request->map->heap, mdg__map_place(&request->seen.node->value));
	if (block == NULL)
		return why(request);
	mdg__map_count_add(request->part, (uint64_t)-1);
	node_drop(request);
	*ret_block = block;
	return 0;
}

static int take(const struct mdg_map *map, const void *key, size_t key_length,
                const uint64_t *expected, void **ret_block)
{
	struct request request;
	if ((map->flags & MDG_MAP_REFS) == 0)
		return -EINVAL;
	if (key_length > MDG_MAP_KEY_MAX)
		return -ENOENT;
	int rc = begin(&request, map, key, key_length);
	if (rc != 0)
		return rc;
	if (request.ref == 0)
		rc = -ENOENT;
	else if (expected != NULL && *expected != request.ref)
		rc = -ESTALE;
	else
		rc = take_locked(&request, ret_block);
	mdg__map_unlock(map, request.part);
	return rc;
}

/* ---- the public functions ------------------------------------------------------------------ */

int mdg_map_put_ref(mdg_map *map, const void *key, size_t key_length, void *block, void **ret_old)
{
	return put(map, key, key_length, block, NULL, ret_old);
}

int mdg_map_put_ref_if(mdg_map *map, const void *key, size_t key_length, void *block,
                       mdg_ref expected, void **ret_old)
{
	return put(map, key, key_length, block, &expected, ret_old);
}

int mdg_map_take(mdg_map *map, const void *key, size_t key_length, void **ret_block)
{
	return take(map, key, key_length, NULL, ret_block);
}

int mdg_map_take_if(mdg_map *map, const void *key, size_t key_length, mdg_ref expected,
                    void **ret_block)
{
	return take(map, key, key_length, &expected, ret_block);
}
