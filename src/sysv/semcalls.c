/* SPDX-License-Identifier: MIT */
/*
 * semcalls.c - semget, semop, semtimedop: see semget(2) and semop(2).
 *
 * 32-bit C libraries may have two forms of struct timespec. There the part below TIMED is compiled
 * a second time, as semtimedop64.c.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "madang/sem.h"
#include "sysv/internal.h"
#include "sysv/ipc.h"
#include "sysv/seen.h"

_Static_assert(MDG_SEM_NOWAIT == IPC_NOWAIT && MDG_SEM_UNDO == SEM_UNDO, "flags are semop's");
_Static_assert(sizeof(struct sembuf) == sizeof(struct mdg_semset_op) &&
                       offsetof(struct sembuf, sem_num) == offsetof(struct mdg_semset_op, number) &&
                       offsetof(struct sembuf, sem_op) == offsetof(struct mdg_semset_op, change) &&
                       offsetof(struct sembuf, sem_flg) == offsetof(struct mdg_semset_op, flags),
               "operations have one layout");

#ifndef MDG__TIMED_ONLY

static int get(key_t key, int count, int flags)
{
	mdg_namespace *ns;
	mdg_id id = -1;
	int rc = mdg__sysv_namespace(&ns);
	/* A negative count is above every limit. */
	if (rc == 0)
		rc = mdg_semset_get(ns, key, (uint32_t)count, (unsigned)flags, &id);
	return rc < 0 ? mdg__sysv_fail(rc, 0) : id;
}

int mdg__sysv_semget(key_t key, int count, int flags)
{
	return MDG__SEEN(semget, &mdg__log_semget, get(key, count, flags), key, count, flags, 0, 0);
}

MDG_EXPORT int semget(key_t key, int count, int flags)
{
	return mdg__sysv_semget(key, count, flags);
}

#endif

/* ---- TIMED ------------------------------------------------------------------------------ */

/* False: it is not a time. */
static bool deadline_of(const struct timespec *timeout, uint64_t *ret)
{
	const uint64_t second = 1000000000;
	*ret = MDG_FOREVER;
	if (timeout == NULL)
		return true;
	if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= (long)second)
		return false;
	uint64_t seconds = (uint64_t)timeout->tv_sec, wait = (uint64_t)timeout->tv_nsec;
	if (seconds < UINT64_MAX / second)
		*ret = seconds == 0 && wait == 0 ? 0 : mdg_deadline(seconds * second + wait);
	return true;
}

/* `ops` or the time is of no use. What is checked before them is checked here too: the native call
 * looks at the number of operations before it looks at the id. */
static __attribute__((noinline)) int refusal(mdg_namespace *ns, const struct sembuf *ops,
                                             size_t count)
{
	int rc = mdg_semset_op(ns, -1, NULL, count, 0);
	if (rc != -EINVAL || count == 0)
		return rc;
	return ops == NULL ? -EFAULT : -EINVAL;
}

/* The kernel looks at the lower 32 bits of the number. */
static int perform(int id, const struct sembuf *ops, size_t given, const struct timespec *timeout)
{
	const uint32_t count = (uint32_t)given;
	mdg_namespace *ns;
	uint64_t deadline;
	int rc = mdg__sysv_namespace(&ns);
	if (rc < 0)
		return rc;
	if (!deadline_of(timeout, &deadline) || ops == NULL)
		return refusal(ns, ops, count);
	rc = mdg_semset_op(ns, id, (const struct mdg_semset_op *)(const void *)ops, count,
	                   deadline);
	return rc == -ETIMEDOUT ? -EAGAIN : rc;
}

static int operate(int id, const struct sembuf *ops, size_t count, const struct timespec *timeout)
{
	int rc = perform(id, ops, count, timeout);
	return rc < 0 ? mdg__sysv_fail(rc, 1) : 0;
}

int mdg__sysv_semtimedop(int id, const struct sembuf *ops, size_t count,
                         const struct timespec *timeout)
{
	return MDG__SEEN(semop, timeout == NULL ? &mdg__log_semop : &mdg__log_semtimedop,
	                 operate(id, ops, count, timeout), id, ops, count, timeout, 0);
}

MDG_EXPORT int semtimedop(int id, struct sembuf *ops, size_t count, const struct timespec *timeout)
{
	return mdg__sysv_semtimedop(id, ops, count, timeout);
}

#ifndef MDG__TIMED_ONLY
MDG_EXPORT int semop(int id, struct sembuf *ops, size_t count)
{
	return mdg__sysv_semtimedop(id, ops, count, NULL);
}
#endif
