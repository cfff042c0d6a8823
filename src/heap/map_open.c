/* SPDX-License-Identifier: MIT */
/*
 * map_open.c - finding or making a map, and its handle; and removing it by its name.
 *
 * A handle is a page of this process's own. What it says of the map was checked, and does not
 * change.
 */
#include "heap/held.h"
#include "heap/map_internal.h"
#include "platform/identity.h"
#include "platform/memory.h"
#include "platform/ownmap.h"
#include "platform/sized.h"

#include <sys/mman.h>

enum {
	FIRST_OPTIONS = 24, /* bytes that the options had at first */
	USED_PERCENT = 70   /* of the slots of a table, before it grows */
};

static uint64_t head_begin(uint64_t ref)
{
	return MDG__MAP_ALIGN(ref, 64);
}

/* ---- a new map ----------------------------------------------------------------------------- */

/* Bits of tables with room for so many entries in all. */
static uint32_t bits_for(uint64_t entries)
{
	uint64_t of_part = entries / MDG__MAP_PARTS;
	uint32_t bits = 0;
	while (bits < MDG__MAP_BITS_MOST &&
	       ((uint64_t)MDG__MAP_SLOTS << bits) * USED_PERCENT / 100 < of_part)
		bits++;
	return bits;
}

/* Fills the root's place, which this caller was asked to do. */
static int make(mdg_heap *heap, mdg_ref *place, const struct mdg_map_options *options)
{
	size_t bytes = sizeof(struct mdg__map_head) + 48; /* the head is aligned to 64 */
	void *block = mdg_hold(heap, bytes);
	if (block == NULL)
		return mdg_heap_why(heap);
	memset(block, 0, bytes);
	struct mdg__map_head *head =
		(struct mdg__map_head *)(void *)(heap->base +
	                                         (size_t)head_begin(mdg_ref_of(heap, block)));
	MDG__STORE(head->magic, MDG__MAP_MAGIC);
	MDG__STORE(head->flags, options->flags & MDG_MAP_REFS);
	MDG__STORE(head->least, bits_for(options->expect));
	MDG__STORE(head->secret[0], mdg__random());
	MDG__STORE(head->secret[1], mdg__random());
	MDG__STORE(head->identity, mdg__random() | 1);
	int rc = mdg_publish(heap, block, place, 0);
	if (rc != 0)
		(void)mdg_free(heap, block);
	return rc;
}

/* ---- a handle ------------------------------------------------------------------------------ */

/* Checks what the root refers to, and fills in the handle. -EAGAIN: it has gone; -EIDRM: the map is
 * being removed, and the handle is good for that. [in a read section, or the heap is read only] */
static int look(mdg_heap *heap, mdg_ref *place, struct mdg_map *ret)
{
	struct mdg__block block;
	_Atomic uint64_t *word = (_Atomic uint64_t *)(void *)place;
	/* Acquire: pairs with the release of mdg_publish. */
	uint64_t ref = atomic_load_explicit(word, memory_order_acquire);
	if (ref == 0 || (ref & 1) != 0)
		return -EAGAIN;
	if (mdg_at(heap, ref) == NULL || mdg__block_find(mdg__heap_of(heap), ref, &block) != 0 ||
	    block.size < head_begin(ref) - ref + sizeof(struct mdg__map_head))
		return MDG_BROKEN;
	struct mdg__map_head *head =
		(struct mdg__map_head *)(void *)(heap->base + (size_t)head_begin(ref));
	if (MDG__LOAD(head->magic) != MDG__MAP_MAGIC)
		return MDG_BROKEN;
	*ret = (struct mdg_map){ .heap = heap, .head = head, .place = word, .ref = ref };
	ret->flags = MDG__LOAD(head->flags);
	mdg__map_secret_make(&ret->secret, MDG__LOAD(head->secret[0]), MDG__LOAD(head->secret[1]));
	ret->identity = MDG__LOAD(head->identity);
	ret->least = MDG__LOAD(head->least);
	if (ret->least > MDG__MAP_BITS_MOST)
		return MDG_BROKEN;
	return ret->identity == 0 ? -EIDRM : 0;
}

/* The same. The root was found by its name. But somebody may have removed it since, and its entry
 * may be that of another map. Then this is -EAGAIN. */
static int look_by_name(mdg_heap *heap, const char *name, mdg_ref *place, struct mdg_map *ret)
{
	const struct mdg__heap *own = mdg__heap_of(heap);
	uint32_t before, after;
	if (!mdg__root_is_named(own, place, name, &before))
		return -EAGAIN;
	int rc = look(heap, place, ret);
	return mdg__root_is_named(own, place, name, &after) && before == after ? rc : -EAGAIN;
}

static int look_in_section(mdg_heap *heap, const char *name, mdg_ref *place, struct mdg_map *ret)
{
	int begun = mdg_read_begin(heap);
	if (begun != 0 && begun != -EROFS)
		return begun;
	int rc = look_by_name(heap, name, place, ret);
	if (begun == 0)
		(void)mdg_read_end(heap);
	return rc;
}

