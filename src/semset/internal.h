/* SPDX-License-Identifier: MIT */
/*
 * internal.h - the engine of a set of semaphores, in a set's memory. It knows neither keys nor
 * permissions.
 *
 * THE FAST WAY is one compare-and-swap of a semaphore's word, when nobody sleeps at the semaphore
 * and nothing is to be undone (op.c). THE EXPRESS WAY is for up to three semaphores, also with
 * UNDO, at which nobody sleeps: some compare-and-swaps (express.c). THE SLOW WAY is everything
 * else: with all signals blocked, under the set's lock, and with a journal (enter.c). Whoever
 * has changed a value there also does the operations of the sleepers that can go now, before it
 * gives the lock back (serve.c).
 *
 * The files of this room, from top to bottom; a file calls only files below its own:
 *
 *     check.c     what is wrong with a set; for madang doctor
 *     objects.c   sets in a namespace: made, found, looked at, changed, removed
 *     calls.c     the calls on a set by its id
 *     session.c   a set's memory and the calling process, for one call
 *     mend.c      a damaged set: lists and counts are made anew
 *     op.c        semop: the fast way, and the slow way to its end or to sleep
 *     value.c     GETVAL, SETVAL, GETALL, SETALL, the counts
 *     remove.c    IPC_RMID
 *     sleep.c     to sleep, and to wake
 *     watch.c     who sleeps on whose witness, to be woken by its death
 *     settle.c    what a dead process held is given back
 *     repair.c    what a dead holder of the lock left is set right
 *     serve.c     the operations of sleepers are done for them
 *     queue.c     sleepers, their operations, and the two lists of them
 *     perform.c   whether a list of operations can be done; doing it
 *     set.c       SETVAL and SETALL, as changes that can be begun anew
 *     holder.c    processes with UNDO, and their witnesses
 *     slips.c     the slips of threads
 *     enter.c     signals, lock, journal, and what is left to wake
 *     claim.c     claims of words
 *     express.c   a few operations without the lock, with a slip
 *     sums.c      where a sum lies
 *     heap.c      blocks
 *     region.c    what is remembered for each thread
 *     process.c   which process, and whether it has ended
 */
#ifndef MADANG_SEMSET_INTERNAL_H
#define MADANG_SEMSET_INTERNAL_H

#include <errno.h>
#include <stdbool.h>

#include "madang/sem.h"
#include "platform/ofthread.h"
#include "platform/sys.h"
#include "registry/journal.h"
#include "registry/signed_lock.h"
#include "semset/layout.h"
#include "sync/thread.h"

/* ---- which process (process.c) ----------------------------------------------------------- */

/* The calling process. Constant until it forks. */
struct mdg__semset_self {
	int32_t pid;
	uint32_t slot1, generation; /* the slot in the namespace: segment/sign.h */
	uint32_t sign;              /* the two in one word, for locks */
	uint64_t start;             /* mdg__process_start */
	uint64_t pid_namespace;     /* 0: not known */
};
/* The number of the pid namespace is that short in the kernel. */
static inline uint32_t mdg__pids(const struct mdg__semset_self *self)
{
	return (uint32_t)self->pid_namespace;
}

/* When this process began, in ticks since boot: the same after exec, and no other process with the
 * same pid has it. 0: /proc does not tell. */
uint64_t mdg__process_start(void);
/* Whether the process has ended. It has when it is a zombie whose last thread is gone, and already
 * when it has no memory any more: the kernel applies SEM_UNDO after that, and nobody can tell. */
enum mdg__ended { MDG__LIVES, MDG__HAS_ENDED, MDG__ENDS_UNKNOWN };
enum mdg__ended mdg__process_ended(int32_t pid, uint64_t start);
/* The same, if it is a process of the caller's pid namespace. In another one the same pid is
 * another process's, and nothing is known. */
enum mdg__ended mdg__process_ended_in(uint32_t own_pids, uint32_t pids, int32_t pid,
                                      uint64_t start);
/* Whether a sleeper's process has ended for sure. */
bool mdg__sleeper_has_ended(const struct mdg__semset_self *self,
                            const struct mdg__sleeper *sleeper);

/* ---- a set in this process --------------------------------------------------------------- */

