/* SPDX-License-Identifier: MIT */
/*
 * barrier.h - a meeting point for a fixed number of members: how it works, and how it lies in
 * memory.
 *
 * HOW IT WORKS. There is a slot for each member, which the member owns like a lock. And there is a
 * word, `meeting`, that says which meeting the members are waiting for.
 *   1. A thread that comes writes the tag of the meeting into its slot.
 *   2. It looks at all slots. If every member has come or is dead, it changes the word to the next
 *      meeting, by compare-and-swap, and wakes the others. Otherwise it waits.
 *
 * WHY A LOOK IS RIGHT. A look begins by reading the word and ends with the compare-and-swap on
 * it. Two things could make the look wrong in between: a member takes its coming back, or a
 * thread joins in the slot of a dead member whose death was not told yet. Both add 1 to the
 * REVISION in the word, so the compare-and-swap fails. A generation does not pass without the
 * living members in it. So a tag of a few bits is enough to tell meetings apart.
 *
 * A slot that no thread has is waited for. The slot of a dead member is not.
 *
 * DEATHS, and what each leaves behind:
 * - A member dies: the kernel marks its slot. That wakes nobody. Waiters look again every 20 ms.
 * - A thread dies after it changed the word and before it woke the others: the same.
 * - A thread dies during its look: it may have noted in slots of dead members to which meeting
 *   these deaths are told. Until that meeting has met, the next thread that looks counts them
 *   again.
 * - A thread dies while it joins: its slot was a dead member's, and is a dead member's again. What
 *   had to be told still has to be.
 * - A thread dies while it leaves: as a member.
 * A death is told to all, and once, because the compare-and-swap that ends the meeting says so,
 * too.
 *
 * WHAT IT DOES NOT DO. The member that would have got MDG_LAST may die after the meeting. Then
 * nobody gets MDG_LAST, and the death is told at the next meeting. A signal handler ends each
 * wait, with or without SA_RESTART, because the kernel restarts no wait that has a deadline.
 */
#ifndef MADANG_SYNC_BARRIER_H
#define MADANG_SYNC_BARRIER_H

#include "sync/owned.h"

/* A member's slot. Its word is
 *   - 0: no thread has the slot, or its member has left;
 *   - the member's thread id, from joining until it leaves or dies;
 *   - the id with WAITERS: the member is just joining;
 *   - OWNER_DIED: the member has died. */
struct mdg__member {
	/* The tag of the meeting to which the member has come; 0: none. The member stores it with
	 * release, after all that it did before it came. A thread that looks reads it with
	 * acquire. */
	_Atomic uint32_t arrived;
	struct mdg__robust robust;
	/* Upper 16 bits: how many members have had this slot. Lower 16 bits (MDG__TAG): whether the
	 * death of the latest of them has been told. 0: no. MDG__TOLD: yes. The tag of a meeting:
	 * it is told to those who meet there. The joining member writes this. After it died,
	 * threads that look write it, by CAS. */
	_Atomic uint32_t told;
	uint32_t more[2];
};

struct mdg__barrier {
	/* The meeting that is being waited for: generation << 18 | revision << 2 | whether some
	 * sleep << 1 | whether the meeting before was told of a death. Always written by CAS,
	 * seq_cst. */
	_Atomic uint32_t meeting;
	/* The number of members that the first thread gave; 0: none has. Written by CAS.
	 * mdg_barrier_destroy makes it 0 again. */
	_Atomic uint32_t members;
	/* The tag of a meeting. It has to be told of a member that died and whose slot was taken by
	 * another thread. 0: there is none. Written by CAS. */
	_Atomic uint32_t replaced;
	uint32_t none[13];
	struct mdg__notes notes;
	struct mdg__member member[MDG_MEMBERS_MAX];
};

_Static_assert(sizeof(struct mdg__member) == 64, "");
_Static_assert(offsetof(struct mdg__member, robust.word) == 8, "as in mdg__owned");
_Static_assert(offsetof(struct mdg__member, told) == 52, "");
_Static_assert(offsetof(struct mdg__barrier, replaced) == 8, "");
_Static_assert(offsetof(struct mdg__barrier, notes) == 64, "");
_Static_assert(offsetof(struct mdg__barrier, member) == 128, "");
_Static_assert(sizeof(struct mdg__barrier) == 4224, "");
_Static_assert(sizeof(mdg_barrier) == sizeof(struct mdg__barrier), "");

/* ---- the word `meeting` -------------------------------------------------------------- */

#define MDG__TOLD_OF_DEATH    1u
#define MDG__MEETING_SLEEPERS 2u
#define MDG__REVISION         4u
#define MDG__GENERATION       (1u << 18)
#define MDG__REVISIONS        (MDG__GENERATION - MDG__REVISION)

/* In mdg__member.told. */
#define MDG__TAG  0xffffu
#define MDG__TOLD 1u

/* The tag of a meeting. It is never 0 or MDG__TOLD. */
static inline uint32_t mdg__meeting_tag(uint32_t meeting)
{
	return meeting / MDG__GENERATION << 2 | 2;
}

/* The same meeting, with the next revision. */
static inline uint32_t mdg__meeting_revised(uint32_t meeting)
{
	return (meeting & ~MDG__REVISIONS) | ((meeting + MDG__REVISION) & MDG__REVISIONS);
}

/* seq_cst: a look lies between this and mdg__meeting_change. Thus what a member does around its
 * coming and its taking back is in one order with the look. Acquire: pairs with
 * mdg__meeting_change. */
static inline uint32_t mdg__meeting_now(struct mdg__barrier *in)
{
	return atomic_load_explicit(&in->meeting, memory_order_seq_cst);
}

/* Release: those who wait see all that this thread has seen in the slots. */
static inline bool mdg__meeting_change(struct mdg__barrier *in, uint32_t meeting, uint32_t with)
{
	return atomic_compare_exchange_strong_explicit(&in->meeting, &meeting, with,
	                                               memory_order_seq_cst, memory_order_relaxed);
}

#endif
