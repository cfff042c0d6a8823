/* SPDX-License-Identifier: MIT */
/*
 * madang/sync.h - locks and other synchronisation objects in shared memory. They survive the
 * death of the threads and processes that use them.
 *
 *     struct box { mdg_mutex lock; int total; } *box = ...;   // shared memory, zeros at first
 *
 *     int rc = mdg_mutex_lock(&box->lock);
 *     if (rc == MDG_OWNER_DIED) {         // we hold the lock; its last owner died holding it
 *             box->total = count_again(); // make the data right,
 *             rc = mdg_mutex_set_repaired(&box->lock); // and say so
 *     }
 *     if (rc == 0) {
 *             box->total++;
 *             mdg_mutex_unlock(&box->lock);
 *     }
 *
 * WHERE AN OBJECT LIES. In any memory that processes or threads share: a segment, a file or a
 * memfd mapped with MAP_SHARED, memory from shm_open, or plain memory for the threads of one
 * process. Each process may have it at another address.
 *
 * ZERO BYTES are a valid object that nobody uses. So fresh memory needs no initialisation, and
 * it does not matter which process comes first.
 *
 * LAYOUT. The size and the alignment (64 bytes) of each object are fixed. They are the same for
 * glibc and musl, for 32 and 64 bits, and for x86-64 and aarch64. The fields are private. Do not
 * copy an object, and do not move it while it is in use.
 *
 * DEATH. A thread may end by exit, by exec or by kill -9, alone or with its process. What it held
 * is then free, and the next owner is told once, by MDG_OWNER_DIED. The kernel does this at
 * once (get_robust_list(2)). It does not rest on process ids or thread ids, so it does not matter
 * that these are used again. Two cases escape the kernel:
 *   - A thread other than the first of its process calls exec. What it held stays held for ever.
 *   - A thread is killed in the few instructions in which it gives an object back or tries to take
 *     it, and the owner of that object is a thread of another pid namespace with the same thread
 *     id. The owner is then taken for dead.
 *
 * WAITING. Each wait comes in three forms:
 *   - without a limit;
 *   - `try`, which returns -EBUSY instead of waiting (-EAGAIN where nothing can be held);
 *   - `_until` a deadline, which returns -ETIMEDOUT. A deadline is in nanoseconds of
 *     CLOCK_MONOTONIC; mdg_deadline makes one. If it has passed already, the call still takes
 *     what can be had at once. MDG_FOREVER means no deadline.
 * A wait spins for a moment and then sleeps in the kernel.
 *
 * SIGNALS. A signal handler that runs during a wait makes nobody lose anything. Afterwards
 *   - waits for a mutex, rwlock, once, cell or transaction go on. In a thread that has called
 *     mdg_sync_set_interruptible, they return -EINTR as those of the next line do;
 *   - waits for a condition, semaphore or event return -EINTR if the handler was installed
 *     without SA_RESTART, or if the call had a deadline (signal(7), on futex(2));
 *   - waits at a barrier return -EINTR after any handler, because they look for dead members
 *     every 20 ms.
 *
 * ERRORS. Each function returns 0, or a positive number that its comment names, or one negative
 * code. It never touches errno. The comments below name the codes that a function can return.
 * They mean:
 *   MDG_OWNER_DIED  done; the last owner has died, and the object says what follows from that
 *   MDG_BROKEN      not done; an owner left the data unrepaired, or the object holds bytes that
 *                   no object of its kind can hold
 *   -EDEADLK        this thread holds the object already
 *   -EPERM          this thread does not hold the object
 *   -ENOLCK         this thread holds 64 locks already
 *   -ENOSYS         the kernel has no robust lists
 *   -EINVAL         a wrong argument, or a number that differs from what other users gave
 *
 * SAFETY. Any thread may call any function. No function allocates memory, opens a descriptor or
 * is a cancellation point. A signal handler may call everything that does not wait; it must give
 * back what it locks before it returns. A forked child holds nothing: what its parent held, its
 * parent still holds. A child of vfork must call nothing of this.
 *
 * UNMAPPING. Do not unmap memory while a thread holds something in it or waits for something in
 * it, or before its call that gave the thing back has returned. Nor give it another use by then,
 * for example by freeing the block of a heap in which the thing lies. mdg_segment_detach refuses
 * with -EBUSY when the caller holds something there. These do not refuse, because on the kernel
 * they would not: shmdt, munmap, mmap over the memory, mremap and MDG_REMAP. Madang sees most of
 * them (segment.h says which). It then gives up what the calling thread holds there as if the
 * thread had died, and the next owner gets MDG_OWNER_DIED. Where Madang does not see them, and for
 * what other threads hold there, nobody does this. Such a lock stays held in the other processes.
 * When its owner dies later, all that the owner had locked before that lock may stay held as well.
 *
 * TRUST. Everybody who shares the memory can write to it. A process that writes nonsense there
 * can make others wait for ever or get MDG_BROKEN. It cannot make these functions read or
 * write outside of the objects and of the memory given to them.
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

/* A lock with one owner at a time: the thread that locked it. 128 bytes.
 *
 *     rc = mdg_mutex_lock(&mutex);
 *     if (rc == MDG_OWNER_DIED) {
 *             repair(data);
 *             rc = mdg_mutex_set_repaired(&mutex);
 *     }
 *     if (rc == 0) {
 *             use(data);
 *             mdg_mutex_unlock(&mutex);
 *     }
 *
 * When the owner dies, the next thread to lock the mutex holds it and gets MDG_OWNER_DIED. No
 * other thread is told. The new owner
 *   - makes the data right and calls mdg_mutex_set_repaired, and all is as before; or
 *   - unlocks without that call, which gives the data up: every later lock returns MDG_BROKEN until
 *     mdg_mutex_destroy makes the mutex new; or
 *   - dies too, and then the next owner gets MDG_OWNER_DIED. */
