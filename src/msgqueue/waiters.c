/* SPDX-License-Identifier: MIT */
/*
 * waiters.c - the records of sleepers, and the line in which they stand.
 *
 * The line has no links: it is the waiters whose word says MDG__ASLEEP, in the order of their
 * tickets. So a death leaves nothing to be set right. Whoever looks for a sleeper goes through the
 * waiters that were ever used, and that is done only while head.receivers or head.senders says that
 * there may be one.
 *
 * A waiter whose thread has died is cleared by whoever comes across it.
 */
#include "msgqueue/internal.h"
#include "msgqueue/waiting.h"

struct mdg__waiter *mdg__waiter(const struct mdg__queue *queue, uint32_t number)
{
	enum { UNITS = MDG__WAITER_GROUP * MDG__WAITER_UNITS };
	uint32_t unit = MDG__WAITERS_UNIT, inside = number % MDG__WAITER_GROUP;
	if (number >= MDG__WAITER_GROUP) {
		if (number >= MDG__WAITERS_MOST)
			return NULL;
		unit = MDG__GET(mdg__head(queue)->group[number / MDG__WAITER_GROUP - 1]);
		if (!mdg__is_cell(queue, unit) || !mdg__is_cell(queue, unit + UNITS - 1) ||
		    unit % MDG__BLOCK_UNITS + UNITS > MDG__BLOCK_UNITS)
			return NULL;
	}
	return (struct mdg__waiter *)(void *)mdg__unit(queue, unit + inside * MDG__WAITER_UNITS);
}

static uint32_t waiters_used(const struct mdg__queue *queue)
{
	uint32_t used = MDG__GET(mdg__head(queue)->waiters_used);
	return used < MDG__WAITERS_MOST ? used : MDG__WAITERS_MOST;
}

/* Whether the record is somebody's. Clears it if that thread has died. */
static bool is_taken(struct mdg__waiter *waiter)
{
	/* Acquire: pairs with the kernel's mark. */
	uint32_t owner = atomic_load_explicit(&waiter->owner.word, memory_order_acquire);
	if ((owner & MDG__TID) != 0)
		return true;
	MDG__PUT(waiter->kind, MDG__WAITER_FREE);
	MDG__PUT(waiter->word, 0);
	MDG__PUT(waiter->cell, 0);
	if (owner != 0)
		MDG__PUT(waiter->owner.word, 0);
	return false;
}

/* ---- sitting down and leaving ---------------------------------------------------------------- */

/* Makes a group of further records. */
static int make_group(struct mdg__queue *queue)
{
	struct mdg__queue_head *head = mdg__head(queue);
	uint32_t groups = MDG__GET(head->waiter_groups), first = 0;
	if (groups >= MDG__WAITER_GROUPS)
		return -ENOMEM;
	int rc = mdg__cells_take_run(queue, MDG__WAITER_GROUP * MDG__WAITER_UNITS, &first);
	if (rc < 0)
		return rc;
	memset(mdg__unit(queue, first), 0,
	       (size_t)MDG__WAITER_GROUP * MDG__WAITER_UNITS * MDG__UNIT);
	MDG__PUT(head->group[groups], first);
	atomic_signal_fence(memory_order_seq_cst);
	MDG__PUT(head->waiter_groups, groups + 1);
	return 0;
}

/* A record that was never used before. */
static int next_waiter(struct mdg__queue *queue, uint32_t *ret_number)
{
	struct mdg__queue_head *head = mdg__head(queue);
	uint32_t used = waiters_used(queue);
	if (used >= MDG__WAITER_GROUP * (1 + (uint64_t)MDG__GET(head->waiter_groups))) {
		int rc = make_group(queue);
		if (rc < 0)
			return rc;
	}
	MDG__PUT(head->waiters_used, used + 1);
	*ret_number = used;
	return 0;
}

static bool become(struct mdg__thread *thread, struct mdg__waiter *waiter)
{
	if (waiter == NULL || is_taken(waiter) || !mdg__robust_take_free(thread, &waiter->owner))
		return false;
	uint32_t use = MDG__GET(waiter->use) + 1;
	MDG__PUT(waiter->use, use == 0 ? 1 : use);
	MDG__PUT(waiter->too_big, 0);
	MDG__PUT(waiter->cell, 0);
	return true;
}

int mdg__waiter_take(struct mdg__visit *visit, uint32_t *ret_number)
{
	struct mdg__queue *queue = visit->queue;
	uint32_t used = waiters_used(queue), number = 0;
	if (visit->thread->count >= MDG__HELD_MAX)
		return -ENOLCK;
	while (number < used && !become(visit->thread, mdg__waiter(queue, number)))
		number++;
	if (number == used) {
		int rc = next_waiter(queue, &number);
		if (rc < 0)
			return rc;
		if (!become(visit->thread, mdg__waiter(queue, number)))
			return MDG_DAMAGED;
	}
	*ret_number = number;
	return 0;
}

