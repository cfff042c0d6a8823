/* SPDX-License-Identifier: MIT */
/*
 * madang/sem.h - sets of semaphores, with what System V semaphores can do: several operations at
 * once, waiting for zero, and operations that are undone when their process ends.
 *
 *     mdg_id id;                                      // a set of two semaphores, by name
 *     int rc = mdg_semset_create(ns, "printers", 2, 0600, 0, &id);
 *     if (rc == 0)
 *             rc = mdg_semset_set_value(ns, id, 0, 3); // three printers
 *
 *     // Each user takes a printer. If the user is killed, the printer is free again.
 *     struct mdg_semset_op take = { .number = 0, .change = -1, .flags = MDG_SEM_UNDO };
 *     rc = mdg_semset_op(ns, id, &take, 1, MDG_FOREVER);
 *     if (rc == 0) {
 *             print();
 *             struct mdg_semset_op give = { .number = 0, .change = +1, .flags = MDG_SEM_UNDO };
 *             rc = mdg_semset_op(ns, id, &give, 1, MDG_FOREVER);
 *     }
 *
 * A SET has an id, perhaps a key or a name, an owner and nine permission bits, like a segment.
 * Names, keys and ids of sets are their own: a segment may have the same. A set lives until it
 * is removed, and its values too.
 *
 * A SEMAPHORE is a number from 0 to MDG_SEM_VALUE_MAX, and the process that operated on it
 * last. For one semaphore in memory of your own, mdg_sem of <madang/sync.h> is smaller and
 * needs no namespace.
 *
 * OPERATIONS. mdg_semset_op does all operations of a list, in order, or none of them. To others all
 * happen at the same moment. Each operation names a semaphore and a change:
 *   change > 0   adds it. Never waits. -ERANGE if the value would exceed MDG_SEM_VALUE_MAX.
 *   change < 0   takes so much. Waits until the value is large enough.
 *   change == 0  waits until the value is 0.
 * The first operation that cannot be done decides what the call does: it waits, or it fails with
 * -EAGAIN if this operation has MDG_SEM_NOWAIT, or with -ERANGE.
 *
 * WAITING. Whoever changes a value does the operations of those sleepers that can go now, before
 * its own call returns. They go in the order in which they came, but those that only wait for zero
 * go first. So mdg_semset_value says at once what they have taken, though they have not run yet. A
 * sleeper that cannot go is passed over, and keeps nothing for itself. A process that is killed
 * asleep is given nothing. A call without a deadline may spin for a moment before it sleeps. Until
 * then it does not count as waiting.
 *
 * UNDO. For each operation with MDG_SEM_UNDO, the opposite is added to a sum of the process. When
 * the process ends, however it ends, its sums are added to the values. The values are cut to 0 and
 * MDG_SEM_VALUE_MAX. Threads of a process share the sums. A forked child has none. exec keeps them.
 * mdg_semset_set_value and mdg_semset_set_all clear everybody's sums of what they set. Whoever
 * sleeps for something that a killed process had gets it within a millisecond as a rule, and
 * within 25 ms in any case.
 *
 * LIMITS are those of System V, and each namespace has its own: semaphores in a set (32000),
 * semaphores in all sets (1024000000), operations in a call (500), sets (32000). madang(7) says how
 * they are changed. No more than 500 operations can be done in a call, whatever the limit is.
 *
 * ERRORS are as in <madang/base.h>. Each function that takes an id returns -EINVAL if there is no
 * such set (any more), and -EACCES or -EPERM as its comment says. All may return MDG_NS_GONE,
 * MDG_DAMAGED and -ENOMEM; those that change something, MDG_NO_SLOT and -EROFS (MDG_NS_LOOK).
 *
 * SIGNALS. A handler that runs while mdg_semset_op sleeps ends it with -EINTR, with SA_RESTART too.
 * All functions may be called in signal handlers, also in one that has interrupted the same
 * function. A handler may leave mdg_semset_op by longjmp.
 *
 * THREADS. Any thread may call any function. None is a cancellation point. A child of vfork is
 * taken for its parent.
 *
 * WHAT DIFFERS from the kernel's semaphores (docs/divergences.md has all of it): a sleeper that is
 * stopped (SIGSTOP), and then continued, sleeps on. While a handler runs that has interrupted a
 * sleep, and makes no call of this header, its thread counts as asleep and may be given what it
 * waits for. A process that was stopped in the middle of a call may hold up others. The sums of a
 * process are added at its end, not at unshare(2) or clone(2).
 */
