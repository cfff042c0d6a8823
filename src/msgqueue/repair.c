/* SPDX-License-Identifier: MIT */
/*
 * repair.c - what the next holder of the lock does after a holder was killed.
 *
 * The list of messages is the truth. The store that links a message or unlinks it is the moment of
 * the operation, so the list is whole at every moment. Everything else follows from it:
 *   - how many messages there are, and how many bytes;
 *   - which cells are free: those that no message has. They are found in three walks over the
 *     cells, which mark links and take the marks away again. A death in between leaves marks,
 *     which the next repair takes away first;
 *   - the stamps, with the help of head.intent: a message that was to be sent is in the list by
 *     now, or not; the same for one that was to be taken.
 * All sleepers are called, because the dead holder may have been about to call some.
 *
 * Hostile memory can contain anything. The list is cut off at the first message that cannot be.
 */
#include "msgqueue/internal.h"

static uint32_t next_cell(uint32_t unit)
{
	unit++;
	return unit % MDG__BLOCK_UNITS == 0 ? unit + MDG__CELL_OTHER : unit;
}

static void unmark(const struct mdg__queue *queue, uint32_t end)
{
	for (uint32_t cell = MDG__CELL_FIRST; cell < end; cell = next_cell(cell)) {
		_Atomic uint32_t *link = mdg__link_of(queue, cell);
		MDG__PUT(*link, MDG__GET(*link) & ~MDG__LINK_USED);
	}
}

/* Marks the chain of a message. False: it cannot be a message. */
static bool mark(const struct mdg__queue *queue, uint32_t cell, uint32_t end)
{
	const struct mdg__message *message = mdg__message(queue, cell);
	uint32_t length = MDG__GET(message->length);
	if (length > end * (uint64_t)MDG__UNIT || MDG__GET(message->type) < 1)
		return false;
	for (uint32_t left = mdg__cells_for(length); left > 0; left--) {
		if (!mdg__is_cell(queue, cell) || cell >= end)
			return false;
		_Atomic uint32_t *link = mdg__link_of(queue, cell);
		uint32_t next = MDG__GET(*link);
		if ((next & MDG__LINK_USED) != 0)
			return false;
		MDG__PUT(*link, next | MDG__LINK_USED);
		cell = next;
	}
	return true;
}

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

/* Goes through the list, and counts. */
static void walk(const struct mdg__queue *queue, uint32_t end, bool *ret_intent_is_linked)
{
	struct mdg__queue_head *head = mdg__head(queue);
	_Atomic uint32_t *from = &head->first;
	uint32_t intent = MDG__GET(head->intent_cell), qnum = 0, claims = 0, last = 0, cell;
	uint64_t cbytes = 0;
	while ((cell = MDG__GET(*from)) != 0) {
		if (!mdg__is_cell(queue, cell) || cell >= end || !mark(queue, cell, end)) {
			MDG__PUT(*from, 0);
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
		from = &mdg__message(queue, cell)->next;
	}
	MDG__PUT(head->last, last);
	MDG__PUT(head->qnum, qnum);
	MDG__PUT(head->cbytes, cbytes);
	MDG__PUT(head->claims, claims);
}

static void mark_waiters(const struct mdg__queue *queue)
{
	struct mdg__queue_head *head = mdg__head(queue);
	uint32_t groups = MDG__GET(head->waiter_groups);
	for (uint32_t i = 0; i < groups && i < MDG__WAITER_GROUPS; i++) {
		uint32_t unit = MDG__GET(head->group[i]);
		if (mdg__waiter(queue, (i + 1) * MDG__WAITER_GROUP) == NULL)
			break;
		for (uint32_t at = 0; at < MDG__WAITER_GROUP * MDG__WAITER_UNITS; at++)
			MDG__PUT(*mdg__link_of(queue, unit + at), MDG__LINK_USED);
	}
}

/* Every cell without a mark becomes free, the lowest first. */
static void sweep(const struct mdg__queue *queue, uint32_t end)
{
	uint32_t free = 0, last = 0;
	for (uint32_t cell = MDG__CELL_FIRST; cell < end; cell = next_cell(cell)) {
		_Atomic uint32_t *link = mdg__link_of(queue, cell);
		uint32_t seen = MDG__GET(*link);
		if ((seen & MDG__LINK_USED) != 0) {
			MDG__PUT(*link, seen & ~MDG__LINK_USED);
			continue;
		}
		if (last == 0)
			free = cell;
		else
			MDG__PUT(*mdg__link_of(queue, last), cell);
		MDG__PUT(*link, 0);
		last = cell;
	}
	MDG__PUT(mdg__head(queue)->free, free);
}

/* A message was not sent after all. The sleepers that were called for it keep their places. */
static void forget_calls(const struct mdg__queue *queue)
{
	for (uint32_t number = 0; number < MDG__WAITERS_MOST; number++) {
		struct mdg__waiter *waiter = mdg__waiter(queue, number);
		if (waiter == NULL)
			break;
		MDG__PUT(waiter->too_big, 0);
		if (MDG__GET(waiter->word) == MDG__CALLED)
			MDG__PUT(waiter->word, MDG__RECALLED);
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

void mdg__queue_repair(struct mdg__visit *visit)
{
	const struct mdg__queue *queue = visit->queue;
	uint32_t end = mdg__fresh(queue), units = mdg__units(queue);
	bool is_linked = false;
	if (end > units)
		end = units;
	unmark(queue, end);
	walk(queue, end, &is_linked);
	mark_waiters(queue);
	sweep(queue, end);
	stamp(queue, is_linked);
	mdg__recall_all(visit);
}
