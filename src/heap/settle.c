/* SPDX-License-Identifier: MIT */
/*
 * settle.c - has a thread published a block, or has it not?
 *
 * A thread publishes by one store into the place. Its hand says before that it is about to, and
 * after it that it is no more. If it dies in between, the sweeper asks the place. If the block is
 * there, it was published. But others may have removed it from the place by then:
 *   - by mdg_take. While they do so, the place has their mark and their hand the block. After that,
 *     the block is written to be theirs (held.h).
 *   - by mdg_swap. They store their own block in the place, and then write that the old one is
 *     theirs. In between only their hand tells, and only if their own block was published. So that
 *     is asked first, in the same way.
 *   - by mdg_publish over it. Then the block belongs to nobody, but to what the program has linked
 *     it to. Who has done so tells the hand of the publisher (mdg__published_tell). In between it
 *     is as for mdg_swap.
 * So the order of looking is: the place; the hand of who takes; the hands of all that are about to
 * publish or swap in this place; who holds their blocks, as it is written; their hands again, which
 * must not have gone on; and at last who holds the block, and whether the hand was told. If the
 * block was published, then one of these finds it, because each of these states ends only after the
 * next one has begun. If it was not, none of them does. tests/models/heap_hand.pml explores this.
 *
 * One case is not exact. A thread publishes over a block, and is paused before it tells. In the
 * meantime the same block is taken from where the program has linked it, and its new holder is just
 * about to publish it in the same place, and dies. Then the block counts as published, and stays
 * allocated.
 */
#include "heap/held.h"

#include "sync/owned.h"

enum { TRIES_MOST = 64 };

/* ---- places -------------------------------------------------------------------------------- */

/* [lock] The word, if its memory is there: the block around it may have been freed since. */
static _Atomic uint64_t *place_at(struct mdg__heap *heap, uint64_t place)
{
	uint64_t unit = (place - heap->parts.data) >> MDG__UNIT_SHIFT;
	/* The places of bags are in the slots. */
	bool slot = place - heap->parts.slots <
	            mdg__heap_slots_used(heap) * sizeof(struct mdg__heap_slot);
	bool there = mdg__is_root(heap, place) || slot ||
	             (place >= heap->parts.data && unit < mdg__units_high(heap) &&
	              mdg__bit_is_set(heap, MDG__BITS_COMMITTED, unit));
	return place % 8 != 0 || !there
	               ? NULL
	               : (_Atomic uint64_t *)(void *)(heap->view.base + (size_t)place);
}

int mdg__place_read(struct mdg__heap *heap, uint64_t place, uint64_t *ret)
{
	mdg__sigmask mask;
	int rc = mdg__heap_lock(heap, &mask);
	if (rc < 0)
		return rc;
	_Atomic uint64_t *word = place_at(heap, place);
	/* Acquire: who has changed the place has written its hand before. */
	*ret = word == NULL ? 0 : atomic_load_explicit(word, memory_order_seq_cst);
	mdg__heap_unlock(heap, &mask);
	return 0;
}

int mdg__place_empty(struct mdg__heap *heap, uint64_t place, uint64_t from)
{
	mdg__sigmask mask;
	int rc = mdg__heap_lock(heap, &mask);
	if (rc < 0)
		return rc;
	_Atomic uint64_t *word = place_at(heap, place);
	if (word != NULL)
		(void)atomic_compare_exchange_strong_explicit(word, &from, 0, memory_order_acq_rel,
		                                              memory_order_relaxed);
	mdg__heap_unlock(heap, &mask);
	return 0;
}

/* ---- hands of others ----------------------------------------------------------------------- */

/* A hand as it was at one moment. */
struct look {
	const struct mdg__hand *hand;
	struct mdg__holder who;
	uint64_t op, ref, old;
	bool published;
};

static bool is_about_to(uint64_t op)
{
	return MDG__HAND_OP(op) == MDG__HAND_PUBLISH || MDG__HAND_OP(op) == MDG__HAND_SWAP;
}

/* Its number is counted up with each operation. So if it is the same before and after, what was
 * read in between belongs together. */
