/* SPDX-License-Identifier: MIT */
/*
 * engine.h - what a message queue does, in memory that somebody else has found and mapped.
 *
 *     struct mdg__queue queue = { .base = memory, .length = bytes, .fields = fields,
 *                                 .pid = mdg__pid(), .memory = &how_to_make_more };
 *     int rc = mdg__queue_send(&queue, 1, "hello", 5, MDG_FOREVER);
 *
 * The memory begins as zeros. Each call has a struct mdg__queue of its own, and the memory stays
 * mapped at its address until the call has returned. Nothing here knows ids, keys, or limits of
 * the namespace.
 *
 * All functions return 0 or one negative code; in addition to what is said at each of them:
 *     -ENOMEM      no memory, or more sleepers than there can be
 *     -ENOSYS      the kernel has no robust lists
 *     -EDEADLK     this thread is in a call on the same queue already: a fault in the queue's
 *                  memory has led to a handler that makes a call
 *     MDG_DAMAGED  the memory holds what cannot be
 *     -EBUSY       of look and remove: somebody keeps the lock and does not go on
 */
#ifndef MADANG_MSGQUEUE_ENGINE_H
#define MADANG_MSGQUEUE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "madang/base.h"

/* The six fields of a queue's entry (segment/objects.h). All but the first show everybody what the
 * queue holds. They are written by the holder of the queue's lock, relaxed, and are never read
 * by the engine. */
enum mdg__queue_field {
	MDG__QUEUE_QBYTES, /* the limit. Set with the owner; the engine reads it in each call */
	MDG__QUEUE_QNUM,
	MDG__QUEUE_CBYTES,
	MDG__QUEUE_PIDS, /* lspid, and in the upper half lrpid */
	MDG__QUEUE_STIME,
	MDG__QUEUE_RTIME
};

struct mdg__queue;

struct mdg__queue_memory {
	/* Makes sure that `bytes` are promised and mapped, and changes base and length. 0: maps
	 * what others have made. What was mapped before stays so until the call returns. The lock
	 * of the queue is held. of_call may be NULL: the call was left by siglongjmp. */
	int (*reach)(struct mdg__queue *queue, uint64_t bytes);
	/* Gives the memory from there on back to the system, as far as that can be done; and
	 * promises a part of it again: 0 or -ENOMEM. The lock of the queue is held. */
	void (*punch)(struct mdg__queue *queue, uint64_t from);
	int (*promise)(struct mdg__queue *queue, uint64_t from, uint64_t size);
	/* Whether the caller may (0444, 0222), asked after a sleep: 0, -EACCES or -EIDRM. With 0 it
	 * asks only whether the queue is still there; no lock is held then. */
	int (*may)(struct mdg__queue *queue, unsigned ask);
	/* Called right before a sleep and after it, with signals as the caller has them. NULL:
	 * nobody wants to know. */
	void (*asleep)(struct mdg__queue *queue, bool begins);
};

struct mdg__queue {
	char *base;
	uint64_t length;
	_Atomic uint64_t *fields; /* of the entry */
	int32_t pid;              /* of the calling process */
	uint64_t lock_most; /* nanoseconds that it waits for the lock; 0: for as long as it takes */
	const struct mdg__queue_memory *memory;
	/* For the functions: what outlives the call, and what lies on its stack. */
	void *context;
	int32_t id;
	void *of_call;
};

/* Bits of mdg__queue_receive. The values are those of MSG_NOERROR, MSG_EXCEPT and MSG_COPY. */
enum { MDG__RECEIVE_CUT = 010000, MDG__RECEIVE_EXCEPT = 020000, MDG__RECEIVE_COPY = 040000 };

/* -EAGAIN: no room, and the deadline is 0. -ETIMEDOUT. -EINTR. -EIDRM. -EACCES, after a sleep.
 * [type >= 1] */
int mdg__queue_send(struct mdg__queue *queue, int64_t type, const void *text, uint64_t size,
                    uint64_t deadline);
/* Which message: see docs/semantics-msg.md. -ENOMSG: none, and the deadline is 0. -E2BIG. Others as
 * above. The text goes to the buffer after everything else: if that faults, the message is gone. */
int mdg__queue_receive(struct mdg__queue *queue, int64_t wanted, unsigned flags, void *buffer,
                       uint64_t size, uint64_t deadline, int64_t *ret_type, uint64_t *ret_length);

/* Ends, as a signal handler would, a sleep of this thread that will not return: the thread has left
 * it by siglongjmp, or is being cancelled. */
void mdg__queue_abandon(void);

/* Calls all sleepers, who look at the limit and at their permission again. Whoever has changed one
 * of the two calls this. */
int mdg__queue_changed(struct mdg__queue *queue);
/* From now on every call gives -EIDRM, and the sleepers' as well. 1: that was so before. -EBUSY:
 * the sleepers are not called, and find it out by themselves. */
int mdg__queue_remove(struct mdg__queue *queue);
/* Whether that has been done. */
bool mdg__queue_is_removed(const struct mdg__queue *queue);

struct mdg__queue_figures {
	uint64_t qnum, cbytes;
	int64_t stime, rtime;
	int32_t lspid, lrpid;
	uint32_t receivers, senders; /* asleep */
	uint32_t claims;             /* messages on their way to a receiver that was called */
	uint64_t bytes;              /* of memory, in use */
};
/* What the queue holds, at one moment. -EBUSY: that cannot be said. */
int mdg__queue_look(struct mdg__queue *queue, struct mdg__queue_figures *ret);

struct mdg__queue_sleeper {
	int32_t pid, tid;
	bool sends;
	int64_t type;   /* of a receiver: what it said */
	uint64_t size;  /* of its buffer, or of its message */
	uint64_t since; /* CLOCK_MONOTONIC, nanoseconds */
};
/* The sleepers, in the order of the line. Up to `room` of them; returns how many there are. */
int mdg__queue_sleepers(struct mdg__queue *queue, struct mdg__queue_sleeper *ret, uint32_t room);

#endif
