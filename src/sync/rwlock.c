/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - readers in lines of their own, and a writer that takes a word and waits for them.
 *
 * A READER puts its id into a free slot, and then looks at the writer's word. A WRITER takes the
 * word, and then looks at the slots. Both in the one order that all seq_cst operations have: so
 * of two who come together at least one sees the other. The reader gives way: it takes its id
 * out again and sleeps on the writer's word; the writer, who owns it, sleeps on one slot after the
 * other until all are empty. New readers stay out meanwhile, so no writer starves.
 *
 * DEATHS, and what each leaves:
 * - A reader in, or with its id in a slot: the kernel marks the slot and wakes the writer asleep
 *   there. Whoever meets the mark takes it away; nobody is told.
 * - One that has emptied its slot and not yet woken the writer: `pending` names the slot, and
 *   the kernel wakes the writer. Others who wait for any slot look again by themselves.
 * - A writer that still waits for readers: the kernel marks the word, and the next takes it;
 *   `inside` is 0, the data were not touched, nobody is told. The slots' sleeping marks that it
 *   left cost one wake-up in vain.
 * - A writer inside: the same with `inside` 1. The next one to get in is told. If that one gives
 *   up before (its deadline), or dies, `inside` stays for the one after it.
 * - One woken on the writer's word to become its owner: as in owned.h.
 * - A reader woken there: it does not take the word, so nobody would wake the others after it.
 *   Before all else it wakes all readers and one writer. Killed before that, `pending` names
 *   the word: the kernel wakes the next one, or the word has an owner and the mark WAITERS.
 *
 * What it does not do: a stream of writers that leaves no gap keeps readers out.
 */
#include "sync/rwlock.h"

#include <limits.h>

static inline struct mdg__rwlock *inside_of(mdg_rwlock *lock)
{
	return (struct mdg__rwlock *)(void *)lock;
}

/* Where in the thread's list this lock is, held in either way; -1: it is not. */
static inline int held_at(const struct mdg__thread *thread, const struct mdg__rwlock *rw)
{
	int at = (int)thread->count - 1;
	while (at >= 0 && (uintptr_t)thread->held[at].word - (uintptr_t)rw >= sizeof(*rw))
		at--;
	return at;
}

static inline bool held_for_writing(const struct mdg__rwlock *rw, const struct mdg__thread *thread,
                                    int at)
{
	return at >= 0 && thread->held[at].word == &rw->writer.robust.word;
}

/* ---- readers: slots --------------------------------------------------------------------- */

/* Who sleeps for want of a slot looks at all of them; so all are woken. */
static void wake_crowd(struct mdg__rwlock *rw)
{
	/* seq_cst: after the slot was emptied; pairs with the one in await_slot. */
	uint32_t seen = atomic_load_explicit(&rw->crowd, memory_order_seq_cst);
	if ((seen & 1) != 0 &&
	    atomic_compare_exchange_strong_explicit(&rw->crowd, &seen, seen + 1,
	                                            memory_order_relaxed, memory_order_relaxed))
		(void)mdg__sys_futex_wake_bits(&rw->crowd, INT_MAX, (uint32_t)MDG__ANYONE);
}

/* Somebody may be asleep: the writer, of whom there is one, or who wants a slot. WAITERS stays for
 * a reader that looks in before the writer is woken: its leaving wakes too, should this one be
 * killed. It goes, as in owned.c, when nobody came and nobody sleeps. [pending] */
static void slot_give_marked(struct mdg__rwlock *rw, _Atomic uint32_t *word)
{
	uint32_t held = mdg__this_thread.tid | MDG__WAITERS;
	/* seq_cst: release, as in slot_give; and before the load in wake_crowd. */
	if (atomic_load_explicit(word, memory_order_relaxed) != held ||
	    mdg__sys_futex_wake_bits(word, 1, (uint32_t)MDG__ANYONE) != 0 ||
	    !atomic_compare_exchange_strong_explicit(word, &held, 0, memory_order_seq_cst,
	                                             memory_order_relaxed)) {
		atomic_store_explicit(word, MDG__WAITERS, memory_order_seq_cst);
		(void)mdg__sys_futex_wake_bits(word, 1, (uint32_t)MDG__ANYONE);
	}
	wake_crowd(rw);
}

