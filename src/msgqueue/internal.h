/* SPDX-License-Identifier: MIT */
/*
 * internal.h - the engine of message queues, for the files of this room.
 *
 *     engine.h is what it offers: send, receive, set, remove, look
 *
 *     send.c   receive.c   change.c   look.c     the operations
 *     wait.c                                     sleeping
 *     hand.c                                     handing over, and calling those who sleep
 *     enter.c                                    the lock, and what comes with it
 *     repair.c                                   what is set right after a death
 *     waiters.c                                    places of sleepers
 *     cells.c  copies.c                          places of texts
 *
 * A file calls only files below its own.
 *
 * WHY A ROBUST WORD IS THE LOCK (sync/owned.h), and not a signed lock (registry/signed_lock.h).
 * A signature says which process holds a lock. A waiter has to ask the kernel whether that process
 * lives, and does so after a millisecond. A robust word says which thread, and the kernel itself
 * marks it at the thread's death and wakes the next one, within microseconds. It needs no slot in
 * the registry. The same word tells whether a sleeper lives (struct mdg__waiter): one load, exact for
 * each thread, also in exec. A sleeper whose thread alone has ended would live on by its process's
 * signature.
 *
 * WHO IS IN THE LINE. The kernel's msgrcv is in the line while its thread is really asleep: not
 * while it is stopped, nor from the moment at which a signal handler begins. FUTEX_WAKE knows
 * exactly that: it returns 1 if the thread was asleep on the word. So a message is claimed for a
 * sleeper and the sleeper is woken, and if the wake-up found nobody, the claim is taken back and
 * the next one is tried (hand.c).
 */
#ifndef MADANG_MSGQUEUE_INTERNAL_H
#define MADANG_MSGQUEUE_INTERNAL_H

#include <stdbool.h>
#include <string.h>

#include "msgqueue/engine.h"
#include "msgqueue/layout.h"
#include "platform/sys.h"

/* Relaxed: the queue's lock orders them. */
#define MDG__GET(field)        atomic_load_explicit(&(field), memory_order_relaxed)
#define MDG__PUT(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

/* Stores that mark the moment of an operation. What precedes it in the program is stored before,
 * and what follows it is stored after: a thread that is killed has made just the stores up to
 * some point of its program. */
