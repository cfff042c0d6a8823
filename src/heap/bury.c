/* SPDX-License-Identifier: MIT */
/*
 * bury.c - what a dead thread had in its hands.
 *
 * First it is found out what the last operation of the hand has done (settle.c). Then the hand
 * either holds a block, or nothing. What it holds is freed as others free: by the bit in `remote`.
 * Only a block that is written to be the dead thread's is freed for it.
 *
 * The sweeper may be killed too. Each step may be done twice, and each store leaves the hand in a
 * state from which the next sweeper comes to the same end.
 */
#include "heap/guard.h"
#include "heap/held.h"

#include "platform/fence.h"

/* What is known of a dead hand. */
struct grave {
	struct mdg__heap *heap;
	struct mdg__hand *hand;
	uint32_t index;
	struct mdg__holder who;
	uint64_t op, ref;
};

static bool find(const struct grave *grave, uint64_t ref, struct mdg__block *ret)
{
	return mdg__block_find(grave->heap, ref, ret) == 0;
}

static void clear(const struct grave *grave, uint64_t ref)
{
	struct mdg__block block;
	if (find(grave, ref, &block))
		mdg__held_clear(grave->heap, &block, grave->who);
}

static bool drop(const struct grave *grave)
{
	mdg__hand_set(grave->hand, MDG__HAND_NONE);
	return true;
}

/* Frees a block that is the dead thread's, if it is not free. */
static bool give(const struct grave *grave)
{
	struct mdg__block block;
	struct mdg__heap *heap = grave->heap;
	if (!find(grave, grave->ref, &block))
		return drop(grave);
	bool span = MDG__HEAD_STATE(block.head) == MDG__UNIT_SPAN;
	/* The bits first: who merges clears the label, then sets the one bit and clears the
	 * other. */
	if (!span && mdg__block_is_free(heap, &block)) {
		/* Killed before it was allocated, or after it was freed. In another thread's slab,
		 * that one clears the label. */
		if (MDG__HEAD_OWNER(block.head) == grave->who.slot1)
			mdg__held_clear(heap, &block, grave->who);
		return drop(grave);
	}
	mdg__fence(memory_order_acquire);
	if (!mdg__is_held_by(heap, &block, grave->who))
		return drop(grave);
	if (MDG__HAND_OP(MDG__LOAD(grave->hand->op)) != MDG__HAND_FREE)
		mdg__hand_set(grave->hand, MDG__HAND_FREE);
	if (mdg__guard_free(heap, &block) < 0) { /* it is set aside, or free */
		mdg__held_clear(heap, &block, grave->who);
		return drop(grave);
	}
	if (span) {
		int rc = mdg__units_give(heap, block.unit, block.head);
		return (rc == 0 || rc == -EINVAL) && drop(grave);
	}
	/* The slab may have been left before this. If its last block is freed, it is given back:
	 * for that it belongs to the dead slot once more, so that the next sweeper finds it. */
	(void)mdg__slab_free_remote(heap, &block, grave->who.slot1);
	return drop(grave);
}

/* It holds `ref`. If readers may be in it, it is freed when they have passed. */
static bool release(struct grave *grave, bool passed)
{
	struct mdg__heap *heap = grave->heap;
	uint64_t mark = mdg__holder_mark(heap, grave->who), place = MDG__LOAD(grave->hand->place);
	/* Killed between taking it and emptying the place. */
	if (place != 0 && mdg__place_empty(heap, place, mark) < 0)
		return false;
	/* Release: from here on nothing of the dead thread is in the place (map_part.c). */
	atomic_store_explicit(&grave->hand->place, 0, memory_order_release);
	if ((MDG__LOAD(grave->hand->op) & MDG__HAND_SEEN) != 0 && !passed)
		return false;
	return give(grave);
}

static bool taking(struct grave *grave, bool passed)
{
	uint64_t value, mark = mdg__holder_mark(grave->heap, grave->who);
	uint64_t place = MDG__LOAD(grave->hand->place);
	struct mdg__block block;
	if (mdg__place_read(grave->heap, place, &value) < 0)
		return false;
	if (value != mark)
		return drop(grave);
	if (!find(grave, grave->ref, &block)) /* somebody has freed it; the mark must not stay */
		return mdg__place_empty(grave->heap, place, mark) == 0 && drop(grave);
	mdg__held_set(grave->heap, &block, grave->who);
	mdg__hand_set(grave->hand, MDG__HAND_HELD | MDG__HAND_SEEN);
	return release(grave, passed);
}