typedef struct mdg_mutex {
	uint32_t mdg_private[32];
} MDG_ALIGNED mdg_mutex;

/* Locks the mutex. Returns 0, MDG_OWNER_DIED (it is locked), MDG_BROKEN, -EDEADLK, -ENOLCK or
 * -ENOSYS. */
MDG_API int mdg_mutex_lock(mdg_mutex *mutex);
MDG_API int mdg_mutex_trylock(mdg_mutex *mutex);                       /* also -EBUSY */
MDG_API int mdg_mutex_lock_until(mdg_mutex *mutex, uint64_t deadline); /* also -ETIMEDOUT */
/* Unlocks the mutex. After MDG_OWNER_DIED and without mdg_mutex_set_repaired, this breaks it:
 * every later lock returns MDG_BROKEN. Returns 0 or -EPERM. */
MDG_API int mdg_mutex_unlock(mdg_mutex *mutex);
/* Says that the data are right again. Only the owner may say it. Returns 0, -EPERM, or -EINVAL:
 * this owner was not told of a death. */
MDG_API int mdg_mutex_set_repaired(mdg_mutex *mutex);
/* Makes the mutex new, even if it is broken. Returns 0, or -EBUSY: a thread holds it. */
MDG_API int mdg_mutex_destroy(mdg_mutex *mutex);

/* ---- rwlock ---------------------------------------------------------------- */

/* A lock for many readers or one writer. 4,288 bytes.
 *
 *     rc = mdg_rwlock_read(&lock);
 *     if (rc == MDG_OWNER_DIED) {      // a writer died: we hold the lock FOR WRITING
 *             repair(data);
 *             rc = mdg_rwlock_set_repaired(&lock);
 *     }
 *     if (rc == 0) {
 *             look_at(data);
 *             mdg_rwlock_unlock(&lock);
 *     }
 *
 * At most MDG_READERS_MAX threads can read at once; more of them wait, or get -EBUSY from
 * `try`. Each reader has a line of memory to itself, so readers do not slow each other down.
 *
 * While a writer waits, no new reader gets in. So readers cannot starve a writer, but writers
 * that leave no gap keep the readers out.
 *
 * The death of a reader does no harm. A writer that waits for it notices the death and goes on.
 * The death of a writer that was in is told to the next thread that gets in. It gets
 * MDG_OWNER_DIED and holds the lock FOR WRITING, even if it asked to read; from there on
 * everything is as with a mutex. A writer that died while it still waited for readers to leave
 * has written nothing, so nobody is told. */
