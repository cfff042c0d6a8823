/* SPDX-License-Identifier: MIT */
/*
 * map_get.c - looking a key up, without a lock.
 *
 * It is tried at once first (map_once.h). Keys of 16 bytes have a copy of that code of their own.
 */
#include "heap/guard.h"
#include "heap/map_once.h"
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

static inline bool show(const struct mdg_map *map, const struct mdg__map_seen *seen,
                        struct mdg_map_entry *ret)
{
	if ((map->flags & MDG_MAP_REFS) != 0) {
		if (!show_block(map, seen, ret))
			return false;
	} else {
		ret->length = seen->length;
		ret->version = MDG__LOAD(seen->node->value);
		ret->ref = seen->ref + mdg__map_value_offset(seen->key_length);
		ret->value = mdg__map_value(seen);
	}
	ret->key_length = seen->key_length;
	ret->key = mdg__map_key(seen->node);
	return true;
}

bool mdg__map_show(const struct mdg_map *map, const struct mdg__map_seen *seen,
                   struct mdg_map_entry *ret)
{
	return show(map, seen, ret);
}

/* Finds the node of a key. 0, -ENOENT or MDG_BROKEN. [in a read section] */
static int find(const struct mdg_map *map, const void *key, size_t key_length,
                struct mdg__map_seen *ret)
{
	struct mdg__map_view view;
	if (key_length > MDG_MAP_KEY_MAX || !mdg__map_is_there(map))
		return -ENOENT;
	uint64_t hash = mdg__map_hash(map, key, key_length);
	const struct mdg__map_part *part = mdg__map_part_of(map, hash);
	/* Acquire: pairs with the release of who has put the table here. */
	uint64_t table = atomic_load_explicit(&part->table, memory_order_acquire);
	mdg__map_fetch(map, part, table, hash);
	int rc = mdg__map_table_glance(map, table, &view);
	if (rc != 0)
		return rc;
	return mdg__map_find_in_table(map, &view, true, hash, key, key_length, ret);
}

/* What is not there may have been taken out by somebody who removes the map. */
static int missing(const struct mdg_map *map)
{
	return mdg__map_is_there(map) ? -ENOENT : -EIDRM;
}

/* ---- copying a value ------------------------------------------------------------------------ */

/* In a map of references, the value is the reference. */
static __attribute__((noinline)) int copy_ref(const struct mdg_map *map,
                                              const struct mdg__map_seen *seen, void *value,
                                              size_t room, size_t *ret_length,
                                              uint64_t *ret_version)
{
	struct mdg_map_entry entry;
	if (!show_block(map, seen, &entry))
		return -ENOENT;
	if (ret_length != NULL)
		*ret_length = sizeof entry.ref;
	if (room < sizeof entry.ref)
		return -EMSGSIZE;
	memcpy(value, &entry.ref, sizeof entry.ref);
	if (ret_version != NULL)
		*ret_version = entry.version;
	return 0;
}

MDG__AT_ONCE int copy_value(const struct mdg__map_node *node, size_t key_length, size_t length,
                            void *value, size_t room, size_t *ret_length, uint64_t *ret_version)
{
	if (ret_length != NULL)
		*ret_length = length;
	if (__builtin_expect(length > room, 0))
		return -EMSGSIZE;
	const unsigned char *from =
		(const unsigned char *)node + (size_t)mdg__map_value_offset((uint32_t)key_length);
	if (__builtin_expect(length == 8, 1)) /* numbers and references are common */
		memcpy(value, from, 8);
	else if (length != 0)
		memcpy(value, from, length);
	if (ret_version != NULL)
		*ret_version = MDG__LOAD(node->value);
	return 0;
}

static __attribute__((noinline)) int get_anyhow(const struct mdg_map *map, const void *key,
                                                size_t key_length, void *value, size_t room,
                                                size_t *ret_length, uint64_t *ret_version)
{
	struct mdg__heap *heap = mdg__heap_of(map->heap);
	struct mdg__map_seen seen;
	int rc = 0;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return rc;
	mdg__section_begin(heap, own);
	rc = find(map, key, key_length, &seen);
	if (rc == 0)
		rc = (map->flags & MDG_MAP_REFS) != 0
		             ? copy_ref(map, &seen, value, room, ret_length, ret_version)
		             : copy_value(seen.node, seen.key_length, seen.length, value, room,
		                          ret_length, ret_version);
	if (rc == -ENOENT)
		rc = missing(map);
	mdg__section_end(own);
	mdg__own_end(own);
	return rc;
}

/* ---- at once -------------------------------------------------------------------------------- */

enum { NOT_AT_ONCE = 1 };

/* The end of a look-up that has found nothing. */
static __attribute__((noinline)) int
end_without(const struct mdg_map *map, struct mdg__heap_own *own, enum mdg__map_once found)
{
	int rc = found == MDG__MAP_ABSENT ? missing(map) : NOT_AT_ONCE;
	mdg__map_end_at_once(own->heap, own);
	return rc;
}

