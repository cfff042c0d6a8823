/* SPDX-License-Identifier: MIT */
/*
 * send.c - a message is sent: by express.c if it can be, else as follows.
 *
 * The text goes into private memory first, then under the lock into cells that belong to nobody.
 * The store that links the message is the moment of sending. Then it is handed over, if somebody
 * sleeps for it (hand.c).
 *
 * A sender that sleeps for room holds no cells. A longer text is read again after the sleep, so
 * that no private memory is lost if a signal handler leaves the sleep by siglongjmp.
 */
#include "msgqueue/internal.h"
#include "msgqueue/waiting.h"

/* What is to be sent. */
struct letter {
	int64_t type;
	const void *text;
	uint32_t size;
	struct mdg__copy copy;
};

static int fill(struct mdg__queue *queue, const struct letter *letter, uint32_t *ret_cell)
{
	uint32_t count = mdg__cells_for(letter->size);
	int rc = mdg__cells_take(queue, count, ret_cell);
	if (rc == -ENOMEM && mdg__cells_find_lost(queue))
		rc = mdg__cells_take(queue, count, ret_cell);
	if (rc < 0)
		return rc;
	struct mdg__message *message = mdg__message(queue, *ret_cell);
	MDG__PUT(message->next, mdg__next_value(queue, 0));
	MDG__PUT(message->length, letter->size);
	MDG__PUT(message->type, letter->type);
	MDG__PUT(message->claim, 0);
	uint32_t after;
	return mdg__text_write(queue, *ret_cell, letter->copy.bytes, letter->size, &after);
}

/* The message behind which the message will be; 0: there is none. False: the list is damaged. */
static bool find_end(const struct mdg__queue *queue, uint32_t *ret_last)
{
	const struct mdg__queue_head *head = mdg__head(queue);
	uint32_t last = MDG__GET(head->last);
	*ret_last = 0;
	if (MDG__GET(head->first) == 0)
		return true;
	*ret_last = last;
	return mdg__is_cell(queue, last) && mdg__next(queue, last) == 0;
}

static void link_behind(const struct mdg__queue *queue, uint32_t last, uint32_t cell)
{
	if (last == 0)
		mdg__commit32(&mdg__head(queue)->first, cell);
	else
		mdg__commit64(&mdg__message(queue, last)->next, mdg__next_value(queue, cell));
}

/* Links the message at the end of the list, counts it, and hands it over. */
static void link_last(struct mdg__visit *visit, uint32_t last, uint32_t cell)
{
	const struct mdg__queue *queue = visit->queue;
	struct mdg__queue_head *head = mdg__head(queue);
	const struct mdg__message *message = mdg__message(queue, cell);
	uint32_t receiver = MDG__WAITERS_MOST;
	int64_t now = mdg__now_seconds();
	MDG__PUT(head->intent_cell, cell);
	MDG__PUT(head->intent_pid, queue->pid);
	MDG__PUT(head->intent_time, now);
	atomic_signal_fence(memory_order_seq_cst);
	MDG__PUT(head->intent, MDG__INTENT_SEND);
	if (MDG__GET(head->receivers) != 0)
		receiver = mdg__call_receiver(visit, message);
	link_behind(queue, last, cell);
	MDG__PUT(head->last, cell);
	MDG__PUT(head->qnum, MDG__GET(head->qnum) + 1);
	MDG__PUT(head->cbytes, MDG__GET(head->cbytes) + MDG__GET(message->length));
	MDG__PUT(head->lspid, queue->pid);
	MDG__PUT(head->stime, now);
	if (receiver != MDG__WAITERS_MOST)
		mdg__hand_over(visit, receiver, cell);
	atomic_signal_fence(memory_order_seq_cst);
	MDG__PUT(head->intent, MDG__INTENT_NONE);
}

/* [the lock is held; it is not, after it] */
static int send_now(struct mdg__visit *visit, const struct letter *letter)
{
	uint32_t cell = 0, last = 0;
	int rc = fill(visit->queue, letter, &cell);
	if (rc == 0 && !find_end(visit->queue, &last))
		rc = MDG_DAMAGED;
	if (rc == 0) {
		link_last(visit, last, cell);
		mdg__queue_slip_prepare(visit, mdg__cells_for(letter->size));
		mdg__spin_note(true, visit->called != 0);
	}
	mdg__visit_unlock(visit);
	return rc;
}

