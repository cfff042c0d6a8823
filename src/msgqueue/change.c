/* SPDX-License-Identifier: MIT */
/*
 * change.c - a queue's limit or permission has changed, or the queue is removed.
 *
 * The limit lies in the queue's entry and not here: it changes in one moment with the owner. All
 * that is left to do here is to call the sleepers.
 *
 * A process that keeps the lock and does not go on does not hold up a removal. Then the word
 * `removed` is written without the lock.
 */
#include "msgqueue/internal.h"
#include "msgqueue/waiting.h"

static void call_receivers(struct mdg__visit *visit)
{
	uint64_t ticket = 0;
	uint32_t number;
	while ((number = mdg__waiter_next(visit->queue, MDG__WAITER_RECEIVER, &ticket, NULL)) !=
	       MDG__WAITERS_MOST)
		(void)mdg__call(visit, mdg__waiter(visit->queue, number), MDG__CALLED);
}

/* Calls all receivers, and those senders whose message would fit. */
int mdg__queue_changed(struct mdg__queue *queue)
{
	struct mdg__visit visit;
	int rc = mdg__visit_begin(&visit, queue);
	if (rc < 0)
		return rc;
	const struct mdg__queue_head *head = mdg__head(queue);
	call_receivers(&visit);
	mdg__call_senders(&visit, MDG__GET(head->cbytes), MDG__GET(head->qnum));
	mdg__visit_unlock(&visit);
	mdg__visit_end(&visit);
	return 0;
}

int mdg__queue_remove(struct mdg__queue *queue)
{
	struct mdg__visit visit;
	queue->lock_most = MDG__LOCK_MOST_NS;
	int rc = mdg__visit_begin(&visit, queue);
	if (rc == -EBUSY &&
	    atomic_exchange_explicit(&mdg__head(queue)->removed, 1, memory_order_release) != 0)
		return 1;
	if (rc < 0)
		return rc;
	rc = mdg__queue_is_removed(queue) ? 1 : 0;
	mdg__call_all(&visit);
	mdg__commit32(&mdg__head(queue)->removed, 1);
	mdg__visit_unlock(&visit);
	mdg__visit_end(&visit);
	return rc;
}