/* false: it is marked. [pending names the slot] */
static inline bool slot_give(_Atomic uint32_t *word, uint32_t tid)
{
	/* Release: pairs with the acquire in await_empty; what was read was read before. */
	return __builtin_expect(atomic_compare_exchange_strong_explicit(
					word, &tid, 0, memory_order_release, memory_order_relaxed),
	                        1);
}

/* Once in the life of a slot: a writer finds it from now on. Its mark says that this was done;
 * owner of the slot, goes with its word. */
static __attribute__((noinline, cold)) void slot_show(struct mdg__rwlock *rw, uint32_t at)
{
	/* seq_cst: before the load in `closed`; pairs with the load in `drain`. */
	(void)atomic_fetch_or_explicit(&rw->used[at / 32], UINT32_C(1) << at % 32,
	                               memory_order_seq_cst);
	rw->slot[at].robust.mark = MDG__SHARED_MARK;
}

/* Whether readers must stay out: a writer, a dead one, or what one has left. */
static inline bool closed(struct mdg__rwlock *rw)
{
	/* seq_cst: after the slot was taken; pairs with the one in `drain`. Acquire: pairs with the
	 * release in mdg__robust_give, and brings state and inside. */
	uint32_t word = atomic_load_explicit(&rw->writer.robust.word, memory_order_seq_cst);
	uint32_t state = atomic_load_explicit(&rw->writer.state, memory_order_relaxed);
	uint32_t inside = atomic_load_explicit(&rw->inside, memory_order_relaxed);
	return ((word & ~MDG__WAITERS) | state | inside) != 0;
}

/* Takes a slot that holds `seen`, nobody's or a dead one's, with the mark of its sleepers, who may
 * not have been woken yet. [pending names it] */
static inline bool slot_take(struct mdg__thread *thread, struct mdg__rwlock *rw, uint32_t at,
                             uint32_t seen)
{
	struct mdg__robust *slot = &rw->slot[at].robust;
	uint32_t marks = seen != 0 ? MDG__WAITERS : 0;
	/* seq_cst: before the loads in slot_show and `closed`; pairs with await_empty. Acquire: pairs
	 * with slot_give; whoever set the mark has set the bit in `used` before. */
	if (__builtin_expect(!atomic_compare_exchange_strong_explicit(
				     &slot->word, &seen, thread->tid | marks, memory_order_seq_cst,
				     memory_order_relaxed),
	                     0))
		return false;
	if (__builtin_expect(slot->mark != MDG__SHARED_MARK, 0))
		slot_show(rw, at);
	return true;
}

enum entry { ENTERED, TAKEN /* the slot */, CLOSED /* the lock */ };

static enum entry enter(struct mdg__thread *thread, struct mdg__rwlock *rw, uint32_t at,
                        uint32_t seen)
{
	_Atomic uint32_t *word = &rw->slot[at].robust.word;
	enum entry result = TAKEN;
	uintptr_t before = mdg__pending_begin(thread, word);
	if (slot_take(thread, rw, at, seen)) {
		result = closed(rw) ? CLOSED : ENTERED;
		if (result == ENTERED)
			mdg__held_enter(thread, word);
		else if (!slot_give(word, thread->tid))
			slot_give_marked(rw, word);
	}
	mdg__pending_end(thread, before);
	return result;
}

static inline uint32_t first_slot(const struct mdg__thread *thread)
{
	return thread->tid % MDG_READERS_MAX;
}

static enum entry enter_any(struct mdg__thread *thread, struct mdg__rwlock *rw)
{
	enum entry result = TAKEN;
	for (uint32_t i = 0; i < MDG_READERS_MAX && result == TAKEN; i++) {
		uint32_t at = (first_slot(thread) + i) % MDG_READERS_MAX;
		uint32_t seen =
			atomic_load_explicit(&rw->slot[at].robust.word, memory_order_relaxed);
		if ((seen & MDG__TID) == 0)
			result = enter(thread, rw, at, seen);
	}
	return result;
}

