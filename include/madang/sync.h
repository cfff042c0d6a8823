/* SPDX-License-Identifier: MIT */
/*
 * madang/sync.h - synchronisation in shared memory that survives the death of
 * those who use it.
 *
 * Each object lies in memory that processes or threads share: a segment, a file
 * or memfd mapped with MAP_SHARED, shm_open, or plain memory for the threads of
 * one process. It may lie at another address in each process.
 *
 *     struct box { mdg_mutex lock; int total; } *box = ...;   // shared, zeros at first
 *
 *     int rc = mdg_mutex_lock(&box->lock);
 *     if (rc == MDG_OWNER_DIED) {        // locked; who held it died in the middle
 *             box->total = count_again(); // make the data right, and say so
 *             rc = mdg_mutex_set_repaired(&box->lock);
 *     }
 *     if (rc == 0) {
 *             box->total++;
 *             mdg_mutex_unlock(&box->lock);
 *     }
 *
 * ZERO BYTES are a valid object that nobody uses: memory that is fresh needs no
 * initialisation, and so nobody has to go first.
 *
 * LAYOUT. Sizes and alignment (64 bytes) are fixed, and the same for glibc and
 * musl, 32 and 64 bits, x86-64 and aarch64. The fields are private. An object
 * must not be copied, and not be moved while it is used.
 *
 * DEATH. A thread that ends, by exit, exec or kill -9, alone or with its process,
 * gives back what it held, and the next one is told once: MDG_OWNER_DIED. It
 * comes from the kernel (get_robust_list(2)) at once, and does not rest on
 * process or thread ids, which are used again. Two things the kernel does not see: what a
 * thread other than the process's first held when it called exec stays held for ever; and
 * between pid namespaces, a thread killed in the few instructions in which it gives back or
 * tries to take what a thread with the same id holds is taken for that one.
 *
 * WAITING. Each wait comes in three forms: without limit; `try`, which says
 * -EBUSY (-EAGAIN where nothing is held) instead of waiting; and `_until` a
 * deadline, in nanoseconds of CLOCK_MONOTONIC (mdg_deadline makes one), which
 * says -ETIMEDOUT; one that has passed already still takes what can be had at
 * once. MDG_FOREVER is no deadline. A wait spins for a moment, then sleeps in
 * the kernel. A signal handler that runs meanwhile loses nothing; the waits of
 * mutex, rwlock, once, cell and transaction then go on; those of condition, semaphore,
 * event and barrier end with -EINTR where signal(7) says that a futex(2) wait does:
 * when the handler was installed without SA_RESTART, or a deadline was given; a barrier's
 * after any handler, because it looks for the dead every 20 ms.
 *
 * ERRORS. Every function returns 0 (or what it says), or one negative code:
 *   MDG_OWNER_DIED  done; who held it before has died, see the object
 *   MDG_BROKEN      not done: the data were left unrepaired, or the object holds
 *                   what no object can hold
 *   -EDEADLK        this thread holds it already
 *   -EPERM          this thread does not hold it
 *   -ENOLCK         this thread holds 64 locks already
 *   -ENOSYS         the kernel has no robust lists
 *   -EINVAL         an argument, or a value that other users' calls do not agree with
 * errno is never touched.
 *
 * SAFETY. Any thread; no allocation, no cancellation points, no descriptors. From
 * a signal handler everything that does not wait; what a handler locks it must give
 * back before it returns. After fork a child holds nothing: its parent does. In a
 * child of vfork nothing of this may be called.
 *
 * UNMAPPING. Memory must not be unmapped while a thread holds or waits for something in it.
 * mdg_segment_detach refuses (-EBUSY) when that is the calling thread. shmdt, munmap, mmap over it,
 * mremap and MDG_REMAP do not refuse, as they would not on the kernel. Where Madang sees them
 * (segment.h says where), what the calling thread holds there is given up first as if
 * the thread had died, and the next one gets MDG_OWNER_DIED. Elsewhere, and for what other threads
 * hold there, nobody does this: that lock stays held in the other processes, and so may, when its
 * owner dies, all that the owner had locked before it.
 *
 * SHARED MEMORY CAN BE WRITTEN BY ALL WHO SHARE IT. One that scribbles there can
 * make others wait for ever or see MDG_BROKEN; it cannot make these functions
 * read or write outside of the objects and the memory given to them.
 */
