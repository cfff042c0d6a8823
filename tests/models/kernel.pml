/* SPDX-License-Identifier: MIT */
/*
 * kernel.pml - what the models share: the robust word, futex(2), and the end of a thread.
 *
 * A STEP of a model is one access to shared memory, or one system call. Private accesses belong to
 * the step after them. Memory is sequentially consistent.
 *
 * DEATH. A thread may be killed before each step, between private stores that the kernel looks at
 * (MAY_DIE), and asleep. Any number of threads may die, also at the same time, and each is born
 * again with the same id. With DEATHS only so many die, and they are not born again. After a death
 * the kernel acts as exit_robust_list() and handle_futex_death() do in Linux. The thread leaves its
 * queue. Then the kernel looks at each word in the thread's list but the pending one, and at last
 * at the pending one:
 *   If the word has the thread's id, it becomes (word & WAITERS) | OWNER_DIED in one step. If it
 *     had WAITERS, a sleeper is woken.
 *   If the word has no id and is the pending one, a sleeper is woken.
 *
 * FUTEX. WAIT compares and enqueues in one step. WAKE takes any sleepers and says how many. It may
 * also take threads that were killed and have not left their queue yet.
 *
 * A LOST WAKE-UP is an invalid end state. At some moment, which may be any, the model becomes
 * quiet: from then on no sleeper is killed and no deadline passes. A thread may end whenever it
 * holds nothing. So if a sleeper can be left with nobody on the way to wake it, there is a run in
 * which all other threads end and the sleeper cannot go on. spin looks for such a run.
 */
#define TID     7
#define WAITERS 8
#define DIED    16 /* in a word without an id */
#define CAME    16 /* in a word with an id */
#define ID      (me + 1)
#define ME      (1 << me)

bool quiet;

#ifdef DEATHS
byte deaths = DEATHS; /* so many at most, and they are not born again */
#define MAY_DIE if :: skip :: deaths > 0 -> deaths--; goto dead fi
#define DIE_ASLEEP atomic { !quiet && deaths > 0 -> deaths--; goto dead }
#define AFTER_DEATH end
#else
#define MAY_DIE if :: skip :: goto dead fi
#define DIE_ASLEEP !quiet -> goto dead
#define AFTER_DEATH rest
#endif

/* FUTEX_WAKE of one */
inline wake_one(queue, woken)
{
	if
	:: queue == 0 -> woken = 0
	:: queue & 1 -> queue = queue & ~1; woken = 1
	:: queue & 2 -> queue = queue & ~2; woken = 1
	:: queue & 4 -> queue = queue & ~4; woken = 1
	:: queue & 8 -> queue = queue & ~8; woken = 1
	fi
}

/* handle_futex_death() of a word and its queue; `seen` is the thread's own, and 0 afterwards. */
inline futex_death(word, queue, is_pending, seen)
{
	atomic {
		seen = word;
		if
		:: (seen & TID) == ID -> word = (seen & WAITERS) | DIED; seen = seen & WAITERS
		:: (seen & TID) == 0 && is_pending -> seen = WAITERS
		:: else -> seen = 0
		fi
	}
	atomic { if :: seen != 0 -> wake_one(queue, seen); seen = 0 :: else fi }
}
