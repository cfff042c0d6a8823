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

#ifndef MSG_EXCEPT
#define MSG_EXCEPT 020000
#endif
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

_Static_assert(MDG_MSG_NOERROR == MSG_NOERROR && MDG_MSG_EXCEPT == MSG_EXCEPT &&
                       MDG_MSG_COPY == MSG_COPY,
               "flags are msgrcv's");

/* A message begins with its type, a long. The text follows. */
static const char *text_of(const void *message)
{
	return (const char *)message + sizeof(long);
}

int mdg__sysv_msgget(key_t key, int flags)
{
	mdg_namespace *ns;
	mdg_id id = -1;
	int rc = mdg__sysv_namespace(&ns);
	if (rc == 0)
		rc = mdg_msgqueue_get(ns, key, (unsigned)flags, &id);
	return rc < 0 ? mdg__sysv_fail(rc, 0) : id;
}

int mdg__sysv_msgsnd(int id, const void *message, size_t size, int flags)
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

ssize_t mdg__sysv_msgrcv(int id, void *message, size_t size, long wanted, int flags)
{
	size_t length = 0;
	int rc = receive(id, message, size, wanted, flags, &length);
	return rc < 0 ? mdg__sysv_fail(rc, 1) : (ssize_t)length;
}

MDG_EXPORT int msgget(key_t key, int flags)
{
	return mdg__sysv_msgget(key, flags);
}

/* ---- cancellation ------------------------------------------------------------------------ */

/* msgsnd and msgrcv are cancellation points. A thread may be cancelled while it sleeps, and at no
 * other moment in the call: asynchronously, because the sleep is no call of the C library. What has
 * to be cleaned up then costs something, so a call first tries whether it need not sleep. */

static MDG__OF_THREAD struct {
	bool may_be_cancelled;
	int type; /* of cancellation, before the sleep */
} sleeping;

static void on_sleep(bool begins)
{
	int type;
	if (!sleeping.may_be_cancelled)
		return;
	if (begins) /* only around a system call that holds nothing */
		/* NOLINTNEXTLINE(cert-pos47-c,concurrency-thread-canceltype-asynchronous) */
		(void)pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &sleeping.type);
	else
		(void)pthread_setcanceltype(sleeping.type, &type);
}

/* The thread was cancelled. */
static void abandon(void *before)
{
	sleeping.may_be_cancelled = *(bool *)before;
	mdg__host_abandon_sleep();
}

static ssize_t send_or_sleep(int id, const void *message, size_t size, int flags)
{
	ssize_t result;
	bool before = sleeping.may_be_cancelled;
	mdg__host_on_sleep(on_sleep);
	pthread_cleanup_push(abandon, &before);
	sleeping.may_be_cancelled = true;
	result = mdg__sysv_msgsnd(id, message, size, flags);
	sleeping.may_be_cancelled = before;
	pthread_cleanup_pop(0);
	return result;
}

static ssize_t receive_or_sleep(int id, void *message, size_t size, long wanted, int flags)
{
	ssize_t result;
	bool before = sleeping.may_be_cancelled;
	mdg__host_on_sleep(on_sleep);
	pthread_cleanup_push(abandon, &before);
	sleeping.may_be_cancelled = true;
	result = mdg__sysv_msgrcv(id, message, size, wanted, flags);
	sleeping.may_be_cancelled = before;
	pthread_cleanup_pop(0);
	return result;
}

MDG_EXPORT int msgsnd(int id, const void *message, size_t size, int flags)
{
	int before = errno;
	pthread_testcancel();
	int result = mdg__sysv_msgsnd(id, message, size, flags | IPC_NOWAIT);
	if (result == 0 || errno != EAGAIN || (flags & IPC_NOWAIT))
		return result;
	errno = before;
	return (int)send_or_sleep(id, message, size, flags);
}

MDG_EXPORT ssize_t msgrcv(int id, void *message, size_t size, long wanted, int flags)
{
	int before = errno;
	pthread_testcancel();
	/* MSG_COPY without IPC_NOWAIT is an error. */
	int try = flags & MSG_COPY ? flags : flags | IPC_NOWAIT;
	ssize_t result = mdg__sysv_msgrcv(id, message, size, wanted, try);
	if (result >= 0 || errno != ENOMSG || (flags & (IPC_NOWAIT | MSG_COPY)))
		return result;
	errno = before;
	return receive_or_sleep(id, message, size, wanted, flags);
}
