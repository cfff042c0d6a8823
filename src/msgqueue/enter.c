/* SPDX-License-Identifier: MIT */
/*
 * enter.c - a visit to a queue: its lock is taken, with signals blocked.
 *
 * A signal handler may send to the queue in whose lock the thread was interrupted, or leave by
 * siglongjmp. So signals are blocked while the lock is held. That costs two system calls, which is
 * more than all the rest of a call together. A process that promises to have no such handlers
 * (queue->no_handlers) saves them.
 */
#include "msgqueue/internal.h"

/* The memory has to be mapped as far as it is used. Until then nothing can be repaired, and the
 * next holder is told. */
static int look_around(struct mdg__visit *visit, bool died)
{
	struct mdg__queue *queue = visit->queue;
	if (died)
		MDG__PUT(visit->lock->state, MDG__UNREPAIRED);
	int rc = mdg__cells_reach(queue);
	if (rc == 0 && MDG__GET(visit->lock->state) != 0) {
		(void)mdg__queue_repair(queue);
		mdg__visit_changed(visit);
		MDG__PUT(visit->lock->state, 0);
	}
	return rc;
}

int mdg__visit_lock(struct mdg__visit *visit)
{
	visit->lock = &mdg__head(visit->queue)->lock;
	int rc = mdg__owned_take(visit->lock, MDG_FOREVER);
	if (__builtin_expect(rc != 0 && rc != MDG_OWNER_DIED, 0))
		return rc;
	rc = look_around(visit, rc == MDG_OWNER_DIED);
	if (__builtin_expect(rc < 0, 0))
		mdg__visit_unlock(visit);
	return rc;
}

int mdg__visit_begin(struct mdg__visit *visit, struct mdg__queue *queue)
{
	visit->queue = queue;
	visit->calls = 0;
	visit->claimed = false;
	visit->pends = false;
	visit->everyone = false;
	visit->thread = mdg__thread();
	if (visit->thread == NULL)
		return -ENOSYS;
	if (!queue->no_handlers)
		mdg__signals_block(&visit->mask);
	int rc = mdg__visit_lock(visit);
	if (rc < 0)
		mdg__visit_end(visit);
	return rc;
}

void mdg__visit_unlock(struct mdg__visit *visit)
{
	(void)mdg__owned_give(visit->lock);
}

void mdg__visit_end(struct mdg__visit *visit)
{
	if (!visit->queue->no_handlers)
		mdg__signals_restore(&visit->mask);
}

static void show_figures(const struct mdg__queue *queue)
{
	const struct mdg__queue_head *head = mdg__head(queue);
	_Atomic uint64_t *fields = queue->fields;
	MDG__PUT(fields[MDG__QUEUE_QNUM], MDG__GET(head->qnum));
	MDG__PUT(fields[MDG__QUEUE_CBYTES], MDG__GET(head->cbytes));
	MDG__PUT(fields[MDG__QUEUE_PIDS],
	         (uint64_t)(uint32_t)MDG__GET(head->lrpid) << 32 | (uint32_t)MDG__GET(head->lspid));
	MDG__PUT(fields[MDG__QUEUE_STIME], (uint64_t)MDG__GET(head->stime));
	MDG__PUT(fields[MDG__QUEUE_RTIME], (uint64_t)MDG__GET(head->rtime));
}

void mdg__visit_changed(struct mdg__visit *visit)
{
	struct mdg__queue_head *head = mdg__head(visit->queue);
	show_figures(visit->queue);
	/* Release: pairs with the acquire in look.c. */
	atomic_store_explicit(&head->changes, MDG__GET(head->changes) + 1, memory_order_release);
}

bool mdg__queue_is_removed(const struct mdg__queue *queue)
{
	return MDG__GET(mdg__head(queue)->removed) != 0;
}

void mdg__claim_drop(const struct mdg__queue *queue, struct mdg__message *message)
{
	struct mdg__queue_head *head = mdg__head(queue);
	mdg__commit64(&message->claim, 0);
	MDG__PUT(head->claims, MDG__GET(head->claims) - 1);
	MDG__PUT(head->qnum, MDG__GET(head->qnum) + 1);
	MDG__PUT(head->cbytes, MDG__GET(head->cbytes) + MDG__GET(message->length));
}
