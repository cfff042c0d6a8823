/* SPDX-License-Identifier: MIT */
/*
 * map_internal.h - what the files of a map share.
 *
 * They form floors: open | intern | get, put, ref, walk, clear | over | grow | part | table | hash.
 *
 * WHAT IS BELIEVED. A reference is followed only if memory of blocks lies there, as long as what it
 * is taken for says. A writer follows it to a table only if a block begins there. Lengths are read
 * once. There are no chains: a reader looks at
 * up to 8 buckets with 7 slots each. So whatever the heap contains, a call ends, and reads nothing
 * outside of the heap.
 */
#ifndef MADANG_HEAP_MAP_INTERNAL_H
#define MADANG_HEAP_MAP_INTERNAL_H

#include "heap/internal.h"
#include "heap/map_hash.h"
#include "heap/map_layout.h"

/* A handle. It does not change after it was opened. */
struct mdg_map {
	mdg_heap *heap;
	struct mdg__map_head *head;
	_Atomic uint64_t *place; /* of the root */
	uint64_t ref;            /* of the head's block: what the place contains */
	uint64_t identity;       /* of the map */
	struct mdg__map_secret secret;
	uint32_t flags; /* MDG_MAP_REFS */
	uint32_t least; /* bits of the smallest tables */
};

#define MDG__MAP_ALIGN(n, to) (((n) + ((to)-1)) & ~(uint64_t)((to)-1))

static inline mdg_ref *mdg__map_place(_Atomic uint64_t *word)
{
	mdg_ref *place;
	memcpy(&place, &word, sizeof place); /* a cast would take _Atomic away */
	return place;
}

/* Whether the map is there. The head may be used only if it is, see map_layout.h. */
static inline bool mdg__map_is_there(const struct mdg_map *map)
{
	/* Acquire: the head is read behind it. */
	return atomic_load_explicit(map->place, memory_order_acquire) == map->ref &&
	       MDG__LOAD(map->head->identity) == map->identity;
}

/* ---- map_hash.c ---------------------------------------------------------------------------- */

/* SipHash with `rounds` for each word (1 or 2), and two more at the end. */
uint64_t mdg__map_siphash(const uint64_t secret[2], const void *bytes, size_t length, int rounds);
/* Makes of two words what the hash of keys uses. */
void mdg__map_secret_make(struct mdg__map_secret *ret, uint64_t first, uint64_t second);
uint64_t mdg__map_hash(const struct mdg_map *map, const void *key, size_t length);

static inline struct mdg__map_part *mdg__map_part_of(const struct mdg_map *map, uint64_t hash)
{
	return &map->head->part[hash >> MDG__MAP_PART_SHIFT];
}

/* ---- map_table.c --------------------------------------------------------------------------- */

/* A table, as this call has found it to be. */
struct mdg__map_view {
	struct mdg__map_bucket *buckets; /* NULL: there is no table */
	uint32_t bits;
	uint32_t mask; /* buckets - 1 */
};

/* A node, as this call has found it to be. */
struct mdg__map_seen {
	struct mdg__map_node *node; /* NULL: none */
	uint64_t ref;               /* of the node */
	uint32_t key_length, length;
	struct mdg__map_bucket *bucket;
	uint32_t slot;
};

static inline const unsigned char *mdg__map_key(const struct mdg__map_node *node)
{
	return (const unsigned char *)(node + 1);
}
static inline uint64_t mdg__map_value_offset(uint32_t key_length)
{
	return sizeof(struct mdg__map_node) + MDG__MAP_ALIGN((uint64_t)key_length, 8);
}
static inline const unsigned char *mdg__map_value(const struct mdg__map_seen *seen)
{
	return (const unsigned char *)seen->node + (size_t)mdg__map_value_offset(seen->key_length);
}
/* The home bucket in a table of 2^bits buckets. */
static inline uint64_t mdg__map_home(uint64_t bits, uint64_t hash)
{
	return hash << (64 - MDG__MAP_PART_SHIFT) >> 1 >> (~bits & 63);
}
static inline uint32_t mdg__map_reach(uint64_t tags)
{
	uint32_t reach = (uint32_t)(tags >> 56);
	return reach < MDG__MAP_REACH_MOST ? reach : MDG__MAP_REACH_MOST;
}

