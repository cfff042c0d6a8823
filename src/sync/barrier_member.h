/* SPDX-License-Identifier: MIT */
/*
 * barrier_member.h - a member of a barrier: its slot, and the news of its death.
 */
#ifndef MADANG_SYNC_BARRIER_MEMBER_H
#define MADANG_SYNC_BARRIER_MEMBER_H

#include "sync/barrier.h"

/* The calling thread's slot, and its index among what the thread holds. NULL: it is no member. */
static inline struct mdg__member *mdg__member_of(const struct mdg__thread *thread,
                                                 struct mdg__barrier *in, int *ret_at)
{
	int at = mdg__held_find_within(thread, in, sizeof(*in));
	*ret_at = at;
	if (at < 0)
		return NULL;
	uintptr_t offset = (uintptr_t)thread->held[at].word - (uintptr_t)in->member;
	return &in->member[offset / sizeof(in->member[0]) % MDG_MEMBERS_MAX];
}

/* Makes the thread a member. Returns 0, -ENOLCK, or -EAGAIN: there are `members` already. [it is no
 * member] */
int mdg__member_join(struct mdg__thread *thread, struct mdg__barrier *in, uint32_t members);

/* Returns the word of a slot. *ret_told is what `told` was at the same time. */
static inline uint32_t mdg__member_look(struct mdg__member *member, uint32_t *ret_told)
{
	for (;;) {
		uint32_t told = atomic_load_explicit(&member->told, memory_order_seq_cst);
		/* Acquire: pairs with the end of member_take (barrier_member.c), which makes
		 * `arrived` the new member's. */
		uint32_t word = atomic_load_explicit(&member->robust.word, memory_order_seq_cst);
		*ret_told = atomic_load_explicit(&member->told, memory_order_seq_cst);
		if (*ret_told == told)
			return word;
	}
}

/* Whether the meeting `tag` has to be told of the death of the member that had this slot when
 * `told` was read. */
bool mdg__member_is_untold(struct mdg__member *member, uint32_t told, uint32_t tag);

/* Whether the meeting `tag` has to be told of a dead member whose slot was taken since. */
static inline bool mdg__member_was_replaced(struct mdg__barrier *in, uint32_t tag)
{
	/* seq_cst: pairs with the CAS in death_keep (barrier_member.c). */
	uint32_t replaced = atomic_load_explicit(&in->replaced, memory_order_seq_cst);
	if (replaced != 0 && replaced != tag) /* an earlier meeting's */
		(void)atomic_compare_exchange_strong_explicit(
			&in->replaced, &replaced, 0, memory_order_relaxed, memory_order_relaxed);
	return replaced == tag;
}

/* Makes a slot free, and forgets a death there. False: the slot has a living member. */
bool mdg__member_clear(struct mdg__member *member);

#endif
