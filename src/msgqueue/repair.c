/* SPDX-License-Identifier: MIT */
/*
 * repair.c - what the next holder of the lock does after a holder was killed.
 *
 * The list of messages is the truth. The store that links a message or unlinks it is the moment of
 * the operation, so the list is whole at every moment. Everything else follows from it:
 *   - how many messages there are, and how many bytes;
 *   - which cells are free: those that neither a message has nor a slip (sweep.c);
 *   - the stamps, with the help of head.intent: a message that was to be sent is in the list by
 *     now, or not; the same for one that was to be taken.
 * All sleepers are called, because the dead holder may have been about to call some.
 *
 * Hostile memory can contain anything. The list is cut off at the first message that cannot be.
 */
#include "msgqueue/internal.h"
#include "msgqueue/waiting.h"

/* A claim that counts is known to its waiter too. The dead holder may not have got to that, nor to
 * the stamps. */
static bool claim_stands(const struct mdg__queue *queue, uint32_t cell)
{
	struct mdg__queue_head *head = mdg__head(queue);
	struct mdg__message *message = mdg__message(queue, cell);
	uint64_t claim = MDG__GET(message->claim);
	if (claim == 0)
		return false;
	if (!mdg__claim_counts(queue, claim)) {
		MDG__PUT(message->claim, 0);
		return false;
	}
	struct mdg__waiter *waiter = mdg__waiter(queue, (uint32_t)claim - 1);
	if (MDG__GET(head->intent) == MDG__INTENT_SEND && cell == MDG__GET(head->intent_cell)) {
		MDG__PUT(head->lrpid, MDG__GET(waiter->pid));
		MDG__PUT(head->rtime, MDG__GET(head->intent_time));
	}
	MDG__PUT(waiter->cell, cell);
	return true;
}

/* The list ends behind this message; 0: there is none. */
static void cut_off(const struct mdg__queue *queue, uint32_t last)
{
	if (last == 0)
		MDG__PUT(mdg__head(queue)->first, 0);
	else
		MDG__PUT(mdg__message(queue, last)->next, mdg__next_value(queue, 0));
}

/* Goes through the list, and counts. */
static void walk(const struct mdg__queue *queue, struct mdg__marks *marks,
                 bool *ret_intent_is_linked)
{
	struct mdg__queue_head *head = mdg__head(queue);
	uint32_t intent = MDG__GET(head->intent_cell), qnum = 0, claims = 0, last = 0;
	uint32_t cell = MDG__GET(head->first);
	uint64_t cbytes = 0;
	for (; cell != 0; cell = mdg__next(queue, cell)) {
		if (!mdg__is_cell(queue, cell) || !mdg__marks_add_message(queue, marks, cell)) {
			cut_off(queue, last);
			break;
		}
		const struct mdg__message *message = mdg__message(queue, cell);
		*ret_intent_is_linked = *ret_intent_is_linked || cell == intent;
		if (claim_stands(queue, cell)) {
			claims++;
		} else {
			qnum++;
			cbytes += MDG__GET(message->length);
		}
		last = cell;
	}
	MDG__PUT(head->last, last);
	MDG__PUT(head->qnum, qnum);
	MDG__PUT(head->cbytes, cbytes);
	MDG__PUT(head->claims, claims);
}

/* A message was not sent after all. The sleepers that were called for it keep their places. */
static void forget_calls(const struct mdg__queue *queue)
{
	for (uint32_t number = 0; number < MDG__WAITERS_MOST; number++) {
		struct mdg__waiter *waiter = mdg__waiter(queue, number);
		if (waiter == NULL)
			break;
		MDG__PUT(waiter->too_big, 0);
		uint32_t word = MDG__GET(waiter->word);
		if ((word & MDG__SAYS) == MDG__CALLED)
			MDG__PUT(waiter->word, (word & ~MDG__SAYS) | MDG__RECALLED);
	}
}

/* The stamps of an operation that had its COMMIT. */
static void stamp(const struct mdg__queue *queue, bool is_linked)
{
	struct mdg__queue_head *head = mdg__head(queue);
	uint32_t intent = MDG__GET(head->intent);
	if (intent == MDG__INTENT_SEND && is_linked) {
		MDG__PUT(head->lspid, MDG__GET(head->intent_pid));
		MDG__PUT(head->stime, MDG__GET(head->intent_time));
	} else if (intent == MDG__INTENT_SEND) {
		forget_calls(queue);
	} else if (intent == MDG__INTENT_RECEIVE && !is_linked) {
		MDG__PUT(head->lrpid, MDG__GET(head->intent_pid));
		MDG__PUT(head->rtime, MDG__GET(head->intent_time));
	}
	MDG__PUT(head->intent, MDG__INTENT_NONE);
}

int mdg__queue_repair(struct mdg__visit *visit)
{
	const struct mdg__queue *queue = visit->queue;
	uint32_t end = mdg__fresh(queue), units = mdg__units(queue);
	struct mdg__marks marks;
	bool is_linked = false;
	int rc = mdg__marks_begin(&marks, end < units ? end : units);
	if (rc < 0)
		return rc;
	walk(queue, &marks, &is_linked);
	mdg__sweep(queue, &marks);
	mdg__marks_end(&marks);
	stamp(queue, is_linked);
	mdg__recall_all(visit);
	return 0;
}