static bool look_at(const struct mdg__hand *hand, uint64_t place, struct look *ret)
{
	ret->hand = hand;
	ret->op = atomic_load_explicit(&hand->op, memory_order_acquire);
	ret->ref = atomic_load_explicit(&hand->ref, memory_order_acquire);
	ret->old = atomic_load_explicit(&hand->old, memory_order_acquire);
	uint64_t there = atomic_load_explicit(&hand->place, memory_order_acquire);
	return there == place && atomic_load_explicit(&hand->op, memory_order_relaxed) == ret->op;
}

static bool is_as_seen(const struct look *look)
{
	return atomic_load_explicit(&look->hand->op, memory_order_acquire) == look->op;
}

void mdg__published_tell(struct mdg__heap *heap, uint64_t ref, uint64_t place)
{
	struct mdg__block block;
	struct look look;
	if (ref == 0 || mdg__block_find(heap, ref, &block) < 0)
		return;
	uint32_t slot1 = mdg__held_by(heap, &block);
	if (slot1 == 0 || slot1 > mdg__heap_slots_used(heap))
		return;
	for (int i = 0; i < MDG__HANDS; i++) {
		struct mdg__hand *hand = &heap->slot[slot1 - 1].hands[i];
		if (look_at(hand, place, &look) && is_about_to(look.op) && look.ref == ref)
			(void)atomic_compare_exchange_strong_explicit(
				&hand->op, &look.op, look.op | MDG__HAND_DONE, memory_order_acq_rel,
				memory_order_relaxed);
	}
}

/* Whether the hand has the block, and is not about to publish it. What it holds for a transaction
 * that has committed is live: its thread has died before it could say so. */
static bool hand_has(struct mdg__heap *heap, const struct mdg__hand *hand, uint64_t ref)
{
	uint64_t op = atomic_load_explicit(&hand->op, memory_order_acquire);
	for (int i = 0; i < TRIES_MOST; i++) {
		if (MDG__LOAD(hand->ref) != ref || MDG__HAND_OP(op) == MDG__HAND_NONE ||
		    is_about_to(op))
			return false;
		if (MDG__HAND_OP(op) != MDG__HAND_TXN_HOLD)
			return true;
		enum mdg__verdict verdict = mdg__txn_verdict(heap, hand);
		uint64_t now = atomic_load_explicit(&hand->op, memory_order_acquire);
		if (((now ^ op) & ~MDG__HAND_DONE) == 0)
			return verdict == MDG__NOT_COMMITTED || verdict == MDG__VERDICT_NOT_KNOWN;
		op = now; /* its sweeper has gone on */
	}
	return true;
}

/* Whether a hand of this slot has the block, and is not about to publish it. */
static bool has_in_hand(struct mdg__heap *heap, uint32_t slot1, uint64_t ref)
{
	for (int i = 0; i < MDG__HANDS; i++)
		if (hand_has(heap, &heap->slot[slot1 - 1].hands[i], ref))
			return true;
	return false;
}

int mdg__held_settle(struct mdg__heap *heap, const struct mdg__block *block)
{
	uint64_t ref = heap->parts.data + (block->unit << MDG__UNIT_SHIFT) +
	               (uint64_t)block->index * block->size;
	for (int i = 0; i < TRIES_MOST; i++) {
		uint32_t slot1 = mdg__held_by(heap, block);
		if (slot1 == 0)
			return 0;
		if (slot1 > mdg__heap_slots_used(heap))
			break;
		struct mdg__holder who = mdg__holder_slot(heap, slot1 - 1);
		if (has_in_hand(heap, slot1, ref) && mdg__is_held_by(heap, block, who))
			return -EBUSY;
		/* It was published, since the caller knows it. */
		mdg__held_clear(heap, block, who);
	}
	return MDG_BROKEN; /* no thread writes that */
}

/* ---- the judgement ------------------------------------------------------------------------- */

enum { LOOKS_MOST = 48 };

struct looks {
	struct look look[LOOKS_MOST];
	uint32_t count;
};

