/* SPDX-License-Identifier: MIT */
/*
 * express.c - a message is sent or received without the lock, and without blocking signals.
 *
 * This is the way when nobody sleeps who has to be called, and when the message that is wanted is
 * the first one of the list. It is one swap of head.turn (turn.c):
 *   - To send, the text is written into cells of the thread's slip, which are nobody else's. The
 *     swap makes the message the last one of the list.
 *   - To receive, the swap takes the first message out of the list. From then on its cells are the
 *     receiver's, who reads the text from them. They become spare cells of its slip.
 * If the swap fails, somebody else was faster, and it is tried again with what is there now.
 *
 * So it does not matter where the thread is killed, stopped, or interrupted by a handler that uses
 * the same queue or leaves by siglongjmp: the swap was made, or it was not. What comes after the
 * swap, others do as well (the last link), or it concerns the thread's own cells only.
 *
 * The caller's memory is read and written here directly. No lock is held, so it may fault.
 *
 * A handler that leaves a receive after the swap has received the message, and loses it. In the
 * kernel that message is received too, and is in the buffer.
 */
#include "msgqueue/internal.h"
#include "msgqueue/waiting.h"

#include "platform/clock.h"
#include "sync/wait.h"

enum { TRIES = 20 };

/* What has to be true, besides the state, for the express way. It all changes under the lock only,
 * so it was true at the swap, if the swap succeeds. */