MDG__AT_ONCE int get_at_once(const struct mdg_map *map, const void *key, size_t key_length,
                             void *value, size_t room, size_t *ret_length, uint64_t *ret_version)
{
	struct mdg__heap *heap = mdg__heap_of(map->heap);
	struct mdg__map_hit hit;
	/* First, so that the processor comes to it while it waits for the memory of the look-up
	 * before. */
	uint64_t hash = mdg__key_hash(&map->secret, key, key_length);
	struct mdg__heap_own *own = mdg__map_begin_at_once(heap);
	if (__builtin_expect(own == NULL, 0))
		return NOT_AT_ONCE;
	enum mdg__map_once found = mdg__map_find_at_once(map, heap, hash, key, key_length, &hit);
	if (__builtin_expect(found != MDG__MAP_FOUND, 0))
		return end_without(map, own, found);
	int rc = copy_value(hit.node, key_length, hit.length, value, room, ret_length, ret_version);
	mdg__map_end_at_once(heap, own);
	return rc;
}

/* Keys of any length. */
static __attribute__((noinline)) int get(const struct mdg_map *map, const void *key,
                                         size_t key_length, void *value, size_t room,
                                         size_t *ret_length, uint64_t *ret_version)
{
	int rc = NOT_AT_ONCE;
	if (key_length <= MDG_MAP_KEY_MAX && (map->flags & MDG_MAP_REFS) == 0)
		rc = get_at_once(map, key, key_length, value, room, ret_length, ret_version);
	if (__builtin_expect(rc != NOT_AT_ONCE, 1))
		return rc;
	return get_anyhow(map, key, key_length, value, room, ret_length, ret_version);
}

int mdg__map_ref(const struct mdg_map *map, const void *key, size_t key_length, uint64_t *ret_ref)
{
	struct mdg__heap *heap = mdg__heap_of(map->heap);
	struct mdg__map_seen seen;
	int rc = 0;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return rc;
	mdg__section_begin(heap, own);
	rc = find(map, key, key_length, &seen);
	if (rc == -ENOENT)
		rc = missing(map);
	mdg__section_end(own);
	mdg__own_end(own);
	if (rc == 0)
		*ret_ref = seen.ref + sizeof(struct mdg__map_node);
	return rc;
}

/* For a thread that is in a read section. */
MDG__AT_ONCE bool see_at_once(const struct mdg_map *map, const void *key, size_t key_length,
                              struct mdg_map_entry *ret)
{
	const struct mdg__heap *heap = mdg__heap_of(map->heap);
	struct mdg__map_hit hit;
	uint64_t hash = mdg__key_hash(&map->secret, key, key_length);
	const struct mdg__heap_own *own = mdg__own_at_once(heap);
	if (__builtin_expect(own == NULL || own->reading == 0, 0) ||
	    mdg__map_find_at_once(map, heap, hash, key, key_length, &hit) != MDG__MAP_FOUND)
		return false;
	uint64_t offset = mdg__map_value_offset((uint32_t)key_length);
	ret->key_length = (uint32_t)key_length;
	ret->length = hit.length;
	ret->version = MDG__LOAD(hit.node->value);
	ret->ref = hit.ref + offset;
	ret->key = mdg__map_key(hit.node);
	ret->value = (const unsigned char *)hit.node + (size_t)offset;
	return true;
}

/* ---- the public functions ------------------------------------------------------------------ */

int mdg_map_get(mdg_map *map, const void *key, size_t key_length, void *value, size_t room,
                size_t *ret_length, uint64_t *ret_version)
{
	if (key_length != 16 || (map->flags & MDG_MAP_REFS) != 0)
		return get(map, key, key_length, value, room, ret_length, ret_version);
	int rc = get_at_once(map, key, 16, value, room, ret_length, ret_version);
	if (__builtin_expect(rc != NOT_AT_ONCE, 1))
		return rc;
	return get_anyhow(map, key, 16, value, room, ret_length, ret_version);
}

int mdg_map_see(mdg_map *map, const void *key, size_t key_length, struct mdg_map_entry *ret_entry)
{
	struct mdg_map_entry own = { 0 };
	struct mdg__map_seen seen;
	if (!mdg__sized_is_valid(ret_entry->size))
		return -EINVAL;
	/* A copy behind the fields would wait until all of them are in memory. */
	bool direct = ret_entry->size == sizeof *ret_entry;
	if (direct && (map->flags & MDG_MAP_REFS) == 0 && key_length <= MDG_MAP_KEY_MAX &&
	    see_at_once(map, key, key_length, ret_entry))
		return 0;
	int rc = mdg__map_is_reading(map);
	if (rc == 0)
		rc = find(map, key, key_length, &seen);
	if (rc == 0 && !show(map, &seen, direct ? ret_entry : &own))
		rc = -ENOENT;
	if (rc == -ENOENT)
		rc = missing(map);
	if (rc == 0 && !direct)
		mdg__sized_give(ret_entry, &own, sizeof own);
	return rc;
}