#define MDG_READERS_MAX 64
typedef struct mdg_rwlock {
	uint32_t mdg_private[1072];
} MDG_ALIGNED mdg_rwlock;

/* Locks for reading, or for writing. Returns 0, MDG_OWNER_DIED (held for writing), MDG_BROKEN,
 * -EDEADLK (this thread holds it, in either way), -ENOLCK or -ENOSYS. */
MDG_API int mdg_rwlock_read(mdg_rwlock *lock);
MDG_API int mdg_rwlock_tryread(mdg_rwlock *lock);                       /* also -EBUSY */
MDG_API int mdg_rwlock_read_until(mdg_rwlock *lock, uint64_t deadline); /* also -ETIMEDOUT */
MDG_API int mdg_rwlock_write(mdg_rwlock *lock);
MDG_API int mdg_rwlock_trywrite(mdg_rwlock *lock);                       /* also -EBUSY */
MDG_API int mdg_rwlock_write_until(mdg_rwlock *lock, uint64_t deadline); /* also -ETIMEDOUT */
/* Unlocks it, in whichever way this thread holds it. Returns 0 or -EPERM. A writer that was told
 * of a death and has not called mdg_rwlock_set_repaired breaks the lock by this. */
MDG_API int mdg_rwlock_unlock(mdg_rwlock *lock);
/* As mdg_mutex_set_repaired. Returns 0, -EPERM: this thread does not hold it for writing, or
 * -EINVAL: it was not told of a death. */
MDG_API int mdg_rwlock_set_repaired(mdg_rwlock *lock);
/* Makes the lock new, even if it is broken. Returns 0, or -EBUSY: a thread holds it. */
MDG_API int mdg_rwlock_destroy(mdg_rwlock *lock);

/* ---- condition -------------------------------------------------------------- */

/* A wait for something to become true that a mutex protects. 128 bytes.
 *
 *     rc = mdg_mutex_lock(&mutex);             // see there for MDG_OWNER_DIED
 *     while (rc == 0 && queue_is_empty(data))
 *             rc = mdg_cond_wait(&cond, &mutex);
 *
 * Always wait in a loop that checks the data: a wait may return for no reason. All threads that
 * wait at the same time must use the same mutex.
 *
 * mdg_cond_signal wakes all waiters, as mdg_cond_broadcast does. If it woke one, that waiter might
 * die before it has the mutex, or with the mutex and before it has used what it was woken
 * for, and the others would sleep on. So the death of a waiter takes no wake-up away from the
 * others. To wake one thread of many, use a semaphore. */
typedef struct mdg_cond {
	uint32_t mdg_private[32];
} MDG_ALIGNED mdg_cond;

/* Unlocks the mutex, waits, and locks the mutex again. On return the mutex is held, except after
 * MDG_BROKEN. Returns 0, -EINTR or -ETIMEDOUT. If locking the mutex gave MDG_OWNER_DIED or
 * MDG_BROKEN, it returns that instead. Before it does anything, and with the mutex as it was, it
 * returns -EPERM, or -EINVAL: the owner was told of a death and has not called
 * mdg_mutex_set_repaired, so that unlocking the mutex would break it. */
MDG_API int mdg_cond_wait(mdg_cond *cond, mdg_mutex *mutex);
MDG_API int mdg_cond_wait_until(mdg_cond *cond, mdg_mutex *mutex, uint64_t deadline);
/* Wakes all waiters. The caller may hold the mutex or not. Makes no system call when nobody
 * waits. Returns 0. */
MDG_API int mdg_cond_signal(mdg_cond *cond);
MDG_API int mdg_cond_broadcast(mdg_cond *cond);
/* Returns 0, or -EBUSY: a thread waits. */
MDG_API int mdg_cond_destroy(mdg_cond *cond);

/* ---- semaphore --------------------------------------------------------------- */

/* A number of units that can be taken and added; it is never below zero. It is zero at first.
 * 128 bytes.
 *
 *     mdg_sem_post(&jobs, 1);              // a producer adds a unit
 *     rc = mdg_sem_wait(&jobs);            // a consumer takes one, and waits while there is none
 *
 * Nobody owns a semaphore, so units that a dead process had taken are not given back. But no death
 * loses a unit or a wake-up. A waiter that dies leaves both to the other waiters. A
 * thread that dies in `post` has added all its units or none. A system call is made only by a wait
 * that sleeps and by a post that wakes. */