/* Marks a slot, so that its reader wakes who sleeps. false: it has none any more. */
static bool slot_mark(_Atomic uint32_t *word, uint32_t *ret_seen)
{
	/* seq_cst: pairs with slot_give_marked, and with `enter`. */
	uint32_t seen = atomic_load_explicit(word, memory_order_seq_cst);
	while ((seen & MDG__TID) != 0) {
		*ret_seen = seen | MDG__WAITERS | MDG__CAME;
		if (seen == *ret_seen ||
		    atomic_compare_exchange_weak_explicit(
			    word, &seen, *ret_seen, memory_order_seq_cst, memory_order_seq_cst))
			return true;
	}
	return false;
}

/* All slots are taken: sleeps until a reader leaves one. 0: look again. Who dies here, or is not
 * woken because somebody died, costs the others MDG__LOOK_AGAIN_NS at most. */
static int await_slot(struct mdg__rwlock *rw, uint64_t deadline)
{
	uint32_t ignored;
	if (deadline == 0)
		return -ETIMEDOUT;
	uint32_t seen = atomic_load_explicit(&rw->crowd, memory_order_relaxed);
	/* seq_cst: before the slots are looked at; pairs with wake_crowd. */
	if ((seen & 1) == 0 &&
	    atomic_compare_exchange_strong_explicit(&rw->crowd, &seen, seen + 1,
	                                            memory_order_seq_cst, memory_order_relaxed))
		seen++;
	if ((seen & 1) == 0)
		return 0;
	for (uint32_t i = 0; i < MDG_READERS_MAX; i++)
		if (!slot_mark(&rw->slot[i].robust.word, &ignored))
			return 0;
	int rc = mdg__sleep_and_look(&rw->crowd, seen, deadline);
	return rc == -ETIMEDOUT ? rc : 0;
}

/* ---- readers: waiting for the writer ---------------------------------------------------- */

/* Passes on what woke a reader. */
static void wake_others(_Atomic uint32_t *word)
{
	(void)mdg__sys_futex_wake_bits(word, INT_MAX, MDG__READERS);
	(void)mdg__sys_futex_wake_bits(word, 1, MDG__TAKERS);
}

/* Sleeps while the word has an owner. 0, -ETIMEDOUT. [pending names the word] */
static int sleep_while_owned(struct mdg__thread *thread, _Atomic uint32_t *word, uint64_t deadline)
{
	bool woken = false;
	for (;;) {
		uint32_t seen = atomic_load_explicit(word, memory_order_relaxed);
		if ((seen & MDG__TID) == 0) {
			if (woken)
				wake_others(word);
			return 0;
		}
		/* Who was woken and finds it owned again leaves the others to that owner, as in owned.c. */
		uint32_t marked = seen | MDG__WAITERS | MDG__CAME;
		if (seen != marked &&
		    !atomic_compare_exchange_strong_explicit(
			    word, &seen, marked, memory_order_relaxed, memory_order_relaxed))
			continue;
		int rc = mdg__sleep_named(thread, word, marked, deadline, MDG__READERS);
		if (rc == -ETIMEDOUT)
			return rc;
		woken = woken || rc == 0;
	}
}

static void spin_while_owned(_Atomic uint32_t *word)
{
	for (int i = 0; i < MDG__SPINS; i++) {
		uint32_t seen = atomic_load_explicit(word, memory_order_relaxed);
		if ((seen & MDG__TID) == 0 || (seen & MDG__WAITERS) != 0)
			return;
		mdg__cpu_pause();
	}
}

/* Until the writer's word has no owner, for a moment: 0, -ETIMEDOUT. */
static int await_writer(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline)
{
	_Atomic uint32_t *word = &rw->writer.robust.word;
	if (deadline == 0)
		return -ETIMEDOUT;
	spin_while_owned(word);
	if ((atomic_load_explicit(word, memory_order_relaxed) & MDG__TID) == 0)
		return 0;
	_Atomic uint64_t *note = mdg__note_sleep(&rw->writer.notes, thread->tid);
	uintptr_t before = mdg__pending_begin(thread, word);
	int rc = sleep_while_owned(thread, word, deadline);
	mdg__pending_end(thread, before);
	mdg__note_awake(note);
	return rc;
}

