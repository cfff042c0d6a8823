/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - meeting at a barrier. barrier.h says how it works.
 */
#include "sync/barrier.h"

#include <limits.h>

#include "sync/barrier_member.h"

static struct mdg__barrier *inside_of(mdg_barrier *barrier)
{
	return (struct mdg__barrier *)(void *)barrier;
}

/* `told`: whether those who meet are told of a death. */
static uint32_t next_meeting(uint32_t meeting, bool told)
{
	return (meeting & MDG__REVISIONS) + (meeting & ~(MDG__GENERATION - 1)) + MDG__GENERATION +
	       (told ? MDG__TOLD_OF_DEATH : 0);
}

/* ---- looking ------------------------------------------------------------------------- */

enum view { SOMEBODY_MISSING, ALL_CAME, ALL_BUT_THE_DEAD };

static enum view look(struct mdg__barrier *in, uint32_t members, uint32_t meeting)
{
	uint32_t tag = mdg__meeting_tag(meeting);
	bool died = mdg__member_was_replaced(in, tag);
	for (uint32_t i = 0; i < members; i++) {
		struct mdg__member *member = &in->member[i];
		uint32_t told, word = mdg__member_look(member, &told);
		if ((word & (MDG__TID | MDG__DIED)) == 0)
			return SOMEBODY_MISSING;
		if ((word & MDG__TID) == 0)
			died = mdg__member_is_untold(member, told, tag) || died;
		else if ((word & MDG__WAITERS) != 0 ||
		         /* Acquire: pairs with the store in wait_until. */
		         atomic_load_explicit(&member->arrived, memory_order_seq_cst) != tag)
			return SOMEBODY_MISSING;
	}
	return died ? ALL_BUT_THE_DEAD : ALL_CAME;
}

enum { NOT_YET = 2 }; /* differs from all that wait returns */

/* Says how the meeting ended. If it has not ended, and this look finds that all have come, this
 * ends it. Returns what wait returns, or NOT_YET. */
static int outcome(struct mdg__barrier *in, uint32_t members, uint32_t mine)
{
	for (;;) {
		uint32_t meeting = mdg__meeting_now(in);
		/* Then it is the next meeting, which cannot end without this thread. */
		if (mdg__meeting_tag(meeting) != mdg__meeting_tag(mine))
			return (meeting & MDG__TOLD_OF_DEATH) != 0 ? MDG_OWNER_DIED : 0;
		enum view view = look(in, members, meeting);
		if (view == SOMEBODY_MISSING)
			return NOT_YET;
		bool died = view == ALL_BUT_THE_DEAD;
		if (mdg__meeting_change(in, meeting, next_meeting(meeting, died))) {
			if ((meeting & MDG__MEETING_SLEEPERS) != 0)
				(void)mdg__sys_futex_wake_bits(&in->meeting, INT_MAX,
				                               (uint32_t)MDG__ANYONE);
			return died ? MDG_OWNER_DIED : MDG_LAST;
		}
	}
}

/* ---- waiting ------------------------------------------------------------------------- */

/* Records how many members there are, if no thread has, and compares otherwise. */
static int agree(struct mdg__barrier *in, uint32_t members)
{
	uint32_t said = 0;
	if (members == 0 || members > MDG_MEMBERS_MAX)
		return -EINVAL;
	/* Relaxed: nothing else is read by it. */
	if (atomic_compare_exchange_strong_explicit(&in->members, &said, members,
	                                            memory_order_relaxed, memory_order_relaxed))
		return 0;
	return said == members ? 0 : -EINVAL;
}

/* Takes back that this thread has come. False: too late, they have met. */
static bool take_back(struct mdg__barrier *in, struct mdg__member *member, uint32_t mine)
{
	/* seq_cst: before the CAS. After it, no look succeeds that saw this member as come. */
	atomic_store_explicit(&member->arrived, 0, memory_order_seq_cst);
	for (;;) {
		uint32_t meeting = mdg__meeting_now(in);
		if (mdg__meeting_tag(meeting) != mdg__meeting_tag(mine))
			return false;
		if (mdg__meeting_change(in, meeting, mdg__meeting_revised(meeting)))
			return true;
	}
}