/* It has published `ref`, and nothing of that remains to be done when this returns. */
static bool published(struct grave *grave, bool passed)
{
	uint64_t old = MDG__LOAD(grave->hand->old), place = MDG__LOAD(grave->hand->place);
	struct mdg__block block;
	bool swaps = MDG__HAND_OP(grave->op) == MDG__HAND_SWAP && old != 0;
	if (swaps && find(grave, old, &block))
		mdg__held_set(grave->heap, &block, grave->who);
	else if (!swaps)
		mdg__published_tell(grave->heap, old, place);
	clear(grave, grave->ref);
	if (mdg__is_root(grave->heap, place))
		mdg__root_changed(grave->heap, place, grave->who);
	if (!swaps)
		return drop(grave);
	/* Release: behind the labels. From here on it holds the old one. */
	atomic_store_explicit(&grave->hand->ref, old, memory_order_release);
	grave->ref = old;
	mdg__hand_set(grave->hand, MDG__HAND_HELD | MDG__HAND_SEEN);
	return release(grave, passed);
}

static bool publishing(struct grave *grave, bool passed)
{
	if (MDG__HAND_OP(grave->op) == MDG__HAND_SWAP &&
	    grave->ref == MDG__LOAD(grave->hand->old)) {
		mdg__hand_set(grave->hand, MDG__HAND_HELD | MDG__HAND_SEEN);
		return release(grave, passed);
	}
	switch (mdg__published_judge(grave->heap, grave->index, grave->hand)) {
	case MDG__PUBLISHED:
		return published(grave, passed);
	case MDG__NOT_PUBLISHED:
		mdg__hand_set(grave->hand, MDG__HAND_HELD | (grave->op & MDG__HAND_SEEN));
		return release(grave, passed);
	case MDG__NOT_KNOWN:
		break;
	}
	return false;
}

/* What a transaction has held or freed. What it frees has to wait until its records are copied: by
 * the next one that begins it. */
static bool joined(struct grave *grave)
{
	uint32_t op = MDG__HAND_OP(grave->op);
	struct mdg__block block;
	enum mdg__verdict verdict = mdg__txn_verdict(grave->heap, grave->hand);
	if (verdict == MDG__VERDICT_NOT_KNOWN)
		return false;
	bool committed = verdict != MDG__NOT_COMMITTED;
	if (op == MDG__HAND_TXN_HOLD && committed)
		clear(grave, grave->ref);
	if ((op == MDG__HAND_TXN_HOLD && committed) || (op == MDG__HAND_TXN_FREE && !committed))
		return drop(grave);
	if (verdict == MDG__COMMITTED_JUST)
		return false;
	if (op == MDG__HAND_TXN_FREE && find(grave, grave->ref, &block))
		mdg__held_set(grave->heap, &block, grave->who);
	mdg__hand_set(grave->hand, MDG__HAND_HELD);
	return give(grave);
}

static bool bury(struct grave *grave, bool passed)
{
	switch (MDG__HAND_OP(grave->op)) {
	case MDG__HAND_HELD:
		return release(grave, passed);
	case MDG__HAND_TAKE:
		return taking(grave, passed);
	case MDG__HAND_PUBLISH:
	case MDG__HAND_SWAP:
		return publishing(grave, passed);
	case MDG__HAND_FREE:
		return give(grave);
	case MDG__HAND_TXN_HOLD:
	case MDG__HAND_TXN_FREE:
	case MDG__HAND_TXN_DROP:
		return joined(grave);
	default:
		return true;
	}
}

bool mdg__sweep_hands(struct mdg__heap *heap, uint32_t index, bool passed)
{
	bool all = true;
	for (int i = 0; i < MDG__HANDS; i++) {
		struct mdg__hand *hand = &heap->slot[index].hands[i];
		struct grave grave = { heap,
			               hand,
			               index,
			               mdg__holder_slot(heap, index),
			               MDG__LOAD(hand->op),
			               MDG__LOAD(hand->ref) };
		all &= bury(&grave, passed);
	}
	return all;
}