#ifndef MADANG_SEM_H
#define MADANG_SEM_H

#include <madang/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MDG_SEM_VALUE_MAX 32767

/* ---- making and finding ----------------------------------------------- */

/* Makes a set of `count` semaphores, all 0. `name` is a name (see MDG_NAME_MAX), or NULL for a set
 * that is known by its id alone. `mode` is the nine permission bits; the umask does not apply.
 * `flags` is 0, or MDG_OR_OPEN of <madang/segment.h>: if a set has this name, it is found as
 * mdg_semset_open does with `count` and `mode`.
 * Returns 0, or
 *   -EEXIST      a set has this name, and MDG_OR_OPEN was not given
 *   -EINVAL      `count` is 0 or above the limit, `name`, or `flags`; or the set that was found has
 *                fewer semaphores
 *   -EACCES      the set that was found does not grant all of `mode`
 *   -ENOSPC      there are as many sets, or semaphores, as the limits allow */
MDG_API int mdg_semset_create(mdg_namespace *ns, const char *name, uint32_t count, unsigned mode,
                              unsigned flags, mdg_id *ret_id);

/* Finds the set `name`. `ask` is permission bits that the caller needs: 0400 to look, 0200 to
 * alter; 0 needs nothing.
 * Returns 0, or -ENOENT: there is none; -EINVAL: it has fewer than `min_count` semaphores, or
 * `name` is not valid; -EACCES. */
MDG_API int mdg_semset_open(mdg_namespace *ns, const char *name, uint32_t min_count, unsigned ask,
                            mdg_id *ret_id);

/* Finds or makes a set by its System V key, as semget(2). Key 0, IPC_PRIVATE, always makes a
 * new one. `flags` is nine permission bits, MDG_CREATE and MDG_EXCL of <madang/segment.h>: the
 * same numbers as semget's. Returns 0, or the errors of semget(2). [SysV] */
MDG_API int mdg_semset_get(mdg_namespace *ns, int32_t key, uint32_t count, unsigned flags,
                           mdg_id *ret_id);

/* ---- operations ------------------------------------------------------- */

/* The same numbers as sem_flg of struct sembuf. Other bits do not matter. */
#define MDG_SEM_NOWAIT 04000  /* fail with -EAGAIN instead of waiting */
#define MDG_SEM_UNDO   0x1000 /* undo it when the process ends */

/* One operation. The same layout as struct sembuf. It has no size, and will not change. */
struct mdg_semset_op {
	uint16_t number; /* of the semaphore, from 0 */
	int16_t change;
	int16_t flags; /* MDG_SEM_* */
};

/* Does `count` operations, and waits for them until `deadline` (see mdg_deadline). Permission to
 * alter is needed, or, if all changes are 0, permission to look.
 * Returns 0, or
 *   -EAGAIN     an operation with MDG_SEM_NOWAIT would have to wait
 *   -ETIMEDOUT  the deadline has passed
 *   -EINTR      a signal was handled meanwhile
 *   -EIDRM      the set was removed meanwhile
 *   -ERANGE     a value would exceed MDG_SEM_VALUE_MAX, or a sum leave -32768 to 32767
 *   -EFBIG      there is no semaphore of such a number
 *   -E2BIG      more operations than the limit
 *   -EINVAL     no such set, `count` is 0, or `ops` is NULL
 *   -EACCES     permission
 * As semtimedop(2), where -ETIMEDOUT is EAGAIN. [SysV] */
MDG_API int mdg_semset_op(mdg_namespace *ns, mdg_id id, const struct mdg_semset_op *ops,
                          size_t count, uint64_t deadline);

/* ---- values ----------------------------------------------------------- */

/* Returns the value of a semaphore, or -EINVAL, or -EACCES: permission to look is needed, as for
 * the next three. GETVAL. [SysV] */