/* Once the kind says FREE, a claim for the waiter counts for nothing. */
void mdg__waiter_leave(struct mdg__visit *visit, struct mdg__waiter *waiter)
{
	int at = mdg__held_find(visit->thread, &waiter->owner.word);
	MDG__PUT(waiter->kind, MDG__WAITER_FREE);
	MDG__PUT(waiter->word, 0);
	MDG__PUT(waiter->cell, 0);
	if (at >= 0)
		mdg__robust_give(visit->thread, &waiter->owner, at, 1);
}

/* ---- the line -------------------------------------------------------------------------------- */

static _Atomic uint32_t *in_line(const struct mdg__queue *queue, uint32_t kind)
{
	struct mdg__queue_head *head = mdg__head(queue);
	return kind == MDG__WAITER_SENDER ? &head->senders : &head->receivers;
}

static uint32_t says(const struct mdg__waiter *waiter)
{
	return MDG__GET(waiter->word) & MDG__SAYS;
}

static void say(struct mdg__waiter *waiter, uint32_t what)
{
	MDG__PUT(waiter->word, what == 0 ? 0 : mdg__says(MDG__GET(waiter->use), what));
}

void mdg__waiter_line_up(const struct mdg__queue *queue, struct mdg__waiter *waiter)
{
	struct mdg__queue_head *head = mdg__head(queue);
	_Atomic uint32_t *count = in_line(queue, MDG__GET(waiter->kind));
	if (says(waiter) != MDG__RECALLED) {
		uint64_t ticket = MDG__GET(head->tickets) + 1;
		MDG__PUT(head->tickets, ticket);
		MDG__PUT(waiter->ticket, ticket);
	}
	MDG__PUT(*count, MDG__GET(*count) + 1);
	say(waiter, MDG__ASLEEP);
}

static void leave_line(const struct mdg__queue *queue, struct mdg__waiter *waiter, uint32_t what)
{
	_Atomic uint32_t *count = in_line(queue, MDG__GET(waiter->kind));
	if (says(waiter) == MDG__ASLEEP && MDG__GET(*count) != 0)
		MDG__PUT(*count, MDG__GET(*count) - 1);
	say(waiter, what);
}

bool mdg__waiter_sleeps(struct mdg__waiter *waiter)
{
	return MDG__GET(waiter->word) != 0 && MDG__GET(waiter->kind) != MDG__WAITER_FREE &&
	       is_taken(waiter);
}

void mdg__waiter_called(const struct mdg__queue *queue, struct mdg__waiter *waiter, uint32_t how)
{
	leave_line(queue, waiter, how);
}

void mdg__waiter_not_in_line(const struct mdg__queue *queue, struct mdg__waiter *waiter)
{
	leave_line(queue, waiter, 0);
}

/* The first look through the line counts it. */
uint32_t mdg__waiter_next(const struct mdg__queue *queue, uint32_t kind, uint64_t *ticket,
                          const struct mdg__message *wants)
{
	uint32_t used = waiters_used(queue), found = MDG__WAITERS_MOST, count = 0;
	uint64_t behind = *ticket, first = UINT64_MAX;
	for (uint32_t number = 0; number < used; number++) {
		struct mdg__waiter *waiter = mdg__waiter(queue, number);
		if (waiter == NULL)
			break;
		if (says(waiter) != MDG__ASLEEP || MDG__GET(waiter->kind) != kind ||
		    !is_taken(waiter))
			continue;
		count++;
		uint64_t place = MDG__GET(waiter->ticket);
		if (place <= behind || place >= first ||
		    (wants != NULL && !mdg__wants(MDG__GET(waiter->want), MDG__GET(waiter->type),
		                                  MDG__GET(wants->type))))
			continue;
		found = number;
		first = place;
	}
	if (behind == 0)
		MDG__PUT(*in_line(queue, kind), count);
	if (found != MDG__WAITERS_MOST)
		*ticket = first;
	return found;
}

bool mdg__claim_counts(const struct mdg__queue *queue, uint64_t claim)
{
	uint32_t number = (uint32_t)claim - 1;
	struct mdg__waiter *waiter =
		number < waiters_used(queue) ? mdg__waiter(queue, number) : NULL;
	return waiter != NULL && MDG__GET(waiter->use) == (uint32_t)(claim >> 32) &&
	       MDG__GET(waiter->kind) == MDG__WAITER_RECEIVER && is_taken(waiter);
}
