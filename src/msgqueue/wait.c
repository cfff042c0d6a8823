/* SPDX-License-Identifier: MIT */
/*
 * wait.c - a thread's sleep in a queue.
 *
 * EINTR. FUTEX_WAIT with a deadline ends with EINTR after any handler, with SA_RESTART too. It goes
 * on by itself after a signal without handler and after stop and continue. That is what msgsnd
 * and msgrcv do. Without a deadline the kernel would restart it under SA_RESTART, so there always
 * is one.
 *
 * A handler that runs before the sleep does not end it. Before the first sleep of a call that is as
 * in the kernel: the signal came before the call. Before a further sleep it would be an error, so
 * the thread asks for pending signals before it lets them in.
 *
 * A LOOK NOW AND THEN. Who removes a queue calls its sleepers. But the remover may be unable to do
 * that: it has no descriptor left to open the memory, or the memory is damaged, or the whole
 * namespace was deleted. So a sleeper asks every few seconds whether the queue is still there. And
 * if a receiver is killed when a message has just been handed over to it, nobody is told that the
 * message is for others again. So a sleeper also looks for itself if there are claims. That is
 * rare for two reasons: the sleeper is not in the line at that moment, and a signal that comes
 * just when the kernel has ended the sleep does not end the call. For the second, it is no whole
 * number of seconds, which are what alarm(2) counts.
 *
 * A SLEEP THAT DOES NOT RETURN. A handler may leave the sleep by siglongjmp. Nobody can tell that
 * from a handler that takes long. Such a sleeper gets nothing, because FUTEX_WAKE finds nobody
 * asleep. But it still has its record. So each thread remembers its latest sleep, and its next call
 * on any queue ends it (mdg__queue_abandon). If the handler does return, then the sleep it returns
 * to is over as well: it ends with EINTR in any case.
 */
#include "msgqueue/internal.h"
#include "msgqueue/waiting.h"

#include "msgqueue/region.h"
#include "platform/ofthread.h"

#define LOOK_SELDOM_NS UINT64_C(3871000000)

/* The thread's latest sleep; NULL: none. Its region has the rest. */
static MDG__OF_THREAD struct mdg__waiter *latest_waiter;

static bool is_ours(const struct mdg__visit *visit, const struct mdg__waiter *waiter, uint32_t use)
{
	return MDG__GET(waiter->use) == use &&
	       mdg__held_find(visit->thread, &waiter->owner.word) >= 0;
}

/* The message that was handed over to a sleep that is over goes to somebody else. */
static void pass_on(struct mdg__visit *visit, uint32_t cell, uint64_t claim)
{
	if (!mdg__is_cell(visit->queue, cell))
		return;
	struct mdg__message *message = mdg__message(visit->queue, cell);
	if (MDG__GET(message->claim) != claim)
		return;
	uint32_t number = mdg__call_receiver(visit, message);
	mdg__claim_drop(visit->queue, message);
	if (number != MDG__WAITERS_MOST)
		mdg__hand_over(visit, number, cell);
}

void mdg__queue_abandon(void)
{
	struct mdg__waiter *waiter = latest_waiter;
	if (__builtin_expect(waiter == NULL, 1))
		return;
	latest_waiter = NULL;
	const struct mdg__queue_region *region = mdg__queue_region();
	if (region == NULL) /* in a forked child: it was the parent's sleep */
		return;
	struct mdg__visit visit;
	struct mdg__queue queue = region->latest.queue;
	uint32_t use = region->latest.use, number = region->latest.number;
	if (!mdg__epoch_is(region->latest.epoch) || mdg__visit_begin(&visit, &queue) < 0)
		return;
	if (is_ours(&visit, waiter, use)) {
		mdg__waiter_not_in_line(&queue, waiter);
		pass_on(&visit, MDG__GET(waiter->cell), mdg__claim_of(number, use));
		mdg__waiter_leave(&visit, waiter);
	}
	mdg__visit_unlock(&visit);
	mdg__visit_end(&visit);
}

void mdg__wait_pass_on(const struct mdg__wait *wait)
{
	pass_on(wait->visit, MDG__GET(wait->waiter->cell), mdg__claim_of(wait->number, wait->use));
}

void mdg__wait_begin(struct mdg__wait *wait, struct mdg__visit *visit, enum mdg__waiter_kind kind,
                     uint64_t size, uint64_t deadline)
{
	*wait = (struct mdg__wait){ .visit = visit, .kind = kind, .size = size };
	wait->deadline = deadline;
}