/* The block that is taken out of the place, which contains `value`. 0: none. */
static uint64_t taken_from(const struct mdg__heap *heap, uint64_t value, uint64_t place)
{
	struct look look;
	uint32_t slot1 = MDG__MARK_SLOT1(value);
	if (!mdg__is_mark(heap, value))
		return 0;
	for (int i = 0; i < MDG__HANDS; i++)
		if (look_at(&heap->slot[slot1 - 1].hands[i], place, &look) &&
		    MDG__HAND_OP(look.op) == MDG__HAND_TAKE)
			return look.ref;
	return 0;
}

/* All hands but this one that may have replaced something in the place. False: too many. */
static bool collect(const struct mdg__heap *heap, const struct mdg__hand *but, uint64_t place,
                    struct looks *ret)
{
	uint32_t used = mdg__heap_slots_used(heap);
	ret->count = 0;
	for (uint32_t index = 0; index < used; index++)
		for (int i = 0; i < MDG__HANDS; i++) {
			const struct mdg__hand *hand = &heap->slot[index].hands[i];
			struct look look;
			uint64_t op = atomic_load_explicit(&hand->op, memory_order_acquire);
			if (hand == but || !is_about_to(op) || !look_at(hand, place, &look) ||
			    !is_about_to(look.op) || look.old == 0 || look.old == look.ref)
				continue;
			look.who = mdg__holder_slot(heap, index);
			if (ret->count == LOOKS_MOST)
				return false;
			ret->look[ret->count++] = look;
		}
	return true;
}

static bool is_moved(struct mdg__heap *heap, uint64_t ref, struct mdg__holder who)
{
	struct mdg__block block;
	return mdg__block_find(heap, ref, &block) < 0 || !mdg__is_held_by(heap, &block, who);
}

/* Whether one of those has replaced `ref`, and has published its own. Who has replaced what another
 * one has published shows that it was. */
static bool is_replaced(struct looks *looks, uint64_t ref)
{
	bool more = true;
	while (more) {
		more = false;
		for (uint32_t i = 0; i < looks->count; i++)
			for (uint32_t j = 0; j < looks->count; j++)
				if (looks->look[i].published && !looks->look[j].published &&
				    looks->look[i].old == looks->look[j].ref)
					more = looks->look[j].published = true;
	}
	for (uint32_t i = 0; i < looks->count; i++)
		if (looks->look[i].published && looks->look[i].old == ref)
			return true;
	return false;
}

static enum mdg__judgement judge(struct mdg__heap *heap, struct mdg__holder who,
                                 const struct mdg__hand *hand, struct looks *looks)
{
	uint64_t op = MDG__LOAD(hand->op), ref = MDG__LOAD(hand->ref), value;
	uint64_t place = MDG__LOAD(hand->place), kind = op & MDG__HAND_POINTER;
	if (mdg__place_read(heap, place, &value) < 0)
		return MDG__NOT_KNOWN;
	uint64_t taken = taken_from(heap, value, place);
	if ((value & 1) == 0)
		value = mdg__place_ref(heap, value, kind);
	if (value == ref || taken == ref)
		return MDG__PUBLISHED;
	if (!collect(heap, hand, place, looks))
		return MDG__NOT_KNOWN;
	for (uint32_t i = 0; i < looks->count; i++) {
		struct look *look = &looks->look[i];
		look->published = value == look->ref || taken == look->ref ||
		                  (look->op & MDG__HAND_DONE) != 0 ||
		                  is_moved(heap, look->ref, look->who);
	}
	for (uint32_t i = 0; i < looks->count; i++)
		if (!is_as_seen(&looks->look[i]))
			return MDG__NOT_KNOWN; /* it has gone on */
	if (is_replaced(looks, ref) || is_moved(heap, ref, who) ||
	    (atomic_load_explicit(&hand->op, memory_order_acquire) & MDG__HAND_DONE) != 0)
		return MDG__PUBLISHED;
	return MDG__NOT_PUBLISHED;
}

enum mdg__judgement mdg__published_judge(struct mdg__heap *heap, uint32_t index,
                                         const struct mdg__hand *hand)
{
	struct looks looks;
	enum mdg__judgement judgement = MDG__NOT_KNOWN;
	for (int i = 0; i < TRIES_MOST && judgement == MDG__NOT_KNOWN; i++)
		judgement = judge(heap, mdg__holder_slot(heap, index), hand, &looks);
	return judgement;
}