/* Sleeps until another look may be worth it. Returns 0, -ETIMEDOUT or -EINTR. */
static int sleep_until(struct mdg__barrier *in, uint32_t mine, uint64_t deadline)
{
	uint32_t meeting = mdg__meeting_now(in);
	if (mdg__meeting_tag(meeting) != mdg__meeting_tag(mine))
		return 0;
	if ((meeting & MDG__MEETING_SLEEPERS) == 0 &&
	    !mdg__meeting_change(in, meeting, meeting | MDG__MEETING_SLEEPERS))
		return 0;
	return mdg__sleep_and_look(&in->meeting, meeting | MDG__MEETING_SLEEPERS, deadline);
}

static void spin(struct mdg__barrier *in, uint32_t mine)
{
	for (int i = 0;
	     i < MDG__SPINS && mdg__meeting_tag(mdg__meeting_now(in)) == mdg__meeting_tag(mine);
	     i++)
		mdg__cpu_pause();
}

/* Waits until all have met. [this thread has come] */
static int await(struct mdg__thread *thread, struct mdg__barrier *in, struct mdg__member *member,
                 uint32_t members, uint32_t mine, uint64_t deadline)
{
	int rc = outcome(in, members, mine);
	if (rc != NOT_YET)
		return rc;
	spin(in, mine);
	_Atomic uint64_t *note = mdg__note_sleep(&in->notes, thread->tid);
	while ((rc = outcome(in, members, mine)) == NOT_YET) {
		rc = sleep_until(in, mine, deadline);
		if (rc < 0 && take_back(in, member, mine))
			break;
	}
	mdg__note_awake(note);
	return rc;
}

static int wait_until(struct mdg__barrier *in, uint32_t members, uint64_t deadline)
{
	int at, rc = agree(in, members);
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL || rc < 0)
		return thread == NULL ? -ENOSYS : rc;
	struct mdg__member *member = mdg__member_of(thread, in, &at);
	if (member == NULL) {
		rc = mdg__member_join(thread, in, members);
		if (rc < 0)
			return rc;
		member = mdg__member_of(thread, in, &at);
	}
	uint32_t mine = mdg__meeting_now(in);
	/* seq_cst: before this thread looks. If two threads come last at the same time, one sees
	 * the other. Release: pairs with the acquire in `look`. */
	atomic_store_explicit(&member->arrived, mdg__meeting_tag(mine), memory_order_seq_cst);
	return await(thread, in, member, members, mine, deadline);
}

/* ---- the calls ----------------------------------------------------------------------- */

int mdg_barrier_join(mdg_barrier *barrier, uint32_t members)
{
	struct mdg__barrier *in = inside_of(barrier);
	struct mdg__thread *thread = mdg__thread();
	int at, rc = agree(in, members);
	if (thread == NULL || rc < 0)
		return thread == NULL ? -ENOSYS : rc;
	return mdg__member_of(thread, in, &at) != NULL ? -EDEADLK
	                                               : mdg__member_join(thread, in, members);
}

int mdg_barrier_wait(mdg_barrier *barrier, uint32_t members)
{
	return wait_until(inside_of(barrier), members, MDG_FOREVER);
}

int mdg_barrier_wait_until(mdg_barrier *barrier, uint32_t members, uint64_t deadline)
{
	return wait_until(inside_of(barrier), members, deadline);
}

int mdg_barrier_leave(mdg_barrier *barrier)
{
	struct mdg__thread *thread = mdg__thread();
	int at;
	struct mdg__member *member =
		thread == NULL ? NULL : mdg__member_of(thread, inside_of(barrier), &at);
	if (member == NULL)
		return -EPERM;
	mdg__robust_give(thread, &member->robust, at, 1);
	return 0;
}

static bool has_members(struct mdg__barrier *in)
{
	for (uint32_t i = 0; i < MDG_MEMBERS_MAX; i++)
		if ((atomic_load_explicit(&in->member[i].robust.word, memory_order_relaxed) &
		     MDG__TID) != 0)
			return true;
	return false;
}

int mdg_barrier_destroy(mdg_barrier *barrier)
{
	struct mdg__barrier *in = inside_of(barrier);
	if (has_members(in))
		return -EBUSY;
	/* If this thread is killed in between, some slots are free: they may be taken, and are
	 * waited for. */
	for (uint32_t i = 0; i < MDG_MEMBERS_MAX; i++)
		if (!mdg__member_clear(&in->member[i]))
			return -EBUSY;
	atomic_store_explicit(&in->replaced, 0, memory_order_relaxed);
	atomic_store_explicit(&in->members, 0, memory_order_relaxed);
	return 0;
}