/* ---- the writer ------------------------------------------------------------------------- */

/* Waits until one slot is empty; a dead reader's is emptied. 0, -ETIMEDOUT. Here the writer's word
 * is in this thread's list, so its death is known, and the next one waits in its place. */
static int await_empty(struct mdg__thread *thread, struct mdg__rwlock *rw, _Atomic uint32_t *word,
                       uint64_t deadline)
{
	_Atomic uint64_t *note = NULL;
	int rc = 0;
	for (int spins = 0; rc != -ETIMEDOUT; spins++) {
		/* seq_cst: after the word was taken; pairs with `enter`. Acquire: pairs with slot_give. */
		uint32_t seen = atomic_load_explicit(word, memory_order_seq_cst);
		if (seen == 0)
			break;
		if ((seen & MDG__TID) == 0) {
			/* Acquire: pairs with the kernel's mark. */
			(void)atomic_compare_exchange_strong_explicit(
				word, &seen, 0, memory_order_acquire, memory_order_relaxed);
		} else if (spins < MDG__SPINS) {
			mdg__cpu_pause();
		} else if (deadline == 0) {
			rc = -ETIMEDOUT;
		} else if (slot_mark(word, &seen)) {
			note = note != NULL ? note
			                    : mdg__note_sleep(&rw->writer.notes, thread->tid);
			rc = mdg__sleep(word, seen, deadline, (uint32_t)MDG__ANYONE);
		}
	}
	mdg__note_awake(note);
	return rc == -ETIMEDOUT ? rc : 0;
}

/* Waits until no reader is in. 0, -ETIMEDOUT. [the word is held] */
static int drain(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline)
{
	/* The word was taken before, seq_cst (owned.h, owned.c); pairs with `closed`. */
	for (uint32_t i = 0; i < MDG_READERS_MAX / 32; i++) {
		/* seq_cst: pairs with slot_show. */
		uint32_t used = atomic_load_explicit(&rw->used[i], memory_order_seq_cst);
		for (; used != 0; used &= used - 1) {
			uint32_t at = 32 * i + (uint32_t)__builtin_ctz(used);
			if (await_empty(thread, rw, &rw->slot[at].robust.word, deadline) < 0)
				return -ETIMEDOUT;
		}
	}
	return 0;
}

/* A moment's view, for `try`, so that it need not keep others out to learn that it must not. */
static bool has_readers(struct mdg__rwlock *rw)
{
	for (uint32_t i = 0; i < MDG_READERS_MAX / 32; i++) {
		uint32_t used = atomic_load_explicit(&rw->used[i], memory_order_relaxed);
		for (; used != 0; used &= used - 1) {
			uint32_t at = 32 * i + (uint32_t)__builtin_ctz(used);
			if ((atomic_load_explicit(&rw->slot[at].robust.word, memory_order_relaxed) &
			     MDG__TID) != 0)
				return true;
		}
	}
	return false;
}

static int give_up(struct mdg__rwlock *rw, int rc)
{
	(void)mdg__owned_give(&rw->writer);
	return rc;
}

static inline bool was_left(struct mdg__rwlock *rw)
{
	return (atomic_load_explicit(&rw->inside, memory_order_relaxed) |
	        atomic_load_explicit(&rw->writer.state, memory_order_relaxed)) != 0;
}