static bool is_open(const struct mdg__queue *queue)
{
	const struct mdg__queue_head *head = mdg__head(queue);
	return MDG__GET(head->removed) == 0 && MDG__GET(head->fresh) <= mdg__units(queue);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void swap_in(const struct mdg__snapshot *now, const struct mdg__queue *queue, uint32_t cell,
                    uint32_t size, struct mdg__snapshot *ret)
{
	*ret = *now;
	ret->before_last = now->first != 0 ? now->last : 0;
	ret->first = now->first != 0 ? now->first : cell;
	ret->last = cell;
	ret->qnum = now->qnum + 1;
	ret->cbytes = now->cbytes + size;
	ret->lspid = queue->pid;
	ret->stime = mdg__now_seconds();
}

/* [the message is written, but for `next`] 0, -EAGAIN or MDG__SLOW. */
static int send(const struct mdg__queue *queue, uint32_t unit, uint32_t cell, uint32_t size,
                uint64_t *ret_turn)
{
	const struct mdg__queue_head *head = mdg__head(queue);
	struct mdg__snapshot now, then;
	for (int i = 0; i < TRIES; i++) {
		if (!mdg__snapshot_read(queue, &now) || !mdg__snapshot_link_last(queue, &now)) {
			mdg__cpu_pause();
			continue;
		}
		if (!is_open(queue) || MDG__GET(head->receivers) != 0)
			return MDG__SLOW;
		if (!mdg__fits(MDG__GET(queue->fields[MDG__QUEUE_QBYTES]), now.cbytes, now.qnum,
		               size)) {
			if (mdg__snapshot_is_now(queue, &now))
				return -EAGAIN;
			continue;
		}
		MDG__PUT(mdg__message(queue, cell)->next, mdg__next_first(now.turn));
		swap_in(&now, queue, cell, size, &then);
		uint32_t at = mdg__state_unit(unit, now.turn);
		if (mdg__snapshot_swap(queue, &now, &then, at)) {
			*ret_turn = mdg__turn_next(now.turn, at, 0);
			return 0;
		}
	}
	return MDG__SLOW;
}

static int write_and_send(struct mdg__queue *queue, struct mdg__queue_slip *slip, uint32_t unit,
                          int64_t type, const void *text, uint32_t size)
{
	uint64_t spare = MDG__GET(slip->spare);
	uint32_t cell = (uint32_t)spare, count = (uint32_t)(spare >> 32), rest = 0;
	uint32_t cells = mdg__cells_for(size);
	if (count < cells || !mdg__is_cell(queue, cell) ||
	    mdg__text_write(queue, cell, text, size, &rest) < 0)
		return MDG__SLOW;
	struct mdg__message *message = mdg__message(queue, cell);
	MDG__PUT(message->length, size);
	MDG__PUT(message->type, type);
	MDG__PUT(message->claim, 0);
	mdg__chain_write(&slip->rest, rest, count - cells);
	uint64_t turn = 0;
	int rc = send(queue, unit, cell, size, &turn);
	if (rc == 0) {
		mdg__chain_write(&slip->spare, rest, count - cells);
		mdg__turn_show(queue, turn);
	}
	return rc;
}

int mdg__express_send(struct mdg__queue *queue, int64_t type, const void *text, uint64_t size)
{
	uint32_t unit;
	if (size > (uint64_t)MDG__EXPRESS_CELLS * MDG__UNIT - MDG__UNIT)
		return MDG__SLOW;
	struct mdg__queue_slip *slip = mdg__queue_slip_begin(queue, &unit);
	if (slip == NULL)
		return MDG__SLOW;
	int rc = write_and_send(queue, slip, unit, type, text, (uint32_t)size);
	mdg__queue_slip_end(queue, slip, unit);
	return rc;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* Which message is wanted, of those that are there now: 0 and its cell, which may be the first;
 * -ENOMSG; MDG__CLAIMED: none, but one is claimed by a receiver, who may be dead; MDG__SLOW: the
 * list has changed meanwhile, or is damaged. */
static int choose(const struct mdg__queue *queue, const struct mdg__snapshot *now,
                  const struct mdg__wanted *order, uint32_t *ret_cell)
{
	uint32_t cell = now->first, found = 0;
	uint64_t left = (uint64_t)now->qnum + MDG__GET(mdg__head(queue)->claims);
	int64_t wanted = order->type;
	int rc = -ENOMSG;
	for (; cell != 0; left--) {
		if (left == 0 || !mdg__is_cell(queue, cell))
			return MDG__SLOW;
		const struct mdg__message *message = mdg__message(queue, cell);
		int64_t type = MDG__GET(message->type);
		bool wants = mdg__wants(order->want, wanted, type);
		if (wants && MDG__GET(message->claim) != 0) {
			rc = MDG__CLAIMED;
		} else if (wants) {
			found = cell;
			if (order->want != MDG__WANT_LOWEST || type <= 1)
				break;
			wanted = type - 1;
		}
		cell = mdg__next(queue, cell);
	}
	*ret_cell = found;
	return found != 0 ? 0 : rc;
}

static void swap_out(const struct mdg__snapshot *now, const struct mdg__queue *queue, uint32_t size,
                     struct mdg__snapshot *ret)
{
	*ret = *now;
	ret->first = mdg__next(queue, now->first);
	if (now->before_last == now->first)
		ret->before_last = 0;
	if (ret->first == 0)
		ret->last = 0;
	ret->qnum = now->qnum - 1;
	ret->cbytes = now->cbytes - size;
	ret->lrpid = queue->pid;
	ret->rtime = mdg__now_seconds();
}

/* What the answer is, if it is not this message: -ENOMSG, -E2BIG, MDG__CLAIMED or MDG__SLOW. 0: it
 * is this message. */
static int judge(const struct mdg__queue *queue, const struct mdg__snapshot *now,
                 const struct mdg__wanted *order, uint32_t *ret_length)
{
	uint32_t cell;
	int rc = choose(queue, now, order, &cell);
	if (rc != 0)
		return rc;
	uint32_t length = MDG__GET(mdg__message(queue, cell)->length);
	if (length > order->size && !order->cuts)
		return -E2BIG;
	*ret_length = length;
	bool last = mdg__next(queue, cell) == 0;
	bool short_enough = mdg__cells_for(length) <= MDG__EXPRESS_CELLS;
	bool gives_back = last && mdg__may_give_all(queue);
	return cell == now->first && short_enough && !gives_back ? 0 : MDG__SLOW;
}

/* 0, or what `judge` says. */
static int receive(const struct mdg__queue *queue, struct mdg__queue_slip *slip, uint32_t unit,
                   const struct mdg__wanted *order, uint32_t *ret_cell, uint32_t *ret_length,
                   uint64_t *ret_turn)
{
	const struct mdg__queue_head *head = mdg__head(queue);
	struct mdg__snapshot now, then;
	for (int i = 0; i < TRIES; i++) {
		if (!mdg__snapshot_read(queue, &now) || !mdg__snapshot_link_last(queue, &now)) {
			mdg__cpu_pause();
			continue;
		}
		if (!is_open(queue) || MDG__GET(head->senders) != 0)
			return MDG__SLOW;
		int rc = judge(queue, &now, order, ret_length);
		if (rc != 0) {
			if (rc == MDG__SLOW || mdg__snapshot_is_now(queue, &now))
				return rc;
			continue;
		}
		swap_out(&now, queue, *ret_length, &then);
		mdg__chain_write(&slip->taking, now.first, mdg__cells_for(*ret_length));
		uint32_t at = mdg__state_unit(unit, now.turn);
		if (mdg__snapshot_swap(queue, &now, &then, at)) {
			*ret_turn = mdg__turn_next(now.turn, at, 0);
			*ret_cell = now.first;
			return 0;
		}
	}
	return MDG__SLOW;
}

/* The cells of the message become spare ones. */
static void keep_cells(struct mdg__queue *queue, struct mdg__queue_slip *slip, uint32_t cell,
                       uint32_t length, uint32_t last)
{
	uint64_t spare = MDG__GET(slip->spare);
	uint32_t cells = mdg__cells_for(length), count = (uint32_t)(spare >> 32);
	if (mdg__is_cell(queue, last) && count <= MDG__SPARE_MOST) {
		MDG__PUT(*mdg__link_of(queue, last), (uint32_t)spare);
		mdg__chain_write(&slip->spare, cell, count + cells);
	}
	mdg__chain_write(&slip->taking, 0, 0);
}

static void trim(struct mdg__queue *queue, struct mdg__queue_slip *slip)
{
	struct mdg__visit visit;
	if (MDG__GET(slip->spare) >> 32 <= MDG__SPARE_MOST || mdg__visit_begin(&visit, queue) < 0)
		return;
	mdg__queue_slip_trim(queue, slip);
	mdg__visit_unlock(&visit);
	mdg__visit_end(&visit);
}

int mdg__express_receive(struct mdg__queue *queue, const struct mdg__wanted *order, void *buffer,
                         int64_t *ret_type, uint64_t *ret_length)
{
	uint32_t unit, cell = 0, length = 0, last = 0;
	struct mdg__queue_slip *slip = mdg__queue_slip_begin(queue, &unit);
	if (slip == NULL)
		return MDG__SLOW;
	uint64_t turn = 0;
	int rc = receive(queue, slip, unit, order, &cell, &length, &turn);
	if (rc == 0) {
		uint32_t size = length < order->size ? length : (uint32_t)order->size;
		*ret_type = MDG__GET(mdg__message(queue, cell)->type);
		*ret_length = size;
		mdg__turn_show(queue, turn);
		rc = mdg__text_read(queue, cell, buffer, size, length, &last);
		keep_cells(queue, slip, cell, length, last);
		trim(queue, slip);
	}
	mdg__queue_slip_end(queue, slip, unit);
	return rc;
}
