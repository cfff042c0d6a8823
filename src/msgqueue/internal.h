/* SPDX-License-Identifier: MIT */
/*
 * internal.h - the engine of message queues, for the files of this room.
 *
 *     engine.h is what it offers: send, receive, set, remove, look
 *
 *     calls.c  control.c                         the interface (open.h is between)
 *     send.c   receive.c   change.c   look.c     the operations
 *     express.c  spin.c                          sending and receiving without the lock
 *     wait.c                                     sleeping
 *     enter.c                                    the lock, and what comes with it
 *     repair.c                                   what is set right after a death
 *     hand.c                                     handing over, and calling those who sleep
 *     waiters.c                                  records of sleepers
 *     slips.c  sweep.c                           cells that threads have, and finding the others
 *     region.c                                   what is remembered for each thread
 *     turn.c                                     whose turn it is, and where the state is
 *     cells.c  copies.c                          where texts lie, and copying them
 *
 * waiting.h has what wait.c, hand.c and waiters.c offer. A file calls only files below its own.
 *
 * WHY A ROBUST WORD IS THE LOCK (sync/owned.h), and not a signed lock (registry/signed_lock.h).
 * A signature says which process holds a lock. A waiter has to ask the kernel whether that process
 * lives, and does so after a millisecond. A robust word says which thread, and the kernel itself
 * marks it at the thread's death and wakes the next one, within microseconds. It needs no slot in
 * the registry. The same word tells whether a sleeper lives (struct mdg__waiter): one load, exact
 * for each thread, also in exec. A sleeper whose thread alone has ended would live on by its
 * process's signature.
 *
 * WHO IS IN THE LINE. The kernel's msgrcv is in the line while its thread is really asleep: not
 * while it is stopped, nor from the moment at which a signal handler begins. A futex knows exactly
 * that: FUTEX_REQUEUE returns 1 if the thread was asleep on its word. So a message goes to the
 * first sleeper for which it returned 1 (hand.c).
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

struct mdg__visit {
	struct mdg__queue *queue;
	struct mdg__thread *thread;
	struct mdg__owned *lock; /* where it was taken: the memory may be mapped anew meanwhile */
	mdg__sigmask mask;       /* of the caller */
	/* Since the lock was taken (hand.c): */
	uint32_t called;   /* sleepers, who now sleep on the lock's word */
	bool expects;      /* the lock's word was told that there may be some */
	bool had_sleepers; /* and had been told so before */
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

