/* SPDX-License-Identifier: MIT */
/*
 * map_get.c - looking a key up, without a lock.
 */
#include "heap/guard.h"
#include "heap/map_find.h"
#include "heap/section.h"
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

static inline __attribute__((always_inline)) uint64_t hash_of(const struct mdg_map *map,
                                                              const void *key, size_t key_length)
{
	return mdg__key_hash(&map->secret, key, key_length);
}

/* Finds the node of a key. 0, -ENOENT or MDG_BROKEN. [in a read section] */
static inline __attribute__((always_inline)) int find(const struct mdg_map *map, uint64_t hash,
                                                      const void *key, size_t key_length,
                                                      struct mdg__map_seen *ret)
{
	struct mdg__map_view view;
	if (!mdg__map_is_there(map))
		return -ENOENT;
	const struct mdg__map_part *part = mdg__map_part_of(map, hash);
	/* Acquire: pairs with the release of who has put the table here. */
	uint64_t table = atomic_load_explicit(&part->table, memory_order_acquire);
	mdg__map_fetch(map, part, table, hash);
	int rc = mdg__map_table_glance(map, table, &view);
	if (rc != 0)
		return rc;
	return mdg__map_find_in_table(map, &view, true, hash, key, key_length, ret) ? 0 : -ENOENT;
}

static __attribute__((noinline)) int find_to_see(const struct mdg_map *map, const void *key,
                                                 size_t key_length, struct mdg__map_seen *ret)
{
	return find(map, hash_of(map, key, key_length), key, key_length, ret);
}

/* What is not there may have been taken out by somebody who removes the map. */
static int missing(const struct mdg_map *map)
{
	return mdg__map_is_there(map) ? -ENOENT : -EIDRM;
}

/* ---- the public functions ------------------------------------------------------------------ */

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

static inline int copy_value(const struct mdg__map_seen *seen, void *value, size_t room,
                             size_t *ret_length, uint64_t *ret_version)
{
	size_t length = seen->length;
	if (ret_length != NULL)
		*ret_length = length;
	if (length > room)
		return -EMSGSIZE;
	const unsigned char *from = mdg__map_value(seen);
	if (length == 8) /* numbers and references are common */
		memcpy(value, from, 8);
	else if (length != 0)
		memcpy(value, from, length);
	if (ret_version != NULL)
		*ret_version = MDG__LOAD(seen->node->value);
	return 0;
}

int mdg_map_get(mdg_map *map, const void *key, size_t key_length, void *value, size_t room,
                size_t *ret_length, uint64_t *ret_version)
{
	struct mdg__heap *heap = mdg__heap_of(map->heap);
	struct mdg__map_seen seen;
	int rc = 0;
	bool possible = key_length <= MDG_MAP_KEY_MAX;
	/* First, so that the processor comes to it while it waits for the memory of the look-up
	 * before. */
	uint64_t hash = possible ? hash_of(map, key, key_length) : 0;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (__builtin_expect(own == NULL, 0))
		return rc;
	mdg__section_begin(heap, own);
	rc = possible ? find(map, hash, key, key_length, &seen) : -ENOENT;
	if (__builtin_expect(rc == 0, 1))
		rc = (map->flags & MDG_MAP_REFS) != 0
		             ? copy_ref(map, &seen, value, room, ret_length, ret_version)
		             : copy_value(&seen, value, room, ret_length, ret_version);
	if (rc == -ENOENT)
		rc = missing(map);
	mdg__section_end(own);
	mdg__own_end(own);
	return rc;
}

int mdg__map_ref(const struct mdg_map *map, const void *key, size_t key_length, uint64_t *ret_ref)
{
	struct mdg__heap *heap = mdg__heap_of(map->heap);
	struct mdg__map_seen seen = { .ref = 0 };
	int rc = 0;
	uint64_t hash = hash_of(map, key, key_length);
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (__builtin_expect(own == NULL, 0))
		return rc;
	mdg__section_begin(heap, own);
	rc = find(map, hash, key, key_length, &seen);
	if (rc == -ENOENT)
		rc = missing(map);
	mdg__section_end(own);
	mdg__own_end(own);
	if (rc == 0)
		*ret_ref = seen.ref;
	return rc;
}

int mdg_map_see(mdg_map *map, const void *key, size_t key_length, struct mdg_map_entry *ret_entry)
{
	struct mdg_map_entry own = { 0 };
	struct mdg__map_seen seen;
	if (!mdg__sized_is_valid(ret_entry->size))
		return -EINVAL;
	/* A copy behind the fields would wait until all of them are in memory. */
	bool direct = ret_entry->size == sizeof *ret_entry;
	int rc = mdg__map_is_reading(map);
	if (rc == 0)
		rc = key_length > MDG_MAP_KEY_MAX ? -ENOENT
		                                  : find_to_see(map, key, key_length, &seen);
	if (rc == 0 && !show(map, &seen, direct ? ret_entry : &own))
		rc = -ENOENT;
	if (rc == -ENOENT)
		rc = missing(map);
	if (rc == 0 && !direct)
		mdg__sized_give(ret_entry, &own, sizeof own);
	return rc;
}