#define MDG_SEM_MAX 0x7fffffffu
typedef struct mdg_sem {
	uint32_t mdg_private[32];
} MDG_ALIGNED mdg_sem;

/* Adds `count` units. Returns 0, or -EOVERFLOW: the number would exceed MDG_SEM_MAX, and nothing
 * was added. */
MDG_API int mdg_sem_post(mdg_sem *sem, uint32_t count);
/* Takes one unit. Returns 0, -EINTR or -ENOSYS. */
MDG_API int mdg_sem_wait(mdg_sem *sem);
MDG_API int mdg_sem_trywait(mdg_sem *sem);                       /* 0 or -EAGAIN */
MDG_API int mdg_sem_wait_until(mdg_sem *sem, uint64_t deadline); /* also -ETIMEDOUT */
/* Returns the number of units. It may have changed by the time the caller sees it. */
MDG_API int mdg_sem_value(const mdg_sem *sem);
/* Sets the number to zero. Returns 0, or -EBUSY: a thread waits. */
MDG_API int mdg_sem_destroy(mdg_sem *sem);

/* ---- event --------------------------------------------------------------------- */

/* Something that has happened or has not: it is set, or not set. 128 bytes.
 *
 *     mdg_event_set(&ready);               // it has happened
 *     rc = mdg_event_wait(&ready);         // returns when it has happened, and leaves it set
 *     rc = mdg_event_take(&ready);         // the same, and resets it: for one thread each time
 *
 * `wait` releases every thread that is asleep in it when the event is set, even if the event is
 * reset before they run. A thread that is just falling asleep may miss a set that is followed
 * at once by a reset.
 * `take` resets the event. Each set of an event that was not set lets one taker through.
 * Setting an event makes no system call when nobody waits.
 *
 * If a thread dies in `take`, either it has taken the event or the next taker gets it. If a thread
 * dies in `set`, the event is set for everyone or for no one. */
typedef struct mdg_event {
	uint32_t mdg_private[32];
} MDG_ALIGNED mdg_event;

MDG_API int mdg_event_set(mdg_event *event);                           /* 0 */
MDG_API int mdg_event_reset(mdg_event *event);                         /* 0 */
MDG_API int mdg_event_is_set(const mdg_event *event);                  /* 1 or 0 */
MDG_API int mdg_event_wait(mdg_event *event);                          /* 0, -EINTR, -ENOSYS */
MDG_API int mdg_event_wait_until(mdg_event *event, uint64_t deadline); /* also -ETIMEDOUT */
MDG_API int mdg_event_take(mdg_event *event);                          /* 0, -EINTR, -ENOSYS */
MDG_API int mdg_event_trytake(mdg_event *event);                       /* 0 or -EAGAIN */
MDG_API int mdg_event_take_until(mdg_event *event, uint64_t deadline); /* also -ETIMEDOUT */
/* Resets the event. Returns 0, or -EBUSY: a thread waits. */
MDG_API int mdg_event_destroy(mdg_event *event);

/* ---- barrier --------------------------------------------------------------------- */

/* A meeting point: nobody goes on before all members have come. 4,224 bytes.
 *
 *     rc = mdg_barrier_wait(&barrier, 4);   // four threads; each returns when all four have come
 *     if (rc == MDG_LAST)
 *             print_the_result();           // one of the four does this
 *
 * A thread becomes a member by mdg_barrier_join, or by its first wait. It stays one until it
 * leaves or dies. Members count among the 64 locks that a thread can hold.
 *
 * The others wait for the place of a member that has left, until a thread joins in its place. They
 * do not wait for a member that died. All who meet without it get MDG_OWNER_DIED from that
 * meeting, once, even if a thread has joined in its place before they met. Later meetings
 * are of those that remain, until a thread joins.
 *
 * All calls must give the same number of members, 1 to MDG_MEMBERS_MAX, until the barrier is
 * destroyed. A call with another number gets -EINVAL. */
