/* SPDX-License-Identifier: MIT */
/*
 * turn.c - the word that says where the state of a queue is, and who may change it.
 *
 * The state of a queue is what changes with each message: the ends of the list, the figures and the
 * stamps. One word, head.turn, says where it lies: in the head, or in a slip. Whoever wants to
 * change it without the lock reads it, writes the next state into a slip of its own, and swaps the
 * word. That swap is the whole operation (express.c): it is made at one moment, or not at all.
 *
 * The holder of the lock stops that first. It makes the word LOCKED, and copies the state into the
 * head. There it changes things store by store, as before. At the end the word says that the state
 * is in the head, and that anybody may swap. If the holder dies, the word stays LOCKED until the
 * next holder has repaired the queue.
 *
 * THE LAST LINK. A state names the last message and the one before that. The link between the two
 * is not part of the state, and is made after the swap, by anybody who comes across it. So a thread
 * that is late may try it again. It swaps the value that it has seen while the state was the
 * queue's, and each value is written once only, because it contains the version. So it
 * succeeds only in time.
 *
 * A state that the word names is not written by anybody. A state that somebody reads while its
 * owner writes it is nonsense. Then the word has changed, and the reader finds that (seq_cst and
 * acquire at the word; the rest is relaxed).
 */
#include "msgqueue/internal.h"

#include "platform/fence.h"

static struct mdg__queue_state *state_at(const struct mdg__queue *queue, uint32_t unit)
{
	if (!mdg__is_cell(queue, unit))
		return NULL;
	return (struct mdg__queue_state *)(void *)mdg__unit(queue, unit);
}

/* ---- reading --------------------------------------------------------------------------------- */

void mdg__snapshot_head(const struct mdg__queue *queue, struct mdg__snapshot *ret)
{
	const struct mdg__queue_head *head = mdg__head(queue);
	ret->first = MDG__GET(head->first);
	ret->last = MDG__GET(head->last);
	ret->before_last = 0;
	ret->qnum = MDG__GET(head->qnum);
	ret->cbytes = MDG__GET(head->cbytes);
	ret->stime = MDG__GET(head->stime);
	ret->rtime = MDG__GET(head->rtime);
	ret->lspid = MDG__GET(head->lspid);
	ret->lrpid = MDG__GET(head->lrpid);
}

static void read_state(const struct mdg__queue_state *state, struct mdg__snapshot *ret)
{
	ret->first = MDG__GET(state->first);
	ret->last = MDG__GET(state->last);
	ret->before_last = MDG__GET(state->before_last);
	ret->qnum = MDG__GET(state->qnum);
	ret->cbytes = MDG__GET(state->cbytes);
	ret->stime = MDG__GET(state->stime);
	ret->rtime = MDG__GET(state->rtime);
	ret->lspid = MDG__GET(state->lspid);
	ret->lrpid = MDG__GET(state->lrpid);
}

bool mdg__snapshot_is_now(const struct mdg__queue *queue, const struct mdg__snapshot *snapshot)
{
	/* Acquire on what was read before: the look at the word comes after it. */
	mdg__fence(memory_order_acquire);
	return MDG__GET(mdg__head(queue)->turn) == snapshot->turn;
}

bool mdg__snapshot_read(const struct mdg__queue *queue, struct mdg__snapshot *ret)
{
	/* Acquire: pairs with the release of whoever made this the queue's state. */
	ret->turn = atomic_load_explicit(&mdg__head(queue)->turn, memory_order_acquire);
	if ((ret->turn & MDG__TURN_LOCKED) != 0)
		return false;
	uint32_t unit = mdg__turn_unit(ret->turn);
	const struct mdg__queue_state *state = unit == 0 ? NULL : state_at(queue, unit);
	if (unit != 0 && state == NULL)
		return false;
	if (state == NULL)
		mdg__snapshot_head(queue, ret);
	else
		read_state(state, ret);
	return mdg__snapshot_is_now(queue, ret);
}

/* ---- the next state -------------------------------------------------------------------------- */

bool mdg__snapshot_link_last(const struct mdg__queue *queue, const struct mdg__snapshot *snapshot)
{
	if (snapshot->before_last == 0)
		return true;
	if (__builtin_expect(!mdg__is_cell(queue, snapshot->before_last), 0))
		return false;
	_Atomic uint64_t *next = &mdg__message(queue, snapshot->before_last)->next;
	uint64_t seen = MDG__GET(*next);
	if ((uint32_t)seen != 0)
		return true;
	if (!mdg__snapshot_is_now(queue, snapshot))
		return false;
	/* Release: whoever follows the link sees the message. */
	(void)atomic_compare_exchange_strong_explicit(next, &seen, seen | snapshot->last,
	                                              memory_order_release, memory_order_relaxed);
	return true;
}

