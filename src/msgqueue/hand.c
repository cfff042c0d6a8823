/* SPDX-License-Identifier: MIT */
/*
 * hand.c - a message is handed over to the receiver that sleeps for it, and senders are called
 * when there is room.
 *
 * The message is in the list like any other. CLAIMING it, one store, says for whom it is. From then
 * on nobody else sees it, and it counts no more. So when the send returns, the message is the
 * receiver's, whether that has run or not. If the receiver dies before it has taken the message,
 * the claim counts for nothing, and the message is in its old place for others.
 *
 *     plan    with the lock, before the message is linked: who is to be called? `pending` names the
 *             first one: if this thread is killed from here on, the kernel wakes that one, and it
 *             looks for itself
 *     apply   with the lock, after the message was linked: the claim, and the waiters' words
 *     call    without the lock: FUTEX_WAKE
 *
 * FUTEX_WAKE tells whether the thread was asleep. If it was not (it is stopped, or its sleep was
 * ended by a signal), it was not in the line. Then the lock is taken again, the claim goes, and
 * the next one is tried.
 *
 * A sleeper whose buffer is too small is told so and is out of the line; the message goes on to
 * the next. All sleepers whose messages would fit are called when there is room: they race, and
 * none of them holds a place.
 */
#include "msgqueue/internal.h"

static void add(struct mdg__visit *visit, uint32_t number, struct mdg__waiter *waiter)
{
	if (visit->calls == 0) {
		visit->before = mdg__pending_begin(visit->thread, &waiter->word);
		visit->pends = true;
	}
	visit->call[visit->calls].waiter = number;
	visit->call[visit->calls].use = MDG__GET(waiter->use);
	visit->call[visit->calls].word = &waiter->word;
	visit->calls++;
}

void mdg__plan_receivers(struct mdg__visit *visit, const struct mdg__message *message)
{
	const struct mdg__queue *queue = visit->queue;
	uint64_t ticket = 0;
	while (!visit->claimed) {
		uint32_t number = mdg__waiter_next(queue, MDG__WAITER_RECEIVER, &ticket, message);
		if (number == MDG__WAITERS_MOST)
			return;
		if (visit->calls == MDG__CALLS_MOST) {
			visit->everyone = true;
			return;
		}
		struct mdg__waiter *waiter = mdg__waiter(queue, number);
		visit->claimed = MDG__GET(waiter->cuts) != 0 ||
		                 MDG__GET(message->length) <= MDG__GET(waiter->size);
		add(visit, number, waiter);
	}
}

void mdg__plan_senders(struct mdg__visit *visit, uint64_t cbytes, uint64_t qnum)
{
	const struct mdg__queue *queue = visit->queue;
	uint64_t ticket = 0, qbytes = MDG__GET(queue->fields[MDG__QUEUE_QBYTES]);
	for (;;) {
		uint32_t number = mdg__waiter_next(queue, MDG__WAITER_SENDER, &ticket, NULL);
		if (number == MDG__WAITERS_MOST)
			return;
		struct mdg__waiter *waiter = mdg__waiter(queue, number);
		if (!mdg__fits(qbytes, cbytes, qnum, MDG__GET(waiter->size)))
			continue;
		if (visit->calls == MDG__CALLS_MOST) {
			visit->everyone = true;
			return;
		}
		add(visit, number, waiter);
	}
}

void mdg__plan_forget(struct mdg__visit *visit)
{
	if (visit->pends)
		mdg__pending_end(visit->thread, visit->before);
	visit->pends = false;
	visit->calls = 0;
	visit->claimed = false;
	visit->everyone = false;
}

static void claim(struct mdg__visit *visit, struct mdg__waiter *waiter, uint32_t cell)
{
	struct mdg__queue_head *head = mdg__head(visit->queue);
	struct mdg__message *message = mdg__message(visit->queue, cell);
	uint32_t last = visit->calls - 1;
	MDG__PUT(waiter->cell, cell);
	mdg__commit64(&message->claim,
	              mdg__claim_of(visit->call[last].waiter, visit->call[last].use));
	MDG__PUT(head->claims, MDG__GET(head->claims) + 1);
	MDG__PUT(head->qnum, MDG__GET(head->qnum) - 1);
	MDG__PUT(head->cbytes, MDG__GET(head->cbytes) - MDG__GET(message->length));
	MDG__PUT(head->lrpid, MDG__GET(waiter->pid));
	MDG__PUT(head->rtime, mdg__now_seconds());
}

void mdg__plan_apply(struct mdg__visit *visit, uint32_t cell)
{
	struct mdg__queue_head *head = mdg__head(visit->queue);
	if (visit->calls > 1)
		MDG__PUT(head->calling, 1);
	for (uint32_t i = 0; i < visit->calls; i++) {
		struct mdg__waiter *waiter = mdg__waiter(visit->queue, visit->call[i].waiter);
		if (waiter == NULL)
			continue;
		if (MDG__GET(waiter->kind) == MDG__WAITER_RECEIVER && cell != 0) {
			if (visit->claimed && i == visit->calls - 1)
				claim(visit, waiter, cell);
			else
				MDG__PUT(waiter->too_big, 1);
		}
		mdg__waiter_called(visit->queue, waiter);
	}
	if (visit->everyone)
		mdg__call_all(visit->queue);
}

/* It was not asleep, so it was not in the line: what it was given is taken back. Returns whether
 * that was the claim. */
static bool take_back(struct mdg__visit *visit, uint32_t at, uint32_t cell)
{
	const struct mdg__queue *queue = visit->queue;
	uint32_t number = visit->call[at].waiter, use = visit->call[at].use;
	struct mdg__waiter *waiter = mdg__waiter(queue, number);
	if (visit->claimed && at == visit->calls - 1) {
		struct mdg__message *message = mdg__message(queue, cell);
		if (MDG__GET(message->claim) != mdg__claim_of(number, use))
			return false; /* it has been here meanwhile */
		mdg__claim_drop(queue, message);
		if (waiter != NULL && MDG__GET(waiter->use) == use)
			MDG__PUT(waiter->cell, 0);
		return true;
	}
	if (waiter != NULL && MDG__GET(waiter->use) == use)
		MDG__PUT(waiter->too_big, 0);
	return false;
}

/* Calls. Returns a bit for each receiver that was not asleep. */
static uint32_t call(struct mdg__visit *visit, bool receivers)
{
	uint32_t absent = 0;
	for (uint32_t i = 0; i < visit->calls; i++)
		if (mdg__sys_futex_wake_bits(visit->call[i].word, 1, (uint32_t)MDG__ANYONE) == 0 &&
		    receivers)
			absent |= 1u << i;
	if (visit->calls > 1)
		MDG__PUT(mdg__head(visit->queue)->calling, 0);
	if (visit->pends)
		mdg__pending_end(visit->thread, visit->before);
	visit->pends = false;
	return absent;
}

void mdg__plan_call(struct mdg__visit *visit, uint32_t cell)
{
	for (;;) {
		mdg__visit_unlock(visit);
		uint32_t absent = call(visit, cell != 0);
		if (absent == 0 || mdg__visit_lock(visit) < 0)
			break;
		bool again = false;
		for (uint32_t i = 0; i < visit->calls; i++)
			if ((absent & 1u << i) != 0)
				again = take_back(visit, i, cell) || again;
		mdg__plan_forget(visit);
		if (again)
			mdg__plan_receivers(visit, mdg__message(visit->queue, cell));
		mdg__plan_apply(visit, cell);
		mdg__visit_changed(visit);
	}
	mdg__plan_forget(visit);
}
