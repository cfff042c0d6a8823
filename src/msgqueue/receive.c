/* SPDX-License-Identifier: MIT */
/*
 * receive.c - a message is received: by express.c if it can be, else as follows.
 *
 * Under the lock a message is chosen, its text is copied into private memory, and the store that
 * unlinks it is the moment of receiving. The text goes into the caller's memory when the lock has
 * been given back. If that faults, the message is gone, as it is in the kernel.
 */
#include "msgqueue/internal.h"
#include "msgqueue/waiting.h"

/* What is wanted, and what was got. */
struct order {
	struct mdg__wanted is;
	/* of the message: */
	int64_t got_type;
	uint32_t got_length; /* as much as is copied */
	struct mdg__copy copy;
};

/* A place in the list: the field that names the message, and the message before it. */
struct place {
	uint32_t cell, before;
};

static void set_want(struct order *order, int64_t wanted, unsigned flags)
{
	order->is.type = wanted;
	order->is.want = MDG__WANT_TYPE;
	if (wanted == 0)
		order->is.want = MDG__WANT_ANY;
	else if (wanted < 0)
		order->is.want = MDG__WANT_LOWEST;
	else if ((flags & MDG__RECEIVE_EXCEPT) != 0)
		order->is.want = MDG__WANT_EXCEPT;
	if (wanted < 0)
		order->is.type = wanted == INT64_MIN ? INT64_MAX : -wanted;
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* Whether the message is somebody else's by now. A claim that counts for nothing goes. */
static bool is_claimed(const struct mdg__queue *queue, struct mdg__message *message)
{
	uint64_t claim = MDG__GET(message->claim);
	if (__builtin_expect(claim == 0, 1))
		return false;
	if (mdg__claim_counts(queue, claim))
		return true;
	mdg__claim_drop(queue, message);
	return false;
}

/* 0; -ENOMSG; MDG_DAMAGED. */
static int choose(const struct mdg__queue *queue, const struct order *order, struct place *ret)
{
	uint32_t most = mdg__list_most(queue), cell = MDG__GET(mdg__head(queue)->first), before = 0;
	int64_t wanted = order->is.type;
	int rc = -ENOMSG;
	for (; cell != 0; most--) {
		if (__builtin_expect(most == 0 || !mdg__is_cell(queue, cell), 0))
			return MDG_DAMAGED;
		struct mdg__message *message = mdg__message(queue, cell);
		uint32_t next = mdg__next(queue, cell);
		if (mdg__is_cell(queue, next))
			__builtin_prefetch(mdg__unit(queue, next));
		int64_t type = MDG__GET(message->type);
		if (mdg__wants(order->is.want, wanted, type) && !is_claimed(queue, message)) {
			*ret = (struct place){ cell, before };
			rc = 0;
			if (order->is.want != MDG__WANT_LOWEST || type <= 1)
				return 0;
			wanted = type - 1; /* only a lower one is better */
		}
		before = cell;
		cell = next;
	}
	return rc;
}

/* The message at this position, of those that are not claimed. */
static int find_position(const struct mdg__queue *queue, int64_t position, uint32_t *ret_cell)
{
	uint32_t most = mdg__list_most(queue), cell = MDG__GET(mdg__head(queue)->first);
	for (; cell != 0; most--) {
		if (most == 0 || !mdg__is_cell(queue, cell))
			return MDG_DAMAGED;
		struct mdg__message *message = mdg__message(queue, cell);
		if (!is_claimed(queue, message) && position-- == 0) {
			*ret_cell = cell;
			return 0;
		}
		cell = mdg__next(queue, cell);
	}
	return -ENOMSG;
}

/* The place of the message that is claimed for this waiter. False: none is. */
static bool find_claimed(const struct mdg__queue *queue, const struct mdg__wait *wait,
                         struct place *ret)
{
	if (wait->waiter == NULL)
		return false;
	uint32_t wanted = MDG__GET(wait->waiter->cell), before = 0;
	uint32_t most = mdg__list_most(queue), cell = MDG__GET(mdg__head(queue)->first);
	if (wanted == 0)
		return false;
	for (; most > 0 && mdg__is_cell(queue, cell); most--) {
		if (cell == wanted && MDG__GET(mdg__message(queue, cell)->claim) ==
		                              mdg__claim_of(wait->number, wait->use)) {
			*ret = (struct place){ cell, before };
			return true;
		}
		before = cell;
		cell = mdg__next(queue, cell);
	}
	return false;
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* The message's text into private memory: 0, -E2BIG, -ENOMEM, MDG_DAMAGED. */
static int read_text(struct mdg__queue *queue, uint32_t cell, struct order *order)
{
	const struct mdg__message *message = mdg__message(queue, cell);
	uint32_t length = MDG__GET(message->length);
	if (length > order->is.size && !order->is.cuts)
		return -E2BIG;
	if (length > (uint64_t)mdg__units(queue) * MDG__UNIT)
		return MDG_DAMAGED;
	order->got_length = length < order->is.size ? length : (uint32_t)order->is.size;
	order->got_type = MDG__GET(message->type);
	int rc = mdg__copy_get(&order->copy, order->got_length);
	uint32_t last;
	return rc < 0 ? rc
	              : mdg__text_read(queue, cell, order->copy.bytes, order->got_length, length,
	                               &last);
}

/* The cells of a message that was taken. */
static void give_cells(struct mdg__queue *queue, uint32_t cell, uint32_t length)
{
	if (MDG__GET(mdg__head(queue)->first) == 0 && mdg__may_give_all(queue)) {
		mdg__queue_slip_give_up(queue);
		if (mdg__cells_give_all(queue))
			return;
	}
	(void)mdg__cells_give(queue, cell, mdg__cells_for(length));
}

static void unlink_message(const struct mdg__queue *queue, const struct place *place)
{
	struct mdg__queue_head *head = mdg__head(queue);
	uint32_t next = mdg__next(queue, place->cell);
	if (place->before == 0)
		mdg__commit32(&head->first, next);
	else
		mdg__commit64(&mdg__message(queue, place->before)->next,
		              mdg__next_value(queue, next));
	if (next == 0)
		MDG__PUT(head->last, place->before);
}

/* Takes a message that nobody has claimed. */
static int take(struct mdg__visit *visit, struct order *order, const struct place *place)
{
	struct mdg__queue *queue = visit->queue;
	struct mdg__queue_head *head = mdg__head(queue);
	int rc = read_text(queue, place->cell, order);
	if (rc < 0)
		return rc;
	uint32_t length = MDG__GET(mdg__message(queue, place->cell)->length);
	uint32_t qnum = MDG__GET(head->qnum) - 1;
	uint64_t cbytes = MDG__GET(head->cbytes) - length;
	int64_t now = mdg__now_seconds();
	if (MDG__GET(head->senders) != 0)
		mdg__call_senders(visit, cbytes, qnum);
	MDG__PUT(head->intent_cell, place->cell);
	MDG__PUT(head->intent_pid, queue->pid);
	MDG__PUT(head->intent_time, now);
	atomic_signal_fence(memory_order_seq_cst);
	MDG__PUT(head->intent, MDG__INTENT_RECEIVE);
	unlink_message(queue, place);
	MDG__PUT(head->qnum, qnum);
	MDG__PUT(head->cbytes, cbytes);
	MDG__PUT(head->lrpid, queue->pid);
	MDG__PUT(head->rtime, now);
	atomic_signal_fence(memory_order_seq_cst);
	MDG__PUT(head->intent, MDG__INTENT_NONE);
	give_cells(queue, place->cell, length);
	mdg__queue_slip_prepare(visit, 0);
	return 0;
}

/* Takes the message that was handed over to this thread. It was counted and stamped then. */
static int take_claimed(struct mdg__visit *visit, struct order *order, const struct place *place)
{
	struct mdg__queue *queue = visit->queue;
	struct mdg__queue_head *head = mdg__head(queue);
	int rc = read_text(queue, place->cell, order);
	if (rc < 0)
		return rc;
	uint32_t length = MDG__GET(mdg__message(queue, place->cell)->length);
	unlink_message(queue, place);
	MDG__PUT(head->claims, MDG__GET(head->claims) - 1);
	give_cells(queue, place->cell, length);
	mdg__queue_slip_prepare(visit, 0);
	return 0;
}

/* ---- the call -------------------------------------------------------------------------------- */

/* After a sleep: 1: look at the queue; else what the call returns. [locked] */
static int after_sleep(struct mdg__wait *wait, struct order *order)
{
	struct mdg__visit *visit = wait->visit;
	struct mdg__queue *queue = visit->queue;
	struct place place;
	if (find_claimed(queue, wait, &place)) {
		int taken = take_claimed(visit, order, &place);
		if (taken < 0)
			mdg__wait_pass_on(wait);
		return taken;
	}
	if (mdg__queue_is_removed(queue))
		return -EIDRM;
	if (wait->waiter != NULL && MDG__GET(wait->waiter->too_big) != 0)
		return -E2BIG;
	int rc = wait->rc;
	if (rc == 0)
		rc = queue->memory->may(queue, 0444);
	return rc == 0 ? 1 : rc;
}

/* [locked; not locked after it] */
static int receive(struct mdg__visit *visit, struct order *order, uint64_t deadline)
{
	struct mdg__queue *queue = visit->queue;
	struct mdg__wait wait;
	struct place place;
	int rc = mdg__queue_is_removed(queue) ? -EIDRM : 1;
	mdg__wait_begin(&wait, visit, MDG__WAITER_RECEIVER, order->is.size, deadline);
	wait.want = order->is.want;
	wait.type = order->is.type;
	wait.cuts = order->is.cuts;
	while (rc == 1) {
		rc = choose(queue, order, &place);
		if (rc == 0)
			rc = take(visit, order, &place);
		else if (rc == -ENOMSG && deadline != 0) {
			rc = mdg__wait_once(&wait);
			if (rc < 0)
				return rc;
			rc = after_sleep(&wait, order);
		}
	}
	mdg__wait_done(&wait);
	mdg__visit_unlock(visit);
	return rc;
}

static int copy_out(struct mdg__visit *visit, struct order *order, int64_t position)
{
	uint32_t cell = 0;
	int rc = mdg__queue_is_removed(visit->queue) ? -EIDRM : -ENOMSG;
	if (rc == -ENOMSG && position >= 0)
		rc = find_position(visit->queue, position, &cell);
	if (rc == 0)
		rc = read_text(visit->queue, cell, order);
	mdg__visit_unlock(visit);
	return rc;
}

static bool must_wait(int rc)
{
	return rc == -ENOMSG || rc == MDG__CLAIMED;
}

/* MDG__SLOW: not possible, or the call has to sleep. */
static int receive_express(struct mdg__queue *queue, const struct mdg__wanted *wanted, void *buffer,
                           uint64_t deadline, int64_t *ret_type, uint64_t *ret_length)
{
	struct mdg__spin spin;
	int rc = mdg__express_receive(queue, wanted, buffer, ret_type, ret_length);
	if (__builtin_expect(must_wait(rc) && deadline != 0, 0)) {
		mdg__spin_begin(&spin, queue, false);
		do {
			rc = mdg__express_receive(queue, wanted, buffer, ret_type, ret_length);
		} while (must_wait(rc) && mdg__spin(&spin, queue));
		if (rc == 0)
			mdg__spin_helped(&spin);
		rc = must_wait(rc) ? MDG__SLOW : rc;
	}
	return rc == MDG__CLAIMED ? MDG__SLOW : rc;
}

int mdg__queue_receive(struct mdg__queue *queue, int64_t wanted, unsigned flags, void *buffer,
                       uint64_t size, uint64_t deadline, int64_t *ret_type, uint64_t *ret_length)
{
	struct mdg__visit visit;
	struct order order;
	order.is.size = size;
	order.is.cuts = (flags & MDG__RECEIVE_CUT) != 0;
	order.copy.pooled = 0;
	order.copy.mapped = 0;
	set_want(&order, wanted, flags);
	mdg__queue_abandon();
	int rc = MDG__SLOW;
	if ((flags & MDG__RECEIVE_COPY) == 0)
		rc = receive_express(queue, &order.is, buffer, deadline, ret_type, ret_length);
	mdg__spin_note(false, false);
	if (rc != MDG__SLOW)
		return rc;
	rc = mdg__visit_begin(&visit, queue);
	if (rc < 0)
		return rc;
	if ((flags & MDG__RECEIVE_COPY) != 0)
		rc = copy_out(&visit, &order, wanted);
	else
		rc = receive(&visit, &order, deadline);
	mdg__visit_end(&visit);
	if (rc == 0) {
		*ret_type = order.got_type;
		*ret_length = order.got_length;
		if (order.got_length != 0)
			memcpy(buffer, order.copy.bytes, order.got_length);
	}
	mdg__copy_drop(&order.copy);
	return rc;
}