struct mdg__semset;
/* What the engine asks of whoever has mapped the memory. */
struct mdg__semset_host {
	/* The memory is to have `least` bytes: changes base and length of the set. 0: what others
	 * have made is to be mapped. The old addresses stay valid. 0, -ENOMEM ... */
	int (*grow)(struct mdg__semset *set, uint64_t least);
	/* Whether the process that signed so is gone: see signed_lock.h. */
	bool (*sign_is_gone)(struct mdg__semset *set, uint32_t sign, uint32_t rounds);
	/* Whether the process with this slot lives; asked when /proc cannot tell. */
	bool (*pair_lives)(struct mdg__semset *set, uint32_t slot1, uint32_t generation);
	/* Whether the set is there. One that was removed while nobody had its memory says nothing
	 * of that in its memory. */
	bool (*is_there)(struct mdg__semset *set);
	/* The witness lies in this memory, which has to stay mapped at this address. The host
	 * calls mdg__witness_leave when the set is gone. */
	void (*keep)(struct mdg__semset *set, struct mdg__robust *witness);
	/* The calling thread is about to sleep in the set, with no lock held. */
	void (*sleeps)(struct mdg__semset *set);
};

struct mdg__semset {
	char *base;      /* page-aligned */
	uint64_t length; /* bytes */
	uint32_t count;  /* semaphores, 1 to 65535 */
	uint64_t now;    /* seconds, when the call began; 0: not known */
	struct mdg__semset_self self;
	const struct mdg__semset_host *host;
	void *context; /* the host's */
};

/* A process as the memory of a set names it. */
struct mdg__process_name {
	uint32_t pids; /* its pid namespace; 0: not known */
	int32_t pid;
	uint64_t start;
	uint32_t slot1, generation; /* in the namespace: asked when /proc cannot tell */
};
bool mdg__named_has_ended(struct mdg__semset *set, const struct mdg__process_name *name);

/* The least memory of a set with so many semaphores. */
static inline uint64_t mdg__semset_heap_at(uint32_t count)
{
	return (MDG__SEMAPHORES_AT + (uint64_t)count * sizeof(struct mdg__semaphore) +
	        (MDG__BLOCK - 1)) &
	       ~(uint64_t)(MDG__BLOCK - 1);
}
static inline struct mdg__semset_head *mdg__semset_head(const struct mdg__semset *set)
{
	return (struct mdg__semset_head *)(void *)set->base;
}
static inline struct mdg__semaphore *mdg__semset_at(const struct mdg__semset *set, uint32_t number)
{
	return (struct mdg__semaphore *)(void *)(set->base + MDG__SEMAPHORES_AT) + number;
}

/* ---- what others call (op.c, value.c, remove.c) ------------------------------------------- */

/* All operations or none; `deadline` as in madang/base.h. The numbers are below `count`.
 *   0; -EAGAIN: one with NOWAIT blocks; -ERANGE; -ETIMEDOUT; -EINTR; -EIDRM: removed while asleep;
 *   -EINVAL: removed before; -EFBIG: a number is too large; -ENOMEM; MDG_DAMAGED. */
int mdg__semset_op(struct mdg__semset *set, const struct mdg_semset_op *ops, uint32_t count,
                   uint64_t deadline);
/* GETVAL, GETPID, GETNCNT, GETZCNT: a number, or a negative code. */
int mdg__semset_value(struct mdg__semset *set, uint32_t number);
int mdg__semset_pid(struct mdg__semset *set, uint32_t number, int32_t *ret_pid);
int mdg__semset_waiting(struct mdg__semset *set, uint32_t number, bool for_zero);
/* SETVAL, GETALL, SETALL. The values are 0 to 32767. */
int mdg__semset_set_value(struct mdg__semset *set, uint32_t number, int32_t value);
int mdg__semset_all(struct mdg__semset *set, uint16_t *ret_values);
int mdg__semset_set_all(struct mdg__semset *set, const uint16_t *values);
/* Seconds; 0 is never. If a process keeps the lock and does not go on, this waits for half a
 * second, and then gives what is there. */
int64_t mdg__semset_otime(struct mdg__semset *set);
int64_t mdg__semset_ctime(struct mdg__semset *set);
/* Whether a process that lives, but perhaps is stopped, keeps the lock: it had it all the time for
 * half a second. Costs a load if nobody has it. */
bool mdg__semset_is_stuck(struct mdg__semset *set);
/* IPC_RMID. All sleepers get -EIDRM. */
int mdg__semset_remove(struct mdg__semset *set);

/* ---- the slow way (enter.c) ---------------------------------------------------------------- */

enum { MDG__TOUCHED_MAX = 32, MDG__WAKE_MAX = 16 };

