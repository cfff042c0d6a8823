/* SPDX-License-Identifier: MIT */
/*
 * owned.h - a word with one owner at a time, whose death is noticed. Mutex, rwlock, once, cell and
 * transaction are made of it. Rooms above may include this header for a lock of their own.
 *
 * THE WORD follows the kernel's protocol for robust futexes. It contains
 *   - the owner's thread id, or 0;
 *   - WAITERS: a thread may be asleep on the word;
 *   - OWNER_DIED: the kernel sets this in place of the id when the owner ends. The next owner takes
 *     it away. So exactly one thread learns of a death.
 * Beside a thread id the bit of OWNER_DIED has another meaning: CAME. It says that a thread went to
 * sleep since this owner took the word.
 *
 * THE RULE: while a thread sleeps, the word has WAITERS. An owner that gives the word back to
 * sleepers leaves WAITERS in it, and wakes one of them. Before that one runs, another thread may
 * take the free word. It then takes WAITERS along. So if the woken thread is killed, the next
 * release wakes another sleeper. WAITERS goes only when an owner finds that nobody is asleep
 * (mdg__robust_wake).
 *
 * DEATHS. A thread may be killed anywhere:
 *   - while it owns the word: the kernel sets OWNER_DIED;
 *   - after taking the word and before entering it in its list, or after leaving the list and
 *     before giving the word back: the same, because `pending` (held.h) names the word;
 *   - after giving the word back and before waking: the kernel wakes, by `pending`;
 *   - woken, and before it takes the free word: the kernel wakes the next one, by `pending`.
 */
#ifndef MADANG_SYNC_OWNED_H
#define MADANG_SYNC_OWNED_H

#include <stddef.h>
#include <stdint.h>

#include "madang/sync.h"
#include "sync/notes.h"
#include "sync/robust.h"
#include "sync/thread.h"
#include "sync/wait.h"

enum { MDG__UNREPAIRED = 1, MDG__BROKEN = 2 };

struct mdg__owned {
	/* 0: all is well; or MDG__UNREPAIRED, MDG__BROKEN. Only the owner writes it, relaxed. The
	 * next owner reads it after it took the word; the word's release and acquire order the
	 * two. A death leaves it as it is. */
	_Atomic uint32_t state;
	struct mdg__robust robust;
	uint32_t own[3]; /* for the object that contains this */
	struct mdg__notes notes;
};

_Static_assert(offsetof(struct mdg__owned, robust.word) == 8, "a node is aligned as the library's");
_Static_assert(offsetof(struct mdg__owned, own) == 52, "");
_Static_assert(offsetof(struct mdg__owned, notes) == 64, "the second line");
_Static_assert(sizeof(struct mdg__owned) == 128, "");

/* Takes the word, and waits for it. Returns 0 or MDG_OWNER_DIED: taken; -ETIMEDOUT, at once if
 * the deadline is 0; -EINTR, to threads that want it; -EDEADLK; -ENOLCK. */
int mdg__owned_take_waiting(struct mdg__thread *thread, struct mdg__owned *owned,
                            uint64_t deadline);
/* Gives back a word that has marks beside the owner's id, and wakes up to `most` sleepers. [the
 * thread has taken the word out of its list, pending names it] */
void mdg__robust_wake(struct mdg__robust *robust, int most);

/* Takes the word if it is 0, and enters it in this thread's list. */
static inline bool mdg__robust_take_free(struct mdg__thread *thread, struct mdg__robust *robust)
{
	uint32_t free = 0;
	uintptr_t before = mdg__pending_begin(thread, &robust->word);
	/* Acquire: pairs with the release in mdg__robust_give. seq_cst: a writer of a rwlock
	 * looks for readers after this. */
	bool taken = atomic_compare_exchange_strong_explicit(
		&robust->word, &free, thread->tid, memory_order_seq_cst, memory_order_relaxed);
	if (taken) {
		robust->mark = MDG__SHARED_MARK;
		mdg__held_enter(thread, &robust->word);
	}
	mdg__pending_end(thread, before);
	return taken;
}

/* The fast path: takes the word if the thread is ready, holds fewer locks than it may, and the
 * word is 0. False: take it the slow way. */
static inline bool mdg__owned_take_free(struct mdg__owned *owned)
{
	struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	return __builtin_expect(mdg__thread_is_ready(thread) && thread->count < MDG__HELD_MAX, 1) &&
	       __builtin_expect(mdg__robust_take_free(thread, &owned->robust), 1);
}

/* Returns 0 or MDG_OWNER_DIED: taken; -ENOSYS; or an error of mdg__owned_take_waiting. */
static inline int mdg__owned_take(struct mdg__owned *owned, uint64_t deadline)
{
	struct mdg__thread *thread = mdg__thread();
	if (__builtin_expect(thread == NULL, 0))
		return -ENOSYS;
	if (__builtin_expect(thread->count < MDG__HELD_MAX, 1) &&
	    __builtin_expect(mdg__robust_take_free(thread, &owned->robust), 1))
		return 0;
	return mdg__owned_take_waiting(thread, owned, deadline);
}

