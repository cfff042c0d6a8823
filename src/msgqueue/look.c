/* SPDX-License-Identifier: MIT */
/*
 * look.c - what a queue holds, and who sleeps in it.
 *
 * The figures are read without the lock: nobody had it, and head.turn is the same before and after.
 * Where that does not succeed soon, or where messages are claimed by receivers that may be dead,
 * the lock is taken.
 */
#include "msgqueue/internal.h"
#include "msgqueue/waiting.h"

enum { TRIES = 4 };

static void read_figures(const struct mdg__queue *queue, const struct mdg__snapshot *now,
                         struct mdg__queue_figures *ret)
{
	const struct mdg__queue_head *head = mdg__head(queue);
	ret->qnum = now->qnum;
	ret->cbytes = now->cbytes;
	ret->stime = now->stime;
	ret->rtime = now->rtime;
	ret->lspid = now->lspid;
	ret->lrpid = now->lrpid;
	ret->receivers = MDG__GET(head->receivers);
	ret->senders = MDG__GET(head->senders);
	ret->claims = MDG__GET(head->claims);
	ret->bytes = (uint64_t)mdg__fresh(queue) * MDG__UNIT;
}

static bool read_without_lock(const struct mdg__queue *queue, struct mdg__queue_figures *ret)
{
	struct mdg__snapshot now;
	for (int i = 0; i < TRIES; i++) {
		if (!mdg__snapshot_read(queue, &now))
			continue;
		read_figures(queue, &now, ret);
		if (mdg__snapshot_is_now(queue, &now))
			return ret->claims == 0;
	}
	return false;
}

/* Claims of the dead count for nothing: their messages are in the queue again. */
static int drop_claims(const struct mdg__queue *queue)
{
	struct mdg__queue_head *head = mdg__head(queue);
	uint32_t most = mdg__list_most(queue);
	uint32_t cell = MDG__GET(head->first);
	for (; cell != 0 && MDG__GET(head->claims) != 0; most--) {
		if (most == 0 || !mdg__is_cell(queue, cell))
			return MDG_DAMAGED;
		struct mdg__message *message = mdg__message(queue, cell);
		uint64_t claim = MDG__GET(message->claim);
		if (claim != 0 && !mdg__claim_counts(queue, claim))
			mdg__claim_drop(queue, message);
		cell = mdg__next(queue, cell);
	}
	return 0;
}

int mdg__queue_look(struct mdg__queue *queue, struct mdg__queue_figures *ret)
{
	struct mdg__visit visit;
	struct mdg__queue_figures figures;
	struct mdg__snapshot now;
	int rc = 0;
	if (!read_without_lock(queue, &figures)) {
		queue->lock_most = MDG__LOCK_MOST_NS;
		rc = mdg__visit_begin(&visit, queue);
		if (rc < 0)
			return rc;
		rc = drop_claims(queue);
		mdg__snapshot_head(queue, &now);
		read_figures(queue, &now, &figures);
		mdg__visit_unlock(&visit);
		mdg__visit_end(&visit);
	}
	if (rc == 0)
		*ret = figures;
	return rc;
}

static uint32_t list_line(const struct mdg__queue *queue, uint32_t kind,
                          struct mdg__queue_sleeper *ret, uint32_t room)
{
	uint64_t ticket = 0;
	uint32_t count = 0, number;
	while ((number = mdg__waiter_next(queue, kind, &ticket, NULL)) != MDG__WAITERS_MOST) {
		const struct mdg__waiter *waiter = mdg__waiter(queue, number);
		if (count < room) {
			struct mdg__queue_sleeper *sleeper = &ret[count];
			sleeper->pid = MDG__GET(waiter->pid);
			sleeper->tid = MDG__GET(waiter->tid);
			sleeper->sends = kind == MDG__WAITER_SENDER;
			sleeper->type = MDG__GET(waiter->type);
			if (MDG__GET(waiter->want) == MDG__WANT_LOWEST)
				sleeper->type = -sleeper->type;
			sleeper->size = MDG__GET(waiter->size);
			sleeper->since = MDG__GET(waiter->since);
		}
		count++;
	}
	return count;
}

int mdg__queue_sleepers(struct mdg__queue *queue, struct mdg__queue_sleeper *ret, uint32_t room)
{
	struct mdg__visit visit;
	int rc = mdg__visit_begin(&visit, queue);
	if (rc < 0)
		return rc;
	uint32_t first = list_line(queue, MDG__WAITER_RECEIVER, ret, room);
	uint32_t left = first < room ? room - first : 0;
	uint32_t second = list_line(queue, MDG__WAITER_SENDER, left != 0 ? ret + first : ret, left);
	mdg__visit_unlock(&visit);
	mdg__visit_end(&visit);
	return (int)(first + second);
}