#define MDG_MEMBERS_MAX 64
/* Returned to one of those who met. If that one dies before it returns, nobody gets it. */
#define MDG_LAST 1
typedef struct mdg_barrier {
	uint32_t mdg_private[1056];
} MDG_ALIGNED mdg_barrier;

/* Makes this thread a member. Returns 0, -EDEADLK: it is one already, -EAGAIN: there are
 * `members` of them already, -EINVAL, -ENOLCK or -ENOSYS. */
MDG_API int mdg_barrier_join(mdg_barrier *barrier, uint32_t members);
/* Joins if need be, and waits until all members have come. Returns
 *   0 or MDG_LAST          all have met;
 *   MDG_OWNER_DIED         the others have met, without a member that died;
 *   -EINTR or -ETIMEDOUT   they have not met; this thread counts as not having come, but it
 *                          stays a member;
 *   or an error of mdg_barrier_join. */
MDG_API int mdg_barrier_wait(mdg_barrier *barrier, uint32_t members);
MDG_API int mdg_barrier_wait_until(mdg_barrier *barrier, uint32_t members, uint64_t deadline);
/* Ends this thread's membership. Returns 0, or -EPERM: it is no member. */
MDG_API int mdg_barrier_leave(mdg_barrier *barrier);
/* Makes the barrier new. Returns 0, or -EBUSY: it has living members. */
MDG_API int mdg_barrier_destroy(mdg_barrier *barrier);

/* ---- once ------------------------------------------------------------------------- */

/* Something that is done once, by one of many threads. 128 bytes.
 *
 *     rc = mdg_once_begin(&once);
 *     if (rc == 0 || rc == MDG_OWNER_DIED) { // it is our turn; after a death, begin from scratch
 *             prepare(data);
 *             mdg_once_finish(&once);        // or mdg_once_fail: then the next one tries
 *             rc = MDG_DONE;
 *     }
 *     if (rc == MDG_DONE)
 *             use(data);
 *
 * While one thread is at it, the others wait in `begin`. They get MDG_DONE when it has finished.
 * If it fails or dies, one of them gets its turn: 0 after a failure, MDG_OWNER_DIED after a death.
 * Once it is done, `begin` is one load, and the memory may be mapped read-only. */
#define MDG_DONE 1
typedef struct mdg_once {
	uint32_t mdg_private[32];
} MDG_ALIGNED mdg_once;

/* Returns MDG_DONE, 0 or MDG_OWNER_DIED (it is the caller's turn), MDG_BROKEN: the object holds
 * what no call has put there, -EDEADLK, -ENOLCK or -ENOSYS. */
MDG_API int mdg_once_begin(mdg_once *once);
MDG_API int mdg_once_trybegin(mdg_once *once);                       /* also -EBUSY */
MDG_API int mdg_once_begin_until(mdg_once *once, uint64_t deadline); /* also -ETIMEDOUT */
/* Says that it is done, or that this attempt has failed and the next thread is to try. Returns
 * 0, or -EPERM: this thread is not at it. */
MDG_API int mdg_once_finish(mdg_once *once);
MDG_API int mdg_once_fail(mdg_once *once);
/* Makes the object new: it is to be done again. Returns 0, or -EBUSY: a thread is at it. */
MDG_API int mdg_once_destroy(mdg_once *once);

/* ---- cell ------------------------------------------------------------------------- */

/* The latest value of something, such as a price or a position. The value has a fixed size.
 *
 *     mdg_cell *cell = ...;                // MDG_CELL_SIZE(sizeof(struct quote)) bytes, zeros
 *     rc = mdg_cell_write(cell, &quote, sizeof(quote));
 *     rc = mdg_cell_read(cell, &quote, sizeof(quote), NULL);
 *
 * One thread writes at a time; others that want to write wait. Any number of threads read. A
 * reader only reads memory, which may be mapped read-only. It makes no system call, and never
 * makes the writer wait. It never sees half a value: if a writer dies in the middle, its value
 * never appears.
 *
 * A cell takes MDG_CELL_SIZE(size of the value) bytes of shared memory. While they are zero, it
 * holds version 0, a value of zero bytes. The first thread that begins to write decides the size
 * of the value, 1 to MDG_CELL_MAX. Whoever gives another size gets -EINVAL. */
