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
uint32_t mdg__member_look(struct mdg__member *member, uint32_t *ret_told);

/* Whether the meeting `tag` has to be told of the death of the member that had this slot when
 * `told` was read. */
bool mdg__member_is_untold(struct mdg__member *member, uint32_t told, uint32_t tag);

/* Whether the meeting `tag` has to be told of a dead member whose slot was taken since. */
bool mdg__member_was_replaced(struct mdg__barrier *in, uint32_t tag);

/* Makes a slot free, and forgets a death there. False: the slot has a living member. */
bool mdg__member_clear(struct mdg__member *member);

#endif