#ifndef MADANG_SYNC_H
#define MADANG_SYNC_H

#include <madang/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MDG_ALIGNED __attribute__((aligned(64)))
#else
#define MDG_ALIGNED
#endif

/* ---- mutex ---------------------------------------------------------------- */

/* One owner at a time: the thread that locked it. 128 bytes.
 *
 * When the owner dies, the next to lock gets MDG_OWNER_DIED, once, and holds the
 * mutex. It makes the data right and calls mdg_mutex_set_repaired; if it unlocks
 * without, the data are given up: all others get MDG_BROKEN, until
 * mdg_mutex_destroy makes the object new. If it dies as well, the next one gets
 * MDG_OWNER_DIED. */
typedef struct mdg_mutex {
	uint32_t mdg_private[32];
} MDG_ALIGNED mdg_mutex;

/* 0, MDG_OWNER_DIED (locked), MDG_BROKEN, -EDEADLK, -ENOLCK, -ENOSYS. */
MDG_API int mdg_mutex_lock(mdg_mutex *mutex);
MDG_API int mdg_mutex_trylock(mdg_mutex *mutex);                       /* also -EBUSY */
MDG_API int mdg_mutex_lock_until(mdg_mutex *mutex, uint64_t deadline); /* also -ETIMEDOUT */
/* 0, -EPERM. After MDG_OWNER_DIED without mdg_mutex_set_repaired: MDG_BROKEN for all others. */
MDG_API int mdg_mutex_unlock(mdg_mutex *mutex);
/* The owner says that the data are right again. 0, -EPERM, -EINVAL: nobody had died. */
MDG_API int mdg_mutex_set_repaired(mdg_mutex *mutex);
/* Makes it new, also one that is broken. 0, -EBUSY: somebody holds it. */
MDG_API int mdg_mutex_destroy(mdg_mutex *mutex);

/* ---- rwlock ---------------------------------------------------------------- */

/* Many readers or one writer. 4,288 bytes: each reader has a line of memory to
 * itself, so readers do not disturb each other. At most MDG_READERS_MAX at
 * once; more wait (or get -EBUSY). A waiting writer keeps new readers out; writers
 * that leave no gap keep them out too. A reader's death is no harm and noticed by the
 * writer that waits for it. After the death of a writer that was in, the next one gets
 * MDG_OWNER_DIED and holds it FOR WRITING, also if it asked to read: then as with the
 * mutex. One that died while it waited for readers to leave has written nothing, and nobody
 * is told. */
#define MDG_READERS_MAX 64
typedef struct mdg_rwlock {
	uint32_t mdg_private[1072];
} MDG_ALIGNED mdg_rwlock;

/* 0, MDG_OWNER_DIED (for writing), MDG_BROKEN, -EDEADLK (held in either way),
 * -ENOLCK, -ENOSYS. */
MDG_API int mdg_rwlock_read(mdg_rwlock *lock);
MDG_API int mdg_rwlock_tryread(mdg_rwlock *lock);                       /* also -EBUSY */
MDG_API int mdg_rwlock_read_until(mdg_rwlock *lock, uint64_t deadline); /* also -ETIMEDOUT */
MDG_API int mdg_rwlock_write(mdg_rwlock *lock);
MDG_API int mdg_rwlock_trywrite(mdg_rwlock *lock);                       /* also -EBUSY */
MDG_API int mdg_rwlock_write_until(mdg_rwlock *lock, uint64_t deadline); /* also -ETIMEDOUT */
MDG_API int mdg_rwlock_unlock(mdg_rwlock *lock);       /* in either way: 0, -EPERM */
MDG_API int mdg_rwlock_set_repaired(mdg_rwlock *lock); /* 0, -EPERM: not for writing, -EINVAL */
MDG_API int mdg_rwlock_destroy(mdg_rwlock *lock);      /* 0, -EBUSY: somebody holds it */