/* One stay under the lock. Private to the thread. */
struct mdg__semset_stay {
	struct mdg__semset *set;
	struct mdg__semset_head *head;
	uint32_t blocks; /* that are mapped */
	uint32_t sign;
	struct mdg__signed_lock lock;
	struct mdg__journal journal;
	mdg__sigmask mask;
	uint32_t touched_count; /* words that were claimed; more than MAX: perhaps any */
	uint16_t touched[MDG__TOUCHED_MAX];
	uint32_t wake_count;
	mdg__a32 *wake[MDG__WAKE_MAX];
};

/* How many blocks a call may need at most, and whether it needs the large journal. */
struct mdg__semset_need {
	uint32_t blocks;
	bool big_notes;
	/* How often to sleep for one owner of the lock: mdg__signed_lock_take_within. 0: for as
	 * long as it takes. */
	uint32_t sleeps;
};

/* Blocks all signals and takes the lock. 0; -EINVAL: the set was removed; -ENOMEM; MDG_DAMAGED;
 * -ETIMEDOUT: only if need.sleeps is not 0.
 * `repair` is mdg__semset_repair. */
int mdg__semset_enter(struct mdg__semset_stay *stay, struct mdg__semset *set,
                      struct mdg__semset_need need, int (*repair)(void *stay));
/* Gives back words, lock and signals, and wakes who is to be woken. */
void mdg__semset_leave(struct mdg__semset_stay *stay);
/* The same, but signals stay blocked. */
void mdg__semset_leave_blocked(struct mdg__semset_stay *stay);
/* [lock] Maps all that others have used. 0, -ENOMEM, MDG_DAMAGED. */
int mdg__semset_map_used(struct mdg__semset_stay *stay);
/* The same two for whoever may enter a removed set too. */
int mdg__semset_enter_any(struct mdg__semset_stay *stay, struct mdg__semset *set,
                          struct mdg__semset_need need, int (*repair)(void *stay));

/* From here on all want the lock. */
/* Nobody but the holder of the lock changes the semaphore from now until mdg__semset_leave. */
void mdg__claim(struct mdg__semset_stay *stay, uint32_t number);
/* For the end of a stay: all that was claimed may be changed by anybody again. */
void mdg__unclaim_all(struct mdg__semset_stay *stay);
/* Wakes whoever sleeps on the word, when the lock has been given back. */
void mdg__wake_later(struct mdg__semset_stay *stay, mdg__a32 *word);

static inline uint32_t mdg__load32(const mdg__a32 *field)
{
	return atomic_load_explicit((mdg__a32 *)(uintptr_t)field, memory_order_acquire);
}
static inline uint32_t mdg__load16(const mdg__a16 *field)
{
	return atomic_load_explicit((mdg__a16 *)(uintptr_t)field, memory_order_acquire);
}
static inline uint64_t mdg__load64(const mdg__a64 *field)
{
	return atomic_load_explicit((mdg__a64 *)(uintptr_t)field, memory_order_acquire);
}
static inline void mdg__semset_put32(struct mdg__semset_stay *stay, mdg__a32 *field, uint32_t value)
{
	mdg__journal_put32(&stay->journal, field, value);
}
static inline void mdg__semset_put64(struct mdg__semset_stay *stay, mdg__a64 *field, uint64_t value)
{
	mdg__journal_put64(&stay->journal, field, value);
}
static inline void mdg__semset_commit(struct mdg__semset_stay *stay)
{
	mdg__journal_commit(&stay->journal);
}
/* Stores that need no journal: the block is not linked yet. */
static inline void mdg__fill32(mdg__a32 *field, uint32_t value)
{
	atomic_store_explicit(field, value, memory_order_release);
}
static inline void mdg__fill16(mdg__a16 *field, uint32_t value)
{
	atomic_store_explicit(field, (uint16_t)value, memory_order_release);
}
static inline void mdg__fill64(mdg__a64 *field, uint64_t value)
{
	atomic_store_explicit(field, value, memory_order_release);
}

/* ---- blocks (heap.c) ----------------------------------------------------------------------- */

