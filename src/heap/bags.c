/* SPDX-License-Identifier: MIT */
/*
 * bags.c - retired blocks that wait for readers, in bags.
 *
 * A thread publishes the blocks that it retires in a bag (retire.c). When the bag is closed, the
 * epoch is counted up, and the bag remembers the epoch that ended. When no reader of that epoch or
 * an older one is left, its blocks are freed: each is taken out of its place in the bag into a hand
 * of the slot that only this file uses, and freed. The stores are those of mdg_take and mdg_free
 * (hand.c), so bury.c finds out where somebody was killed on the way, and a block is freed once. A
 * bag without blocks is taken out of its own place and freed in the same manner.
 *
 * The bags of a dead thread stay with its slot. Its sweeper does there what the thread would have
 * done. So no bag ever changes its owner, and the slot is free when the last one is gone.
 *
 * A chain of bags goes from the newest to the oldest one. The oldest ones are freed first. As many
 * as are remembered on the way to the end of the chain are freed in one go.
 */
#include "heap/guard.h"
#include "heap/held.h"

enum { BAGS_AT_ONCE = 32, CHAIN_MOST = 1 << 20 };

/* A bag, and the place in which its reference stands. */
struct link {
	_Atomic uint64_t *place;
	struct mdg__bag *bag;
};

static uint64_t ref_of(const struct mdg__heap *heap, const _Atomic uint64_t *address)
{
	return (uint64_t)((uintptr_t)address - (uintptr_t)heap->view.base);
}

struct mdg__bag *mdg__bag_at(struct mdg__heap *heap, uint64_t ref)
{
	struct mdg__block block;
	if (ref == 0 || ref % 16 != 0 || mdg__block_find(heap, ref, &block) < 0 ||
	    block.size < sizeof(struct mdg__bag) || mdg__block_is_free(heap, &block))
		return NULL;
	return (struct mdg__bag *)(void *)(heap->view.base + (size_t)ref);
}

/* The last bags of the chain, the oldest one last: how many there are in ret. *ret_more: there are
 * others before them. */
static uint32_t find_oldest(struct mdg__heap *heap, struct mdg__heap_slot *slot,
                            struct link ret[BAGS_AT_ONCE], bool *ret_more)
{
	struct link all[BAGS_AT_ONCE];
	_Atomic uint64_t *place = &slot->retired;
	struct mdg__bag *bag;
	uint32_t count = 0;
	while (count < CHAIN_MOST && (bag = mdg__bag_at(heap, MDG__LOAD(*place))) != NULL) {
		all[count++ % BAGS_AT_ONCE] = (struct link){ place, bag };
		place = &bag->next;
	}
	*ret_more = count > BAGS_AT_ONCE;
	uint32_t kept = count < BAGS_AT_ONCE ? count : BAGS_AT_ONCE;
	for (uint32_t i = 0; i < kept; i++)
		ret[i] = all[(count - kept + i) % BAGS_AT_ONCE];
	return kept;
}

/* Whether the block can be taken and freed: it is allocated, and can be written to be held. */
static bool is_whole(struct mdg__heap *heap, uint64_t ref, struct mdg__block *ret)
{
	return mdg__block_find(heap, ref, ret) == 0 && !mdg__block_is_free(heap, ret) &&
	       (MDG__HEAD_STATE(ret->head) == MDG__UNIT_SPAN || mdg__is_labelled(heap, ret->unit));
}

/* Frees what the hand holds, which no reader is in. */
static void give(struct mdg__heap *heap, struct mdg__hand *hand, uint64_t ref,
                 struct mdg__holder who)
{
	struct mdg__block block;
	mdg__hand_set(hand, MDG__HAND_FREE);
	atomic_signal_fence(memory_order_seq_cst);
	if (mdg__block_find(heap, ref, &block) == 0) {
		if (mdg__guard_free(heap, &block) < 0) /* it is set aside, or free */
			mdg__held_clear(heap, &block, who);
		else if (MDG__HEAD_STATE(block.head) == MDG__UNIT_SPAN)
			(void)mdg__units_give(heap, block.unit, block.head);
		else /* the last block of a slab without an owner: the slot has it for a moment */
			(void)mdg__slab_free_remote(heap, &block, who.slot1);
	}
	atomic_signal_fence(memory_order_seq_cst);
	mdg__hand_set(hand, MDG__HAND_NONE);
}

/* Takes what is in the place, and frees it. Only the caller changes the place. False: it contains
 * what cannot be taken. */
