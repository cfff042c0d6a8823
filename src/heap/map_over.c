/* SPDX-License-Identifier: MIT */
/*
 * map_over.c - another value for a key that is there, in one go.
 *
 * It is what map_put.c does by calls of the heap: hold the new node, lock the part, swap it for the
 * old one, unlock, and retire that. The stores are the same ones in the same order (hand.c,
 * retire.c). But the thread is asked once who it is, and what has to be fetched from memory is
 * fetched while the new node is made.
 *
 * Nobody else changes the slot of the table while this thread has the lock, nor a place in the
 * thread's own bag. And nobody else takes a block out of either. So slot, bag and labels are
 * stored, and not compared and exchanged.
 *
 * This is tried first. Whatever is not as it is mostly (no block at hand, a bag that is full,
 * another thread in the part, a death) makes it give up before anything was changed.
 */
#include "heap/guard.h"
#include "heap/held.h"
#include "heap/map_find.h"
#include "heap/section.h"

/* A bag with more bytes than that is closed soon, by mdg_retire. */
#define BAG_BYTES (UINT64_C(128) << 10)

struct over {
	struct mdg__heap *heap;
	struct mdg__heap_own *own;
	const struct mdg_map *map;
	struct mdg__map_part *part;
	struct mdg__hand *hand;      /* has the new node, and then the old one */
	int index;                   /* of the hand */
	_Atomic uint64_t *slot;      /* in the table */
	uint64_t old;                /* the old node */
	_Atomic uint64_t *label;     /* of the old node */
	uint64_t size;               /* of its block */
	_Atomic uint64_t *new_label; /* of the new node; NULL: it is no block of a slab */
};