/* ---- condition -------------------------------------------------------------- */

/* Waiting, with a mutex held, for something to become true. 128 bytes. Any wait
 * may return without a reason: check what is waited for in a loop. The threads
 * that wait at one time must use the same mutex. A waiter's death takes no wake-up away
 * from the others, not even when it dies with the mutex before it has used what it was
 * woken for: mdg_cond_signal wakes all, as mdg_cond_broadcast does, since nobody knows
 * whether the one would live. Where one of many is to be woken, use a semaphore. */
typedef struct mdg_cond {
	uint32_t mdg_private[32];
} MDG_ALIGNED mdg_cond;

/* Gives the mutex back, waits, takes it again. Held on return, unless that is
 * MDG_BROKEN. 0; -EINTR; -ETIMEDOUT; MDG_OWNER_DIED, MDG_BROKEN of the mutex, which count
 * more than those; and before anything, the mutex being held as it was: -EPERM; -EINVAL: it is
 * not repaired yet (mdg_mutex_set_repaired), and given back it would be broken for all. */
MDG_API int mdg_cond_wait(mdg_cond *cond, mdg_mutex *mutex);
MDG_API int mdg_cond_wait_until(mdg_cond *cond, mdg_mutex *mutex, uint64_t deadline);
/* With or without the mutex held. No system call when nobody waits. 0. */
MDG_API int mdg_cond_signal(mdg_cond *cond);
MDG_API int mdg_cond_broadcast(mdg_cond *cond);
MDG_API int mdg_cond_destroy(mdg_cond *cond); /* 0, -EBUSY: somebody waits */

/* ---- semaphore --------------------------------------------------------------- */

/* A number that is never below zero; zero at first. 128 bytes. Nobody owns it: what a
 * dead process had taken is not given back. A death loses no unit and no wake-up: that of a
 * waiter leaves both to the others; one that posts has added all its units, or none. Only a
 * wait that sleeps, or a post that wakes, makes a system call. */
#define MDG_SEM_MAX 0x7fffffffu
typedef struct mdg_sem {
	uint32_t mdg_private[32];
} MDG_ALIGNED mdg_sem;

MDG_API int mdg_sem_post(mdg_sem *sem, uint32_t count);          /* 0, -EOVERFLOW: nothing added */
MDG_API int mdg_sem_wait(mdg_sem *sem);                          /* takes one: 0, -EINTR, -ENOSYS */
MDG_API int mdg_sem_trywait(mdg_sem *sem);                       /* 0, -EAGAIN */
MDG_API int mdg_sem_wait_until(mdg_sem *sem, uint64_t deadline); /* also -ETIMEDOUT */
MDG_API int mdg_sem_value(const mdg_sem *sem);                   /* as it was a moment ago */
MDG_API int mdg_sem_destroy(mdg_sem *sem); /* to zero: 0, -EBUSY: somebody waits */

/* ---- event --------------------------------------------------------------------- */

/* Something that has happened, or not yet: set or not set. 128 bytes. `wait` leaves
 * it set: all pass that are asleep when it is set, also if it is reset before they run; one that is
 * just falling asleep may miss a set that is reset at once. `take` resets it: of those who take, one passes for each time it was set while not set. Setting it
 * with nobody waiting is no system call. A taker that dies before it has taken leaves it to the
 * next; one that sets it has set it for all, or not at all. */
typedef struct mdg_event {
	uint32_t mdg_private[32];
} MDG_ALIGNED mdg_event;

MDG_API int mdg_event_set(mdg_event *event);                           /* 0 */
MDG_API int mdg_event_reset(mdg_event *event);                         /* 0 */
MDG_API int mdg_event_is_set(const mdg_event *event);                  /* 1 or 0 */
MDG_API int mdg_event_wait(mdg_event *event);                          /* 0, -EINTR, -ENOSYS */
MDG_API int mdg_event_wait_until(mdg_event *event, uint64_t deadline); /* also -ETIMEDOUT */
MDG_API int mdg_event_take(mdg_event *event);                          /* 0, -EINTR, -ENOSYS */
MDG_API int mdg_event_trytake(mdg_event *event);                       /* 0, -EAGAIN */
MDG_API int mdg_event_take_until(mdg_event *event, uint64_t deadline); /* also -ETIMEDOUT */
MDG_API int mdg_event_destroy(mdg_event *event); /* 0, -EBUSY: somebody waits */