static bool free_in(struct mdg__heap *heap, struct mdg__heap_slot *slot, _Atomic uint64_t *place)
{
	struct mdg__hand *hand = &slot->hands[MDG__HAND_OWN];
	struct mdg__holder who = mdg__holder_slot(heap, (uint32_t)(slot - heap->slot));
	struct mdg__block block;
	uint64_t ref = MDG__LOAD(*place);
	if ((ref & 1) != 0)
		return false;
	if (!is_whole(heap, ref, &block)) { /* the program has freed it */
		MDG__STORE(*place, 0);
		return true;
	}
	MDG__STORE(hand->ref, ref);
	MDG__STORE(hand->place, ref_of(heap, place));
	mdg__hand_set(hand, MDG__HAND_TAKE);
	atomic_store_explicit(place, mdg__holder_mark(heap, who), memory_order_release);
	mdg__held_set(heap, &block, who);
	mdg__hand_set(hand, MDG__HAND_HELD);
	atomic_store_explicit(place, 0, memory_order_release);
	atomic_store_explicit(&hand->place, 0, memory_order_release);
	give(heap, hand, ref, who);
	return true;
}

/* Frees the blocks in a bag. False: not all of them. */
static bool empty(struct mdg__heap *heap, struct mdg__heap_slot *slot, struct mdg__bag *bag,
                  uint32_t *freed)
{
	for (uint32_t at = 0; at < MDG__BAG_BLOCKS; at++) {
		if (MDG__LOAD(bag->blocks[at]) == 0)
			continue;
		if (!free_in(heap, slot, &bag->blocks[at]))
			return false;
		uint64_t count = MDG__LOAD(slot->count);
		MDG__STORE(slot->count, count - (count != 0));
		++*freed;
	}
	return true;
}

/* Frees bags of the slot that were closed before the epoch `oldest`. False: some are left that were
 * not looked at. [the caller has the slot, or sweeps it] */
static bool free_some(struct mdg__heap *heap, struct mdg__heap_slot *slot, uint64_t oldest,
                      uint32_t *freed)
{
	struct link links[BAGS_AT_ONCE];
	bool more;
	uint32_t count = find_oldest(heap, slot, links, &more);
	uint64_t full = 0;
	while (count > 0) {
		struct mdg__bag *bag = links[count - 1].bag;
		full = MDG__LOAD(bag->full);
		if (full == 0 || full >= oldest || !empty(heap, slot, bag, freed))
			break;
		if (!free_in(heap, slot, links[count - 1].place))
			break;
		count--;
		full = 0;
	}
	MDG__STORE(slot->oldest, full);
	return count > 0 || !more;
}

static uint32_t free_all(struct mdg__heap *heap, struct mdg__heap_slot *slot, uint64_t oldest)
{
	uint32_t freed = 0;
	while (!free_some(heap, slot, oldest, &freed))
		;
	return freed;
}

static void close_bag(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	struct mdg__bag *bag = mdg__bag_at(heap, own->bag);
	own->bag = 0;
	if (bag == NULL)
		return;
	uint64_t full = mdg__readers_turn(heap);
	/* Release: behind the blocks in it. */
	atomic_store_explicit(&bag->full, full, memory_order_release);
	if (MDG__LOAD(own->slot->oldest) == 0)
		MDG__STORE(own->slot->oldest, full);
}

uint32_t mdg__retired_free(struct mdg__heap *heap, struct mdg__heap_own *own)
{
	if (own->bag != 0 && own->bag_used != 0)
		close_bag(heap, own);
	uint64_t full = MDG__LOAD(own->slot->oldest);
	if (full == 0)
		return 0;
	uint64_t oldest = mdg__readers_oldest(heap);
	return full < oldest ? free_all(heap, own->slot, oldest) : 0;
}

bool mdg__sweep_retired(struct mdg__heap *heap, struct mdg__heap_slot *dead)
{
	struct mdg__bag *bag = mdg__bag_at(heap, MDG__LOAD(dead->retired));
	uint64_t left = MDG__LOAD(dead->left);
	/* Nothing was retired after the slot was found dead. */
	if (bag != NULL && MDG__LOAD(bag->full) == 0)
		MDG__STORE(bag->full, left);
	if (bag != NULL)
		(void)free_all(heap, dead, left + 1);
	/* What leads to no bag was written by somebody else, and is lost. */
	return mdg__bag_at(heap, MDG__LOAD(dead->retired)) == NULL;
}
