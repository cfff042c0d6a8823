/* SPDX-License-Identifier: MIT */
/*
 * map_intern.c - the one copy of some bytes: a key with an empty value, which is made if need be.
 *
 * It is looked for at once first, as in map_get.c.
 */
#include "heap/map_once.h"

MDG__AT_ONCE bool find_at_once(const struct mdg_map *map, const void *key, size_t key_length,
                               uint64_t *ret_ref)
{
	struct mdg__heap *heap = mdg__heap_of(map->heap);
	struct mdg__map_hit hit = { .ref = 0 };
	uint64_t hash = mdg__key_hash(&map->secret, key, key_length);
	struct mdg__heap_own *own = mdg__map_begin_at_once(heap);
	if (__builtin_expect(own == NULL, 0))
		return false;
	bool found =
		mdg__map_find_at_once(map, heap, hash, key, key_length, &hit) == MDG__MAP_FOUND;
	mdg__map_end_at_once(heap, own);
	if (__builtin_expect(!found, 0))
		return false;
	*ret_ref = hit.ref + sizeof(struct mdg__map_node);
	return true;
}

/* Bytes of any length. */
static __attribute__((noinline)) int intern(const struct mdg_map *map, const void *bytes,
                                            size_t length, uint64_t *ret_ref)
{
	enum { TRIES = 1000 }; /* as many others cannot put it in and take it out meanwhile */
	int rc = -ESTALE;
	if ((map->flags & MDG_MAP_REFS) != 0 || length > MDG_MAP_KEY_MAX)
		return -EINVAL;
	if (length != 16 && find_at_once(map, bytes, length, ret_ref))
		return 0;
	for (int i = 0; rc == -ESTALE && i < TRIES; i++) {
		rc = mdg__map_ref(map, bytes, length, ret_ref);
		if (rc == -ENOENT) /* -ESTALE: another thread was faster */
			rc = mdg__map_put_new(map, bytes, length, ret_ref);
	}
	return rc == -ESTALE ? MDG_BROKEN : rc;
}

int mdg_map_intern(mdg_map *map, const void *bytes, size_t length, mdg_ref *ret_ref)
{
	if (length == 16 && (map->flags & MDG_MAP_REFS) == 0 &&
	    __builtin_expect(find_at_once(map, bytes, 16, ret_ref), 1))
		return 0;
	return intern(map, bytes, length, ret_ref);
}