/* A record for this call, with what others have to know. */
static int become(struct mdg__wait *wait)
{
	struct mdg__visit *visit = wait->visit;
	struct mdg__queue *queue = visit->queue;
	struct mdg__queue_region *region = mdg__queue_region_make(visit->thread);
	uint32_t number;
	int rc = region == NULL ? -ENOMEM : mdg__waiter_take(visit, &number);
	if (rc < 0)
		return rc;
	struct mdg__waiter *waiter = mdg__waiter(queue, number);
	MDG__PUT(waiter->want, wait->want);
	MDG__PUT(waiter->type, wait->type);
	MDG__PUT(waiter->size, wait->size);
	MDG__PUT(waiter->cuts, wait->cuts);
	MDG__PUT(waiter->pid, queue->pid);
	MDG__PUT(waiter->tid, (int32_t)visit->thread->tid);
	MDG__PUT(waiter->since, mdg__monotonic_nanoseconds());
	MDG__PUT(waiter->kind, wait->kind);
	wait->waiter = waiter;
	wait->number = number;
	wait->use = MDG__GET(waiter->use);
	region->latest.queue = *queue;
	region->latest.queue.of_call = NULL;
	region->latest.use = wait->use;
	region->latest.number = number;
	region->latest.epoch = visit->thread->epoch;
	atomic_signal_fence(memory_order_seq_cst);
	latest_waiter = waiter;
	return 0;
}

/* Until the word changes, the time is over, a handler runs, the queue is gone, or a claim may be
 * that of a dead receiver. The last two are asked again under the lock. */
static int sleep_on(struct mdg__queue *queue, _Atomic uint32_t *word, uint32_t asleep,
                    uint64_t deadline)
{
	for (;;) {
		uint64_t again = mdg__monotonic_nanoseconds() + LOOK_SELDOM_NS;
		uint64_t end = deadline < again ? deadline : again;
		int rc = mdg__sys_futex_wait_until(word, asleep, end, (uint32_t)MDG__ANYONE);
		if (rc != -ETIMEDOUT || end == deadline)
			return rc;
		if (queue->memory->may(queue, 0) < 0 || MDG__GET(mdg__head(queue)->claims) != 0)
			return 0;
	}
}

/* The sleep itself, with signals as the caller has them. */
static int sleep_now(const struct mdg__wait *wait)
{
	struct mdg__visit *visit = wait->visit;
	struct mdg__queue *queue = visit->queue;
	if (wait->slept && mdg__handler_waits(&visit->mask))
		return -EINTR;
	mdg__visit_end(visit);
	if (queue->memory->asleep != NULL)
		queue->memory->asleep(queue, true);
	int rc = sleep_on(queue, &wait->waiter->word, mdg__says(wait->use, MDG__ASLEEP),
	                  wait->deadline);
	if (queue->memory->asleep != NULL)
		queue->memory->asleep(queue, false);
	mdg__signals_block(&visit->mask);
	return rc == -EINTR || rc == -ETIMEDOUT ? rc : 0;
}

void mdg__wait_give_up(struct mdg__wait *wait)
{
	struct mdg__waiter *waiter = wait->waiter;
	struct mdg__thread *thread = wait->visit->thread;
	if (waiter == NULL)
		return;
	if (latest_waiter == waiter)
		latest_waiter = NULL;
	if (is_ours(wait->visit, waiter, wait->use))
		mdg__robust_give(thread, &waiter->owner,
		                 mdg__held_find(thread, &waiter->owner.word), 1);
	wait->waiter = NULL;
}

int mdg__wait_once(struct mdg__wait *wait)
{
	struct mdg__visit *visit = wait->visit;
	struct mdg__queue *queue = visit->queue;
	int rc = wait->waiter == NULL ? become(wait) : 0;
	if (rc < 0) {
		mdg__visit_unlock(visit);
		return rc;
	}
	if ((MDG__GET(wait->waiter->word) & MDG__SAYS) != MDG__ASLEEP)
		mdg__waiter_line_up(queue, wait->waiter);
	/* Whoever calls moves the sleep to the lock's word (hand.c). If this thread is killed
	 * before it has the lock, the kernel wakes the next one there. */
	uintptr_t before = mdg__pending_begin(visit->thread, &visit->lock->robust.word);
	mdg__visit_unlock(visit);
	int why = sleep_now(wait);
	wait->slept = true;
	rc = mdg__visit_lock(visit);
	mdg__pending_end(visit->thread, before);
	if (rc < 0) {
		mdg__wait_give_up(wait);
		return rc;
	}
	if (!is_ours(visit, wait->waiter, wait->use)) { /* a handler has ended this sleep */
		wait->waiter = NULL;
		wait->rc = -EINTR;
		return 0;
	}
	wait->rc = why;
	if (why != 0)
		mdg__waiter_not_in_line(queue, wait->waiter);
	return 0;
}

void mdg__wait_done(struct mdg__wait *wait)
{
	struct mdg__waiter *waiter = wait->waiter;
	if (waiter == NULL)
		return;
	if (latest_waiter == waiter)
		latest_waiter = NULL;
	mdg__waiter_not_in_line(wait->visit->queue, waiter);
	mdg__waiter_leave(wait->visit, waiter);
	wait->waiter = NULL;
}
