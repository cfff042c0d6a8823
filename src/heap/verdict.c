/* SPDX-License-Identifier: MIT */
/*
 * verdict.c - whether a transaction has committed in which a thread has held or freed blocks.
 *
 * The truth is one store: that of BLOCKS in the transaction (sync/txn.h). A hand of the thread
 * names the transaction, and the number with which the thread has joined it. The answer has to
 * last until the hand is empty:
 *   - The thread empties its hands before it gives the transaction back.
 *   - If it dies before, the number stands in `joined`; and in `done`, if it has committed and the
 *     next owner has recovered the journal. A transaction without blocks changes neither.
 *   - The next thread that joins is about to store another number in both. If the last one has
 *     committed, it first tells the hands of the dead thread so. The number says whose they are.
 * So who asks looks at the state first, then at `joined` and `done`, and at the hand last.
 * tests/models/heap_txn.pml explores this.
 *
 * Nothing of that is believed further than it goes. The transaction lies where a hand says, so it
 * is looked at with the lock, while its memory is there. If the memory has another use by now, no
 * number is found there, and the answer is that it has not committed.
 */
#include "heap/held.h"

#include "sync/owned.h"

enum { TRIES_MOST = 64 };

/* [lock] NULL: there is no memory. */
static struct mdg__txn *txn_at(struct mdg__heap *heap, uint64_t txn)
{
	if (txn % 64 != 0 || txn < heap->parts.data)
		return NULL;
	uint64_t high = mdg__units_high(heap), from = (txn - heap->parts.data) >> MDG__UNIT_SHIFT;
	uint64_t last = (txn - heap->parts.data + sizeof(struct mdg__txn) - 1) >> MDG__UNIT_SHIFT;
	bool there = from < high && last < high &&
	             mdg__bit_is_set(heap, MDG__BITS_COMMITTED, from) &&
	             mdg__bit_is_set(heap, MDG__BITS_COMMITTED, last);
	return there ? (struct mdg__txn *)(void *)(heap->view.base + (size_t)txn) : NULL;
}

/* What the transaction says. */
static enum mdg__verdict ask(struct mdg__txn *txn, uint64_t number)
{
	/* Acquire: pairs with the release of whoever has stored it, and orders these looks. */
	uint32_t state = atomic_load_explicit(&txn->state, memory_order_acquire);
	if (state == MDG__JOURNAL_BLOCKS &&
	    atomic_load_explicit(&txn->joined, memory_order_acquire) == number)
		return MDG__COMMITTED_JUST;
	return atomic_load_explicit(&txn->done, memory_order_acquire) == number
	               ? MDG__COMMITTED
	               : MDG__NOT_COMMITTED;
}

enum mdg__verdict mdg__txn_verdict(struct mdg__heap *heap, const struct mdg__hand *hand)
{
	mdg__sigmask mask;
	if (mdg__heap_lock(heap, &mask) < 0)
		return MDG__VERDICT_NOT_KNOWN;
	struct mdg__txn *txn = txn_at(heap, MDG__LOAD(hand->place));
	enum mdg__verdict verdict =
		txn == NULL ? MDG__NOT_COMMITTED : ask(txn, MDG__LOAD(hand->old));
	mdg__heap_unlock(heap, &mask);
	bool told = (atomic_load_explicit(&hand->op, memory_order_acquire) & MDG__HAND_DONE) != 0;
	return verdict == MDG__NOT_COMMITTED && told ? MDG__COMMITTED : verdict;
}

static bool is_joined_by(const struct mdg__hand *hand, uint64_t op, uint64_t txn, uint64_t number)
{
	return MDG__HAND_OP(op) >= MDG__HAND_TXN_HOLD && MDG__HAND_OP(op) <= MDG__HAND_LAST &&
	       MDG__LOAD(hand->place) == txn && MDG__LOAD(hand->old) == number;
}

void mdg__txn_tell(struct mdg__heap *heap, uint64_t txn, uint64_t number)
{
	uint32_t slot1 = MDG__JOINED_SLOT1(number);
	if (slot1 == 0 || slot1 > mdg__heap_slots_used(heap))
		return;
	for (int i = 0; i < MDG__HANDS; i++) {
		struct mdg__hand *hand = &heap->slot[slot1 - 1].hands[i];
		uint64_t op = atomic_load_explicit(&hand->op, memory_order_acquire);
		/* Its sweeper may go on meanwhile. It changes a hand a few times at most. */
		for (int tries = 0; tries < TRIES_MOST && is_joined_by(hand, op, txn, number);
		     tries++)
			if (atomic_compare_exchange_strong_explicit(
				    &hand->op, &op, op | MDG__HAND_DONE, memory_order_acq_rel,
				    memory_order_acquire))
				break;
	}
}
