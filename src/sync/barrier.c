/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - places that members own, and a word that says which meeting is being awaited.
 *
 * Who comes notes the meeting in its place and looks at all places; who finds that everybody has
 * come, or is dead, makes the meeting the next one, by CAS, and wakes the others. Each look begins
 * with the word and ends with the CAS on it, and whatever could make it wrong
 * meanwhile changes the word as well: the REVISION counts those who took their coming back, and
 * those who joined in the place of one whose death was not told yet. Besides, a generation cannot
 * pass without the living who are in it; so tags of some bits do.
 *
 * A place that nobody has is waited for, that of a dead one is not.
 *
 * DEATHS, and what each leaves:
 * - A member: the kernel marks its place. Nobody is woken by that; those who wait look
 *   again every 20 ms.
 * - One that has made the meeting the next one and not woken the others: the same.
 * - Who looks: it has noted in dead places to which meeting their deaths are told; until that
 *   has met, the next one who looks counts them again.
 * - While joining: the place was the dead one's and is again a dead one's, and what was to be
 *   told still is. While leaving: as a death.
 * That a death is told to all and once is in the same CAS as the meeting.
 *
 * What it does not do: the death of the one who would have got MDG_LAST, after the meeting, is told
 * at the next one; nobody gets MDG_LAST then. A handler's return ends each wait, with or without
 * SA_RESTART, because the kernel restarts no wait that has an end.
 */
#include "sync/barrier.h"

#include <limits.h>

#define TOLD_OF_DEATH 1u
#define SLEEPERS      2u
#define REVISION      4u
#define GENERATION    (1u << 18)
#define REVISIONS     (GENERATION - REVISION)

/* In place.told. */
#define TAG  0xffffu
#define TOLD 1u

static struct mdg__barrier *inside_of(mdg_barrier *barrier)
{
	return (struct mdg__barrier *)(void *)barrier;
}

/* Neither 0 nor TOLD. */
static uint32_t tag_of(uint32_t meeting)
{
	return meeting / GENERATION << 2 | 2;
}

static uint32_t revised(uint32_t meeting)
{
	return (meeting & ~REVISIONS) | ((meeting + REVISION) & REVISIONS);
}

static uint32_t next_meeting(uint32_t meeting, bool told)
{
	return (meeting & REVISIONS) + (meeting & ~(GENERATION - 1)) + GENERATION +
	       (told ? TOLD_OF_DEATH : 0);
}

/* seq_cst: a look lies between this and the CAS; what a member does before and after coming and
 * taking back is in one order with it. Acquire: pairs with `replace`. */
static uint32_t meeting_now(struct mdg__barrier *in)
{
	return atomic_load_explicit(&in->meeting, memory_order_seq_cst);
}

/* Release: all that was seen in the places, for those who wait. */
static bool replace(struct mdg__barrier *in, uint32_t meeting, uint32_t with)
{
	return atomic_compare_exchange_strong_explicit(&in->meeting, &meeting, with,
	                                               memory_order_seq_cst, memory_order_relaxed);
}

/* The place that the thread has, and where in its list; NULL: none. */
static struct mdg__member *place_of(const struct mdg__thread *thread, struct mdg__barrier *in,
                                    int *ret_at)
{
	int at = (int)thread->count - 1;
	while (at >= 0 && (uintptr_t)thread->held[at].word - (uintptr_t)in >= sizeof(*in))
		at--;
	*ret_at = at;
	if (at < 0)
		return NULL;
	uintptr_t offset = (uintptr_t)thread->held[at].word - (uintptr_t)in->member;
	return &in->member[offset / sizeof(in->member[0]) % MDG_MEMBERS_MAX];
}

/* ---- looking ------------------------------------------------------------------------- */

/* Whether the meeting has to be told of the death of who had this place, to whom `told` belongs. If
 * another has it meanwhile, that one's death_keep says what has to be told. */
static bool is_untold(struct mdg__member *place, uint32_t told, uint32_t tag)
{
	if ((told & TAG) == tag)
		return true;
	if ((told & TAG) == TOLD)
		return false;
	bool before = (told & TAG) != 0; /* in an earlier meeting, which has met */
	(void)atomic_compare_exchange_strong_explicit(&place->told, &told,
	                                              (told & ~TAG) | (before ? TOLD : tag),
	                                              memory_order_seq_cst, memory_order_relaxed);
	return !before;
}

static bool was_replaced(struct mdg__barrier *in, uint32_t tag)
{
	/* seq_cst: pairs with the CAS in death_keep. */
	uint32_t replaced = atomic_load_explicit(&in->replaced, memory_order_seq_cst);
	if (replaced != 0 && replaced != tag) /* an earlier meeting's */
		(void)atomic_compare_exchange_strong_explicit(
			&in->replaced, &replaced, 0, memory_order_relaxed, memory_order_relaxed);
	return replaced == tag;
}

