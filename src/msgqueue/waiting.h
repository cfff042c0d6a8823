/* SPDX-License-Identifier: MIT */
/*
 * waiting.h - who sleeps in a queue: their records and their line (waiters.c), how they are called
 * and get a message (hand.c), and the sleep itself (wait.c).
 */
#ifndef MADANG_MSGQUEUE_WAITING_H
#define MADANG_MSGQUEUE_WAITING_H

#include "msgqueue/internal.h"

/* ---- waiters -------------------------------------------------------------------------------- */

/* [number < MDG__WAITERS_MOST] NULL: there is no such record. */
struct mdg__waiter *mdg__waiter(const struct mdg__queue *queue, uint32_t number);
/* Takes a free record. 0; -ENOMEM; -ENOLCK, the thread holds too many locks. */
int mdg__waiter_take(struct mdg__visit *visit, uint32_t *ret_number);
void mdg__waiter_leave(struct mdg__visit *visit, struct mdg__waiter *waiter);
/* Enters the line at its end. */
void mdg__waiter_line_up(const struct mdg__queue *queue, struct mdg__waiter *waiter);
/* Whether a thread sleeps there, or is about to sleep or to return. */
bool mdg__waiter_sleeps(struct mdg__waiter *waiter);
/* Is called, and no longer in the line. `how`: MDG__CALLED, MDG__RECALLED. */
void mdg__waiter_called(const struct mdg__queue *queue, struct mdg__waiter *waiter, uint32_t how);
/* Leaves the line without having been called. */
void mdg__waiter_not_in_line(const struct mdg__queue *queue, struct mdg__waiter *waiter);
/* The first one in the line of this kind behind *ticket, which becomes its ticket. A waiter's
 * number, or MDG__WAITERS_MOST: there is none. `wants`: of receivers, for which message. */
uint32_t mdg__waiter_next(const struct mdg__queue *queue, uint32_t kind, uint64_t *ticket,
                          const struct mdg__message *wants);
/* Whether a message is claimed by somebody who lives. */
bool mdg__claim_counts(const struct mdg__queue *queue, uint64_t claim);

static inline uint64_t mdg__claim_of(uint32_t waiter, uint32_t use)
{
	return (uint64_t)use << 32 | (waiter + 1);
}

static inline bool mdg__wants(uint32_t want, int64_t wanted, int64_t type)
{
	switch (want) {
	case MDG__WANT_TYPE:
		return type == wanted;
	case MDG__WANT_EXCEPT:
		return type != wanted;
	case MDG__WANT_LOWEST:
		return type <= wanted;
	default:
		return true;
	}
}

/* ---- handing over. [the lock is held] -------------------------------------------------------- */

/* Calls a sleeper, which wakes when the lock is given back. False: it was not asleep. In both cases
 * it is no longer in the line. */
bool mdg__call(struct mdg__visit *visit, struct mdg__waiter *waiter, uint32_t how);
/* Before a message is linked: calls the first receiver that wants it and has room for it, and those
 * before it that have not. Returns its number, or MDG__WAITERS_MOST. */
uint32_t mdg__call_receiver(struct mdg__visit *visit, const struct mdg__message *message);
/* Before room is made: calls the senders that would fit then. */
void mdg__call_senders(struct mdg__visit *visit, uint64_t cbytes, uint64_t qnum);
void mdg__call_all(struct mdg__visit *visit);
/* After a death: calls all that may be asleep, also those that were called before. They keep their
 * places in the line. */
void mdg__recall_all(struct mdg__visit *visit);
/* Says that the message is this waiter's. */
void mdg__hand_over(struct mdg__visit *visit, uint32_t number, uint32_t cell);
/* A claim that counts for nothing is taken off its message. */
void mdg__claim_drop(const struct mdg__queue *queue, struct mdg__message *message);

/* ---- sleeping -------------------------------------------------------------------------------- */

/* A call that may sleep. */
struct mdg__wait {
	struct mdg__visit *visit;
	struct mdg__waiter *waiter; /* NULL: none was taken yet, or it is lost */
	uint32_t number, use;       /* of the waiter */
	enum mdg__waiter_kind kind;
	bool cuts, slept;
	enum mdg__want want;
	int64_t type;
	uint64_t size, deadline;
	int rc; /* why the sleep was the last: -EINTR, -ETIMEDOUT; else 0 */
};

void mdg__wait_begin(struct mdg__wait *wait, struct mdg__visit *visit, enum mdg__waiter_kind kind,
                     uint64_t size, uint64_t deadline);
/* Sleeps once, until it is called. [the lock is held, and is held again after it] 0: look again,
 * unless wait->rc says that this sleep was the last. An error: the lock is not held, and the waiter
 * is given back. */
int mdg__wait_once(struct mdg__wait *wait);
/* Gives the waiter back without the lock, which cannot be had again: the queue's memory cannot be
 * mapped as far as it is used by now, or it is damaged. To others it looks as if the thread had
 * died. */
void mdg__wait_give_up(struct mdg__wait *wait);
/* The message that was handed over to the waiter goes to somebody else. [the lock is held] */
void mdg__wait_pass_on(const struct mdg__wait *wait);
/* Gives the waiter back. [the lock is held] */
void mdg__wait_done(struct mdg__wait *wait);

#endif