static bool has_nonsense(mdg_heap *heap, mdg_ref place)
{
	const _Atomic uint64_t *word =
		(const _Atomic uint64_t *)(const void *)(heap->base + (size_t)place);
	return mdg__place_is_nonsense(mdg__heap_of(heap), word,
	                              atomic_load_explicit(word, memory_order_acquire));
}

/* Whether somebody has made the root, and has filled it or is about to. 0, -ENOENT or -EBADF;
 * MDG_BROKEN: its place contains what no call has put there. */
static int find_existing(mdg_heap *heap, const char *name)
{
	struct mdg_root_info root = { .size = sizeof root };
	uint32_t cursor = 0;
	int rc;
	while ((rc = mdg_root_next(heap, &cursor, &root)) > 0)
		if (strcmp(root.name, name) == 0)
			return root.ref != 0 || root.maker != 0 ? 0
			       : has_nonsense(heap, root.place) ? MDG_BROKEN
			                                        : -ENOENT;
	return rc < 0 ? rc : -ENOENT;
}

/* The place of this root, with a map, which is made if need be. */
static int find_root(mdg_heap *heap, const char *name, const struct mdg_map_options *options,
                     mdg_ref **ret_place)
{
	uint64_t deadline = options->deadline != 0 ? options->deadline : MDG_FOREVER;
	bool existing = (options->flags & MDG_MAP_EXISTING) != 0;
	int rc = existing ? find_existing(heap, name) : 0;
	if (rc == 0)
		rc = mdg_root(heap, name, MDG_MAP_TYPE, MDG__MAP_FORMAT, ret_place, deadline);
	if (rc == MDG_ROOT_NEW) {
		rc = existing ? -ENOENT : make(heap, *ret_place, options);
		if (rc != 0)
			(void)mdg_root_remove(heap, name); /* or others would wait for it */
	}
	return rc;
}

/* The map of this root, made if need be. What somebody was removing is removed first. */
static int find(mdg_heap *heap, const char *name, const struct mdg_map_options *options,
                struct mdg_map *ret)
{
	for (;;) {
		mdg_ref *place;
		int rc = find_root(heap, name, options, &place);
		if (rc != 0)
			return rc;
		rc = look_in_section(heap, name, place, ret);
		if (rc == -EIDRM) {
			rc = mdg__map_remove_all(ret);
			rc = rc == 0 || rc == -EIDRM ? -EAGAIN : rc == -EROFS ? -ENOENT : rc;
		}
		if (rc != -EAGAIN)
			return rc;
	}
}

/* Removes the root of a map that was removed, unless somebody makes another one. */
static void remove_root(mdg_heap *heap, const char *name)
{
	struct mdg_root_info root = { .size = sizeof root };
	uint32_t cursor = 0;
	while (mdg_root_next(heap, &cursor, &root) > 0)
		if (strcmp(root.name, name) == 0 && root.type == MDG_MAP_TYPE && root.ref == 0 &&
		    root.maker == 0)
			(void)mdg_root_remove(heap, name);
}

/* ---- the public functions ------------------------------------------------------------------ */

int mdg_map_open(mdg_map **ret_map, mdg_heap *heap, const char *name,
                 const struct mdg_map_options *options)
{
	struct mdg_map_options own = { .size = sizeof own };
	struct mdg_map map;
	void *memory;
	int rc = options == NULL ? 0 : mdg__sized_take(&own, sizeof own, FIRST_OPTIONS, options);
	if (rc != 0)
		return rc;
	if ((own.flags & ~(MDG_MAP_REFS | MDG_MAP_EXISTING)) != 0 || heap == NULL || name == NULL)
		return -EINVAL;
	rc = find(heap, name, &own, &map);
	if (rc == 0 && map.flags != (own.flags & MDG_MAP_REFS))
		rc = MDG_UNLIKE_FLAGS;
	if (rc == 0)
		rc = mdg__map_own(NULL, sizeof map, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory);
	if (rc != 0)
		return rc;
	memcpy(memory, &map, sizeof map);
	*ret_map = memory;
	return 0;
}

void mdg_map_close(mdg_map *map)
{
	if (map != NULL)
		(void)mdg__sys_munmap(map, sizeof *map);
}

int mdg_map_destroy(mdg_heap *heap, const char *name)
{
	const struct mdg_map_options options = { .flags = MDG_MAP_EXISTING };
	struct mdg_map map;
	if (heap == NULL || name == NULL)
		return -EINVAL;
	int rc = find(heap, name, &options, &map);
	if (rc == 0)
		rc = mdg__map_remove_all(&map);
	if (rc == -EIDRM) /* somebody else was faster */
		rc = 0;
	if (rc == 0 || rc == -ENOENT)
		remove_root(heap, name);
	return rc;
}