static bool fits(const struct mdg__queue *queue, uint64_t size)
{
	const struct mdg__queue_head *head = mdg__head(queue);
	return mdg__fits(MDG__GET(queue->fields[MDG__QUEUE_QBYTES]), MDG__GET(head->cbytes),
	                 MDG__GET(head->qnum), size);
}

/* Sleeps until the message may fit, with the text dropped meanwhile. [locked] An error leaves the
 * visit unlocked. */
static int wait_for_room(struct mdg__wait *wait, struct letter *letter)
{
	struct mdg__visit *visit = wait->visit;
	bool small = letter->size <= MDG__COPY_SMALL;
	if (!small)
		mdg__copy_drop(&letter->copy);
	int rc = mdg__wait_once(wait);
	if (rc < 0)
		return rc;
	rc = mdg__queue_is_removed(visit->queue) ? -EIDRM : wait->rc;
	if (rc == 0)
		rc = visit->queue->memory->may(visit->queue, 0222);
	if (rc < 0 || small)
		goto out;
	mdg__visit_unlock(visit);
	rc = mdg__copy_get(&letter->copy, letter->size);
	if (rc == 0)
		memcpy(letter->copy.bytes, letter->text, letter->size);
	int locked = mdg__visit_lock(visit);
	if (locked < 0) {
		mdg__wait_give_up(wait);
		return locked;
	}
out:
	if (rc < 0) {
		mdg__wait_done(wait);
		mdg__visit_unlock(visit);
	}
	return rc;
}

static int send(struct mdg__visit *visit, struct letter *letter, uint64_t deadline)
{
	struct mdg__queue *queue = visit->queue;
	struct mdg__wait wait;
	int rc = 0;
	mdg__wait_begin(&wait, visit, MDG__WAITER_SENDER, letter->size, deadline);
	while (!mdg__queue_is_removed(queue) && !fits(queue, letter->size)) {
		if (deadline == 0) {
			mdg__visit_unlock(visit);
			return -EAGAIN;
		}
		rc = wait_for_room(&wait, letter);
		if (rc < 0)
			return rc;
	}
	mdg__wait_done(&wait);
	if (mdg__queue_is_removed(queue)) {
		mdg__visit_unlock(visit);
		return -EIDRM;
	}
	return send_now(visit, letter);
}

/* MDG__SLOW: not possible, or the call has to sleep. */
static int send_express(struct mdg__queue *queue, int64_t type, const void *text, uint64_t size,
                        uint64_t deadline)
{
	struct mdg__spin spin;
	int rc = mdg__express_send(queue, type, text, size);
	if (__builtin_expect(rc == -EAGAIN && deadline != 0, 0)) {
		mdg__spin_begin(&spin, queue, true);
		do {
			rc = mdg__express_send(queue, type, text, size);
		} while (rc == -EAGAIN && mdg__spin(&spin, queue));
		if (rc == 0)
			mdg__spin_helped(&spin);
		rc = rc == -EAGAIN ? MDG__SLOW : rc;
	}
	mdg__spin_note(true, false);
	return rc;
}

int mdg__queue_send(struct mdg__queue *queue, int64_t type, const void *text, uint64_t size,
                    uint64_t deadline)
{
	struct mdg__visit visit;
	struct letter letter;
	if (size > (uint64_t)MDG__UNITS_MOST * MDG__UNIT / 2)
		return -ENOMEM;
	mdg__queue_abandon();
	int rc = send_express(queue, type, text, size, deadline);
	if (rc != MDG__SLOW)
		return rc;
	letter.type = type;
	letter.text = text;
	letter.size = (uint32_t)size;
	rc = mdg__copy_get(&letter.copy, size);
	if (rc < 0)
		return rc;
	if (size != 0)
		memcpy(letter.copy.bytes, text, (size_t)size);
	rc = mdg__visit_begin(&visit, queue);
	if (rc == 0) {
		rc = send(&visit, &letter, deadline);
		mdg__visit_end(&visit);
	}
	mdg__copy_drop(&letter.copy);
	return rc;
}
