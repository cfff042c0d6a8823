/* SPDX-License-Identifier: MIT */
/* See heap_scene.h. This file has the calls on maps. */
#include "fuzz/heap_calls.h"

#include <string.h>

enum { KEY_MOST = 40, VALUE_MOST = 6000 };

/* Which of the two maps; NULL: it is not open. */
static mdg_map *map_of(const struct step *step)
{
	return my->map[step->which / BLOCKS % MAPS];
}

/* Few keys, of all lengths, so that they meet. */
static size_t key_of(const struct step *step, unsigned char key[KEY_MOST])
{
	size_t length = step->how % 4 == 0 ? 8 : step->how % 4 == 1 ? 16 : step->how % KEY_MOST;
	memset(key, step->how, KEY_MOST);
	return length;
}

void maps_open(unsigned which, uint32_t flags)
{
	struct mdg_map_options options = { .size = sizeof options,
		                           .flags = flags | (which == 1 ? MDG_MAP_REFS : 0),
		                           .deadline = mdg_deadline(1000000) };
	mdg_map_close(my->map[which]);
	my->map[which] = NULL;
	(void)mdg_map_open(&my->map[which], my->heap, heap_roots[which], &options);
}

void maps_open_or_remove(const struct step *step)
{
	unsigned which = step->which / BLOCKS % MAPS;
	if (step->value % 4 == 0)
		(void)mdg_map_destroy(my->heap, heap_roots[which]);
	else if (step->value % 4 == 1 && my->map[which] != NULL)
		(void)mdg_map_clear(my->map[which]);
	else
		maps_open(which, step->value % 4 == 2 ? MDG_MAP_EXISTING : 0);
}

void maps_put(const struct step *step)
{
	static const unsigned char value[VALUE_MOST];
	unsigned char key[KEY_MOST];
	size_t key_length = key_of(step, key), length = size_of(step) % VALUE_MOST;
	uint64_t version = step->value >> 8;
	mdg_map *map = map_of(step);
	void *old = *block_of(step);
	if (map == NULL)
		return;
	if (step->value % 2 == 0)
		(void)mdg_map_put(map, key, key_length, value, length, &version);
	else
		(void)mdg_map_put_if(map, key, key_length, value, length, version, NULL);
	int rc = step->value % 4 < 2 ? mdg_map_put_ref(map, key, key_length, old, &old)
	                             : mdg_map_put_ref_if(map, key, key_length, old, version, &old);
	if (rc == 0)
		*block_of(step) = inside(old, 0);
}

void maps_put_many(const struct step *step)
{
	struct step one = *step;
	for (int i = 0; i < 100 && map_of(step) != NULL; i++) {
		uint64_t key = step->value + (uint64_t)i;
		if (step->value % 4 != 0)
			(void)mdg_map_put(map_of(step), &key, sizeof key, &key, sizeof key, NULL);
		else
			(void)mdg_map_remove(map_of(step), &key, sizeof key);
	}
	one.value = 1;
	maps_put(&one);
}

void maps_drop(const struct step *step)
{
	unsigned char key[KEY_MOST];
	size_t key_length = key_of(step, key);
	mdg_map *map = map_of(step);
	void *old = NULL;
	if (map == NULL)
		return;
	(void)(step->value % 2 == 0 ? mdg_map_remove(map, key, key_length)
	                            : mdg_map_remove_if(map, key, key_length, step->value >> 8));
	if (mdg_map_take(map, key, key_length, &old) == 0)
		*block_of(step) = inside(old, 0);
}

void maps_get(const struct step *step)
{
	static unsigned char value[VALUE_MOST];
	unsigned char key[KEY_MOST];
	size_t key_length = key_of(step, key), length = 0;
	mdg_map *map = map_of(step);
	struct mdg_map_entry entry = { .size = sizeof entry };
	mdg_ref ref;
	if (map == NULL)
		return;
	if (mdg_map_get(map, key, key_length, value, sizeof value, &length, NULL) == 0 &&
	    length > sizeof value)
		wrong("more than there was room for");
	if (mdg_map_intern(map, key, key_length, &ref) == 0)
		read_all(my->heap->base + (size_t)ref, key_length);
	(void)mdg_map_count(map);
	if (mdg_read_begin(my->heap) != 0)
		return;
	if (mdg_map_see(map, key, key_length, &entry) == 0)
		read_all(entry.value, entry.length);
	(void)mdg_read_end(my->heap);
}

void maps_walk(const struct step *step)
{
	struct mdg_map_cursor cursor = { { 0, 0 } };
	struct mdg_map_entry entry = { .size = sizeof entry };
	mdg_map *map = map_of(step);
	if (map == NULL || mdg_read_begin(my->heap) != 0)
		return;
	if (step->value % 4 == 0)
		memcpy(&cursor, &step->value, sizeof step->value);
	for (int i = 0; i < 1000 && mdg_map_next(map, &cursor, &entry) == 1; i++) {
		read_all(entry.key, entry.key_length);
		read_all(entry.value, entry.length);
	}
	(void)mdg_read_end(my->heap);
}