/* ---- barrier --------------------------------------------------------------------- */

/* A meeting that nobody leaves before all `members` have come. 4,224 bytes. A thread
 * becomes a member with mdg_barrier_join, or with its first wait, and stays one until it
 * leaves or dies. Until somebody joins in its place one that has left is waited for. One
 * that dies is not: all get MDG_OWNER_DIED from the meeting that it missed, once, also when
 * somebody has joined in its place before; and the later ones are of those that remain, until
 * somebody joins. A member counts among the 64 locks that a thread can hold. All must give
 * the same number of members (1 to MDG_MEMBERS_MAX) until the barrier is destroyed: -EINVAL to
 * those that come with another. */
#define MDG_MEMBERS_MAX 64
#define MDG_LAST        1 /* returned to one of those who met, unless that one dies before it returns */
typedef struct mdg_barrier {
	uint32_t mdg_private[1056];
} MDG_ALIGNED mdg_barrier;

/* 0, -EDEADLK: is a member; -EAGAIN: there are `members` already; -EINVAL, -ENOLCK, -ENOSYS. */
MDG_API int mdg_barrier_join(mdg_barrier *barrier, uint32_t members);
/* 0; MDG_LAST; MDG_OWNER_DIED: met, without a member that died; -EINTR and -ETIMEDOUT:
 * not met, and this thread's coming is taken back, but it is a member; the errors of join. */
MDG_API int mdg_barrier_wait(mdg_barrier *barrier, uint32_t members);
MDG_API int mdg_barrier_wait_until(mdg_barrier *barrier, uint32_t members, uint64_t deadline);
MDG_API int mdg_barrier_leave(mdg_barrier *barrier);   /* 0, -EPERM: is no member */
MDG_API int mdg_barrier_destroy(mdg_barrier *barrier); /* 0, -EBUSY: it has living members */

/* ---- once ------------------------------------------------------------------------- */

/* Something that is done once by one of many. 128 bytes. After 0 or MDG_OWNER_DIED
 * (who was at it died) the caller does it, and then says mdg_once_finish or
 * mdg_once_fail; the others wait until then, and get MDG_DONE or their turn. Once it is
 * done, begin is one load, and the memory may be mapped read-only. */
#define MDG_DONE 1
typedef struct mdg_once {
	uint32_t mdg_private[32];
} MDG_ALIGNED mdg_once;

/* MDG_DONE, 0, MDG_OWNER_DIED; MDG_BROKEN: it holds what no call has put there; -EDEADLK,
 * -ENOLCK, -ENOSYS. */
MDG_API int mdg_once_begin(mdg_once *once);
MDG_API int mdg_once_trybegin(mdg_once *once);                       /* also -EBUSY */
MDG_API int mdg_once_begin_until(mdg_once *once, uint64_t deadline); /* also -ETIMEDOUT */
MDG_API int mdg_once_finish(mdg_once *once);                         /* 0, -EPERM: not at it */
MDG_API int mdg_once_fail(mdg_once *once); /* 0, -EPERM: the next one tries */
/* Makes it new: 0, -EBUSY: somebody is at it. */
MDG_API int mdg_once_destroy(mdg_once *once);

/* ---- cell ------------------------------------------------------------------------- */

/* The latest value of something, of a fixed size. One writer at a time; any number of readers,
 * which only read memory (it may be mapped read-only), make no system call, never block the
 * writer, and never see half a value, also when the writer dies in the middle: its value then
 * never appears. A cell takes MDG_CELL_SIZE(size of the value) bytes of shared memory; as zero
 * bytes it holds version 0, a value of zero bytes. Who first begins to write says how large the
 * value is; all must give the same size, 1 to MDG_CELL_MAX: -EINVAL to those that do not. */
