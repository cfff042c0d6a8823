/* SPDX-License-Identifier: MIT */
/*
 * map_layout.h - a map as it lies in its heap.
 *
 *     root --> head, with 64 parts --> table of a part --> nodes
 *
 * Each arrow is a place (madang/heap.h): a word that contains the reference to one block. The hash
 * of a key decides the part (its highest 6 bits), and in the table the home bucket (the bits
 * below).
 *
 * A BUCKET is a line of memory with 7 slots. A slot is a place: it contains the reference to a
 * node, or 0. So each change is one step of the heap: mdg_publish for a new key, mdg_swap for a new
 * value, mdg_take for a removal. No node refers to another one, so nothing else has to be changed,
 * and a node can be in two tables at once. When a part grows, its writer fills a new table, which
 * it holds, with the same references, and swaps it for the old one. If it is killed before, only
 * the new table is freed.
 *
 * TAGS. The bucket's first word has 8 bits of the hash for each slot, so that a reader looks only
 * at nodes that are most likely the right ones. A tag is stored before its slot is filled, and
 * stays when the slot becomes empty. The highest byte is the bucket's REACH: how many buckets
 * behind it may have nodes whose home is here. It too is stored before such a node is, and becomes
 * lower only when no such node is left.
 *
 * A MAP IS THERE while its root has the reference to its head, and the head its identity. A thread
 * may use the head only in a read section in which it has seen that, or while it holds the lock of
 * a part and has seen it since it has the lock. Whoever removes the map stores 0 as the identity,
 * and locks part 0. Then it locks each other part for as long as it empties it, takes the head out
 * of the root, unlocks part 0, and retires the head.
 *
 * A NODE never changes, with one exception: in a map of references it has the place of the value.
 * There the node is as good as absent while this place contains 0.
 *
 * Who may write a field stands beside it:
 *   [L]  the holder of the part's lock      [1]  the maker, before it is published
 */
#ifndef MADANG_HEAP_MAP_LAYOUT_H
#define MADANG_HEAP_MAP_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "madang/map.h"
#include "madang/sync.h"

/* MDG_MAP_TYPE of the root is "mangmap". */
#define MDG__MAP_MAGIC      UINT64_C(0x70616d2067646d) /* of the head: "mdg map" */
#define MDG__MAP_TABLE_MARK 0x6c626174u                /* "tabl" */

enum {
	MDG__MAP_FORMAT = 2, /* the version of the root */
	MDG__MAP_PARTS = 64,
	MDG__MAP_PART_SHIFT = 58, /* hash >> this: the part */
	MDG__MAP_SLOTS = 7,
	MDG__MAP_REACH_MOST = 7,
	MDG__MAP_BITS_MOST = 26 /* a table has at most 2^26 buckets: 4 GiB */
};

struct mdg__map_bucket {
	_Atomic uint64_t tags; /* [L] slot i: bits 8*i and up; reach: bits 56 and up */
	_Atomic uint64_t slot[MDG__MAP_SLOTS]; /* [L] places. Release; acquire by readers */
};

/* The buckets begin at the next multiple of 64 after this, counted from the heap's beginning. */
struct mdg__map_table {
	_Atomic uint32_t mark; /* [1] */
	_Atomic uint32_t bits; /* [1] the table has 2^bits buckets */
	uint64_t none;
};

/* Behind it the key, and behind that, at the next multiple of 8, the value. */
struct mdg__map_node {
	/* [1] the version. In a map of references: [L] the place of the value. */
	_Atomic uint64_t value;
	_Atomic uint64_t hash;       /* [1] */
	_Atomic uint32_t key_length; /* [1] */
	_Atomic uint32_t length;     /* [1] of the value; 0 in a map of references */
};

struct mdg__map_part {
	mdg_mutex lock;
	_Atomic uint64_t table; /* [L] place; 0: the part is empty. Release; acquire by readers */
	_Atomic uint64_t count; /* [L] entries: a hint, counted anew after a death, and at growth */
	_Atomic uint64_t version; /* [L] the last one given */
	_Atomic uint64_t writer; /* [L] who is changing the part: its slot + 1, and in the high half
	                             the slot's generation; 0: nobody */
	_Atomic uint64_t bits;   /* [L] of the table: a hint */
	uint64_t none[3];
};

/* Begins at a multiple of 64, counted from the heap's beginning. */
struct mdg__map_head {
	_Atomic uint64_t magic;     /* [1] */
	_Atomic uint32_t flags;     /* [1] MDG_MAP_REFS */
	_Atomic uint32_t least;     /* [1] bits of the smallest tables */
	_Atomic uint64_t secret[2]; /* [1] for the hash of keys, map_hash.h */
	/* [1] a random number, the same as in no other map. 0: the map is being removed. Whoever
	 * removes it stores that, by compare and exchange. */
	_Atomic uint64_t identity;
	uint64_t none[3];
	struct mdg__map_part part[MDG__MAP_PARTS];
};

_Static_assert(sizeof(struct mdg__map_bucket) == 64, "");
_Static_assert(sizeof(struct mdg__map_table) == 16, "");
_Static_assert(sizeof(struct mdg__map_node) == 24, "");
_Static_assert(offsetof(struct mdg__map_part, table) == 128, "");
_Static_assert(sizeof(struct mdg__map_part) == 192, "");
_Static_assert(offsetof(struct mdg__map_head, part) == 64, "");
_Static_assert(sizeof(struct mdg__map_head) == 64 + 64 * 192, "");

#endif
