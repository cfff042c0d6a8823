/* SPDX-License-Identifier: MIT */
/*
 * joined.c - blocks that live or end with a transaction of <madang/sync.h>.
 *
 * The thread joins the transaction that it runs, with a number that nobody uses twice. A hand names
 * the block, the transaction and the number. When the transaction ends, it calls `ended` here,
 * before anybody else can begin it, and the hands are emptied. If the thread dies before that, its
 * sweeper asks the transaction (verdict.c, bury.c).
 *
 * THE ORDER OF STORES:
 *   hold     the hand, HELD | the label | the block's bit | the hand, TXN_HOLD
 *   free     the hand, TXN_FREE
 *   drop     the hand, TXN_DROP      (a block that was held in the same transaction is freed)
 *   commit   BLOCKS, in the transaction: it has happened | the data | `done` | IDLE |
 *            of a held block: the label, to nobody | the hand, NONE
 *            of one to be freed: the label, to this thread | the hand, FREE | the block's bit |
 *            the label, if the slab is the thread's | the hand, NONE
 *            `joined`, 0 | the word of the transaction
 *
 * A block is not freed before the records are copied, because they may lead into it. If they could
 * be copied once more, they would destroy what has become of it.
 */
#include "heap/guard.h"
#include "heap/held.h"

#include "sync/owned.h"

/* ---- the end of a transaction -------------------------------------------------------------- */

/* The hand is as one of the program's from here on. */
static void part_with(struct mdg__joined *joined, const struct mdg__hand *hand)
{
	uint32_t bit = 1u << (hand - joined->own->slot->hands);
	joined->own->joined_hands &= ~bit;
	joined->own->hands |= bit;
}

static void forget(struct mdg__heap_own *own, struct mdg__hand *hand)
{
	mdg__hand_set(hand, MDG__HAND_NONE);
	own->hands &= ~(1u << (hand - own->slot->hands));
}

/* The block becomes this thread's, and then free. */
static void free_committed(struct mdg__heap *heap, struct mdg__heap_own *own,
                           struct mdg__hand *hand)
{
	struct mdg__block block;
	if (mdg__block_find(heap, MDG__LOAD(hand->ref), &block) < 0) {
		forget(own, hand);
		return;
	}
	mdg__held_set(heap, &block, mdg__holder_own(own));
	atomic_signal_fence(memory_order_seq_cst);
	(void)mdg__hand_free(heap, own, hand);
}

static void end_one(struct mdg__joined *joined, struct mdg__hand *hand, enum mdg__txn_end how)
{
	struct mdg__heap_own *own = joined->own;
	struct mdg__heap *heap = own->heap;
	uint32_t op = MDG__HAND_OP(MDG__LOAD(hand->op));
	struct mdg__block block;
	part_with(joined, hand);
	if (op == MDG__HAND_TXN_HOLD && how != MDG__TXN_CANCELLED) {
		if (mdg__block_find(heap, MDG__LOAD(hand->ref), &block) == 0)
			mdg__held_clear(heap, &block, mdg__holder_own(own));
		atomic_signal_fence(memory_order_seq_cst);
		forget(own, hand);
	} else if (op == MDG__HAND_TXN_FREE && how == MDG__TXN_COMMITTED) {
		free_committed(heap, own, hand);
	} else if (op == MDG__HAND_TXN_FREE) {
		forget(own, hand);
	} else {
		(void)mdg__hand_free(heap, own, hand);
	}
}

static bool ended(struct mdg__txn_guest *guest, enum mdg__txn_end how)
{
	struct mdg__joined *joined = (struct mdg__joined *)(void *)guest;
	struct mdg__heap_own *own = joined->own;
	/* A handler that has interrupted the very thread it works for. Its hands stay as they are
	 * until the thread ends. */
	if (own->idle.heap == NULL)
		return false;
	own->idle.heap = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	for (uint32_t left = joined->hands; left != 0; left &= left - 1)
		end_one(joined, &own->slot->hands[__builtin_ctz(left) % MDG__HANDS], how);
	joined->hands = 0;
	joined->guest.number = 0;
	mdg__own_end(own);
	return true;
}

/* ---- joining ------------------------------------------------------------------------------- */

static struct mdg__joined *find_vacant(struct mdg__heap_own *own)
{
	for (int i = 0; i < MDG_HELD_MOST; i++)
		if (own->joined[i].guest.number == 0)
			return &own->joined[i];
	return NULL;
}

/* The guest of a transaction, if it is this thread's and for this heap. */
static struct mdg__joined *find_joined(struct mdg__heap_own *own,
                                       const struct mdg__txn_guest *guest)
{
	for (int i = 0; i < MDG_HELD_MOST; i++)
		if (&own->joined[i].guest == guest)
			return &own->joined[i];
	return NULL;
}

/* Where the transaction lies in the heap. 0: it does not. */
static uint64_t place_of(const struct mdg__heap *heap, const struct mdg__txn *txn)
{
	uint64_t ref = (uint64_t)((uintptr_t)txn - (uintptr_t)heap->view.base);
	bool inside = (uintptr_t)txn >= (uintptr_t)heap->data && ref < heap->view.extent &&
	              heap->view.extent - ref >= sizeof *txn;
	return inside && ref % 64 == 0 ? ref : 0;
}

/* What this thread has joined with the running transaction; it joins it now if it has not. 0;
 * -EPERM: it is not running; -EINVAL: it lies somewhere else; -EBUSY: it was joined for another
 * heap, or outside of the handler that calls; -ENOSPC. */
