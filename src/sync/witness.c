/* SPDX-License-Identifier: MIT */
/*
 * witness.c - see witness.h.
 */
#include "sync/witness.h"

#include "platform/sys.h"
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
	thread->witness = witness;
}

/* Whether the caller is in a handler that has interrupted the C library in the middle of a change
 * of the list. Then the thread must not be set up, because that changes the list as well. */
static bool is_list_changing(void)
{
	void *found = NULL;
	size_t size = 0;
	const struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	if (mdg__thread_is_ready(thread))
		return mdg__held_is_changing(thread);
	return mdg__sys_get_robust_list(&found, &size) == 0 && found != NULL &&
	       size == sizeof(struct mdg__robust_head) &&
	       ((const struct mdg__robust_head *)found)->pending != 0;
}

bool mdg__witness_bear(struct mdg__robust *witness)
{
	uint32_t seen = atomic_load_explicit(&witness->word, memory_order_relaxed);
	/* In a handler that has interrupted a change of the list, the next call does it. */
	if ((seen & MDG__TID) != 0 || is_list_changing())
		return false;
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL || (thread->witness != NULL && thread->witness != witness))
		return false;
	uintptr_t before = mdg__pending_begin(thread, &witness->word);
	bool taken = atomic_compare_exchange_strong_explicit(
		&witness->word, &seen, thread->tid, memory_order_acq_rel, memory_order_relaxed);
	/* Somebody may have emptied the word. Then its node is in the list already, and to enter it
	 * once more would make the list a circle. */
	if (taken && thread->witness == NULL) {
		witness->mark = MDG__SHARED_MARK;
		witness->none = 0;
		enter_last(thread, witness);
	}
	mdg__pending_end(thread, before);
	return taken;
}
