/* SPDX-License-Identifier: MIT */
/*
 * enter.c - a visit to a queue: its lock is taken, with signals blocked.
 *
 * A signal handler may send to the queue in whose lock the thread was interrupted, or leave by
 * siglongjmp. So signals are blocked while the lock is held. That costs two system calls, which is
 * more than all the rest of a call together. The express way needs neither (express.c).
 */
#include "msgqueue/internal.h"

#include "platform/procfs.h"

#define PATIENCE_NS UINT64_C(2000000000)

/* The memory has to be mapped as far as it is used. Until then nothing can be repaired, and the
 * next holder is told. */
static int look_around(struct mdg__visit *visit, bool died)
{
	struct mdg__queue *queue = visit->queue;
	if (died)
		MDG__PUT(visit->lock->state, MDG__UNREPAIRED);
	int rc = mdg__cells_reach(queue);
	if (rc < 0)
		return rc;
	if (!mdg__turn_copy(queue))
		MDG__PUT(visit->lock->state, MDG__UNREPAIRED);
	if (__builtin_expect(MDG__GET(visit->lock->state) == 0, 1))
		return 0;
	rc = mdg__queue_repair(visit);
	if (rc == 0)
		MDG__PUT(visit->lock->state, 0);
	return rc;
}

/* Whether the lock's word names a thread that cannot hold it: this one, or none that there is, or
 * one that sleeps as no holder does. A thread of another pid namespace may look like that, too. */
static bool is_nonsense(const struct mdg__visit *visit, uint32_t word)
{
	uint32_t tid = word & MDG__TID;
	return tid != 0 && (tid == visit->thread->tid || !mdg__sys_process_exists((int32_t)tid) ||
	                    mdg__thread_sleeps_lightly((int32_t)tid) == MDG__YES);
}

/* A holder that is stopped is waited for, unless the call waits for so long at most: -EBUSY. The
 * lock's word may also be damaged. So whoever has waited for long asks whether the holder
 * exists. */
static int take_lock(struct mdg__visit *visit)
{
	for (;;) {
		uint64_t most = visit->queue->lock_most;
		uint64_t deadline = mdg__monotonic_nanoseconds() + (most != 0 ? most : PATIENCE_NS);
		uint32_t before = MDG__GET(visit->lock->robust.word);
		int rc = mdg__owned_take(visit->lock, deadline);
		if (rc != -ETIMEDOUT)
			return rc;
		if (most != 0)
			return -EBUSY;
		uint32_t after = MDG__GET(visit->lock->robust.word);
		if (((before ^ after) & MDG__TID) == 0 && is_nonsense(visit, after))
			return MDG_DAMAGED;
	}
}

int mdg__visit_lock(struct mdg__visit *visit)
{
	visit->lock = &mdg__head(visit->queue)->lock;
	visit->called = 0;
	visit->expects = false;
	/* The usual case needs no clock. */
	int rc = mdg__owned_take_free(visit->lock) ? 0 : take_lock(visit);
	if (__builtin_expect(rc != 0 && rc != MDG_OWNER_DIED, 0))
		return rc;
	mdg__turn_lock(visit->queue);
	rc = look_around(visit, rc == MDG_OWNER_DIED);
	if (__builtin_expect(rc < 0, 0))
		mdg__visit_unlock(visit);
	return rc;
}

int mdg__visit_begin(struct mdg__visit *visit, struct mdg__queue *queue)
{
	visit->queue = queue;
	visit->thread = mdg__thread();
	if (visit->thread == NULL)
		return -ENOSYS;
	mdg__signals_block(&visit->mask);
	int rc = mdg__visit_lock(visit);
	if (rc < 0)
		mdg__visit_end(visit);
	return rc;
}

/* Frees the word and wakes all who sleep on it. The kernel does both in one step. If the word
 * became 0 first, somebody else could take it before the wake-up. If this thread was then killed,
 * the kernel would find a word with another owner, and would wake nobody. [pending names it] */
static void free_and_wake(struct mdg__robust *robust)
{
	/* Release: pairs with the acquire in mdg__robust_take_free. */
	atomic_fetch_or_explicit(&robust->word, MDG__WAITERS, memory_order_release);
	if (mdg__sys_futex_free(&robust->word) < 0)
		mdg__robust_wake(robust, INT32_MAX);
}

/* Gives the lock back after sleepers were called. All who sleep on its word are woken then, so the
 * word needs no mark. They are not woken one by one, as threads are that wait for a lock: a sleeper
 * may be stopped when it has been woken, or may leave by siglongjmp, and would not wake the next
 * one. If none was asleep, the word becomes 0, unless somebody has come. */
static __attribute__((noinline)) void give_and_wake(struct mdg__visit *visit)
{
	struct mdg__thread *thread = visit->thread;
	struct mdg__robust *robust = &visit->lock->robust;
	uint32_t held = thread->tid | MDG__WAITERS;
	int at = mdg__held_find(thread, &robust->word);
	if (at < 0)
		return;
	uintptr_t before = mdg__pending_begin(thread, &robust->word);
	mdg__held_leave(thread, at);
	if (visit->called != 0)
		free_and_wake(robust);
	/* Release: as above. */
	else if (visit->had_sleepers ||
	         !atomic_compare_exchange_strong_explicit(
			 &robust->word, &held, 0, memory_order_release, memory_order_relaxed))
		mdg__robust_wake(robust, 1);
	mdg__pending_end(thread, before);
}

/* While a repair is due, nobody goes the express way. */
void mdg__visit_unlock(struct mdg__visit *visit)
{
	if (__builtin_expect(MDG__GET(visit->lock->state) == 0, 1))
		mdg__turn_unlock(visit->queue);
	if (__builtin_expect(visit->expects, 0))
		give_and_wake(visit);
	else
		(void)mdg__owned_give(visit->lock);
}

void mdg__visit_end(struct mdg__visit *visit)
{
	mdg__signals_restore(&visit->mask);
}

bool mdg__queue_is_removed(const struct mdg__queue *queue)
{
	return MDG__GET(mdg__head(queue)->removed) != 0;
}