/* The place's word, and what `told` was then. */
static uint32_t word_and_told(struct mdg__member *place, uint32_t *ret_told)
{
	for (;;) {
		uint32_t told = atomic_load_explicit(&place->told, memory_order_seq_cst);
		/* Acquire: pairs with the end of place_take, which makes `arrived` this member's.
		 *  */
		uint32_t word = atomic_load_explicit(&place->robust.word, memory_order_seq_cst);
		*ret_told = atomic_load_explicit(&place->told, memory_order_seq_cst);
		if (*ret_told == told)
			return word;
	}
}

enum view { SOMEBODY_MISSING, ALL_CAME, ALL_BUT_THE_DEAD };

static enum view look(struct mdg__barrier *in, uint32_t members, uint32_t meeting)
{
	uint32_t tag = tag_of(meeting);
	bool died = was_replaced(in, tag);
	for (uint32_t i = 0; i < members; i++) {
		struct mdg__member *place = &in->member[i];
		uint32_t told, word = word_and_told(place, &told);
		if ((word & (MDG__TID | MDG__DIED)) == 0)
			return SOMEBODY_MISSING;
		if ((word & MDG__TID) == 0)
			died = is_untold(place, told, tag) || died;
		else if ((word & MDG__WAITERS) != 0 ||
		         /* Acquire: pairs with the store in wait_until. */
		         atomic_load_explicit(&place->arrived, memory_order_seq_cst) != tag)
			return SOMEBODY_MISSING;
	}
	return died ? ALL_BUT_THE_DEAD : ALL_CAME;
}

enum { NOT_YET = 2 }; /* beside what wait returns */

/* What became of the meeting, if need be by this look. */
static int outcome(struct mdg__barrier *in, uint32_t members, uint32_t mine)
{
	for (;;) {
		uint32_t meeting = meeting_now(in);
		if (tag_of(meeting) != tag_of(mine)) /* then it is the next one: that cannot pass */
			return (meeting & TOLD_OF_DEATH) != 0 ? MDG_OWNER_DIED : 0;
		enum view view = look(in, members, meeting);
		if (view == SOMEBODY_MISSING)
			return NOT_YET;
		bool died = view == ALL_BUT_THE_DEAD;
		if (replace(in, meeting, next_meeting(meeting, died))) {
			if ((meeting & SLEEPERS) != 0)
				(void)mdg__sys_futex_wake_bits(&in->meeting, INT_MAX,
				                               (uint32_t)MDG__ANYONE);
			return died ? MDG_OWNER_DIED : MDG_LAST;
		}
	}
}

/* ---- joining ------------------------------------------------------------------------- */

/* Before a dead one's place becomes a living one's: its death is told to the meeting that is being
 * awaited, if to none before. The CAS lets nobody meet who has not seen that. */
static void death_keep(struct mdg__barrier *in, struct mdg__member *place)
{
	for (;;) {
		/* In this order: no tag of a later meeting is overwritten. */
		uint32_t replaced = atomic_load_explicit(&in->replaced, memory_order_seq_cst);
		uint32_t meeting = meeting_now(in);
		uint32_t told = atomic_load_explicit(&place->told, memory_order_seq_cst) & TAG;
		if (told != 0 && told != tag_of(meeting))
			return;
		/* seq_cst: before the CAS on the meeting; pairs with was_replaced. */
		if (atomic_compare_exchange_strong_explicit(&in->replaced, &replaced,
		                                            tag_of(meeting), memory_order_seq_cst,
		                                            memory_order_relaxed) &&
		    replace(in, meeting, revised(meeting)))
			return;
	}
}

static bool place_take(struct mdg__thread *thread, struct mdg__barrier *in,
                       struct mdg__member *place, uint32_t seen)
{
	bool dead = (seen & MDG__DIED) != 0;
	_Atomic uint32_t *word = &place->robust.word;
	uintptr_t before = mdg__pending_begin(thread, word);
	/* Acquire: pairs with leaving, and the kernel's mark. */
	bool taken =
		atomic_compare_exchange_strong_explicit(word, &seen, thread->tid | MDG__WAITERS,
	                                                memory_order_seq_cst, memory_order_relaxed);
	if (taken) {
		place->robust.mark = MDG__SHARED_MARK;
		mdg__held_enter(thread, word);
	}
	mdg__pending_end(thread, before);
	if (!taken)
		return false;
	if (dead)
		death_keep(in, place);
	uint32_t told = atomic_load_explicit(&place->told, memory_order_relaxed);
	atomic_store_explicit(&place->arrived, 0, memory_order_relaxed);
	atomic_store_explicit(&place->told, (told & ~TAG) + TAG + 1, memory_order_relaxed);
	/* Release: pairs with `look`. Nobody else writes to a word that has an owner. */
	atomic_store_explicit(word, thread->tid, memory_order_seq_cst);
	return true;
}

