/* SPDX-License-Identifier: MIT */
/*
 * kernel.pml - what the models share: the robust word, futex(2), and the end of a thread.
 *
 * A STEP of a model is one access to shared memory, or one system call; private accesses are
 * drawn to the step after them. Memory is sequentially consistent.
 *
 * DEATH. A thread may be killed before each step and between private stores that the kernel looks
 * at (MAY_DIE), and asleep. Any number may die, at once too, and be born again with the same id;
 * with DEATHS only so many, for good. What the kernel does then, exit_robust_list() and
 * handle_futex_death() in Linux: the thread leaves its queue; then for each word in its list but
 * the pending one, and at last for that:
 *   the word has its id: (word & WAITERS) | OWNER_DIED, in one step, and wakes one if there was
 *   WAITERS;
 *   the word has no id and is the pending one: wakes one.
 *
 * FUTEX. WAIT compares and enqueues in one step. WAKE takes any sleepers, also those who have been
 * killed but have not left their queue, and says how many.
 *
 * A LOST WAKE-UP is an invalid end state: from some time on, which may be any, it is quiet: no
 * sleeper is killed any more and no deadline passes. Threads end whenever they hold nothing and
 * like to. So if a sleeper can be left without anybody on the way to wake it, there is a run in
 * which all others end, and it alone cannot go on; spin looks for that.
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