/* How many messages the list has at most, whatever is counted. */
static inline uint32_t mdg__list_most(const struct mdg__queue *queue)
{
	const struct mdg__queue_head *head = mdg__head(queue);
	uint64_t most = (uint64_t)MDG__GET(head->qnum) + MDG__GET(head->claims);
	return most < mdg__units(queue) ? (uint32_t)most : mdg__units(queue);
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
/* The unit behind the last one that was used. If a block is just full, `fresh` is in the next one,
 * for which there need not be memory yet. */
uint32_t mdg__used(const struct mdg__queue *queue);
/* Makes sure that all that others have used is mapped here. 0, -ENOMEM, MDG_DAMAGED ... */
int mdg__cells_reach(struct mdg__queue *queue);
/* Takes a chain of so many cells, and makes memory for them if there is none. */
int mdg__cells_take(struct mdg__queue *queue, uint32_t count, uint32_t *ret_first);
/* Puts a chain into the free chain. 0 or MDG_DAMAGED. */
int mdg__cells_give(struct mdg__queue *queue, uint32_t first, uint32_t count);
/* Whether an empty queue has so much memory that it should give some back. */
static inline bool mdg__may_give_all(const struct mdg__queue *queue)
{
	uint32_t fresh = mdg__fresh(queue);
	return fresh > MDG__UNITS_ENOUGH && fresh != MDG__GET(mdg__head(queue)->not_given);
}
/* A run of neighbouring cells that nobody has used, for waiters. */
int mdg__cells_take_run(struct mdg__queue *queue, uint32_t count, uint32_t *ret_first);

/* Whether a message of this size fits: both limits are qbytes. */
static inline bool mdg__fits(uint64_t qbytes, uint64_t cbytes, uint64_t qnum, uint64_t size)
{
	return cbytes <= qbytes && size <= qbytes - cbytes && qnum < qbytes;
}

/* ---- texts (copies.c) ------------------------------------------------------------------------ */

/* Writes a text into the cells of a message. *ret_after is what the last one is linked to. 0 or
 * MDG_DAMAGED. */
int mdg__text_write(struct mdg__queue *queue, uint32_t cell, const void *text, uint32_t size,
                    uint32_t *ret_after);
/* Reads the first `size` bytes of a text that has `length`. *ret_last is its last cell. 0 or
 * MDG_DAMAGED. */
int mdg__text_read(struct mdg__queue *queue, uint32_t cell, void *ret, uint32_t size,
                   uint32_t length, uint32_t *ret_last);

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

/* ---- the turn (turn.c) ----------------------------------------------------------------------- */

/* The state of the queue, as it was while head.turn was that. */
struct mdg__snapshot {
	uint64_t turn, cbytes;
	int64_t stime, rtime;
	int32_t lspid, lrpid;
	uint32_t first, last, before_last, qnum;
};

static inline uint32_t mdg__turn_unit(uint64_t turn)
{
	return (uint32_t)(turn >> 2) & (MDG__UNITS_MOST - 1);
}

/* The next version. */
static inline uint64_t mdg__turn_next(uint64_t turn, uint32_t unit, uint64_t kind)
{
	return ((turn >> 28) + 1) << 28 | (uint64_t)unit << 2 | kind;
}

/* Of a slip's two states, the one that the turn does not name. */
static inline uint32_t mdg__state_unit(uint32_t slip, uint64_t turn)
{
	return mdg__turn_unit(turn) == slip + 1 ? slip + 2 : slip + 1;
}

/* `next` of a message, and what to write there: a value that was never there before. [the unit is a
 * cell] */
static inline uint32_t mdg__next(const struct mdg__queue *queue, uint32_t cell)
{
	return (uint32_t)MDG__GET(mdg__message(queue, cell)->next);
}

static inline uint64_t mdg__next_first(uint64_t turn)
{
	return turn >> 28 << 32;
}

/* [the lock is held] */
static inline uint64_t mdg__next_value(const struct mdg__queue *queue, uint32_t unit)
{
	return mdg__next_first(MDG__GET(mdg__head(queue)->turn)) | unit;
}

/* Reads the state without the lock. False: somebody has the lock, or the state has changed. */
bool mdg__snapshot_read(const struct mdg__queue *queue, struct mdg__snapshot *ret);
/* The state that is in the head. [the lock is held] */
void mdg__snapshot_head(const struct mdg__queue *queue, struct mdg__snapshot *ret);
/* Whether it is still the queue's state. */
bool mdg__snapshot_is_now(const struct mdg__queue *queue, const struct mdg__snapshot *snapshot);
/* Makes the link to the last message, if it is missing. False: read the state again. */
bool mdg__snapshot_link_last(const struct mdg__queue *queue, const struct mdg__snapshot *snapshot);
/* Makes `to`, which is written into that unit, the state of the queue, if `from` is it. COMMIT. */
bool mdg__snapshot_swap(const struct mdg__queue *queue, const struct mdg__snapshot *from,
                        const struct mdg__snapshot *to, uint32_t unit);
/* Shows everybody the newest figures. Who has made the turn `own` does that. 0: in any case. */
void mdg__turn_show(const struct mdg__queue *queue, uint64_t own);

/* From then on the holder of the lock alone changes the state. */
void mdg__turn_lock(const struct mdg__queue *queue);
/* Brings the state into the head. False: it is damaged. [the memory is mapped as far as used] */
bool mdg__turn_copy(const struct mdg__queue *queue);
/* The state is in the head, and anybody may change it. */
void mdg__turn_unlock(const struct mdg__queue *queue);

/* ---- marks (sweep.c). [the lock is held] ----------------------------------------------------- */

struct mdg__marks {
	unsigned char *bits;
	size_t bytes;
	uint32_t end;     /* units */
	uint32_t highest; /* unit that is marked; 0: none */
};

int mdg__marks_begin(struct mdg__marks *marks, uint32_t end);
void mdg__marks_end(struct mdg__marks *marks);
/* [unit < end] False: it is marked already. */
bool mdg__marks_add(struct mdg__marks *marks, uint32_t unit);
/* Marks the chain of a message. False: it cannot be a message. */
bool mdg__marks_add_message(const struct mdg__queue *queue, struct mdg__marks *marks,
                            uint32_t cell);
/* When all messages are marked: frees the cells that nobody else has either. */
void mdg__sweep(const struct mdg__queue *queue, struct mdg__marks *marks);
/* Finds cells that a dead thread has had. False: no memory for that, or the list is damaged. */
bool mdg__cells_find_lost(const struct mdg__queue *queue);
/* When there is no message: frees all cells that no slip has, and gives the memory back that is not
 * needed. False: nothing was done. */
bool mdg__cells_give_all(struct mdg__queue *queue);

/* ---- slips (slips.c) ------------------------------------------------------------------------- */

enum {
	MDG__EXPRESS_CELLS = 256, /* of a message that goes the express way */
	MDG__SPARE_MOST = 512,    /* spare cells in a slip, before some are given back */
	MDG__SPARE_KEPT = 256     /* and how many are kept then */
};

static inline struct mdg__queue_slip *mdg__queue_slip_at(const struct mdg__queue *queue,
                                                         uint32_t unit)
{
	if (!mdg__is_cell(queue, unit) || !mdg__is_cell(queue, unit + MDG__SLIP_UNITS - 1) ||
	    unit % MDG__BLOCK_UNITS > MDG__BLOCK_UNITS - MDG__SLIP_UNITS)
		return NULL;
	return (struct mdg__queue_slip *)(void *)mdg__unit(queue, unit);
}

/* Acquire, release: sweep.c says in which order. */
static inline uint64_t mdg__chain_read(_Atomic uint64_t *chain)
{
	return atomic_load_explicit(chain, memory_order_acquire);
}

static inline void mdg__chain_write(_Atomic uint64_t *chain, uint32_t unit, uint32_t count)
{
	atomic_store_explicit(chain, (uint64_t)count << 32 | unit, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

bool mdg__queue_slip_owner_is_dead(const struct mdg__queue_slip *slip, uint64_t own_pids);
/* This thread's slip, for a call. NULL: it has none, or an older call has it. */
struct mdg__queue_slip *mdg__queue_slip_begin(const struct mdg__queue *queue, uint32_t *ret_unit);
void mdg__queue_slip_end(const struct mdg__queue *queue, struct mdg__queue_slip *slip,
                         uint32_t unit);
/* After a call by the lock: makes sure that the thread's next call finds a slip with so many spare
 * cells, if that can be done. [the lock is held] */
void mdg__queue_slip_prepare(const struct mdg__visit *visit, uint32_t cells);
/* Gives spare cells back. [the lock is held, and the slip is the caller's] */
void mdg__queue_slip_trim(struct mdg__queue *queue, struct mdg__queue_slip *slip);
/* This thread's slip has no cells any more. Nobody else has them either. [the lock is held] */
void mdg__queue_slip_give_up(const struct mdg__queue *queue);

/* ---- the express way (express.c) ------------------------------------------------------------- */

/* What a receiver wants. */
struct mdg__wanted {
	enum mdg__want want;
	bool cuts;
	int64_t type;
	uint64_t size;
};

/* The call has to go by the lock. CLAIMED: there is no message but those that others have claimed,
 * and the lock is needed to ask whether they live. */
enum { MDG__SLOW = 1, MDG__CLAIMED = 2 };

/* 0; -EAGAIN, no room; or MDG__SLOW. */
int mdg__express_send(struct mdg__queue *queue, int64_t type, const void *text, uint64_t size);
/* 0; -ENOMSG; -E2BIG; MDG__CLAIMED; or MDG__SLOW. */
int mdg__express_receive(struct mdg__queue *queue, const struct mdg__wanted *order, void *buffer,
                         int64_t *ret_type, uint64_t *ret_length);

/* ---- before a sleep (spin.c) ----------------------------------------------------------------- */

struct mdg__spin {
	uint64_t seen;   /* the turn */
	uint64_t end;    /* of a long spin; 0: it is a short one */
	uint32_t pauses; /* left */
	uint32_t yields; /* left */
	bool late, slow;
};
/* Before the first look at the queue. `sends`: by a sender, else by a receiver. */
void mdg__spin_begin(struct mdg__spin *spin, const struct mdg__queue *queue, bool sends);
/* True: the state has changed. False: that was long enough. */
bool mdg__spin(struct mdg__spin *spin, const struct mdg__queue *queue);
/* This thread has sent, and perhaps woken somebody; or it has received. */
void mdg__spin_note(bool sent, bool woke);
/* The call need not sleep after all. */
void mdg__spin_helped(const struct mdg__spin *spin);

/* ---- repair ---------------------------------------------------------------------------------- */

/* Sets right what a holder of the lock had begun, and calls everybody who sleeps. Whoever may write
 * to the memory may have made it worse than any death: then the list of messages ends at the first
 * one that cannot be. 0 or -ENOMEM: nothing was done. [the lock is held] */
int mdg__queue_repair(struct mdg__visit *visit);

/* ---- entering -------------------------------------------------------------------------------- */

/* How long whoever looks or removes waits for the lock. */
#define MDG__LOCK_MOST_NS UINT64_C(500000000)

/* Blocks signals and takes the lock. 0; -ENOSYS; -EDEADLK; -ENOMEM; -EBUSY; MDG_DAMAGED. */
int mdg__visit_begin(struct mdg__visit *visit, struct mdg__queue *queue);
/* Takes the lock again, with signals blocked. The same errors. */
int mdg__visit_lock(struct mdg__visit *visit);
/* Gives the lock back. Signals stay blocked. */
void mdg__visit_unlock(struct mdg__visit *visit);
/* Lets signals in again. */
void mdg__visit_end(struct mdg__visit *visit);

#endif
