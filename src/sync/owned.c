/* SPDX-License-Identifier: MIT */
/*
 * owned.c - the slow ways of taking a word and of giving it back. See owned.h.
 */
#include "sync/owned.h"

/* ---- taking ------------------------------------------------------------------------- */

/* Takes a word without an id. The new word has WAITERS in three cases: the old word had it, or the
 * caller knows of sleepers, or the old word had OWNER_DIED. The last, because musl drops WAITERS
 * when it marks a death at the end of a thread. */
static bool take_marked(struct mdg__thread *thread, struct mdg__robust *robust, uint32_t seen,
                        uint32_t sleepers)
{
	/* Acquire: pairs with the release in mdg__robust_give, and with the kernel's mark.
	 * seq_cst: as in mdg__robust_take_free. */
	uint32_t marks = seen != 0 ? MDG__WAITERS : sleepers;
	if (!atomic_compare_exchange_strong_explicit(&robust->word, &seen, thread->tid | marks,
	                                             memory_order_seq_cst, memory_order_relaxed))
		return false;
	robust->mark = MDG__SHARED_MARK;
	mdg__held_enter(thread, &robust->word);
	return true;
}

/* Whether this thread holds the word, or was about to enter it when a signal handler interrupted
 * it. The id alone does not say so: a thread of another pid namespace may have the same id. */
static bool is_own(const struct mdg__thread *thread, struct mdg__robust *robust, uintptr_t pending)
{
	uint32_t seen = atomic_load_explicit(&robust->word, memory_order_relaxed);
	return (seen & MDG__TID) == thread->tid && (mdg__held_find(thread, &robust->word) >= 0 ||
	                                            pending == mdg__node_of(thread, &robust->word));
}

static int take_at_once(struct mdg__thread *thread, struct mdg__robust *robust, uint32_t sleepers)
{
	for (;;) {
		uint32_t seen = atomic_load_explicit(&robust->word, memory_order_relaxed);
		if ((seen & MDG__TID) != 0)
			return -EBUSY;
		if (take_marked(thread, robust, seen, sleepers))
			return (seen & MDG__DIED) != 0 ? MDG_OWNER_DIED : 0;
	}
}

/* Takes the word if it becomes free soon. Returns 0, MDG_OWNER_DIED or -EBUSY.
 *
 * The pauses between two looks become longer. Each look takes the cache line from the owner, who
 * may be about to use it many times in a row, so looking all the time would slow everybody down.
 * A thread that has not slept yet stops spinning when others sleep: it joins them. [pending
 * names the word] */
static int take_spinning(struct mdg__thread *thread, struct mdg__robust *robust, uint32_t sleepers)
{
	enum { FIRST = 4, LONGEST = 16 };
	for (int spent = 0, pauses = FIRST; spent < MDG__SPINS; spent += pauses) {
		uint32_t seen = atomic_load_explicit(&robust->word, memory_order_relaxed);
		int rc = (seen & MDG__TID) == 0 ? take_at_once(thread, robust, sleepers) : -EBUSY;
		if (rc != -EBUSY || (seen & MDG__WAITERS & ~sleepers) != 0)
			return rc;
		if (spent != 0 && pauses < LONGEST)
			pauses *= 2;
		for (int i = 0; i < pauses; i++)
			mdg__cpu_pause();
	}
	return take_at_once(thread, robust, sleepers);
}

/* Marks the word and sleeps while it has this owner. Returns what mdg__sleep_ends does. */
static int sleep_on(struct mdg__thread *thread, struct mdg__robust *robust, uint64_t deadline)
{
	uint32_t seen = atomic_load_explicit(&robust->word, memory_order_relaxed);
	if ((seen & MDG__TID) == 0)
		return 0;
	uint32_t marked = seen | MDG__WAITERS | MDG__CAME;
	if (seen != marked &&
	    !atomic_compare_exchange_strong_explicit(&robust->word, &seen, marked,
	                                             memory_order_relaxed, memory_order_relaxed))
		return 0;
	return mdg__sleep_ends(
		thread, mdg__sleep_named(thread, &robust->word, marked, deadline, MDG__TAKERS));
}

/* [pending names the word] */
static int take_sleeping(struct mdg__thread *thread, struct mdg__owned *owned, uint64_t deadline)
{
	uint32_t sleepers = 0; /* WAITERS once this thread has slept: others may sleep, too */
	_Atomic uint64_t *note = NULL;
	int over = -ETIMEDOUT; /* why the wait ends, when the deadline is 0 */
	for (;;) {
		int rc = deadline != 0 ? take_spinning(thread, &owned->robust, sleepers)
		                       : take_at_once(thread, &owned->robust, sleepers);
		if (rc == -EBUSY && deadline == 0)
			rc = over;
		if (rc != -EBUSY) {
			mdg__note_awake(note);
			return rc;
		}
		if (note == NULL)
			note = mdg__note_sleep(&owned->notes, thread->tid);
		sleepers = MDG__WAITERS;
		rc = sleep_on(thread, &owned->robust, deadline);
		if (rc < 0) {
			over = rc;
			deadline = 0;
		}
	}
}

int mdg__owned_take_waiting(struct mdg__thread *thread, struct mdg__owned *owned, uint64_t deadline)
{
	struct mdg__robust *robust = &owned->robust;
	if (is_own(thread, robust, thread->head->pending))
		return -EDEADLK;
	if (thread->count == MDG__HELD_MAX)
		return -ENOLCK;
	uintptr_t before = mdg__pending_begin(thread, &robust->word);
	int rc = take_sleeping(thread, owned, deadline);
	mdg__pending_end(thread, before);
	return rc;
}

/* Only this thread holds the word, and it has marks beside the id.
 *
 * When nobody is asleep, WAITERS has to go; otherwise each release would make a system call. A
 * thread that has given the word back must not clear it: between its wake-up, which found nobody,
 * and its store, others may have taken the word, slept on it and given it back, and the word
 * would look the same. Only an owner can clear it. So this thread takes the word again, without
 * CAME. If it then finds nobody asleep, and the word is still as it was taken, nobody has come,
 * and the word becomes 0. If the thread is killed in between, it was an owner of a word with
 * WAITERS. */
void mdg__robust_wake(struct mdg__robust *robust, int most)
{
	for (;;) {
		uint32_t left = MDG__WAITERS, again = mdg__this_thread.tid | MDG__WAITERS;
		/* Release: as in mdg__robust_give. */
		atomic_store_explicit(&robust->word, left, memory_order_release);
		if (mdg__sys_futex_wake_bits(&robust->word, most, (uint32_t)MDG__ANYONE) != 0)
			return;
		/* Acquire, release: as in take_marked and mdg__robust_give. */
		if (!atomic_compare_exchange_strong_explicit(&robust->word, &left, again,
		                                             memory_order_acquire,
		                                             memory_order_relaxed))
			return;
		if (mdg__sys_futex_wake_bits(&robust->word, 1, (uint32_t)MDG__ANYONE) == 0 &&
		    atomic_compare_exchange_strong_explicit(
			    &robust->word, &again, 0, memory_order_release, memory_order_relaxed))
			return;
	}
}