#define MDG_CELL_MAX 0x10000000u
typedef struct mdg_cell {
	uint32_t mdg_private[48];
} MDG_ALIGNED mdg_cell;
#define MDG_CELL_SIZE(value_size) (sizeof(mdg_cell) + 4 * (((size_t)(value_size) + 63) / 64 * 64))
/* The same as MDG_CELL_SIZE, for languages that cannot use macros; 0: no cell can be so large. */
MDG_API size_t mdg_cell_size(size_t value_size);

/* Copies the latest value to `value`, and its version to `ret_version`, which may be NULL. The
 * version counts the values, modulo 2^32. A read starts again if three values are written while
 * it copies. Returns 0 or -EINVAL. */
MDG_API int mdg_cell_read(const mdg_cell *cell, void *value, size_t size, uint32_t *ret_version);
/* Writes a value. Returns 0, MDG_OWNER_DIED: it is written, and an earlier writer had died in the
 * middle, -EINVAL, -EDEADLK, -ENOLCK or -ENOSYS. */
MDG_API int mdg_cell_write(mdg_cell *cell, const void *value, size_t size);
MDG_API int mdg_cell_trywrite(mdg_cell *cell, const void *value, size_t size); /* also -EBUSY */
MDG_API int mdg_cell_write_until(mdg_cell *cell, const void *value, size_t size,
                                 uint64_t deadline); /* also -ETIMEDOUT */
/* Writing in place. `begin` sets *ret_place to `size` bytes to write to; what they hold before is
 * undefined. `commit` shows them to the readers; `cancel` does not. `begin` returns what
 * mdg_cell_write returns; `commit` and `cancel` return 0 or -EPERM. */
MDG_API int mdg_cell_begin(mdg_cell *cell, size_t size, void **ret_place);
MDG_API int mdg_cell_trybegin(mdg_cell *cell, size_t size, void **ret_place);
MDG_API int mdg_cell_begin_until(mdg_cell *cell, size_t size, uint64_t deadline, void **ret_place);
MDG_API int mdg_cell_commit(mdg_cell *cell);
MDG_API int mdg_cell_cancel(mdg_cell *cell);
/* Makes the value zero bytes, and lets the next writer decide its size anew. The version does not
 * start again: it grows by four. Readers need not stay away; they see the value before, or
 * zeros. Returns 0, or -EBUSY: a thread writes. */
MDG_API int mdg_cell_destroy(mdg_cell *cell);

/* ---- transaction -------------------------------------------------------------------- */

/* A mutex with a journal. What its owner writes reaches the data as a whole or not at all, whenever
 * the owner dies.
 *
 *     mdg_txn *txn = ...;                                   // MDG_TXN_SIZE(4096) bytes, zeros
 *     mdg_txn_run run;                                      // the caller's own, on its stack
 *     rc = mdg_txn_begin(&run, txn, 4096, data, size);      // MDG_OWNER_DIED: the data are whole
 *     if (rc == 0 || rc == MDG_OWNER_DIED) {
 *             rc = mdg_txn_write(&run, &data->from, &from, sizeof(from));
 *             if (rc == 0)
 *                     rc = mdg_txn_write(&run, &data->to, &to, sizeof(to));
 *             rc = rc == 0 ? mdg_txn_commit(&run) : mdg_txn_cancel(&run);
 *     }
 *
 * A transaction takes MDG_TXN_SIZE(journal) bytes of shared memory, zeros at first. The size of
 * the journal limits how much one transaction can write: each write takes 16 bytes and its own
 * bytes rounded up to 8. docs/sync-journal.md describes the format.
 *
 * The data are the memory that is given to `begin`. They must be the same bytes for all users,
 * but may lie at another address in each process. Write to them by mdg_txn_write only. Only the
 * owner may read them. The transaction may lie in its data as a whole, and is then not to be
 * written. Within a transaction they look as they did when it began; mdg_txn_read
 * also shows what was written since.
 *
 * The first thread that begins decides the sizes of the journal and of the data. Whoever gives
 * others gets -EINVAL. */
typedef struct mdg_txn {
	uint32_t mdg_private[48];
} MDG_ALIGNED mdg_txn;
#define MDG_TXN_SIZE(journal) (sizeof(mdg_txn) + ((size_t)(journal) + 63) / 64 * 64)
/* The same as MDG_TXN_SIZE, for languages that cannot use macros; 0: no journal can have this
 * size. */