/* The same without waiting. Returns -EBUSY instead of -ETIMEDOUT. */
static inline int mdg__owned_try(struct mdg__owned *owned)
{
	int rc = mdg__owned_take(owned, 0);
	return rc == -ETIMEDOUT ? -EBUSY : rc;
}

/* Takes the object in order to make it new, so that nobody else can be in. Returns 0: taken,
 * whatever became of its last owner; -EBUSY: somebody has it, perhaps the calling thread. */
static inline int mdg__owned_take_to_destroy(struct mdg__owned *owned)
{
	int rc = mdg__owned_try(owned);
	if (rc == -EDEADLK)
		return -EBUSY;
	return rc == MDG_OWNER_DIED ? 0 : rc;
}

/* Sleeps while the word is `seen`. `pending` names the word, with one exception. The owner may be a
 * thread of another pid namespace that has the same id as this thread. If this thread were killed
 * asleep, the kernel would see its id in the word and take it for the owner. So `pending` is empty
 * during such a sleep. Returns what futex(2) returns. */
static inline int mdg__sleep_named(struct mdg__thread *thread, _Atomic uint32_t *word,
                                   uint32_t seen, uint64_t deadline, uint32_t bits)
{
	uintptr_t pending = thread->head->pending;
	if ((seen & MDG__TID) == thread->tid)
		thread->head->pending = 0;
	int rc = mdg__sys_futex_wait_until(word, seen, deadline, bits);
	thread->head->pending = pending;
	return rc;
}

/* What a sleep for a lock comes to: -ETIMEDOUT; -EINTR, if the thread wants to know of signal
 * handlers (mdg_sync_set_interruptible); or 0: look again. */
static inline int mdg__sleep_ends(const struct mdg__thread *thread, int rc)
{
	return rc == -ETIMEDOUT || (rc == -EINTR && thread->interruptible != 0) ? rc : 0;
}

/* Gives back the word at index `at` of the thread's list, and wakes up to `most` sleepers. */
static inline void mdg__robust_give(struct mdg__thread *thread, struct mdg__robust *robust, int at,
                                    int most)
{
	uint32_t held = thread->tid;
	uintptr_t before = mdg__pending_begin(thread, &robust->word);
	mdg__held_leave(thread, at);
	/* Release: pairs with the acquire in mdg__robust_take_free. */
	if (!atomic_compare_exchange_strong_explicit(&robust->word, &held, 0, memory_order_release,
	                                             memory_order_relaxed))
		mdg__robust_wake(robust, most);
	mdg__pending_end(thread, before);
}

/* Whether this is the latest lock of those that the thread holds. */
static inline bool mdg__owned_is_latest(const struct mdg__owned *owned,
                                        const struct mdg__thread *thread)
{
	uint32_t at = thread->count - 1;
	return mdg__thread_is_ready(thread) && at < MDG__HELD_MAX &&
	       thread->held[at].word == &owned->robust.word;
}

/* As mdg__robust_give, for the latest lock of the thread. False: the word has marks, and the caller
 * has to call mdg__robust_wake. In both cases the caller has to call mdg__pending_end at last. */
static inline bool mdg__robust_give_latest(struct mdg__thread *thread, struct mdg__robust *robust,
                                           uintptr_t *ret_before)
{
	uint32_t held = thread->tid;
	*ret_before = mdg__pending_begin(thread, &robust->word);
	uint32_t at = thread->count - 1;
	if (__builtin_expect(thread->held[at].word != &robust->word, 0))
		at--; /* a handler has made one more entry since the caller looked */
	mdg__held_leave(thread, (int)at);
	/* Release: pairs with the acquire in mdg__robust_take_free. */
	return __builtin_expect(atomic_compare_exchange_strong_explicit(&robust->word, &held, 0,
	                                                                memory_order_release,
	                                                                memory_order_relaxed),
	                        1);
}

/* Returns the index of the word among what this thread holds, or -1. *ret_thread may become NULL,
 * and then the result is -1. */
static inline int mdg__robust_mine(const struct mdg__robust *robust,
                                   struct mdg__thread **ret_thread)
{
	*ret_thread = mdg__thread();
	return *ret_thread == NULL ? -1 : mdg__held_find(*ret_thread, &robust->word);
}

static inline bool mdg__owned_is_mine(const struct mdg__owned *owned)
{
	struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	if (__builtin_expect(mdg__owned_is_latest(owned, thread), 1))
		return true;
	return mdg__robust_mine(&owned->robust, &thread) >= 0;
}

/* Gives the word back. Returns 0, or -EPERM: this thread does not hold it. */
static inline int mdg__owned_give(struct mdg__owned *owned)
{
	struct mdg__thread *thread;
	int at = mdg__robust_mine(&owned->robust, &thread);
	if (__builtin_expect(at < 0, 0))
		return -EPERM;
	mdg__robust_give(thread, &owned->robust, at, 1);
	return 0;
}

#endif
