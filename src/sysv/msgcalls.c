/* SPDX-License-Identifier: MIT */
/*
 * msgcalls.c - msgget, msgsnd, msgrcv: see msgget(2) and msgop(2).
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "madang/msg.h"
#include "platform/ofthread.h"
#include "segment/hostcalls.h"
#include "sysv/internal.h"
#include "sysv/ipc.h"
#include "sysv/missing.h"
#include "sysv/seen.h"

_Static_assert(MDG_MSG_NOERROR == MSG_NOERROR && MDG_MSG_EXCEPT == MSG_EXCEPT &&
                       MDG_MSG_COPY == MSG_COPY,
               "flags are msgrcv's");

/* A message begins with its type, a long. The text follows. */
static const char *text_of(const void *message)
{
	return (const char *)message + sizeof(long);
}

static int get(key_t key, int flags)
{
	mdg_namespace *ns;
	mdg_id id = -1;
	int rc = mdg__sysv_namespace(&ns);
	if (rc == 0)
		rc = mdg_msgqueue_get(ns, key, (unsigned)flags, &id);
	return rc < 0 ? mdg__sysv_fail(rc, 0) : id;
}

static int send(int id, const void *message, size_t size, int flags)
{
	mdg_namespace *ns;
	int rc = message == NULL ? -EFAULT : mdg__sysv_namespace(&ns);
	if (rc == 0) {
		long type;
		memcpy(&type, message, sizeof type); /* it need not be aligned */
		rc = mdg_msgqueue_send(ns, id, type, text_of(message), size,
		                       (flags & IPC_NOWAIT) ? 0 : MDG_FOREVER);
	}
	return rc < 0 ? mdg__sysv_fail(rc, 1) : 0;
}

/* NULL: the kernel takes the message, and then finds that it cannot give it to anybody. */
static int receive_for_nobody(mdg_namespace *ns, int id, size_t size, long wanted, unsigned flags,
                              uint64_t deadline)
{
	char text[8192];
	int64_t type;
	size_t length, room = size < sizeof text ? size : sizeof text;
	int rc = mdg_msgqueue_receive(ns, id, wanted, text, room, flags, deadline, &type, &length);
	return rc < 0 ? rc : -EFAULT;
}

static int receive(int id, void *message, size_t size, long wanted, int flags, size_t *ret_length)
{
	mdg_namespace *ns;
	int64_t type;
	int rc = size > LONG_MAX || id < 0 ? -EINVAL : mdg__sysv_namespace(&ns);
	if (rc < 0)
		return rc;
	unsigned how = (unsigned)flags & (MDG_MSG_NOERROR | MDG_MSG_EXCEPT | MDG_MSG_COPY);
	uint64_t deadline = (flags & IPC_NOWAIT) ? 0 : MDG_FOREVER;
	if (message == NULL)
		return receive_for_nobody(ns, id, size, wanted, how, deadline);
	rc = mdg_msgqueue_receive(ns, id, wanted, (char *)message + sizeof(long), size, how,
	                          deadline, &type, ret_length);
	if (rc == 0) {
		long its_type = (long)type; /* 32 bits: the low half, as the kernel gives it */
		memcpy(message, &its_type, sizeof its_type);
	}
	return rc;
}

static ssize_t give(int id, void *message, size_t size, long wanted, int flags)
{
	size_t length = 0;
	int rc = receive(id, message, size, wanted, flags, &length);
	return rc < 0 ? mdg__sysv_fail(rc, 1) : (ssize_t)length;
}

int mdg__sysv_msgget(key_t key, int flags)
{
	return MDG__SEEN(msgget, &mdg__log_msgget, get(key, flags), key, flags, 0, 0, 0);
}

int mdg__sysv_msgsnd(int id, const void *message, size_t size, int flags)
{
	return MDG__SEEN(msgsnd, &mdg__log_msgsnd, send(id, message, size, flags), id, message,
	                 size, flags, 0);
}

ssize_t mdg__sysv_msgrcv(int id, void *message, size_t size, long wanted, int flags)
{
	return MDG__SEEN(msgrcv, &mdg__log_msgrcv, give(id, message, size, wanted, flags), id,
	                 message, size, wanted, flags);
}

MDG_EXPORT int msgget(key_t key, int flags)
{
	return mdg__sysv_msgget(key, flags);
}

/* ---- cancellation ------------------------------------------------------------------------ */

/* msgsnd and msgrcv are cancellation points. A thread may be cancelled while it sleeps, and at no
 * other moment in the call: asynchronously, because the sleep is no call of the C library. Nothing
 * is cleaned up then. A thread that does not sleep on its word is given nothing, and at the
 * thread's end its place in the queue is free, as that of a thread that is killed.
 *
 * There is no pthread_cleanup_push here: a signal handler may leave the sleep by siglongjmp, and
 * the C library would keep a handler of a function that is gone. */

static MDG__OF_THREAD struct {
	bool may_be_cancelled; /* the call is msgsnd or msgrcv */
	bool is_changed;       /* a sleep has begun, and has not ended: by siglongjmp, perhaps */
	int type;              /* of cancellation, before the sleep */
} sleeping;

static void restore_type(void)
{
	int type;
	if (sleeping.is_changed)
		(void)pthread_setcanceltype(sleeping.type, &type);
	sleeping.is_changed = false;
}

static void on_sleep(bool begins)
{
	restore_type();
	if (!begins || !sleeping.may_be_cancelled)
		return;
	/* NOLINTNEXTLINE(cert-pos47-c,concurrency-thread-canceltype-asynchronous) */
	(void)pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &sleeping.type);
	sleeping.is_changed = true;
}

static void begin_cancellable(void)
{
	restore_type();
	pthread_testcancel();
	mdg__host_on_sleep(on_sleep);
	sleeping.may_be_cancelled = true;
}

MDG_EXPORT int msgsnd(int id, const void *message, size_t size, int flags)
{
	begin_cancellable();
	int result = mdg__sysv_msgsnd(id, message, size, flags);
	sleeping.may_be_cancelled = false;
	return result;
}

MDG_EXPORT ssize_t msgrcv(int id, void *message, size_t size, long wanted, int flags)
{
	begin_cancellable();
	ssize_t result = mdg__sysv_msgrcv(id, message, size, wanted, flags);
	sleeping.may_be_cancelled = false;
	return result;
}
