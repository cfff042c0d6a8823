/* SPDX-License-Identifier: MIT */
/*
 * witness.c - see witness.h.
 */
#include "sync/witness.h"

#include "sync/thread.h"

/* Links the word's node behind everything that the thread holds. The link to it is written last, so
 * the list is whole at each moment. */
static void enter_last(struct mdg__thread *thread, struct mdg__robust *witness)
{
	uintptr_t node = mdg__node_of(thread, &witness->word);
	bool alone = thread->count == 0;
	*(mdg__link *)node = alone ? *thread->first : thread->held[0].below;
	atomic_signal_fence(memory_order_seq_cst);
	if (alone) {
		*thread->first = node;
	} else {
		*(mdg__link *)mdg__node_of(thread, thread->held[0].word) = node;
		thread->held[0].below = node;
	}
	thread->is_witness = true;
}

bool mdg__witness_bear(struct mdg__robust *witness)
{
	uint32_t seen = atomic_load_explicit(&witness->word, memory_order_relaxed);
	struct mdg__thread *thread = (seen & MDG__TID) == 0 ? mdg__thread() : NULL;
	/* In a handler that has interrupted a change of the list, the next call does it. */
	if (thread == NULL || mdg__held_is_changing(thread))
		return false;
	uintptr_t before = mdg__pending_begin(thread, &witness->word);
	bool taken = atomic_compare_exchange_strong_explicit(
		&witness->word, &seen, thread->tid, memory_order_acq_rel, memory_order_relaxed);
	if (taken) {
		witness->mark = MDG__SHARED_MARK;
		witness->none = 0;
		enter_last(thread, witness);
	}
	mdg__pending_end(thread, before);
	return taken;
}
