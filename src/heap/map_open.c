/* SPDX-License-Identifier: MIT */
/*
 * map_open.c - finding or making a map, and its handle.
 *
 * A handle is a page of this process's own. What it says of the map was checked, and does not
 * change.
 */
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
	int rc = mdg_publish(heap, block, place, 0);
	if (rc != 0)
		(void)mdg_free(heap, block);
	return rc;
}

/* ---- a handle ------------------------------------------------------------------------------ */

/* Checks what the root refers to, and fills in the handle. */
static int look(mdg_heap *heap, uint64_t ref, uint32_t flags, struct mdg_map *ret)
{
	struct mdg__block block;
	if (mdg_at(heap, ref) == NULL || mdg__block_find(mdg__heap_of(heap), ref, &block) != 0 ||
	    block.size < head_begin(ref) - ref + sizeof(struct mdg__map_head))
		return MDG_BROKEN;
	struct mdg__map_head *head =
		(struct mdg__map_head *)(void *)(heap->base + (size_t)head_begin(ref));
	if (MDG__LOAD(head->magic) != MDG__MAP_MAGIC)
		return MDG_BROKEN;
	if (MDG__LOAD(head->flags) != flags)
		return MDG_UNLIKE_FLAGS;
	*ret = (struct mdg_map){ .heap = heap, .head = head, .flags = flags };
	ret->secret[0] = MDG__LOAD(head->secret[0]);
	ret->secret[1] = MDG__LOAD(head->secret[1]);
	ret->least = MDG__LOAD(head->least);
	return ret->least > MDG__MAP_BITS_MOST ? MDG_BROKEN : 0;
}

/* Whether somebody has made the root, and has filled it or is about to. 0 or -ENOENT. */
static int find_existing(mdg_heap *heap, const char *name)
{
	struct mdg_root_info root = { .size = sizeof root };
	uint32_t cursor = 0;
	while (mdg_root_next(heap, &cursor, &root) > 0)
		if (strcmp(root.name, name) == 0)
			return root.ref != 0 || root.maker != 0 ? 0 : -ENOENT;
	return -ENOENT;
}

/* The map of this root, made if need be. */
static int find(mdg_heap *heap, const char *name, const struct mdg_map_options *options,
                struct mdg_map *ret)
{
	mdg_ref *place;
	uint64_t deadline = options->deadline != 0 ? options->deadline : MDG_FOREVER;
	bool existing = (options->flags & MDG_MAP_EXISTING) != 0;
	int rc = existing ? find_existing(heap, name) : 0;
	if (rc == 0)
		rc = mdg_root(heap, name, MDG_MAP_TYPE, MDG__MAP_FORMAT, &place, deadline);
	if (rc == MDG_ROOT_NEW) {
		rc = existing ? -ENOENT : make(heap, place, options);
		if (rc != 0)
			(void)mdg_root_remove(heap, name); /* or others would wait for it */
	}
	if (rc != 0)
		return rc;
	/* Acquire: pairs with the release of mdg_publish. */
	uint64_t ref =
		atomic_load_explicit((_Atomic uint64_t *)(void *)place, memory_order_acquire);
	return look(heap, ref, options->flags & MDG_MAP_REFS, ret);
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