/* Whether these bytes, the line of memory that contains `ref`, may be read. */
static inline bool mdg__map_has_memory(const struct mdg_map *map, uint64_t ref)
{
	struct mdg__heap *heap = mdg__heap_of(map->heap);
	uint64_t offset = ref - heap->parts.data, unit = offset >> MDG__UNIT_SHIFT;
	if (__builtin_expect(offset >= MDG__LOAD(heap->known), 0) &&
	    (ref < heap->parts.data || unit >= mdg__units_high(heap)))
		return false;
	return ref % 16 == 0 && mdg__bit_is_set(heap, MDG__BITS_COMMITTED, unit);
}

/* How many bytes may be read from there on; 0: none. Usually this is asked of a block in a slab of
 * small ones, all of whose unit has memory. It is not asked whether a block begins there. */
static inline uint64_t mdg__map_readable(const struct mdg_map *map, uint64_t ref)
{
	struct mdg__heap *heap = mdg__heap_of(map->heap);
	struct mdg__block block;
	uint64_t offset = ref - heap->parts.data;
	if (ref % 16 != 0)
		return 0;
	if (__builtin_expect(offset < MDG__LOAD(heap->known), 1)) {
		/* Acquire: pairs with the release of who took the unit, units.c. */
		uint64_t head = atomic_load_explicit(&heap->heads[offset >> MDG__UNIT_SHIFT],
		                                     memory_order_acquire);
		if (MDG__HEAD_STATE(head) == MDG__UNIT_SLAB &&
		    MDG__HEAD_CLASS(head) < MDG__SMALL_CLASSES)
			return MDG__UNIT_BYTES - offset % MDG__UNIT_BYTES;
	}
	return mdg__block_find(heap, ref, &block) == 0 ? block.size : 0;
}

/* Bytes of a table of 2^bits buckets. */
uint64_t mdg__map_table_bytes(uint32_t bits);
/* Makes these bytes, which nobody else sees, an empty table. */
void mdg__map_table_make(const struct mdg_map *map, void *block, uint32_t bits,
                         struct mdg__map_view *ret);
/* The table that the reference names. 0, also if it is 0; or MDG_BROKEN. For writers;
 * for readers. */
int mdg__map_table_at(const struct mdg_map *map, uint64_t ref, struct mdg__map_view *ret);
int mdg__map_table_read(const struct mdg_map *map, uint64_t ref, struct mdg__map_view *ret);
/* The node that the reference names. False: it is 0, a mark, or nothing that a node can be. */
bool mdg__map_node_at(const struct mdg_map *map, uint64_t ref, struct mdg__map_seen *ret);
/* Finds the node with this key. */
bool mdg__map_find(const struct mdg_map *map, const struct mdg__map_view *view, uint64_t hash,
                   const void *key, size_t key_length, struct mdg__map_seen *ret);
/* [L] Finds a free slot for a node with this hash. Its tag, and the reach of its home, say so when
 * this returns. NULL: there is none. */
_Atomic uint64_t *mdg__map_room(const struct mdg__map_view *view, uint64_t hash);
/* [L] This node has gone: its home may reach less far. */
void mdg__map_gone(const struct mdg_map *map, const struct mdg__map_view *view,
                   const struct mdg__map_bucket *from, uint64_t hash);

/* ---- map_part.c: one writer at a time ------------------------------------------------------ */

