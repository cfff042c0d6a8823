/* SPDX-License-Identifier: MIT */
/*
 * owned.h - one owner at a time, and word of its death: what mutex, rwlock, once, cell and
 * transaction are made of.
 *
 * THE WORD is the kernel's protocol of robust futexes: the owner's thread id, or 0; WAITERS:
 * somebody may be asleep on it; OWNER_DIED, which the kernel sets when the owner ends, and
 * which the next owner takes away: so exactly one learns of a death. The same bit beside an
 * owner's id is CAME: somebody went to sleep since this owner took the word.
 *
 * WAITERS stays when the word is given back with sleepers, and goes when an owner finds
 * nobody asleep. So one who barges in between the wake-up and the woken keeps it, and if
 * the woken is killed then, the next release wakes another one: while anybody sleeps, the
 * word has WAITERS.
 *
 * If an owner dies at any point: holding it, the kernel marks the word; between taking and
 * entering it in its list, or between leaving the list and giving it back, the same, by
 * `pending`; after giving it back and before waking, the kernel wakes. A woken waiter that
 * dies before it takes the free word: the kernel wakes the next one, by `pending`.
 */
#ifndef MADANG_SYNC_OWNED_H
#define MADANG_SYNC_OWNED_H

#include <stddef.h>
#include <stdint.h>

#include "madang/sync.h"
#include "sync/thread.h"
#include "sync/wait.h"

#define MDG__WAITERS 0x80000000u /* FUTEX_WAITERS */
#define MDG__DIED    0x40000000u /* FUTEX_OWNER_DIED, in a word without an id */
#define MDG__CAME    0x40000000u /* in a word with an id */
#define MDG__TID     0x3fffffffu /* FUTEX_TID_MASK */

/* Where, after the word, the C libraries' nodes lie: musl 32 bit 12, glibc 32 bit 20, musl 28,
 * glibc 32; the last is 8 bytes long. */
enum { MDG__NODE_NEAREST = 12, MDG__NODE_FARTHEST = 32 };

/* A word with room for its node, half a line. */
struct mdg__robust {
	uint32_t
		mark; /* owner: MDG__SHARED_MARK; musl's, at the end of a thread, looks for it there */
	_Atomic uint32_t word;
	uint32_t none;              /* zero; musl looks here for waiters that it would wake */
	unsigned char node[32 + 4]; /* owner: in here the link of its robust list */
};
#define MDG__SHARED_MARK 128u

enum { MDG__UNREPAIRED = 1, MDG__BROKEN = 2 };

struct mdg__owned {
	/* Owner, before it gives the word back; read by the next after it took it (the word's
	 * release and acquire). A death leaves it as it is. 0: as should be. */
	_Atomic uint32_t state;
	struct mdg__robust robust;
	uint32_t own[3]; /* for the object that this is part of */
	struct mdg__notes notes;
};

_Static_assert(offsetof(struct mdg__owned, robust.word) == 8, "a node is aligned as the library's");
_Static_assert(offsetof(struct mdg__owned, own) == 52, "");
_Static_assert(offsetof(struct mdg__owned, notes) == 64, "the second line");
_Static_assert(sizeof(struct mdg__owned) == 128, "");
_Static_assert(offsetof(struct mdg__robust, word) + MDG__NODE_FARTHEST + 8 <=
                       sizeof(struct mdg__robust),
               "");

/* 0 or MDG_OWNER_DIED: taken; -ETIMEDOUT, with deadline 0 at once; -EDEADLK, -ENOLCK. */
int mdg__owned_take_waiting(struct mdg__thread *thread, struct mdg__owned *owned,
                            uint64_t deadline);
void mdg__robust_wake(struct mdg__robust *robust, int most);

/* The word, from free to this thread's, and into its list. */
static inline bool mdg__robust_take_free(struct mdg__thread *thread, struct mdg__robust *robust)
{
	uint32_t free = 0;
	uintptr_t before = mdg__pending_begin(thread, &robust->word);
	/* Acquire: pairs with the release in mdg__robust_give. seq_cst: for the rwlock's writer, who
	 * then looks for readers. */
	bool taken = atomic_compare_exchange_strong_explicit(
		&robust->word, &free, thread->tid, memory_order_seq_cst, memory_order_relaxed);
	if (taken) {
		robust->mark = MDG__SHARED_MARK;
		mdg__held_enter(thread, &robust->word);
	}
	mdg__pending_end(thread, before);
	return taken;
}

/* The same, where the thread is known to be ready; false: something is not as it usually is. */
static inline bool mdg__owned_take_free(struct mdg__owned *owned)
{
	struct mdg__thread *thread = &mdg__this_thread;
	return __builtin_expect(mdg__thread_is_ready(thread) && thread->count < MDG__HELD_MAX, 1) &&
	       __builtin_expect(mdg__robust_take_free(thread, &owned->robust), 1);
}

/* 0 or MDG_OWNER_DIED: taken; the errors of mdg__owned_take_waiting; -ENOSYS. */
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

/* The same without waiting: -EBUSY instead of -ETIMEDOUT. */
static inline int mdg__owned_try(struct mdg__owned *owned)
{
	int rc = mdg__owned_take(owned, 0);
	return rc == -ETIMEDOUT ? -EBUSY : rc;
}

/* Sleeps on a word that `pending` names, while it is `seen`. Not named while it sleeps is what a
 * namesake holds, in another pid namespace: if this thread was killed, the kernel would take it for
 * the owner. What futex(2) says. */
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

/* Gives back what stands at `at` in the thread's list; wakes up to `most` sleepers. */
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

/* Whether it is what this thread has taken last and still holds. */
static inline bool mdg__owned_is_latest(const struct mdg__owned *owned,
                                        const struct mdg__thread *thread)
{
	uint32_t at = thread->count - 1;
	return mdg__thread_is_ready(thread) && at < MDG__HELD_MAX &&
	       thread->held[at].word == &owned->robust.word;
}

/* As mdg__robust_give, of that. Leaves to the caller: mdg__pending_end, and before that, when
 * this says false, mdg__robust_wake. */
static inline bool mdg__robust_give_latest(struct mdg__thread *thread, struct mdg__robust *robust,
                                           uintptr_t *ret_before)
{
	uint32_t at = thread->count - 1, held = thread->tid;
	*ret_before = mdg__pending_begin(thread, &robust->word);
	mdg__held_leave_last(thread, at);
	/* Release: pairs with the acquire in mdg__robust_take_free. */
	return __builtin_expect(atomic_compare_exchange_strong_explicit(&robust->word, &held, 0,
	                                                                memory_order_release,
	                                                                memory_order_relaxed),
	                        1);
}

/* Where this thread has it among what it holds; -1: it does not hold it. `ret_thread` may
 * be NULL then. */
static inline int mdg__robust_mine(const struct mdg__robust *robust,
                                   struct mdg__thread **ret_thread)
{
	*ret_thread = mdg__thread();
	return *ret_thread == NULL ? -1 : mdg__held_find(*ret_thread, &robust->word);
}

static inline bool mdg__owned_is_mine(const struct mdg__owned *owned)
{
	struct mdg__thread *thread;
	return mdg__robust_mine(&owned->robust, &thread) >= 0;
}

/* 0 or -EPERM. */
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