/* With the word taken, be it from a dead one: in, and 0 or MDG_OWNER_DIED; else given back. */
static int go_in(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline)
{
	if (atomic_load_explicit(&rw->writer.state, memory_order_relaxed) >= MDG__BROKEN)
		return give_up(rw, MDG_BROKEN);
	if (drain(thread, rw, deadline) < 0)
		return give_up(rw, -ETIMEDOUT);
	bool left = was_left(rw);
	if (left) /* before this the next one is told; from here on the next one too */
		atomic_store_explicit(&rw->writer.state, MDG__UNREPAIRED, memory_order_relaxed);
	atomic_store_explicit(&rw->inside, 1, memory_order_relaxed);
	/* Before anything that the caller writes; a death finds all of it in this order. */
	atomic_signal_fence(memory_order_seq_cst);
	return left ? MDG_OWNER_DIED : 0;
}

static inline bool is_taken(int rc)
{
	return rc == 0 || rc == MDG_OWNER_DIED;
}

static __attribute__((noinline)) int write_other(struct mdg__rwlock *rw, uint64_t deadline)
{
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL)
		return -ENOSYS;
	if (held_at(thread, rw) >= 0)
		return -EDEADLK;
	int rc = mdg__owned_take(&rw->writer, deadline);
	return is_taken(rc) ? go_in(thread, rw, deadline) : rc;
}

/* What go_in does when nothing is left and no reader in; false: it has to do it. */
static inline bool go_in_at_once(struct mdg__rwlock *rw)
{
	if (was_left(rw))
		return false;
	for (uint32_t i = 0; i < MDG_READERS_MAX / 32; i++) {
		/* seq_cst, both: as in `drain` and await_empty. */
		uint32_t used = atomic_load_explicit(&rw->used[i], memory_order_seq_cst);
		for (; used != 0; used &= used - 1) {
			uint32_t at = 32 * i + (uint32_t)__builtin_ctz(used);
			if (atomic_load_explicit(&rw->slot[at].robust.word, memory_order_seq_cst) !=
			    0)
				return false;
		}
	}
	atomic_store_explicit(&rw->inside, 1, memory_order_relaxed);
	/* As in go_in. */
	atomic_signal_fence(memory_order_seq_cst);
	return true;
}

/* What is rare is called last, as for readers. */
static inline int write_until(struct mdg__rwlock *rw, uint64_t deadline)
{
	struct mdg__thread *thread = &mdg__this_thread;
	if (__builtin_expect(!mdg__thread_is_ready(thread) || held_at(thread, rw) >= 0 ||
	                             !mdg__owned_take_free(&rw->writer),
	                     0))
		return write_other(rw, deadline);
	return __builtin_expect(go_in_at_once(rw), 1) ? 0 : go_in(thread, rw, deadline);
}

/* ---- readers: all the rest -------------------------------------------------------------- */

/* Nobody owns the word, but something has been left: a reader goes in as a writer. A writer that
 * died before it was in left nothing: -EAGAIN, and readers may come. */
static int take_over(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline)
{
	int rc = mdg__owned_try(&rw->writer);
	if (!is_taken(rc))
		return rc == -EBUSY ? -EAGAIN : rc;
	return was_left(rw) ? go_in(thread, rw, deadline) : give_up(rw, -EAGAIN);
}

/* One step; -EAGAIN: again. */
static int read_step(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline)
{
	/* Acquire: pairs with mdg__robust_give; brings state and inside. */
	uint32_t word = atomic_load_explicit(&rw->writer.robust.word, memory_order_acquire);
	int rc;
	if ((word & MDG__TID) != 0) {
		rc = await_writer(thread, rw, deadline);
		return rc < 0 ? rc : -EAGAIN;
	}
	if ((word & MDG__DIED) == 0 &&
	    atomic_load_explicit(&rw->writer.state, memory_order_relaxed) >= MDG__BROKEN)
		return MDG_BROKEN;
	if ((word & MDG__DIED) != 0 || was_left(rw))
		return take_over(thread, rw, deadline);
	enum entry entry = enter_any(thread, rw);
	if (entry == TAKEN) {
		rc = await_slot(rw, deadline);
		return rc < 0 ? rc : -EAGAIN;
	}
	return entry == ENTERED ? 0 : -EAGAIN;
}