/* How many blocks are mapped here. */
static inline uint32_t mdg__block_count(const struct mdg__semset *set)
{
	uint64_t at = mdg__semset_heap_at(set->count);
	uint64_t count = set->length > at ? (set->length - at) / MDG__BLOCK : 0;
	return count < INT32_MAX ? (uint32_t)count : INT32_MAX;
}
/* The block, if it is mapped here; else NULL. */
static inline struct mdg__block *mdg__block_of(const struct mdg__semset *set, uint32_t block1)
{
	if (block1 == 0 || block1 > mdg__block_count(set))
		return NULL;
	uint64_t at = mdg__semset_heap_at(set->count) + (uint64_t)(block1 - 1) * MDG__BLOCK;
	return (struct mdg__block *)(void *)(set->base + at);
}
/* The same, if it is of that kind. */
static inline void *mdg__block_at(const struct mdg__semset *set, uint32_t block1, uint32_t kind)
{
	struct mdg__block *block = mdg__block_of(set, block1);
	return block != NULL && mdg__load32(&block->kind) == kind ? block : NULL;
}
/* The index + 1 of a free block, which is of that kind from now on; 0: none is left. Other fields
 * hold anything. */
uint32_t mdg__block_alloc(struct mdg__semset_stay *stay, uint32_t kind);
void mdg__block_free(struct mdg__semset_stay *stay, uint32_t block1);
/* Whether so many can be had. */
bool mdg__block_have(const struct mdg__semset_stay *stay, uint32_t count);

/* ---- sums (sums.c) ------------------------------------------------------------------------- */

/* The word of a sum, or NULL: there is none, and it is 0. */
mdg__a64 *mdg__sum_at(const struct mdg__semset *set, uint32_t holder1, uint32_t number);

/* ---- without the lock, with a slip (express.c, slips.c) ------------------------------------- */

/* Up to four operations on up to three semaphores, in which `undo` says that some have UNDO, of at
 * most 4096 each. 0, -EAGAIN, -ERANGE; 1: go the slow way. */
int mdg__express_op(const struct mdg__semset *set, const struct mdg_semset_op *ops, uint32_t count,
                    bool undo);
/* [lock] The semaphore's word says EXPRESS. Does a step towards its end. */
void mdg__express_resolve(const struct mdg__semset *set, uint32_t number, uint64_t word);
/* Whether this thread has a slip in the set. Its sums go to this holder from now on. */
bool mdg__express_has(const struct mdg__semset *set, uint32_t holder1);
/* The slip is this thread's. */
void mdg__express_keep(const struct mdg__semset *set, uint32_t slip1);
/* [lock] This thread gets a slip, if it has none. Commits. */
void mdg__slip_prepare(struct mdg__semset_stay *stay, uint32_t holder1);
/* [lock] Ends the slips of this process, which has ended; NULL: of all that have. Commits. */
void mdg__slips_end(struct mdg__semset_stay *stay, const struct mdg__set_holder *of);

/* ---- holders (holder.c) -------------------------------------------------------------------- */

/* Whether each holder but the calling process is seen to live: a few loads, without the lock.
 * False: perhaps one has ended; mdg__settle finds out. */
bool mdg__holders_are_witnessed(const struct mdg__semset *set);
/* This process as a holder, with room for sums of these operations, and with a witness. 0,
 * -ENOMEM, MDG_DAMAGED. Commits. */
int mdg__holder_prepare(struct mdg__semset_stay *stay, const struct mdg_semset_op *ops,
                        uint32_t count, uint32_t *ret_holder1);
/* Takes a robust word out of this thread's list, if it is there. */
void mdg__witness_leave(struct mdg__robust *robust);
bool mdg__holder_is_own(const struct mdg__semset *set, const struct mdg__set_holder *holder);
/* All sums of this semaphore become 0 (puts, and commits in between). */
void mdg__sums_clear(struct mdg__semset_stay *stay, uint32_t number);

/* ---- lists of operations (perform.c) ------------------------------------------------------- */

/* A list that is looked at, and how far it would go. */
struct mdg__attempt {
	const struct mdg_semset_op *ops;
	uint32_t count;
	uint32_t holder1;            /* for those with UNDO */
	uint32_t blocked;            /* the operation that decided, if it was not 0 */
	int32_t value[MDG__OPS_MAX]; /* of its semaphore after each operation, */
	int32_t sum[MDG__OPS_MAX];   /* and of its sum, if the operation has UNDO */
};