static inline void mdg__commit32(_Atomic uint32_t *field, uint32_t value)
{
	atomic_store_explicit(field, value, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void mdg__commit64(_Atomic uint64_t *field, uint64_t value)
{
	atomic_store_explicit(field, value, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

/* ---- one visit to the queue ------------------------------------------------------------------ */

enum { MDG__CALLS_MOST = 16 }; /* sleepers that one visit calls without the lock */

/* From taking the lock until all that is to be called is called. */
struct mdg__visit {
	struct mdg__queue *queue;
	struct mdg__thread *thread;
	struct mdg__owned *lock; /* where it was taken: the memory may be mapped anew meanwhile */
	mdg__sigmask mask;       /* of the caller */
	/* Whom to call once the lock is given back. `pending` (sync/held.h) names the first, from
	 * before the COMMIT on. */
	uint32_t calls;
	struct {
		_Atomic uint32_t *word;
		uint32_t waiter, use;
	} call[MDG__CALLS_MOST];
	bool claimed;  /* the last of them gets a claim; the message is too big for the others */
	bool everyone; /* there are more than that: all are called, with the lock */
	bool pends;
	uintptr_t before; /* for mdg__pending_end */
};

/* ---- cells ----------------------------------------------------------------------------------- */

static inline struct mdg__queue_head *mdg__head(const struct mdg__queue *queue)
{
	return (struct mdg__queue_head *)(void *)queue->base;
}

static inline uint32_t mdg__units(const struct mdg__queue *queue)
{
	uint64_t units = queue->length / MDG__UNIT;
	return units < MDG__UNITS_MOST ? (uint32_t)units : (uint32_t)MDG__UNITS_MOST;
}

/* Whether the unit is a cell that this process has mapped. */
static inline bool mdg__is_cell(const struct mdg__queue *queue, uint32_t unit)
{
	uint32_t least = unit < MDG__BLOCK_UNITS ? MDG__CELL_FIRST : MDG__CELL_OTHER;
	return unit < mdg__units(queue) && unit % MDG__BLOCK_UNITS >= least;
}

/* [the unit is mapped] */
static inline unsigned char *mdg__unit(const struct mdg__queue *queue, uint32_t unit)
{
	return (unsigned char *)queue->base + (size_t)unit * MDG__UNIT;
}

/* [the unit is a cell] */
static inline struct mdg__message *mdg__message(const struct mdg__queue *queue, uint32_t unit)
{
	return (struct mdg__message *)(void *)mdg__unit(queue, unit);
}

static inline _Atomic uint32_t *mdg__link_of(const struct mdg__queue *queue, uint32_t unit)
{
	uint32_t block = unit / MDG__BLOCK_UNITS * MDG__BLOCK_UNITS;
	uint32_t links = block == 0 ? MDG__LINKS_FIRST : block;
	return (_Atomic uint32_t *)(void *)mdg__unit(queue, links) + unit % MDG__BLOCK_UNITS;
}

static inline uint32_t mdg__cells_for(uint32_t length)
{
	return length <= MDG__TEXT_INSIDE
	               ? 1
	               : 1 + (length - MDG__TEXT_INSIDE + MDG__UNIT - 1) / MDG__UNIT;
}

/* The first unit that was never used. */
uint32_t mdg__fresh(const struct mdg__queue *queue);
/* Makes sure that all that others have used is mapped here. 0, -ENOMEM, MDG_DAMAGED ... */
int mdg__cells_reach(struct mdg__queue *queue);
/* Takes a chain of so many cells, and makes memory for them if there is none. */
int mdg__cells_take(struct mdg__queue *queue, uint32_t count, uint32_t *ret_first);
/* Puts the chain of a message into the free chain. 0 or MDG_DAMAGED. */
int mdg__cells_give(struct mdg__queue *queue, uint32_t first, uint32_t count);
/* A run of neighbouring cells that nobody has used, for waiters. */
int mdg__cells_take_run(struct mdg__queue *queue, uint32_t count, uint32_t *ret_first);

/* ---- texts (copies.c) ------------------------------------------------------------------------ */

/* Writes a text into the cells of a message, or reads its first `size` bytes. 0 or MDG_DAMAGED. */
int mdg__text_write(struct mdg__queue *queue, uint32_t cell, const void *text, uint32_t size);
int mdg__text_read(struct mdg__queue *queue, uint32_t cell, void *ret, uint32_t size);

/* Private memory for a text on its way, so that the caller's memory, which may fault, is never
 * touched while the lock is held. */
enum { MDG__COPY_SMALL = 512, MDG__COPY_POOLED = 8192 };

struct mdg__copy {
	unsigned char *bytes;
	uint64_t mapped; /* bytes of its own mapping; 0: not one */
	int pooled;      /* which one of the process's pool, plus one; 0: none */
	unsigned char small[MDG__COPY_SMALL];
};

/* Memory for `size` bytes: 0 or -ENOMEM. */
int mdg__copy_get(struct mdg__copy *copy, uint64_t size);
void mdg__copy_drop(struct mdg__copy *copy);

/* ---- waiters ----------------------------------------------------------------------------------- */

/* [number < MDG__WAITERS_MOST] NULL: there is no such waiter. */
struct mdg__waiter *mdg__waiter(const struct mdg__queue *queue, uint32_t number);
/* Takes a free waiter. 0; -ENOMEM; -ENOLCK, the thread holds too many locks. */
int mdg__waiter_take(struct mdg__visit *visit, uint32_t *ret_number);
void mdg__waiter_leave(struct mdg__visit *visit, struct mdg__waiter *waiter);
/* Enters the line at its end. */
void mdg__waiter_line_up(const struct mdg__queue *queue, struct mdg__waiter *waiter);
/* Is called, and no longer in the line. */
void mdg__waiter_called(const struct mdg__queue *queue, struct mdg__waiter *waiter);
/* Leaves the line without having been called. */
void mdg__waiter_not_in_line(const struct mdg__queue *queue, struct mdg__waiter *waiter);
/* The first one in the line of this kind behind *ticket, which becomes its ticket. A waiter's
 * number, or MDG__WAITERS_MOST: there is none. `wants`: of receivers, for which message. */
uint32_t mdg__waiter_next(const struct mdg__queue *queue, uint32_t kind, uint64_t *ticket,
                          const struct mdg__message *wants);
/* Calls everybody in the line, who then looks again. */
void mdg__call_all(const struct mdg__queue *queue);
/* The same for all receivers, and for those senders whose message would fit now. */
void mdg__call_changed(const struct mdg__queue *queue);
/* Calls those again who were called and have not come. */
void mdg__call_again(const struct mdg__queue *queue);
/* Whether a message is claimed by somebody who lives. */
bool mdg__claim_counts(const struct mdg__queue *queue, uint64_t claim);

/* Whether a message of this size fits: both limits are qbytes. */
static inline bool mdg__fits(uint64_t qbytes, uint64_t cbytes, uint64_t qnum, uint64_t size)
{
	return cbytes <= qbytes && size <= qbytes - cbytes && qnum < qbytes;
}

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

/* ---- repair ---------------------------------------------------------------------------------- */

/* Sets right what a holder of the lock had begun, and calls everybody who sleeps. Whoever may write
 * to the memory may have made it worse than any death: then the list of messages ends at the first
 * one that cannot be. 1 if that was so. [the lock is held] */
int mdg__queue_repair(struct mdg__queue *queue);

/* ---- entering -------------------------------------------------------------------------------- */

/* Blocks signals and takes the lock. 0; -ENOSYS; -EDEADLK; -ENOMEM; MDG_DAMAGED. */
int mdg__visit_begin(struct mdg__visit *visit, struct mdg__queue *queue);
/* Takes the lock again, with signals blocked. The same errors. */
int mdg__visit_lock(struct mdg__visit *visit);
/* Gives the lock back. Signals stay blocked. */
void mdg__visit_unlock(struct mdg__visit *visit);
/* Lets signals in again. */
void mdg__visit_end(struct mdg__visit *visit);

/* The end of an operation: shows everybody the new figures. [the lock is held] */
void mdg__visit_changed(struct mdg__visit *visit);

/* A claim that counts for nothing is taken off its message. */
void mdg__claim_drop(const struct mdg__queue *queue, struct mdg__message *message);

/* ---- handing over ---------------------------------------------------------------------------- */

/* Chooses who is to be called for a message that is going to be sent, or for room that is going to
 * be made, and lets `pending` name the first of them. */
void mdg__plan_receivers(struct mdg__visit *visit, const struct mdg__message *message);
void mdg__plan_senders(struct mdg__visit *visit, uint64_t cbytes, uint64_t qnum);
/* The operation does not happen after all. */
void mdg__plan_forget(struct mdg__visit *visit);
/* After the COMMIT: notes at the waiters what was planned, and claims the message. */
void mdg__plan_apply(struct mdg__visit *visit, uint32_t cell);
/* Gives the lock back, calls, and tries others if the message's receiver was not asleep. */
void mdg__plan_call(struct mdg__visit *visit, uint32_t cell);

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
 * is left. */
int mdg__wait_once(struct mdg__wait *wait);
/* Gives the waiter back. [the lock is held] */
void mdg__wait_done(struct mdg__wait *wait);

#endif