static __attribute__((noinline)) int read_other(struct mdg__rwlock *rw, uint64_t deadline)
{
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL)
		return -ENOSYS;
	if (held_at(thread, rw) >= 0)
		return -EDEADLK;
	if (thread->count == MDG__HELD_MAX)
		return -ENOLCK;
	int rc;
	do
		rc = read_step(thread, rw, deadline);
	while (rc == -EAGAIN);
	return rc;
}

/* The writer was there as well, or it is the slot's first time: out again, and the long way. */
static __attribute__((noinline, cold)) int
read_back(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline, uintptr_t before)
{
	_Atomic uint32_t *word = &rw->slot[first_slot(thread)].robust.word;
	if (!slot_give(word, thread->tid))
		slot_give_marked(rw, word);
	mdg__pending_end(thread, before);
	return read_other(rw, deadline);
}

/* As `enter`, but what is rare is left to a call at the end: this has to be fast. */
static inline __attribute__((always_inline)) int read_until(struct mdg__rwlock *rw,
                                                            uint64_t deadline)
{
	struct mdg__thread *thread = &mdg__this_thread;
	if (__builtin_expect(!mdg__thread_is_ready(thread) || thread->count == MDG__HELD_MAX ||
	                             held_at(thread, rw) >= 0,
	                     0))
		return read_other(rw, deadline);
	uint32_t at = first_slot(thread);
	_Atomic uint32_t *word = &rw->slot[at].robust.word;
	uintptr_t before = mdg__pending_begin(thread, word);
	uint32_t free = 0;
	/* seq_cst: as in slot_take. */
	if (__builtin_expect(!atomic_compare_exchange_strong_explicit(word, &free, thread->tid,
	                                                              memory_order_seq_cst,
	                                                              memory_order_relaxed),
	                     0)) {
		mdg__pending_end(thread, before);
		return read_other(rw, deadline);
	}
	if (__builtin_expect((rw->slot[at].robust.mark != MDG__SHARED_MARK) | closed(rw), 0))
		return read_back(thread, rw, deadline, before);
	mdg__held_enter(thread, word);
	mdg__pending_end(thread, before);
	return 0;
}

/* ---- the calls -------------------------------------------------------------------------- */

int mdg_rwlock_read(mdg_rwlock *lock)
{
	return read_until(inside_of(lock), MDG_FOREVER);
}

int mdg_rwlock_read_until(mdg_rwlock *lock, uint64_t deadline)
{
	return read_until(inside_of(lock), deadline);
}

int mdg_rwlock_tryread(mdg_rwlock *lock)
{
	int rc = read_until(inside_of(lock), 0);
	return rc == -ETIMEDOUT ? -EBUSY : rc;
}

int mdg_rwlock_write(mdg_rwlock *lock)
{
	return write_until(inside_of(lock), MDG_FOREVER);
}

int mdg_rwlock_write_until(mdg_rwlock *lock, uint64_t deadline)
{
	return write_until(inside_of(lock), deadline);
}

int mdg_rwlock_trywrite(mdg_rwlock *lock)
{
	struct mdg__rwlock *rw = inside_of(lock);
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL)
		return -ENOSYS;
	if (held_at(thread, rw) >= 0)
		return -EDEADLK;
	if (has_readers(rw))
		return -EBUSY;
	int rc = mdg__owned_try(&rw->writer);
	if (is_taken(rc))
		rc = go_in(thread, rw, 0);
	return rc == -ETIMEDOUT ? -EBUSY : rc;
}

static int write_end(struct mdg__thread *thread, struct mdg__rwlock *rw, int at)
{
	if (__builtin_expect(atomic_load_explicit(&rw->writer.state, memory_order_relaxed) != 0, 0))
		atomic_store_explicit(&rw->writer.state, MDG__BROKEN, memory_order_relaxed);
	/* Release: after all that the caller wrote. Killed from here on, nobody need be told. */
	atomic_store_explicit(&rw->inside, 0, memory_order_release);
	mdg__robust_give(thread, &rw->writer.robust, at, 1);
	return 0;
}

static __attribute__((noinline)) int read_end_marked(struct mdg__thread *thread,
                                                     struct mdg__rwlock *rw, _Atomic uint32_t *word,
                                                     uintptr_t before)
{
	slot_give_marked(rw, word);
	mdg__pending_end(thread, before);
	return 0;
}

