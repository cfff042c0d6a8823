/* SPDX-License-Identifier: MIT */
/*
 * walk.c - a walk over all blocks that are allocated.
 *
 * The cursor is a unit and an index in its slab. The walk takes no lock. It sees each block once
 * that is there all the time, unless it is a large one that moves.
 */
#include "heap/guard.h"
#include "heap/look.h"

#include "platform/sized.h"

enum { INDEX_SHIFT = 13 }; /* a slab has at most 4096 blocks */
_Static_assert(MDG__SLAB_WORDS * 64 < 1 << INDEX_SHIFT, "");

static uint64_t cursor_of(uint64_t unit, uint64_t index)
{
	return unit << INDEX_SHIFT | index;
}

/* The next block of the slab from `index` on that is allocated; the number of blocks: none is. */
static uint32_t next_in_slab(const struct mdg__heap *heap, const struct mdg__thing *thing,
                             uint32_t index)
{
	const struct mdg__size_class *about = &mdg__heap_classes[thing->class];
	while (index < about->blocks) {
		uint32_t at = index / 64;
		/* The merge writes `free` before it clears `remote`. */
		uint64_t bits = atomic_load_explicit(&mdg__remote_words(heap, thing->unit)[at],
		                                     memory_order_acquire);
		bits |= MDG__LOAD(mdg__free_words(heap, thing->unit)[at]);
		uint64_t live = ~bits & mdg__class_word(about, at) & ~UINT64_C(0) << (index % 64);
		if (live != 0)
			return at * 64 + (uint32_t)__builtin_ctzll(live);
		index = (at + 1) * 64;
	}
	return about->blocks;
}

/* ---- what is known of a block ---------------------------------------------------------------- */

/* A thread as a label names it. `generation`: its low 8 bits. Of one that was swept, the slot still
 * says which process it was, until another thread has the slot. */
static void describe_maker(const struct mdg__heap *heap, uint64_t label, struct mdg_block_info *ret)
{
	uint32_t slot1 = MDG__LABEL_SLOT1(label);
	if (slot1 == 0 || slot1 > mdg__heap_slots_used(heap))
		return;
	const struct mdg__heap_slot *slot = &heap->slot[slot1 - 1];
	uint32_t word = MDG__LOAD(slot->life.word);
	uint32_t generation = MDG__LABEL_GENERATION(label) + (word == 0);
	if (((MDG__LOAD(slot->generation) ^ generation) & 0xffu) != 0)
		return;
	ret->pid = MDG__LOAD(slot->pid);
	ret->alive = mdg__life_is_living(word);
}

void mdg__describe_block(struct mdg__heap *heap, const struct mdg__thing *thing, uint32_t index,
                         struct mdg_block_info *ret)
{
	uint64_t label = 0;
	const struct mdg__block block = { thing->unit, thing->head, thing->class, index,
		                          mdg__thing_block(thing) };
	ret->bytes = mdg__usable(heap, &block);
	ret->ref = mdg__ref_of_block(heap, &block);
	if (mdg__is_labelled(heap, thing->unit))
		label = atomic_load_explicit(
			&heap->labels[thing->unit * MDG__LABELS_OF_UNIT + index],
			memory_order_acquire);
	ret->held = thing->state == MDG__UNIT_SPAN ? MDG__HEAD_OWNER(thing->head) != 0
	                                           : (label & MDG__LABEL_HELD) != 0;
	if ((heap->flags & MDG_HEAP_LABELS) == 0 || label == 0)
		return;
	describe_maker(heap, label, ret);
	ret->tag = (uint32_t)(label >> 20) & MDG_TAG_MOST;
	ret->time =
		(int64_t)(MDG__LOAD(heap->head->begun) / 1000000000u + (label & 0xfffffu) * 60u);
}

int mdg_heap_next(mdg_heap *view, uint64_t *cursor, struct mdg_block_info *ret_info)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	if (!mdg__sized_is_valid(ret_info->size) || mdg__is_closed(heap))
		return mdg__is_closed(heap) ? -EBADF : -EINVAL;
	uint64_t high = mdg__units_high(heap), at = *cursor >> INDEX_SHIFT;
	uint32_t index = (uint32_t)(*cursor & ((1u << INDEX_SHIFT) - 1));
	struct mdg__thing thing;
	for (; at < high; at += thing.units, index = 0) {
		struct mdg_block_info own = { 0 };
		mdg__thing_at(heap, at, high, &thing);
		if (!thing.valid)
			continue;
		if (thing.state == MDG__UNIT_KEPT)
			continue;
		bool span = thing.state == MDG__UNIT_SPAN;
		uint32_t found = span ? index : next_in_slab(heap, &thing, index);
		if (found >= (span ? 1 : mdg__heap_classes[thing.class].blocks))
			continue;
		mdg__describe_block(heap, &thing, found, &own);
		*cursor = cursor_of(at, found + 1u);
		mdg__sized_give(ret_info, &own, sizeof own);
		return 1;
	}
	*cursor = cursor_of(high, 0);
	return 0;
}