MDG_API int mdg_semset_value(mdg_namespace *ns, mdg_id id, uint32_t number);
/* Which process operated on it last, by its number in its own pid namespace; 0: none. Returns 0, or
 * a code as above. GETPID. [SysV] */
MDG_API int mdg_semset_pid(mdg_namespace *ns, mdg_id id, uint32_t number, int32_t *ret_pid);
/* Returns how many threads wait at the semaphore: for more (`for_zero` is 0: GETNCNT), or for zero
 * (`for_zero` is 1: GETZCNT). A thread with several operations waits at the first one that cannot
 * be done. [SysV] */
MDG_API int mdg_semset_waiting(mdg_namespace *ns, mdg_id id, uint32_t number, int for_zero);
/* Copies all values, of one moment. `count` is how many there is room for. If the set has more, the
 * call fails with -EINVAL. Returns 0. GETALL. [SysV] */
MDG_API int mdg_semset_all(mdg_namespace *ns, mdg_id id, uint16_t *ret_values, uint32_t count);

/* Sets the value, 0 to MDG_SEM_VALUE_MAX, and clears everybody's sum of the semaphore.
 * Permission to alter is needed. Returns 0, -ERANGE, -EINVAL, -EACCES. SETVAL. [SysV] */
MDG_API int mdg_semset_set_value(mdg_namespace *ns, mdg_id id, uint32_t number, int value);
/* The same for all. `count` has to be that of the set, or -EINVAL. SETALL. [SysV] */
MDG_API int mdg_semset_set_all(mdg_namespace *ns, mdg_id id, const uint16_t *values,
                               uint32_t count);

/* ---- looking, changing, removing -------------------------------------- */

/* What a set is. User and group ids are those of the caller's user namespace. */
struct mdg_semset_info {
	uint32_t size;               /* sizeof(struct mdg_semset_info), set by the caller */
	mdg_id id;                   /* of the set */
	int32_t key;                 /* 0: it has none */
	uint32_t mode;               /* nine permission bits */
	uint32_t uid, gid;           /* owner */
	uint32_t cuid, cgid;         /* creator */
	uint32_t count;              /* semaphores */
	uint32_t stuck;              /* 1: a process keeps the lock of the set and does not go on */
	int64_t otime;               /* last mdg_semset_op: seconds since 1970; 0: never */
	int64_t ctime;               /* creation, or last change other than by mdg_semset_op */
	char name[MDG_NAME_MAX + 1]; /* ends with NUL; "" when it has none */
};

/* Fills in *ret_info. `flags` is 0, MDG_STAT_ANY or MDG_STAT_INDEX of <madang/segment.h>, or both.
 * Permission to look is needed, but not with MDG_STAT_ANY. `stuck` is 0 here: only mdg_semset_next
 * finds that out.
 * Returns 0, -EINVAL or -EACCES. IPC_STAT, SEM_STAT, SEM_STAT_ANY. [SysV] */
MDG_API int mdg_semset_stat(mdg_namespace *ns, mdg_id id, unsigned flags,
                            struct mdg_semset_info *ret_info);

/* Sets the owner and the nine permission bits. Returns 0, -EINVAL, or -EPERM: the caller is neither
 * owner, nor creator, nor privileged. IPC_SET. [SysV] */
MDG_API int mdg_semset_set(mdg_namespace *ns, mdg_id id, uint32_t uid, uint32_t gid, unsigned mode);

/* Removes the set at once. All who wait get -EIDRM. Returns 0, -EINVAL or -EPERM. IPC_RMID.
 * [SysV] */
MDG_API int mdg_semset_remove(mdg_namespace *ns, mdg_id id);

/* Walks over all sets by index. It needs no permission. *cursor is 0 before the first call.
 * `stuck` is 1 if one process had the set's lock for half a second. Then it was stopped (SIGSTOP),
 * or the set is damaged, and what the set shows may be old.
 * Returns 1 and fills in *ret_info; or 0 at the end; or -EINVAL: ret_info->size. */
MDG_API int mdg_semset_next(mdg_namespace *ns, uint32_t *cursor, struct mdg_semset_info *ret_info);

#ifdef __cplusplus
}
#endif

#endif