MDG_API size_t mdg_txn_size(size_t journal);

/* One running transaction of the thread that began it: where the data are, and how much of the
 * journal is used. It must not lie in shared memory, because the library trusts what it says. It
 * must not be copied. It needs no initialisation. */
typedef struct mdg_txn_run {
	uintptr_t mdg_private[8];
} mdg_txn_run;

/* Begins a transaction. `journal` is the number that was given to MDG_TXN_SIZE, 64 to 2^31.
 * Returns
 *   0                begun;
 *   MDG_OWNER_DIED   begun, and an owner before had died; what it had committed is in the data,
 *                    and what it had not committed is not;
 *   MDG_BROKEN       the journal is damaged; all get this until mdg_txn_destroy;
 *   -EINVAL          a wrong or different number, or the transaction overlaps the data, and does
 *                    not lie in them as a whole;
 *   -EDEADLK, -ENOLCK or -ENOSYS.
 * After a failure `run` holds no running transaction, and the calls below return -EPERM. */
MDG_API int mdg_txn_begin(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data, size_t size);
MDG_API int mdg_txn_trybegin(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data,
                             size_t size); /* also -EBUSY */
MDG_API int mdg_txn_begin_until(mdg_txn_run *run, mdg_txn *txn, size_t journal, void *data,
                                size_t size, uint64_t deadline); /* also -ETIMEDOUT */
/* Writes `size` bytes of `value` to the place `at` in the data; they get there at the commit.
 * Returns 0, -EPERM, -EINVAL: the place is not within the data, or -ENOSPC: the journal has no
 * room. After an error the transaction is as it was. */
MDG_API int mdg_txn_write(mdg_txn_run *run, void *at, const void *value, size_t size);
/* Reads the data as this transaction has written them. It goes through all its writes, so it
 * takes longer the more there are. Returns 0, -EPERM, -EINVAL, or MDG_BROKEN: cancel it. */
MDG_API int mdg_txn_read(const mdg_txn_run *run, const void *at, void *value, size_t size);
/* Ends the transaction: its writes reach the data. Returns 0, -EPERM, or MDG_BROKEN: ended, and the
 * journal is damaged. */
MDG_API int mdg_txn_commit(mdg_txn_run *run);
/* Ends the transaction without its writes. Returns 0 or -EPERM. */
MDG_API int mdg_txn_cancel(mdg_txn_run *run);
/* Makes the transaction new, even if it is broken. Returns 0, or -EBUSY: a thread holds it. If an
 * owner died in its commit and nobody has begun since, the data may hold a part of its writes: call
 * mdg_txn_begin first. */
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

/* What an object shows of its users. */
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
		uint32_t since;  /* when it went to sleep: ms of CLOCK_MONOTONIC, mod 2^32 */
	} waiter[MDG_WAITERS_SHOWN];
};
#define MDG_STATE_OWNER_DIED 0x1u /* and nobody has been told */
#define MDG_STATE_UNREPAIRED 0x2u /* its owner was told */
#define MDG_STATE_BROKEN     0x4u

/* Looks at an object. It takes no lock and changes nothing. Fields may be of slightly different
 * moments. Returns 0, or -EINVAL: there is no such kind. */
MDG_API int mdg_sync_look(const void *object, enum mdg_sync_kind kind,
                          struct mdg_sync_state *ret_state);

/* ---- signals ---------------------------------------------------------------------------- */

/* Lets signal handlers end the waits of the calling thread for a mutex, rwlock, once, cell or
 * transaction (1), or not (0, as it is at first). Such a wait then returns -EINTR, nothing is
 * taken, and the call may be made again. The interpreters of languages need this, since they run
 * their own handlers later, outside of the call. To lock the mutex again at the end of
 * mdg_cond_wait is not such a wait. The setting is the thread's own: other threads do not have it,
 * and neither has a forked child.
 * Returns what was set before, 1 or 0, or -ENOSYS. */
MDG_API int mdg_sync_set_interruptible(int on);

#ifdef __cplusplus
}
#endif

#endif
