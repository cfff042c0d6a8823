/* SPDX-License-Identifier: MIT */
/*
 * seats.c - the places of sleepers, and the line in which they stand.
 *
 * The line has no links: it is the seats whose word says MDG__ASLEEP, in the order of their
 * tickets. So a death leaves nothing to be set right. Whoever looks for a sleeper goes through the
 * seats that were ever used, and that is done only while head.receivers or head.senders says that
 * there may be one.
 *
 * A seat whose thread has died is cleared by whoever comes across it.
 */
#include "msgqueue/internal.h"

struct mdg__seat *mdg__seat(const struct mdg__queue *queue, uint32_t number)
{
	enum { UNITS = MDG__SEAT_GROUP * MDG__SEAT_UNITS };
	uint32_t unit = MDG__SEATS_FIRST, inside = number % MDG__SEAT_GROUP;
	if (number >= MDG__SEAT_GROUP) {
		if (number >= MDG__SEATS_MOST)
			return NULL;
		unit = MDG__GET(mdg__head(queue)->group[number / MDG__SEAT_GROUP - 1]);
		if (!mdg__is_cell(queue, unit) || !mdg__is_cell(queue, unit + UNITS - 1) ||
		    unit % MDG__BLOCK_UNITS + UNITS > MDG__BLOCK_UNITS)
			return NULL;
	}
	return (struct mdg__seat *)(void *)mdg__unit(queue, unit + inside * MDG__SEAT_UNITS);
}

static uint32_t seats_used(const struct mdg__queue *queue)
{
	uint32_t used = MDG__GET(mdg__head(queue)->seats_used);
	return used < MDG__SEATS_MOST ? used : MDG__SEATS_MOST;
}

/* Whether somebody sits here. Clears the seat if that thread has died. */
static bool is_taken(struct mdg__seat *seat)
{
	/* Acquire: pairs with the kernel's mark. */
	uint32_t owner = atomic_load_explicit(&seat->owner.word, memory_order_acquire);
	if ((owner & MDG__TID) != 0)
		return true;
	MDG__PUT(seat->kind, MDG__SEAT_FREE);
	MDG__PUT(seat->word, 0);
	MDG__PUT(seat->cell, 0);
	if (owner != 0)
		MDG__PUT(seat->owner.word, 0);
	return false;
}

/* ---- sitting down and leaving ---------------------------------------------------------------- */

/* Makes a group of further seats. */
static int make_group(struct mdg__queue *queue)
{
	struct mdg__queue_head *head = mdg__head(queue);
	uint32_t groups = MDG__GET(head->seat_groups), first = 0;
	if (groups >= MDG__SEAT_GROUPS)
		return -ENOMEM;
	int rc = mdg__cells_take_run(queue, MDG__SEAT_GROUP * MDG__SEAT_UNITS, &first);
	if (rc < 0)
		return rc;
	memset(mdg__unit(queue, first), 0, (size_t)MDG__SEAT_GROUP * MDG__SEAT_UNITS * MDG__UNIT);
	MDG__PUT(head->group[groups], first);
	atomic_signal_fence(memory_order_seq_cst);
	MDG__PUT(head->seat_groups, groups + 1);
	return 0;
}

/* A seat that was never used before. */
static int next_seat(struct mdg__queue *queue, uint32_t *ret_number)
{
	struct mdg__queue_head *head = mdg__head(queue);
	uint32_t used = seats_used(queue);
	if (used >= MDG__SEAT_GROUP * (1 + (uint64_t)MDG__GET(head->seat_groups))) {
		int rc = make_group(queue);
		if (rc < 0)
			return rc;
	}
	MDG__PUT(head->seats_used, used + 1);
	*ret_number = used;
	return 0;
}

static bool sit_down(struct mdg__thread *thread, struct mdg__seat *seat)
{
	if (seat == NULL || is_taken(seat) || !mdg__robust_take_free(thread, &seat->owner))
		return false;
	uint32_t use = MDG__GET(seat->use) + 1;
	MDG__PUT(seat->use, use == 0 ? 1 : use);
	MDG__PUT(seat->too_big, 0);
	MDG__PUT(seat->cell, 0);
	return true;
}

int mdg__seat_take(struct mdg__visit *visit, uint32_t *ret_number)
{
	struct mdg__queue *queue = visit->queue;
	uint32_t used = seats_used(queue), number = 0;
	if (visit->thread->count >= MDG__HELD_MAX)
		return -ENOLCK;
	while (number < used && !sit_down(visit->thread, mdg__seat(queue, number)))
		number++;
	if (number == used) {
		int rc = next_seat(queue, &number);
		if (rc < 0)
			return rc;
		if (!sit_down(visit->thread, mdg__seat(queue, number)))
			return MDG_DAMAGED;
	}
	*ret_number = number;
	return 0;
}

/* Once the kind says FREE, a claim for the seat counts for nothing. */
void mdg__seat_leave(struct mdg__visit *visit, struct mdg__seat *seat)
{
	int at = mdg__held_find(visit->thread, &seat->owner.word);
	MDG__PUT(seat->kind, MDG__SEAT_FREE);
	MDG__PUT(seat->word, 0);
	MDG__PUT(seat->cell, 0);
	if (at >= 0)
		mdg__robust_give(visit->thread, &seat->owner, at, 1);
}

