/* SPDX-License-Identifier: MIT */
/*
 * hand.c - a message is handed over to the receiver that sleeps for it, and senders are called
 * when there is room.
 *
 * CLAIMING. The message is in the list like any other. One store, the claim, says for whom it is.
 * From then on nobody else sees it, and it counts no more. So when the send returns, the message is
 * the receiver's, whether that has run or not. If the receiver dies before it has taken the
 * message, the claim counts for nothing, and the message is in its old place for others.
 *
 * CALLING a sleeper moves it, with FUTEX_REQUEUE, from its own word to the word of the queue's
 * lock, which the caller holds. The sleeper is woken when the lock is given back, and not before:
 * it would only wait for the lock. This has two more merits:
 *   - The kernel says whether there was a sleeper to move. If there was none (it is stopped, or its
 *     sleep was ended by a signal), it is not in the line, and the next one is tried.
 *   - If the caller is killed, from the call on to when it has woken the sleeper, the kernel does
 *     with the lock what it always does: it marks the lock and wakes a sleeper. That one repairs
 *     and looks for itself.
 * For the second reason a sleeper is called BEFORE the store that links its message or makes room
 * for it: once that is done, somebody is awake who will notice.
 *
 * Several sleepers that were called are woken together (enter.c). While a called thread sleeps, its
 * `pending` names the lock (wait.c). If the caller was killed, the kernel wakes one of them, and
 * that one wakes the others. If it is killed too, on its way, the kernel wakes the next.
 */
#include "msgqueue/internal.h"
#include "msgqueue/waiting.h"

/* While a thread sleeps on the lock's word, the word has WAITERS (sync/owned.h). */
static void expect_sleepers(struct mdg__visit *visit)
{
	uint32_t before = atomic_fetch_or_explicit(&visit->lock->robust.word, MDG__WAITERS,
	                                           memory_order_relaxed);
	visit->expects = true;
	visit->had_sleepers = (before & MDG__WAITERS) != 0;
}

bool mdg__call(struct mdg__visit *visit, struct mdg__waiter *waiter, uint32_t how)
{
	if (!visit->expects)
		expect_sleepers(visit);
	/* The word changes first. A thread that is just about to fall asleep then does not. If this
	 * thread is killed before the second step, the repair does that (mdg__recall_all). */
	mdg__waiter_called(visit->queue, waiter, how);
	atomic_signal_fence(memory_order_seq_cst);
	bool asleep = mdg__sys_futex_requeue(&waiter->word, 1, &visit->lock->robust.word) > 0;
	if (asleep)
		visit->called++;
	return asleep;
}

/* Sleepers whose buffer is too small are told so, and are out of the line. */
uint32_t mdg__call_receiver(struct mdg__visit *visit, const struct mdg__message *message)
{
	uint64_t ticket = 0;
	for (;;) {
		uint32_t number =
			mdg__waiter_next(visit->queue, MDG__WAITER_RECEIVER, &ticket, message);
		if (number == MDG__WAITERS_MOST)
			return number;
		struct mdg__waiter *waiter = mdg__waiter(visit->queue, number);
		bool fits = MDG__GET(waiter->cuts) != 0 ||
		            MDG__GET(message->length) <= MDG__GET(waiter->size);
		if (!mdg__call(visit, waiter, MDG__CALLED))
			continue;
		if (fits)
			return number;
		MDG__PUT(waiter->too_big, 1);
	}
}

/* All whose message would fit by itself: they race, and none of them holds a place. */
void mdg__call_senders(struct mdg__visit *visit, uint64_t cbytes, uint64_t qnum)
{
	uint64_t ticket = 0, qbytes = MDG__GET(visit->queue->fields[MDG__QUEUE_QBYTES]);
	for (;;) {
		uint32_t number = mdg__waiter_next(visit->queue, MDG__WAITER_SENDER, &ticket, NULL);
		if (number == MDG__WAITERS_MOST)
			return;
		struct mdg__waiter *waiter = mdg__waiter(visit->queue, number);
		if (mdg__fits(qbytes, cbytes, qnum, MDG__GET(waiter->size)))
			(void)mdg__call(visit, waiter, MDG__CALLED);
	}
}

void mdg__call_all(struct mdg__visit *visit)
{
	static const uint32_t kinds[] = { MDG__WAITER_RECEIVER, MDG__WAITER_SENDER };
	for (int i = 0; i < 2; i++) {
		uint64_t ticket = 0;
		uint32_t number;
		while ((number = mdg__waiter_next(visit->queue, kinds[i], &ticket, NULL)) !=
		       MDG__WAITERS_MOST)
			(void)mdg__call(visit, mdg__waiter(visit->queue, number), MDG__CALLED);
	}
}

void mdg__recall_all(struct mdg__visit *visit)
{
	for (uint32_t number = 0; number < MDG__WAITERS_MOST; number++) {
		struct mdg__waiter *waiter = mdg__waiter(visit->queue, number);
		if (waiter == NULL)
			break;
		if (mdg__waiter_sleeps(waiter))
			(void)mdg__call(visit, waiter, MDG__RECALLED);
	}
}

void mdg__hand_over(struct mdg__visit *visit, uint32_t number, uint32_t cell)
{
	struct mdg__queue_head *head = mdg__head(visit->queue);
	struct mdg__message *message = mdg__message(visit->queue, cell);
	struct mdg__waiter *waiter = mdg__waiter(visit->queue, number);
	MDG__PUT(waiter->cell, cell);
	mdg__commit64(&message->claim, mdg__claim_of(number, MDG__GET(waiter->use)));
	MDG__PUT(head->claims, MDG__GET(head->claims) + 1);
	MDG__PUT(head->qnum, MDG__GET(head->qnum) - 1);
	MDG__PUT(head->cbytes, MDG__GET(head->cbytes) - MDG__GET(message->length));
	MDG__PUT(head->lrpid, MDG__GET(waiter->pid));
	MDG__PUT(head->rtime, mdg__now_seconds());
}

void mdg__claim_drop(const struct mdg__queue *queue, struct mdg__message *message)
{
	struct mdg__queue_head *head = mdg__head(queue);
	mdg__commit64(&message->claim, 0);
	MDG__PUT(head->claims, MDG__GET(head->claims) - 1);
	MDG__PUT(head->qnum, MDG__GET(head->qnum) + 1);
	MDG__PUT(head->cbytes, MDG__GET(head->cbytes) + MDG__GET(message->length));
}