static int join(struct mdg__heap *heap, struct mdg__heap_own *own, mdg_txn_run *run,
                struct mdg__joined **ret)
{
	struct mdg__txn_guest *guest;
	struct mdg__txn *txn = mdg__txn_running(run, &guest);
	if (txn == NULL)
		return -EPERM;
	uint64_t place = place_of(heap, txn);
	if (place == 0)
		return -EINVAL;
	if (guest != NULL) {
		*ret = find_joined(own, guest);
		return *ret == NULL ? -EBUSY : 0;
	}
	struct mdg__joined *joined = find_vacant(own);
	if (joined == NULL)
		return -ENOSPC;
	/* Acquire: what was stored before the number. */
	uint64_t before = atomic_load_explicit(&txn->joined, memory_order_acquire);
	if (before != 0 && MDG__LOAD(txn->done) == before)
		mdg__txn_tell(heap, place, before);
	uint64_t count = MDG__LOAD(own->slot->joined) + 1;
	MDG__STORE(own->slot->joined, count);
	joined->guest.number = MDG__JOINED(MDG__LOAD(own->slot1), count);
	joined->guest.ended = ended;
	joined->own = own;
	joined->txn = place;
	joined->hands = 0;
	mdg__txn_join(run, &joined->guest);
	*ret = joined;
	return 0;
}

/* The hand has what it is about, but for the operation. */
static void enter(struct mdg__joined *joined, struct mdg__hand *hand, uint32_t op)
{
	struct mdg__heap_own *own = joined->own;
	uint32_t bit = 1u << (hand - own->slot->hands);
	MDG__STORE(hand->old, joined->guest.number);
	MDG__STORE(hand->place, joined->txn);
	mdg__hand_set(hand, op);
	own->hands &= ~bit;
	own->joined_hands |= bit;
	joined->hands |= bit;
}

/* ---- hold ---------------------------------------------------------------------------------- */

static void *hold(struct mdg__heap *heap, struct mdg__heap_own *own, mdg_txn_run *run, size_t size)
{
	struct mdg__joined *joined;
	int rc = join(heap, own, run, &joined);
	if (rc < 0) {
		own->why = rc;
		return NULL;
	}
	void *block = mdg__hold(heap, own, size);
	if (block != NULL)
		enter(joined,
		      mdg__hand_find(own, (uint64_t)((unsigned char *)block - heap->view.base)),
		      MDG__HAND_TXN_HOLD);
	return block;
}

void *mdg_txn_hold(mdg_heap *view, mdg_txn_run *run, size_t size)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	int why;
	struct mdg__heap_own *own = mdg__own_begin(heap, &why);
	if (own == NULL) {
		mdg__own_failed(heap, why);
		return NULL;
	}
	void *block = hold(heap, own, run, size);
	mdg__own_end(own);
	return block;
}

/* ---- free ---------------------------------------------------------------------------------- */

/* The hand with which a transaction of this thread has the block. */
static struct mdg__hand *find_hand(const struct mdg__heap_own *own, uint64_t ref)
{
	for (uint32_t left = own->joined_hands; left != 0; left &= left - 1) {
		struct mdg__hand *hand = &own->slot->hands[__builtin_ctz(left) % MDG__HANDS];
		if (MDG__LOAD(hand->ref) == ref)
			return hand;
	}
	return NULL;
}

/* A transaction of this thread has the block already. */
static int free_again(const struct mdg__joined *joined, struct mdg__hand *hand)
{
	if ((joined->hands >> (hand - joined->own->slot->hands) & 1) == 0)
		return -EBUSY; /* another transaction */
	if (MDG__HAND_OP(MDG__LOAD(hand->op)) != MDG__HAND_TXN_HOLD)
		return MDG_FREED_TWICE;
	mdg__hand_set(hand, MDG__HAND_TXN_DROP);
	return 0;
}

static int free_new(struct mdg__heap *heap, struct mdg__joined *joined, uint64_t ref)
{
	struct mdg__block block;
	if (mdg__block_find(heap, ref, &block) < 0 ||
	    (joined->txn >= ref && joined->txn - ref < block.size))
		return -EINVAL; /* no block; or the transaction lies in it */
	if (mdg__block_is_free(heap, &block))
		return MDG_FREED_TWICE;
	if (mdg__hand_find(joined->own, ref) != NULL)
		return -EBUSY;
	int rc = mdg__guard_judge(heap, ref);
	if (rc == 0)
		rc = mdg__held_settle(heap, &block);
	if (rc == 0 && MDG__HEAD_STATE(block.head) == MDG__UNIT_SLAB)
		rc = mdg__labels_promise(heap, block.unit, mdg__heap_classes[block.class].blocks);
	if (rc < 0)
		return rc;
	struct mdg__hand *hand = mdg__hand_vacant(joined->own);
	if (hand == NULL)
		return -ENOSPC;
	MDG__STORE(hand->ref, ref);
	enter(joined, hand, MDG__HAND_TXN_FREE);
	return 0;
}

int mdg_txn_free(mdg_heap *view, mdg_txn_run *run, void *address)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__joined *joined;
	uint64_t ref = (uint64_t)((uintptr_t)address - (uintptr_t)view->base);
	int rc = 0;
	if (address == NULL)
		return 0;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return rc;
	rc = join(heap, own, run, &joined);
	struct mdg__hand *hand = rc == 0 ? find_hand(own, ref) : NULL;
	if (rc == 0)
		rc = hand != NULL ? free_again(joined, hand) : free_new(heap, joined, ref);
	mdg__own_end(own);
	return rc;
}