/* ---- the line -------------------------------------------------------------------------------- */

static _Atomic uint32_t *in_line(const struct mdg__queue *queue, uint32_t kind)
{
	struct mdg__queue_head *head = mdg__head(queue);
	return kind == MDG__SEAT_SENDER ? &head->senders : &head->receivers;
}

void mdg__seat_line_up(const struct mdg__queue *queue, struct mdg__seat *seat)
{
	struct mdg__queue_head *head = mdg__head(queue);
	_Atomic uint32_t *count = in_line(queue, MDG__GET(seat->kind));
	uint64_t ticket = MDG__GET(head->tickets) + 1;
	MDG__PUT(head->tickets, ticket);
	MDG__PUT(seat->ticket, ticket);
	MDG__PUT(*count, MDG__GET(*count) + 1);
	MDG__PUT(seat->word, MDG__ASLEEP);
}

static void leave_line(const struct mdg__queue *queue, struct mdg__seat *seat, uint32_t word)
{
	_Atomic uint32_t *count = in_line(queue, MDG__GET(seat->kind));
	if (MDG__GET(seat->word) == MDG__ASLEEP && MDG__GET(*count) != 0)
		MDG__PUT(*count, MDG__GET(*count) - 1);
	MDG__PUT(seat->word, word);
}

void mdg__seat_called(const struct mdg__queue *queue, struct mdg__seat *seat)
{
	leave_line(queue, seat, MDG__CALLED);
}

void mdg__seat_not_in_line(const struct mdg__queue *queue, struct mdg__seat *seat)
{
	leave_line(queue, seat, 0);
}

/* The first look through the line counts it. */
uint32_t mdg__seat_next(const struct mdg__queue *queue, uint32_t kind, uint64_t *ticket,
                        const struct mdg__message *wants)
{
	uint32_t used = seats_used(queue), found = MDG__SEATS_MOST, count = 0;
	uint64_t behind = *ticket, first = UINT64_MAX;
	for (uint32_t number = 0; number < used; number++) {
		struct mdg__seat *seat = mdg__seat(queue, number);
		if (seat == NULL)
			break;
		if (MDG__GET(seat->word) != MDG__ASLEEP || MDG__GET(seat->kind) != kind ||
		    !is_taken(seat))
			continue;
		count++;
		uint64_t place = MDG__GET(seat->ticket);
		if (place <= behind || place >= first ||
		    (wants != NULL && !mdg__wants(MDG__GET(seat->want), MDG__GET(seat->type),
		                                  MDG__GET(wants->type))))
			continue;
		found = number;
		first = place;
	}
	if (behind == 0)
		MDG__PUT(*in_line(queue, kind), count);
	if (found != MDG__SEATS_MOST)
		*ticket = first;
	return found;
}

bool mdg__claim_counts(const struct mdg__queue *queue, uint64_t claim)
{
	uint32_t number = (uint32_t)claim - 1;
	struct mdg__seat *seat = number < seats_used(queue) ? mdg__seat(queue, number) : NULL;
	return seat != NULL && MDG__GET(seat->use) == (uint32_t)(claim >> 32) &&
	       MDG__GET(seat->kind) == MDG__SEAT_RECEIVER && is_taken(seat);
}

/* ---- calling --------------------------------------------------------------------------------- */

enum whom { ALL, CHANGED, CALLED_BEFORE };

static bool is_meant(const struct mdg__queue *queue, const struct mdg__seat *seat, enum whom whom)
{
	const struct mdg__queue_head *head = mdg__head(queue);
	uint32_t word = MDG__GET(seat->word);
	if (word == MDG__CALLED || word == 0)
		return word != 0 && whom == CALLED_BEFORE;
	if (whom != CHANGED || MDG__GET(seat->kind) != MDG__SEAT_SENDER)
		return whom != CALLED_BEFORE;
	return mdg__fits(MDG__GET(queue->fields[MDG__QUEUE_QBYTES]), MDG__GET(head->cbytes),
	                 MDG__GET(head->qnum), MDG__GET(seat->size));
}

/* head.calling is set meanwhile. If the caller is killed before the last one, one who has been
 * woken calls the others again. */
static void call_seats(const struct mdg__queue *queue, enum whom whom)
{
	struct mdg__queue_head *head = mdg__head(queue);
	uint32_t used = seats_used(queue);
	MDG__PUT(head->calling, 1);
	for (uint32_t number = 0; number < used; number++) {
		struct mdg__seat *seat = mdg__seat(queue, number);
		if (seat == NULL)
			break;
		if (!is_meant(queue, seat, whom) || !is_taken(seat))
			continue;
		mdg__seat_called(queue, seat);
		(void)mdg__sys_futex_wake_bits(&seat->word, 1, (uint32_t)MDG__ANYONE);
	}
	MDG__PUT(head->calling, 0);
}

void mdg__call_all(const struct mdg__queue *queue)
{
	call_seats(queue, ALL);
}

void mdg__call_changed(const struct mdg__queue *queue)
{
	call_seats(queue, CHANGED);
}

void mdg__call_again(const struct mdg__queue *queue)
{
	call_seats(queue, CALLED_BEFORE);
}