#define MDG_CELL_MAX 0x10000000u
typedef struct mdg_cell {
	uint32_t mdg_private[48];
} MDG_ALIGNED mdg_cell;
#define MDG_CELL_SIZE(value_size) (sizeof(mdg_cell) + 4 * (((size_t)(value_size) + 63) / 64 * 64))
/* The same as MDG_CELL_SIZE, for languages that cannot use macros; 0: no cell can be so large. */
MDG_API size_t mdg_cell_size(size_t value_size);

/* Copies the latest value out. `ret_version` may be NULL; a version counts the values
 * modulo 2^32. 0, -EINVAL. A read that is overtaken by three values while it copies
 * starts again. */
MDG_API int mdg_cell_read(const mdg_cell *cell, void *value, size_t size, uint32_t *ret_version);
/* 0; MDG_OWNER_DIED: written, and a writer before had died in the middle; -EINVAL, -EDEADLK,
 * -ENOLCK, -ENOSYS. */
MDG_API int mdg_cell_write(mdg_cell *cell, const void *value, size_t size);
MDG_API int mdg_cell_trywrite(mdg_cell *cell, const void *value, size_t size); /* also -EBUSY */
MDG_API int mdg_cell_write_until(mdg_cell *cell, const void *value, size_t size,
                                 uint64_t deadline); /* also -ETIMEDOUT */
/* Writing in place: begin gives `size` bytes (what they hold is not said), commit shows
 * them to the readers, cancel does not. begin as write; commit, cancel: 0, -EPERM. */
MDG_API int mdg_cell_begin(mdg_cell *cell, size_t size, void **ret_place);
MDG_API int mdg_cell_trybegin(mdg_cell *cell, size_t size, void **ret_place);
MDG_API int mdg_cell_begin_until(mdg_cell *cell, size_t size, uint64_t deadline, void **ret_place);
MDG_API int mdg_cell_commit(mdg_cell *cell);
MDG_API int mdg_cell_cancel(mdg_cell *cell);
/* A value of zero bytes, of any size again; the version counts on, by four. Readers need not
 * stay away: they see the value before or the zeros. 0, -EBUSY: somebody writes. */
MDG_API int mdg_cell_destroy(mdg_cell *cell);

/* ---- transaction -------------------------------------------------------------------- */

/* A mutex with a journal: what its owner writes reaches the data as a whole or not at
 * all, whenever it dies. MDG_TXN_SIZE(journal) bytes of shared memory, zeros at first.
 * The journal bounds what one transaction writes: each write takes its bytes rounded
 * up to 8, and 16 more. Its format is in docs/sync-journal.md.
 *
 *     mdg_txn_run run;                                      // the caller's own, on its stack
 *     rc = mdg_txn_begin(&run, txn, 4096, data, size);      // MDG_OWNER_DIED: data are whole
 *     if (rc == 0 || rc == MDG_OWNER_DIED) {
 *             rc = mdg_txn_write(&run, &data->from, &from, sizeof(from));
 *             if (rc == 0)
 *                     rc = mdg_txn_write(&run, &data->to, &to, sizeof(to));
 *             rc = rc == 0 ? mdg_txn_commit(&run) : mdg_txn_cancel(&run);
 *     }
 *
 * The data are the memory that begin names: the same bytes for all users of the
 * transaction, which may lie at different addresses; they must not be written in any other
 * way. Reading them is for the owner: within a transaction they are as they were at its
 * begin; mdg_txn_read gives them with what was written since. Who begins first says how
 * large journal and data are: -EINVAL to those that say otherwise. */
typedef struct mdg_txn {
	uint32_t mdg_private[48];
} MDG_ALIGNED mdg_txn;
#define MDG_TXN_SIZE(journal) (sizeof(mdg_txn) + ((size_t)(journal) + 63) / 64 * 64)
/* The same as MDG_TXN_SIZE, for languages that cannot use macros; 0: no journal can have this
 * size. */
MDG_API size_t mdg_txn_size(size_t journal);

