/* SPDX-License-Identifier: MIT */
/*
 * calls.c - the calls of <madang/msg.h> that find a queue, send and receive.
 *
 * Each asks in this order: what the arguments alone say, whether there is such a queue, permission,
 * and then the engine (engine.h).
 */
#include "madang/msg.h"

#include <errno.h>

#include "msgqueue/open.h"
#include "segment/hostcalls.h"

_Static_assert(MDG_MSG_NOERROR == MDG__RECEIVE_CUT && MDG_MSG_EXCEPT == MDG__RECEIVE_EXCEPT &&
                       MDG_MSG_COPY == MDG__RECEIVE_COPY,
               "the same bits");

/* ---- making and finding ---------------------------------------------------------------------- */

static int prepare(struct mdg__object_order *order, mdg_namespace *ns)
{
	for (int i = 0; i < MDG__CLASS_FIELDS; i++)
		order->field[i] = 0;
	order->field[MDG__QUEUE_QBYTES] = mdg__object_limit(ns, MDG__MSGMNB);
	return 0;
}

static int get(mdg_namespace *ns, int32_t key, const char *name, unsigned flags, unsigned mode,
               mdg_id *ret_id)
{
	struct mdg__object_order order = {
		.key = key,
		.name = name,
		.flags = flags & (MDG_CREATE | MDG_EXCL),
		.mode = mode & 0777,
		.prepares = prepare,
	};
	int rc = mdg__object_glance(ns);
	return rc < 0 ? rc : mdg__object_get(ns, MDG__MESSAGE_QUEUES, &order, ret_id);
}

int mdg_msgqueue_create(mdg_namespace *ns, const char *name, unsigned mode, mdg_id *ret_id)
{
	if (name != NULL && name[0] == 0)
		return -EINVAL;
	return get(ns, 0, name, MDG_CREATE | MDG_EXCL, mode, ret_id);
}

int mdg_msgqueue_open(mdg_namespace *ns, const char *name, unsigned ask, mdg_id *ret_id)
{
	if (name == NULL || name[0] == 0)
		return -EINVAL;
	return get(ns, 0, name, 0, ask, ret_id);
}

int mdg_msgqueue_get(mdg_namespace *ns, int32_t key, unsigned flags, mdg_id *ret_id)
{
	return get(ns, key, NULL, flags, flags, ret_id);
}

/* ---- sending and receiving ------------------------------------------------------------------- */

/* The queue's memory, if the caller may do that with the queue. */
static int enter(struct mdg__open *open, mdg_namespace *ns, mdg_id id, unsigned ask)
{
	int rc = mdg__object_glance(ns);
	if (rc == 0 && mdg__object_is_look(ns))
		rc = -EROFS;
	if (rc == 0)
		rc = mdg__object_may(ns, MDG__MESSAGE_QUEUES, id, ask);
	return rc < 0 ? rc : mdg__open(open, ns, id);
}

int mdg_msgqueue_send(mdg_namespace *ns, mdg_id id, int64_t type, const void *text, size_t size,
                      uint64_t deadline)
{
	struct mdg__open open;
	if (size > mdg__object_limit(ns, MDG__MSGMAX) || id < 0 || type < 1)
		return -EINVAL;
	int rc = enter(&open, ns, id, 0222);
	if (rc < 0)
		return rc;
	rc = mdg__queue_send(&open.queue, type, text, size, deadline);
	return mdg__open_done(&open, rc);
}

/* A copy is never cut off: what NOERROR would have to cut is refused. */
static int check_copy(unsigned flags, uint64_t deadline)
{
	if ((flags & MDG_MSG_COPY) == 0)
		return 0;
	return deadline != 0 || (flags & MDG_MSG_EXCEPT) != 0 ? -EINVAL : 0;
}

int mdg_msgqueue_receive(mdg_namespace *ns, mdg_id id, int64_t wanted, void *buffer, size_t size,
                         unsigned flags, uint64_t deadline, int64_t *ret_type, size_t *ret_length)
{
	struct mdg__open open;
	uint64_t length = 0;
	bool cuts_copy = (flags & MDG_MSG_COPY) != 0 && (flags & MDG_MSG_NOERROR) != 0;
	if (id < 0 || size > SIZE_MAX / 2)
		return -EINVAL;
	int rc = check_copy(flags, deadline);
	if (rc == 0)
		rc = enter(&open, ns, id, 0444);
	if (rc < 0)
		return rc;
	if (cuts_copy)
		flags &= ~MDG_MSG_NOERROR;
	rc = mdg__queue_receive(&open.queue, wanted, flags, buffer, size, deadline, ret_type,
	                        &length);
	if (rc == -E2BIG && cuts_copy)
		rc = -EINVAL;
	if (rc == 0)
		*ret_length = (size_t)length;
	return mdg__open_done(&open, rc);
}

/* ---- for libmadang-sysv, where msgsnd and msgrcv are cancellation points --------------------- */

void mdg__host_on_sleep(void (*function)(bool begins))
{
	mdg__msgqueue_on_sleep(function);
}