/* A writer that was told of a death; a reader in some other slot; or not the latest that the
 * thread holds. */
static __attribute__((noinline)) int unlock_other(struct mdg__rwlock *rw)
{
	struct mdg__thread *thread = mdg__thread();
	int at = thread == NULL ? -1 : held_at(thread, rw);
	if (at < 0)
		return -EPERM;
	if (held_for_writing(rw, thread, at))
		return write_end(thread, rw, at);
	_Atomic uint32_t *word = thread->held[at].word;
	uintptr_t before = mdg__pending_begin(thread, word);
	mdg__held_leave(thread, at);
	if (!slot_give(word, thread->tid))
		slot_give_marked(rw, word);
	mdg__pending_end(thread, before);
	return 0;
}

static __attribute__((noinline)) int write_end_waking(struct mdg__rwlock *rw, uintptr_t before)
{
	mdg__robust_wake(&rw->writer.robust, 1);
	mdg__pending_end(&mdg__this_thread, before);
	return 0;
}

/* A writer's, of what the thread has taken last. */
static inline int write_end_latest(struct mdg__thread *thread, struct mdg__rwlock *rw)
{
	uintptr_t before;
	/* Release: as in write_end. */
	atomic_store_explicit(&rw->inside, 0, memory_order_release);
	if (!mdg__robust_give_latest(thread, &rw->writer.robust, &before))
		return write_end_waking(rw, before);
	mdg__pending_end(thread, before);
	return 0;
}

int mdg_rwlock_unlock(mdg_rwlock *lock)
{
	struct mdg__rwlock *rw = inside_of(lock);
	struct mdg__thread *thread = &mdg__this_thread;
	if (__builtin_expect(!mdg__thread_is_ready(thread), 0))
		return unlock_other(rw);
	_Atomic uint32_t *word = &rw->slot[first_slot(thread)].robust.word;
	uint32_t last = thread->count - 1;
	if (__builtin_expect(last >= MDG__HELD_MAX, 0))
		return unlock_other(rw);
	if (thread->held[last].word != word) {
		bool plain = thread->held[last].word == &rw->writer.robust.word &&
		             atomic_load_explicit(&rw->writer.state, memory_order_relaxed) == 0;
		return plain ? write_end_latest(thread, rw) : unlock_other(rw);
	}
	uintptr_t before = mdg__pending_begin(thread, word);
	mdg__held_leave_last(thread, last);
	if (!slot_give(word, thread->tid))
		return read_end_marked(thread, rw, word, before);
	mdg__pending_end(thread, before);
	return 0;
}

int mdg_rwlock_set_repaired(mdg_rwlock *lock)
{
	struct mdg__rwlock *rw = inside_of(lock);
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL || !held_for_writing(rw, thread, held_at(thread, rw)))
		return -EPERM;
	if (atomic_load_explicit(&rw->writer.state, memory_order_relaxed) == 0)
		return -EINVAL;
	/* Release: after what the caller repaired; a death from here on finds a writer inside. */
	atomic_store_explicit(&rw->writer.state, 0, memory_order_release);
	return 0;
}

/* As a writer, so that nobody is in. The slots' bits stay: a reader may have seen its own. */
int mdg_rwlock_destroy(mdg_rwlock *lock)
{
	struct mdg__rwlock *rw = inside_of(lock);
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL)
		return -ENOSYS;
	if (held_at(thread, rw) >= 0 || has_readers(rw))
		return -EBUSY;
	int rc = mdg__owned_try(&rw->writer);
	if (!is_taken(rc))
		return rc == -EDEADLK ? -EBUSY : rc;
	if (drain(thread, rw, 0) < 0)
		return give_up(rw, -EBUSY);
	atomic_store_explicit(&rw->writer.state, 0, memory_order_relaxed);
	atomic_store_explicit(&rw->inside, 0, memory_order_relaxed);
	return mdg__owned_give(&rw->writer);
}