/* One transaction that is running, of the thread that began it: where the data are, and how much
 * of the journal is used. Not to lie in shared memory, because it is believed; not to be
 * copied. It needs no initialisation. */
typedef struct mdg_txn_run {
	uintptr_t mdg_private[8];
} mdg_txn_run;

/* `journal`: its bytes, as given to MDG_TXN_SIZE, 64 to 2^31. 0; MDG_OWNER_DIED: begun,
 * somebody died, and what it had committed is in the data, what it had not is not;
 * MDG_BROKEN: the journal is damaged, for all until mdg_txn_destroy; -EINVAL, also when the
 * data overlap the transaction; -EDEADLK, -ENOLCK, -ENOSYS. When it fails, `run` is none that
 * runs, and the calls below say -EPERM. */
MDG_API int mdg_txn_begin(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data, size_t size);
MDG_API int mdg_txn_trybegin(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data,
                             size_t size); /* also -EBUSY */
MDG_API int mdg_txn_begin_until(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data,
                                size_t size, uint64_t deadline); /* also -ETIMEDOUT */
/* `at`, in the data, is to become `value`. 0, -EPERM, -EINVAL: not in the data; -ENOSPC: not in
 * the journal; the transaction stays as it was. */
MDG_API int mdg_txn_write(mdg_txn_run *run, void *at, const void *value, size_t size);
/* Looks through all that was written. 0, -EPERM, -EINVAL; MDG_BROKEN: cancel it. */
MDG_API int mdg_txn_read(const mdg_txn_run *run, const void *at, void *value, size_t size);
/* Ends it. 0, -EPERM; MDG_BROKEN: ended, the journal is damaged. */
MDG_API int mdg_txn_commit(mdg_txn_run *run);
MDG_API int mdg_txn_cancel(mdg_txn_run *run); /* 0, -EPERM */
/* Makes it new, also one that is broken. 0, -EBUSY: somebody holds it. What a dead owner had
 * committed, and nobody has begun since, may have reached the data in part: begin first. */
MDG_API int mdg_txn_destroy(mdg_txn *txn);

/* ---- who waits for whom --------------------------------------------------------------- */

enum mdg_sync_kind {
	MDG_SYNC_MUTEX = 1,
	MDG_SYNC_RWLOCK,
	MDG_SYNC_COND,
	MDG_SYNC_SEM,
	MDG_SYNC_EVENT,
	MDG_SYNC_BARRIER,
	MDG_SYNC_ONCE,
	MDG_SYNC_CELL,
	MDG_SYNC_TXN
};

#define MDG_WAITERS_SHOWN 8

/* What an object that lies in memory shows of those who use it. */
struct mdg_sync_state {
	uint32_t size;    /* sizeof(struct mdg_sync_state), set by the caller */
	uint32_t kind;    /* enum mdg_sync_kind */
	uint32_t state;   /* MDG_STATE_* */
	uint32_t owner;   /* thread id in its pid namespace; 0: nobody. Of a rwlock: who writes */
	uint32_t readers; /* of a rwlock; of a barrier: members */
	uint32_t reader[64]; /* thread ids of these */
	uint32_t value;      /* of a semaphore; event: 1 set; cell: its version;
	                           once: 1 done; barrier: how many are to meet */
	uint32_t waiters;    /* of those that sleep, at most MDG_WAITERS_SHOWN */
	struct {
		uint32_t thread; /* thread id in its pid namespace; it may have died */
		uint32_t
			since; /* when it went to sleep: milliseconds of CLOCK_MONOTONIC, mod 2^32 */
	} waiter[MDG_WAITERS_SHOWN];
};
#define MDG_STATE_OWNER_DIED 0x1u /* and nobody has been told */
#define MDG_STATE_UNREPAIRED 0x2u /* its owner was told */
#define MDG_STATE_BROKEN     0x4u

/* Takes no lock and changes nothing; a moment's view. 0, -EINVAL: kind. */
MDG_API int mdg_sync_look(const void *object, enum mdg_sync_kind kind,
                          struct mdg_sync_state *ret_state);

#ifdef __cplusplus
}
#endif

#endif
