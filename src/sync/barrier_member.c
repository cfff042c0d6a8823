/* SPDX-License-Identifier: MIT */
/*
 * barrier_member.c - the members of a barrier, living or dead. A death is kept until it is told.
 */
#include "sync/barrier_member.h"

/* ---- the news of a death -------------------------------------------------------------- */

/* If another thread has taken the slot since, the CAS fails, and death_keep says what has to be
 * told. */
bool mdg__member_is_untold(struct mdg__member *member, uint32_t told, uint32_t tag)
{
	if ((told & MDG__TAG) == tag)
		return true;
	if ((told & MDG__TAG) == MDG__TOLD)
		return false;
	bool before = (told & MDG__TAG) != 0; /* told to an earlier meeting, which has met */
	(void)atomic_compare_exchange_strong_explicit(
		&member->told, &told, (told & ~MDG__TAG) | (before ? MDG__TOLD : tag),
		memory_order_seq_cst, memory_order_relaxed);
	return !before;
}

/* A thread takes the slot of a dead member. If that death was not told to an earlier meeting, it
 * has to be told to the meeting that is being waited for. This writes it to `replaced`. The
 * change of the revision makes every look fail that has not seen it. */
static void death_keep(struct mdg__barrier *in, struct mdg__member *member)
{
	for (;;) {
		/* In this order, so that no tag of a later meeting is overwritten. */
		uint32_t replaced = atomic_load_explicit(&in->replaced, memory_order_seq_cst);
		uint32_t meeting = mdg__meeting_now(in);
		uint32_t told =
			atomic_load_explicit(&member->told, memory_order_seq_cst) & MDG__TAG;
		if (told != 0 && told != mdg__meeting_tag(meeting))
			return;
		/* seq_cst: before the CAS on the meeting; pairs with mdg__member_was_replaced. */
		if (atomic_compare_exchange_strong_explicit(
			    &in->replaced, &replaced, mdg__meeting_tag(meeting),
			    memory_order_seq_cst, memory_order_relaxed) &&
		    mdg__meeting_change(in, meeting, mdg__meeting_revised(meeting)))
			return;
	}
}

/* ---- joining --------------------------------------------------------------------------- */

static bool member_take(struct mdg__thread *thread, struct mdg__barrier *in,
                        struct mdg__member *member, uint32_t seen)
{
	bool dead = (seen & MDG__DIED) != 0;
	_Atomic uint32_t *word = &member->robust.word;
	uintptr_t before = mdg__pending_begin(thread, word);
	/* Acquire: pairs with leaving, and with the kernel's mark. */
	bool taken =
		atomic_compare_exchange_strong_explicit(word, &seen, thread->tid | MDG__WAITERS,
	                                                memory_order_seq_cst, memory_order_relaxed);
	if (taken) {
		member->robust.mark = MDG__SHARED_MARK;
		mdg__held_enter(thread, word);
	}
	mdg__pending_end(thread, before);
	if (!taken)
		return false;
	if (dead)
		death_keep(in, member);
	uint32_t told = atomic_load_explicit(&member->told, memory_order_relaxed);
	atomic_store_explicit(&member->arrived, 0, memory_order_relaxed);
	atomic_store_explicit(&member->told, (told & ~MDG__TAG) + MDG__TAG + 1,
	                      memory_order_relaxed);
	/* Release: pairs with mdg__member_look. Nobody else writes to a word that has an owner. */
	atomic_store_explicit(word, thread->tid, memory_order_seq_cst);
	return true;
}

/* Takes a slot whose word has none of these bits. Returns 0, or -EAGAIN: there is none. */
static int member_find(struct mdg__thread *thread, struct mdg__barrier *in, uint32_t members,
                       uint32_t none_of)
{
	for (uint32_t i = 0; i < members; i++) {
		struct mdg__member *member = &in->member[i];
		uint32_t seen = atomic_load_explicit(&member->robust.word, memory_order_relaxed);
		if ((seen & none_of) == 0 && member_take(thread, in, member, seen))
			return 0;
	}
	return -EAGAIN;
}

/* Free slots come before those of dead members, because the others are waiting for the
 * free ones. */
int mdg__member_join(struct mdg__thread *thread, struct mdg__barrier *in, uint32_t members)
{
	if (thread->count == MDG__HELD_MAX)
		return -ENOLCK;
	int rc = member_find(thread, in, members, MDG__TID | MDG__DIED);
	return rc == 0 ? rc : member_find(thread, in, members, MDG__TID);
}

/* ---- clearing -------------------------------------------------------------------------- */

bool mdg__member_clear(struct mdg__member *member)
{
	uint32_t seen = atomic_load_explicit(&member->robust.word, memory_order_relaxed);
	if (seen == 0)
		return true;
	(void)atomic_fetch_and_explicit(&member->told, ~MDG__TAG, memory_order_relaxed);
	/* Acquire: pairs with the kernel's mark. Release: `told` is cleared before. */
	return (seen & MDG__TID) == 0 &&
	       atomic_compare_exchange_strong_explicit(&member->robust.word, &seen, 0,
	                                               memory_order_acq_rel, memory_order_relaxed);
}