bool mdg__snapshot_swap(const struct mdg__queue *queue, const struct mdg__snapshot *from,
                        const struct mdg__snapshot *to, uint32_t unit)
{
	struct mdg__queue_state *state = state_at(queue, unit);
	uint64_t seen = from->turn;
	if (state == NULL)
		return false;
	/* Release: who still reads what was here before finds that the word has changed since. */
	mdg__fence(memory_order_release);
	MDG__PUT(state->first, to->first);
	MDG__PUT(state->last, to->last);
	MDG__PUT(state->before_last, to->before_last);
	MDG__PUT(state->qnum, to->qnum);
	MDG__PUT(state->cbytes, to->cbytes);
	MDG__PUT(state->stime, to->stime);
	MDG__PUT(state->rtime, to->rtime);
	MDG__PUT(state->lspid, to->lspid);
	MDG__PUT(state->lrpid, to->lrpid);
	/* Release: the state, and the message, are seen by whoever sees the word. Acquire: whoever
	 * takes a message sees its text. */
	return atomic_compare_exchange_strong_explicit(&mdg__head(queue)->turn, &seen,
	                                               mdg__turn_next(from->turn, unit, 0),
	                                               memory_order_seq_cst, memory_order_relaxed);
}

static void show(const struct mdg__queue *queue, const struct mdg__snapshot *now)
{
	_Atomic uint64_t *fields = queue->fields;
	/* Release: the word was swapped before this is shown. */
	mdg__fence(memory_order_release);
	MDG__PUT(fields[MDG__QUEUE_QNUM], now->qnum);
	MDG__PUT(fields[MDG__QUEUE_CBYTES], now->cbytes);
	MDG__PUT(fields[MDG__QUEUE_PIDS],
	         (uint64_t)(uint32_t)now->lrpid << 32 | (uint32_t)now->lspid);
	MDG__PUT(fields[MDG__QUEUE_STIME], (uint64_t)now->stime);
	MDG__PUT(fields[MDG__QUEUE_RTIME], (uint64_t)now->rtime);
}

/* Whoever has changed the state shows it, until what it has shown is the newest. If the word has
 * changed again, somebody else will show it, or is doing that now. If it is LOCKED, the holder of
 * the lock will do so when it unlocks the word. */
void mdg__turn_show(const struct mdg__queue *queue, uint64_t own)
{
	struct mdg__snapshot now;
	_Atomic uint64_t *turn = &mdg__head(queue)->turn;
	if (own != 0 && MDG__GET(*turn) != own)
		return;
	for (;;) {
		if (mdg__snapshot_read(queue, &now)) {
			show(queue, &now);
			/* The look comes after the stores above. */
			mdg__fence(memory_order_seq_cst);
			if (atomic_load_explicit(turn, memory_order_seq_cst) == now.turn)
				return;
		}
		uint64_t seen = MDG__GET(*turn);
		if ((seen & MDG__TURN_LOCKED) != 0 ||
		    (mdg__turn_unit(seen) != 0 && !mdg__is_cell(queue, mdg__turn_unit(seen))))
			return;
	}
}

/* ---- for the holder of the lock -------------------------------------------------------------- */

void mdg__turn_lock(const struct mdg__queue *queue)
{
	_Atomic uint64_t *turn = &mdg__head(queue)->turn;
	uint64_t seen = atomic_load_explicit(turn, memory_order_acquire);
	while ((seen & MDG__TURN_LOCKED) == 0 &&
	       !atomic_compare_exchange_weak_explicit(
		       turn, &seen, mdg__turn_next(seen, mdg__turn_unit(seen), MDG__TURN_LOCKED),
		       memory_order_seq_cst, memory_order_acquire))
		;
	/* Release: who reads what the holder writes from here on finds that the word is LOCKED
	 * (mdg__snapshot_is_now). */
	mdg__fence(memory_order_release);
}

/* A holder that dies here has copied nothing yet that counts: the word still names the state. */
bool mdg__turn_copy(const struct mdg__queue *queue)
{
	struct mdg__queue_head *head = mdg__head(queue);
	struct mdg__snapshot now;
	uint64_t turn = MDG__GET(head->turn);
	uint32_t unit = mdg__turn_unit(turn);
	if (unit == 0)
		return true;
	const struct mdg__queue_state *state = state_at(queue, unit);
	bool good = state != NULL;
	if (good) {
		read_state(state, &now);
		good = now.before_last == 0 || mdg__is_cell(queue, now.before_last);
	}
	if (good) {
		MDG__PUT(head->first, now.first);
		MDG__PUT(head->last, now.last);
		MDG__PUT(head->qnum, now.qnum);
		MDG__PUT(head->cbytes, now.cbytes);
		MDG__PUT(head->stime, now.stime);
		MDG__PUT(head->rtime, now.rtime);
		MDG__PUT(head->lspid, now.lspid);
		MDG__PUT(head->lrpid, now.lrpid);
		if (now.before_last != 0 && mdg__next(queue, now.before_last) == 0)
			mdg__commit64(&mdg__message(queue, now.before_last)->next,
			              mdg__next_value(queue, now.last));
	}
	mdg__commit64(&head->turn, mdg__turn_next(turn, 0, MDG__TURN_LOCKED));
	return good;
}

void mdg__turn_unlock(const struct mdg__queue *queue)
{
	_Atomic uint64_t *turn = &mdg__head(queue)->turn;
	uint64_t seen = MDG__GET(*turn);
	/* Release: pairs with the acquire in mdg__snapshot_read. */
	atomic_store_explicit(turn, mdg__turn_next(seen, mdg__turn_unit(seen), 0),
	                      memory_order_release);
	mdg__turn_show(queue, 0);
}