static inline void in_order(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/* The processor begins to read the bucket of the key. */
static inline void fetch_bucket(struct over *over, uint64_t hash)
{
	mdg__section_begin(over->heap, over->own);
	if (mdg__map_is_there(over->map)) {
		const struct mdg__map_part *part = mdg__map_part_of(over->map, hash);
		mdg__map_fetch(over->map, part, MDG__LOAD(part->table), hash);
	}
	mdg__section_end(over->own);
}

/* The same for the node, and for its label, which is to be written. Whether it is the right one is
 * asked later. False: the key is not there, as it seems. */
static inline bool fetch_node(const struct over *over, uint64_t hash)
{
	struct mdg__map_view view;
	struct mdg__block block;
	uint64_t table = atomic_load_explicit(&over->part->table, memory_order_acquire);
	if (mdg__map_table_glance(over->map, table, &view) != 0 || view.buckets == NULL)
		return false;
	struct mdg__map_bucket *bucket = &view.buckets[mdg__map_home(view.bits, hash)];
	uint64_t ref = (uint64_t)((uintptr_t)bucket - (uintptr_t)over->map->heap->base);
	if (!mdg__map_has_memory(over->map, ref))
		return false;
	uint64_t tags = MDG__LOAD(bucket->tags);
	uint64_t found = mdg__map_matches(tags, mdg__map_tag_of(hash));
	if (found == 0)
		return mdg__map_reach(tags) != 0;
	ref = MDG__LOAD(bucket->slot[(uint32_t)__builtin_ctzll(found) / 8]);
	if (ref % 16 == 0 && ref < over->map->heap->extent &&
	    mdg__block_find(over->heap, ref, &block) == 0) {
		const unsigned char *at = over->map->heap->base + (size_t)ref;
		__builtin_prefetch(at);
		__builtin_prefetch(at + 2 * sizeof(struct mdg__map_node) - 1);
		const _Atomic uint64_t *label =
			&over->heap->labels[block.unit * MDG__LABELS_OF_UNIT + block.index];
		__builtin_prefetch(label, 1);
	}
	return true;
}

/* Where the label of the new node is. */
static inline _Atomic uint64_t *label_of(const struct over *over, const void *node)
{
	_Atomic uint64_t *label = over->own->held_label[over->index];
	uint64_t ref = mdg_ref_of(&over->heap->view, node);
	struct mdg__block block;
	if (label != NULL)
		return label;
	return mdg__block_find(over->heap, ref, &block) == 0 &&
	                       MDG__HEAD_STATE(block.head) == MDG__UNIT_SLAB
	               ? mdg__block_label(over->heap, &block)
	               : NULL;
}

/* The new node, held. NULL: there is no memory, or no hand. */
static inline struct mdg__map_node *
node_make(struct over *over, const struct mdg__map_change *change, const void *value, size_t length)
{
	struct mdg__heap_own *own = over->own;
	size_t size = (size_t)mdg__map_value_offset((uint32_t)change->key_length) + length;
	over->hand = mdg__hand_vacant(own);
	if (over->hand == NULL)
		return NULL;
	struct mdg__map_node *node = mdg__alloc_held_at_once(over->heap, own, size, over->hand);
	if (node == NULL)
		node = mdg__alloc(over->heap, own, size, over->hand);
	if (node == NULL)
		return NULL;
	over->index = (int)(over->hand - own->slot->hands);
	own->hands |= 1u << over->index;
	over->new_label = label_of(over, node);
	mdg__map_node_fill(node, change, value, length);
	return node;
}

/* ---- under the lock ------------------------------------------------------------------------ */

static inline bool lock(const struct over *over)
{
	struct mdg__owned *owned = (struct mdg__owned *)(void *)&over->part->lock;
	if (!mdg__owned_take_free(owned))
		return false;
	if (__builtin_expect(MDG__LOAD(owned->state) != 0, 0)) {
		(void)mdg__owned_give(owned); /* as it is: who asks next is told */
		return false;
	}
	return true;
}

/* [L] Finds the node of the key. False: it is not there, or no block of a slab. */
static inline bool find(struct over *over, const struct mdg__map_change *change)
{
	struct mdg__map_view view;
	struct mdg__map_seen seen;
	struct mdg__block block;
	/* Acquire, although the lock is one: what the table refers to may be nonsense. */
	uint64_t table = atomic_load_explicit(&over->part->table, memory_order_acquire);
	if (mdg__map_table_glance(over->map, table, &view) != 0 ||
	    mdg__map_find_in_table(over->map, &view, true, change->hash, change->key,
	                           change->key_length, &seen) != 0 ||
	    (change->is_conditional && MDG__LOAD(seen.node->value) != change->expected) ||
	    mdg__block_find(over->heap, seen.ref, &block) != 0 ||
	    MDG__HEAD_STATE(block.head) != MDG__UNIT_SLAB ||
	    !mdg__is_labelled(over->heap, block.unit))
		return false;
	over->slot = &seen.bucket->slot[seen.slot];
	over->old = seen.ref;
	over->size = block.size;
	over->label = mdg__block_label(over->heap, &block);
	return true;
}

/* [L] The stores of mdg_swap. Returns the label of the old node. */
static inline uint64_t swap(const struct over *over, struct mdg__map_node *node)
{
	struct mdg__heap_own *own = over->own;
	struct mdg__holder me = mdg__holder_own(own);
	struct mdg__hand *hand = over->hand;
	MDG__STORE(hand->old, over->old);
	MDG__STORE(hand->place,
	           (uint64_t)((uintptr_t)over->slot - (uintptr_t)over->heap->view.base));
	mdg__hand_set(hand, MDG__HAND_SWAP);
	in_order();
	/* Release: what was written to the node, and the hand. Now it is published. */
	atomic_store_explicit(over->slot, mdg_ref_of(&over->heap->view, node),
	                      memory_order_release);
	in_order();
	uint64_t label = mdg__label_held(MDG__LOAD(*over->label), me);
	atomic_store_explicit(over->label, label, memory_order_release);
	in_order();
	atomic_store_explicit(over->new_label,
	                      mdg__label_unheld(over->heap, MDG__LOAD(*over->new_label)),
	                      memory_order_release);
	own->held_label[over->index] = NULL;
	in_order();
	atomic_store_explicit(&hand->ref, over->old, memory_order_release);
	in_order();
	mdg__hand_set(hand, MDG__HAND_HELD | MDG__HAND_SEEN);
	MDG__STORE(hand->place, 0);
	return label;
}

/* [L] False: nothing has changed. */
static inline bool change_locked(struct over *over, struct mdg__map_change *change,
                                 uint64_t *ret_label)
{
	struct mdg__map_part *part = over->part;
	MDG__STORE(part->writer, (uint64_t)over->own->generation << 32 | over->own->slot1);
	if (!mdg__map_is_there(over->map) || !find(over, change))
		return false;
	change->version = MDG__LOAD(part->version) + 1;
	MDG__STORE(part->version, change->version);
	MDG__STORE(change->node->value, change->version);
	*ret_label = swap(over, change->node);
	return true;
}

/* The place for one more block in the bag of the thread; NULL: mdg_retire has to see to it. */
static inline _Atomic uint64_t *bag_place(const struct over *over)
{
	const struct mdg__heap_own *own = over->own;
	if (own->bag == 0 || own->bag_used >= MDG__BAG_BLOCKS - 1 || own->bag_bytes >= BAG_BYTES)
		return NULL;
	struct mdg__bag *bag =
		(struct mdg__bag *)(void *)(over->heap->view.base + (size_t)own->bag);
	return &bag->blocks[own->bag_used];
}

/* The stores of mdg_retire, with room in the bag. */
static inline void retire(const struct over *over, _Atomic uint64_t *place, uint64_t label)
{
	struct mdg__heap_own *own = over->own;
	struct mdg__hand *hand = over->hand;
	MDG__STORE(hand->old, 0);
	MDG__STORE(hand->place, (uint64_t)((uintptr_t)place - (uintptr_t)over->heap->view.base));
	mdg__hand_set(hand, MDG__HAND_PUBLISH | MDG__HAND_SEEN);
	in_order();
	atomic_store_explicit(place, over->old, memory_order_release);
	in_order();
	atomic_store_explicit(over->label, mdg__label_unheld(over->heap, label),
	                      memory_order_release);
	in_order();
	mdg__hand_set(hand, MDG__HAND_NONE);
	own->hands &= ~(1u << over->index);
	own->bag_used++;
	own->bag_bytes += over->size;
	MDG__STORE(own->slot->count, MDG__LOAD(own->slot->count) + 1);
}

/* [in a read section, with the new node] */
static inline bool replace(struct over *over, struct mdg__map_change *change)
{
	uint64_t label = 0;
	_Atomic uint64_t *place = bag_place(over);
	if (place == NULL || MDG__LOAD(*place) != 0 || !mdg__map_is_there(over->map))
		return false;
	over->part = mdg__map_part_of(over->map, change->hash);
	if (!fetch_node(over, change->hash) || !lock(over))
		return false;
	bool done = change_locked(over, change, &label);
	mdg__map_give(over->part);
	if (done)
		retire(over, place, label);
	return done;
}

bool mdg__map_over(const struct mdg_map *map, struct mdg__map_change *change, const void *value,
                   size_t length)
{
	int why;
	bool done = false;
	struct over over = { .heap = mdg__heap_of(map->heap), .map = map };
	over.own = mdg__own_begin(over.heap, &why);
	if (over.own == NULL)
		return false;
	fetch_bucket(&over, change->hash);
	/* Not in a read section: the memory for it may be what readers hold up. */
	change->node = node_make(&over, change, value, length);
	if (change->node != NULL && over.new_label != NULL && !mdg__is_checked(over.heap)) {
		mdg__section_begin(over.heap, over.own);
		done = replace(&over, change);
		mdg__section_end(over.own);
	}
	mdg__own_end(over.own);
	return done;
}
