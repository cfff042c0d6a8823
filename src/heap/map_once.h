/* SPDX-License-Identifier: MIT */
/*
 * map_once.h - finding a key at once: as it is mostly, with few instructions and no call.
 *
 * The processor looks a few hundred instructions ahead. So the fewer a look-up has, the sooner it
 * begins to read for the next ones while it waits for the memory of this one. This one looks at one
 * bucket and one node. What is not as it is mostly (a key behind its home bucket, a node in a block
 * of its own, a part that has just got another table, a thread that is new) it leaves to
 * map_find.h, which looks everywhere.
 *
 * It believes no more than that does: see map_internal.h, WHAT IS BELIEVED. Places are counted from
 * the beginning of the data, so that one comparison asks for both ends.
 */
#ifndef MADANG_HEAP_MAP_ONCE_H
#define MADANG_HEAP_MAP_ONCE_H

#include "heap/map_find.h"
#include "heap/section.h"

#define MDG__AT_ONCE static inline __attribute__((always_inline))

enum mdg__map_once {
	MDG__MAP_FOUND,
	MDG__MAP_ABSENT, /* it is not there, or the map is not */
	MDG__MAP_UNCLEAR /* nothing is known */
};

/* A node that has the key. */
struct mdg__map_hit {
	const struct mdg__map_node *node;
	uint64_t ref;    /* of the node */
	uint32_t length; /* of the value; all of it may be read */
};

/* What a look-up asks again and again. */
struct mdg__map_where {
	const struct mdg__heap *heap;
	uint64_t data, known; /* where the data begin, and how many bytes of them are known */
};

/* Whether the line of memory there may be read. */
static inline bool mdg__map_line_at_once(const struct mdg__map_where *where, uint64_t offset)
{
	return __builtin_expect(offset < where->known &&
	                                mdg__bit_is_set(where->heap, MDG__BITS_COMMITTED,
	                                                offset >> MDG__UNIT_SHIFT),
	                        1);
}

/* Where the home bucket of the hash is. False: there is no table, or it is not clear how large it
 * is. */
MDG__AT_ONCE bool mdg__map_bucket_at_once(const struct mdg__map_where *where,
                                          const struct mdg__map_part *part, uint64_t hash,
                                          uint64_t *ret)
{
	/* Acquire: pairs with the release of who has put the table here. */
	uint64_t at = atomic_load_explicit(&part->table, memory_order_acquire) - where->data;
	/* By the hint the processor begins to read the bucket, and looks at the table meanwhile. */
	uint64_t bits = MDG__LOAD(part->bits);
	*ret = mdg__map_buckets_begin(at) +
	       mdg__map_home(bits, hash) * sizeof(struct mdg__map_bucket);
	if (*ret < where->known)
		__builtin_prefetch(where->heap->data + (size_t)*ret);
	/* Only then there is an address. */
	if (__builtin_expect(at % 16 != 0, 0) || !mdg__map_line_at_once(where, at))
		return false;
	const struct mdg__map_table *table =
		(const struct mdg__map_table *)(void *)(where->heap->data + (size_t)at);
	return __builtin_expect(MDG__LOAD(table->bits) == bits &&
	                                MDG__LOAD(table->mark) == MDG__MAP_TABLE_MARK &&
	                                mdg__map_line_at_once(where, *ret),
	                        1);
}

/* Whether a node of a small block is there, with a key of this length and all of its value. */
MDG__AT_ONCE bool mdg__map_node_at_once(const struct mdg__map_where *where, uint64_t ref,
                                        size_t key_length, struct mdg__map_hit *ret)
{
	const struct mdg__heap *heap = where->heap;
	/* State, and the bit that only classes of larger blocks have. */
	const uint32_t asked = MDG__HEAD(0xff, MDG__SMALL_CLASSES, 0, 0);
	uint64_t offset = ref - where->data, value = mdg__map_value_offset((uint32_t)key_length);
	uint64_t from = offset % MDG__UNIT_BYTES;
	if (__builtin_expect(offset >= where->known, 0))
		return false;
	/* Acquire: pairs with the release of who took the unit, units.c. */
	uint32_t head = (uint32_t)atomic_load_explicit(&heap->heads[offset >> MDG__UNIT_SHIFT],
	                                               memory_order_acquire);
	if (__builtin_expect((head & asked) != MDG__UNIT_SLAB || from % 16 != 0 ||
	                             from + value > MDG__UNIT_BYTES,
	                     0))
		return false;
	const struct mdg__map_node *node =
		(const struct mdg__map_node *)(void *)(heap->data + (size_t)offset);
	ret->node = node;
	ret->ref = ref;
	ret->length = MDG__LOAD(node->length);
	return __builtin_expect(MDG__LOAD(node->key_length) == key_length &&
	                                from + value + ret->length <= MDG__UNIT_BYTES,
	                        1);
}

/* [in a read section] */
MDG__AT_ONCE enum mdg__map_once mdg__map_find_at_once(const struct mdg_map *map,
                                                      const struct mdg__heap *heap, uint64_t hash,
                                                      const void *key, size_t key_length,
                                                      struct mdg__map_hit *ret)
{
	const struct mdg__map_where where = { heap, heap->parts.data, MDG__LOAD(heap->known) };
	uint64_t at;
	if (__builtin_expect(!mdg__map_is_there(map), 0) ||
	    !mdg__map_bucket_at_once(&where, mdg__map_part_of(map, hash), hash, &at))
		return MDG__MAP_UNCLEAR;
	const struct mdg__map_bucket *bucket =
		(const struct mdg__map_bucket *)(void *)(heap->data + (size_t)at);
	uint64_t tags = atomic_load_explicit(&bucket->tags, memory_order_acquire);
	uint64_t found = mdg__map_matches(tags, mdg__map_tag_of(hash));
	if (__builtin_expect(found == 0, 0))
		return mdg__map_reach(tags) == 0 ? MDG__MAP_ABSENT : MDG__MAP_UNCLEAR;
	/* Acquire: pairs with the release of who has put the node here. */
	uint64_t ref = atomic_load_explicit(&bucket->slot[(uint32_t)__builtin_ctzll(found) / 8],
	                                    memory_order_acquire);
	bool same = mdg__map_node_at_once(&where, ref, key_length, ret) &&
	            mdg__map_equal(mdg__map_key(ret->node), key, key_length);
	return __builtin_expect(same, 1) ? MDG__MAP_FOUND : MDG__MAP_UNCLEAR;
}

/* ---- the operation around it ---------------------------------------------------------------- */

/* Begins an operation of the thread, and in it a read section. NULL: not at once. */
static inline struct mdg__heap_own *mdg__map_begin_at_once(const struct mdg__heap *heap)
{
	struct mdg__heap_own *own = mdg__own_at_once(heap);
	if (__builtin_expect(own == NULL, 0))
		return NULL;
	own->idle.heap = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	if (!mdg__section_begin_at_once(heap, own)) {
		mdg__own_end(own);
		return NULL;
	}
	return own;
}

static inline void mdg__map_end_at_once(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	mdg__section_end_at_once(own);
	atomic_signal_fence(memory_order_seq_cst);
	own->idle.heap = heap;
}

#endif