/* 0: one whose word has none of these bits has been taken; -EAGAIN: there is none. */
static int place_find(struct mdg__thread *thread, struct mdg__barrier *in, uint32_t members,
                      uint32_t none_of)
{
	for (uint32_t i = 0; i < members; i++) {
		struct mdg__member *place = &in->member[i];
		uint32_t seen = atomic_load_explicit(&place->robust.word, memory_order_relaxed);
		if ((seen & none_of) == 0 && place_take(thread, in, place, seen))
			return 0;
	}
	return -EAGAIN;
}

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

/* [is no member] The places of those who left first: the others are waiting for those. */
static int join(struct mdg__thread *thread, struct mdg__barrier *in, uint32_t members)
{
	if (thread->count == MDG__HELD_MAX)
		return -ENOLCK;
	int rc = place_find(thread, in, members, MDG__TID | MDG__DIED);
	return rc == 0 ? rc : place_find(thread, in, members, MDG__TID);
}

/* ---- waiting ------------------------------------------------------------------------- */

/* false: too late, they have met. */
static bool take_back(struct mdg__barrier *in, struct mdg__member *place, uint32_t mine)
{
	/* seq_cst: before the CAS, after which no look that saw it otherwise succeeds. */
	atomic_store_explicit(&place->arrived, 0, memory_order_seq_cst);
	for (;;) {
		uint32_t meeting = meeting_now(in);
		if (tag_of(meeting) != tag_of(mine))
			return false;
		if (replace(in, meeting, revised(meeting)))
			return true;
	}
}

/* Until it may be worth a look: 0; -ETIMEDOUT, -EINTR. */
static int sleep_until(struct mdg__barrier *in, uint32_t mine, uint64_t deadline)
{
	uint32_t meeting = meeting_now(in);
	if (tag_of(meeting) != tag_of(mine))
		return 0;
	if ((meeting & SLEEPERS) == 0 && !replace(in, meeting, meeting | SLEEPERS))
		return 0;
	return mdg__sleep_and_look(&in->meeting, meeting | SLEEPERS, deadline);
}

static void spin(struct mdg__barrier *in, uint32_t mine)
{
	for (int i = 0; i < MDG__SPINS && tag_of(meeting_now(in)) == tag_of(mine); i++)
		mdg__cpu_pause();
}

/* [has come] */
static int await(struct mdg__thread *thread, struct mdg__barrier *in, struct mdg__member *place,
                 uint32_t members, uint32_t mine, uint64_t deadline)
{
	int rc = outcome(in, members, mine);
	if (rc != NOT_YET)
		return rc;
	spin(in, mine);
	_Atomic uint64_t *note = mdg__note_sleep(&in->notes, thread->tid);
	while ((rc = outcome(in, members, mine)) == NOT_YET) {
		rc = sleep_until(in, mine, deadline);
		if (rc < 0 && take_back(in, place, mine))
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
	struct mdg__member *place = place_of(thread, in, &at);
	if (place == NULL) {
		rc = join(thread, in, members);
		if (rc < 0)
			return rc;
		place = place_of(thread, in, &at);
	}
	uint32_t mine = meeting_now(in);
	/* seq_cst: before this thread looks; of those who come last, one sees the other. Release:
	 * pairs with the acquire in `look`. */
	atomic_store_explicit(&place->arrived, tag_of(mine), memory_order_seq_cst);
	return await(thread, in, place, members, mine, deadline);
}

/* ---- the calls ----------------------------------------------------------------------- */

int mdg_barrier_join(mdg_barrier *barrier, uint32_t members)
{
	struct mdg__barrier *in = inside_of(barrier);
	struct mdg__thread *thread = mdg__thread();
	int at, rc = agree(in, members);
	if (thread == NULL || rc < 0)
		return thread == NULL ? -ENOSYS : rc;
	return place_of(thread, in, &at) != NULL ? -EDEADLK : join(thread, in, members);
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
	struct mdg__member *place =
		thread == NULL ? NULL : place_of(thread, inside_of(barrier), &at);
	if (place == NULL)
		return -EPERM;
	mdg__robust_give(thread, &place->robust, at, 1);
	return 0;
}

/* The place of a dead one is nobody's again, and its death nobody's business. */
static bool place_clear(struct mdg__member *place)
{
	uint32_t seen = atomic_load_explicit(&place->robust.word, memory_order_relaxed);
	if (seen == 0)
		return true;
	(void)atomic_fetch_and_explicit(&place->told, ~TAG, memory_order_relaxed);
	/* Acquire: pairs with the kernel's mark. Release: told before. */
	return (seen & MDG__TID) == 0 &&
	       atomic_compare_exchange_strong_explicit(&place->robust.word, &seen, 0,
	                                               memory_order_acq_rel, memory_order_relaxed);
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
	/* Killed in between, it leaves one with some places that may be taken and are waited for.
	 *  */
	for (uint32_t i = 0; i < MDG_MEMBERS_MAX; i++)
		if (!place_clear(&in->member[i]))
			return -EBUSY;
	atomic_store_explicit(&in->replaced, 0, memory_order_relaxed);
	atomic_store_explicit(&in->members, 0, memory_order_relaxed);
	return 0;
}