/* Locks the part. If its last writer has died, what that one had begun is ended first. */
int mdg__map_lock(const struct mdg_map *map, struct mdg__map_part *part);
/* The same for whoever removes the map, and has stored that in the head. */
int mdg__map_lock_to_remove(const struct mdg_map *map, struct mdg__map_part *part);
void mdg__map_unlock(const struct mdg_map *map, struct mdg__map_part *part);
/* The same for who is in a read section, or keeps the head from being freed in another way. */
void mdg__map_give(struct mdg__map_part *part);
/* [L] Counts the entries of the part, and makes its hint right. In a map of references, nodes
 * without a value go. */
void mdg__map_tidy(const struct mdg_map *map, struct mdg__map_part *part);
/* Frees a held block when no reader can see it. */
void mdg__map_retire(const struct mdg_map *map, void *block);

static inline void mdg__map_count_add(struct mdg__map_part *part, uint64_t more)
{
	MDG__STORE(part->count, MDG__LOAD(part->count) + more);
}

/* ---- map_grow.c ---------------------------------------------------------------------------- */

/* [L] Finds room for a node with this hash, in a larger table if there is none. */
int mdg__map_make_room(const struct mdg_map *map, struct mdg__map_part *part, uint64_t hash,
                       _Atomic uint64_t **ret_slot);
/* [L] Makes the table smaller if it is nearly empty. */
void mdg__map_shrink(const struct mdg_map *map, struct mdg__map_part *part);

/* ---- map_clear.c --------------------------------------------------------------------------- */

/* Removes the map with all its entries, or goes on with that; the root stays. 0, -EIDRM: somebody
 * else has come to its end; or an error, and a later call goes on. */
int mdg__map_remove_all(const struct mdg_map *map);

/* ---- map_put.c, map_over.c ----------------------------------------------------------------- */

/* A change that is to be made. */
struct mdg__map_change {
	const void *key;
	size_t key_length;
	uint64_t hash;
	bool is_conditional;
	uint64_t expected;          /* if it is conditional: the version; 0: there is no entry */
	struct mdg__map_node *node; /* the new one, held; NULL: the entry goes */
	uint64_t version;           /* out: of the new one */
	void *old;                  /* out: held; NULL: there was none */
};

/* Fills a node that nobody else sees. Its version is still to come. */
static inline void mdg__map_node_fill(struct mdg__map_node *node,
                                      const struct mdg__map_change *change, const void *value,
                                      size_t length)
{
	MDG__STORE(node->hash, change->hash);
	MDG__STORE(node->key_length, (uint32_t)change->key_length);
	MDG__STORE(node->length, (uint32_t)length);
	if (change->key_length == 16)
		memcpy(node + 1, change->key, 16);
	else if (change->key_length != 0)
		memcpy(node + 1, change->key, change->key_length);
	unsigned char *to =
		(unsigned char *)node + (size_t)mdg__map_value_offset((uint32_t)change->key_length);
	if (length == 8)
		memcpy(to, value, 8);
	else if (length != 0)
		memcpy(to, value, length);
}

/* Replaces the node of a key that is there, if all that this takes is at hand. True: it is done,
 * and the old node is retired. False: nothing has changed, and change->node is the new one, held,
 * or NULL. */
bool mdg__map_over(const struct mdg_map *map, struct mdg__map_change *change, const void *value,
                   size_t length);

/* Puts a key with an empty value. *ret_ref: to the key as it lies in the map. -ESTALE: it is there.
 */
int mdg__map_put_new(const struct mdg_map *map, const void *key, size_t key_length,
                     mdg_ref *ret_ref);

/* ---- map_get.c ----------------------------------------------------------------------------- */

/* Fills in what an entry shows. False: it has no value. [in a read section] */
bool mdg__map_show(const struct mdg_map *map, const struct mdg__map_seen *seen,
                   struct mdg_map_entry *ret);
/* The reference to a key as it lies in the map. 0 or an error of mdg_map_get. */
int mdg__map_ref(const struct mdg_map *map, const void *key, size_t key_length, uint64_t *ret_ref);
/* 0, -EPERM: the thread is not in a read section, or -EIDRM. */
int mdg__map_is_reading(const struct mdg_map *map);

#endif