/* Whether all can be done, as the values are. 0, -EAGAIN: one has to wait; -ERANGE. */
int mdg__attempt(const struct mdg__semset *set, struct mdg__attempt *attempt);
/* Does them, for this process. Puts; the caller commits. The words are claimed. */
void mdg__perform(struct mdg__semset_stay *stay, const struct mdg__attempt *attempt, int32_t pid);
/* The value as its word has it. */
int32_t mdg__value_now(const struct mdg__semset *set, uint32_t number);
/* Sleepers are to be looked at. Puts. */
void mdg__note_change(struct mdg__semset_stay *stay, bool to_zero);
/* The same, after a change of which nobody notes what it named: of all that are 0. Puts. */
void mdg__note_any_zero(struct mdg__semset_stay *stay);
void mdg__semset_stamp(mdg__a64 *time);

/* ---- sleepers (queue.c) -------------------------------------------------------------------- */

/* Room for a sleeper's operations in private memory. */
struct mdg__oplist {
	uint32_t count;
	struct mdg_semset_op ops[MDG__OPS_MAX];
};
/* A new sleeper at the end of the queue, not committed yet. The robust word is entered in the
 * thread's list. `timed`: the sleep has a deadline. */
int mdg__sleeper_make(struct mdg__semset_stay *stay, const struct mdg_semset_op *ops,
                      uint32_t count, uint32_t holder1, uint32_t blocked, bool timed,
                      uint32_t *ret_block1);
/* False: what is written there cannot be. */
bool mdg__sleeper_ops(const struct mdg__semset *set, const struct mdg__sleeper *sleeper,
                      struct mdg__oplist *ret);
/* From the queue to `done`; no operation of it is counted any more. Puts. */
void mdg__sleeper_retire(struct mdg__semset_stay *stay, uint32_t block1);
/* Out of the list in which it is, and its blocks are free. Puts, and commits. */
void mdg__sleeper_free(struct mdg__semset_stay *stay, uint32_t block1);
/* Takes away sleepers that need their block no more, of the first few that were served and the last
 * few that were not. Commits. */
void mdg__sleepers_reap(struct mdg__semset_stay *stay);
/* The same of all, and those whose process has ended. Commits. */
void mdg__sleepers_sweep(struct mdg__semset_stay *stay);
static inline bool mdg__word_sleeps(uint32_t word)
{
	return (word & MDG__TID) != 0 && (word & MDG__TID) < MDG__ENDED;
}

/* ---- serving (serve.c) --------------------------------------------------------------------- */

/* All sleepers that can go are done, and the dead are taken away. Commits. */
void mdg__serve(struct mdg__semset_stay *stay);
/* The rest of a service that had begun. */
void mdg__serve_again(struct mdg__semset_stay *stay);
/* The semaphore at which a sleeper waits now, and whether for zero. False: at none. */
bool mdg__sleeper_waits_at(struct mdg__semset_stay *stay, const struct mdg__sleeper *sleeper,
                           uint32_t *ret_number, bool *ret_for_zero);
void mdg__sleeper_wake(struct mdg__semset_stay *stay, struct mdg__sleeper *sleeper);

/* ---- the rest ------------------------------------------------------------------------------ */

/* set.c: `staged` of this semaphore, or of all, becomes the value. Commits. */
void mdg__set_staged(struct mdg__semset_stay *stay, uint32_t which1, int32_t pid);
void mdg__set_again(struct mdg__semset_stay *stay);
/* repair.c: for mdg__semset_enter. */
int mdg__semset_repair(void *stay);
/* settle.c: what holders have left that have ended, is given back, and sleepers served. */
void mdg__settle(struct mdg__semset_stay *stay);
/* watch.c: sleepers and holders are matched, at the end of a stay. Commits. */
void mdg__watch(struct mdg__semset_stay *stay);
/* How many holders, of other processes, have something of what the sleeper waits for. A hint if the
 * lock is not held. */
unsigned mdg__holders_for(const struct mdg__semset *set, const struct mdg__sleeper *sleeper);
/* sleep.c: sleeps until the sleep is ended: what semop returns. `block1` is in the queue.
 * Called with all signals blocked, and `mask` says which are to be in the end. */
int mdg__sleep_in_queue(struct mdg__semset *set, struct mdg__sleeper *sleeper, uint32_t block1,
                        uint64_t deadline, const mdg__sigmask *mask);
/* How many calls of this thread sleep: one, and those that handlers have made beside it. */
extern MDG__OF_THREAD uint32_t mdg__sleep_depth;
void mdg__sleeps_end(void);
/* A new call of this thread: what it slept in before, it does not any more. It is in a signal
 * handler, or has left one by longjmp. */
static inline void mdg__sleep_interrupted(void)
{
	if (__builtin_expect(mdg__sleep_depth != 0, 0))
		mdg__sleeps_end();
}
#endif
