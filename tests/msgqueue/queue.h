/* SPDX-License-Identifier: MIT */
/*
 * queue.h - what the tests of the engine of message queues share: a queue in memory that children
 * inherit, and processes that sleep in it.
 *
 *     struct world *world = world_make(16384);         // qbytes
 *     CHECK(snd(world, 5, "hello", 0) == 0);
 *     pid_t child = start(some_function, world);
 *     CHECK(sleeps_in(world, 1));                      // one of them is asleep by now
 *
 * Each line of docs/semantics-msg.md that the engine decides has a CHECK with its tag in a comment.
 */
#ifndef MADANG_TESTS_MSGQUEUE_QUEUE_H
#define MADANG_TESTS_MSGQUEUE_QUEUE_H

#include "msgqueue/engine.h"
#include "platform/identity.h"
#include "platform/clock.h"
#include "sync/asleep.h"

#define FAR mdg_deadline(UINT64_C(20000000000))

enum { WORLD_BYTES = 64 << 20, TEXT_MOST = 1 << 17 };

struct world {
	_Atomic uint64_t fields[6];
	_Atomic uint32_t may;   /* 0, or what the permission check says */
	_Atomic uint64_t limit; /* bytes of memory that can be had */
	_Atomic uint64_t length;
	_Atomic uint64_t kept;    /* 0, or where a hole begins */
	_Atomic uint32_t hostile; /* somebody writes anything to the memory */
	_Atomic uint32_t holes;   /* how many were made */
	_Atomic uint32_t word;    /* for the test */
	_Atomic uint32_t said[64];
	char *memory;
};

/* How much has been mapped, as far as the engine knows. A thread remembers that from one call to
 * the next, as a process does that has opened a queue. */
static inline uint64_t *world_mapped(const struct world *world)
{
	static _Thread_local const struct world *latest;
	static _Thread_local uint64_t bytes;
	if (latest != world)
		bytes = 32768;
	latest = world;
	return &bytes;
}

static inline int world_reach(struct mdg__queue *queue, uint64_t bytes)
{
	struct world *world = queue->context;
	if (bytes > atomic_load(&world->limit))
		return -ENOMEM;
	if (bytes > atomic_load(&world->length))
		atomic_store(&world->length, bytes);
	queue->length = *world_mapped(world) = atomic_load(&world->length);
	return 0;
}

static inline void world_punch(struct mdg__queue *queue, uint64_t from)
{
	struct world *world = queue->context;
	atomic_fetch_add(&world->holes, 1);
	atomic_store(&world->kept, from);
	CHECK(madvise(world->memory + from, (size_t)(WORLD_BYTES - from), MADV_REMOVE) == 0);
}

static inline int world_promise(struct mdg__queue *queue, uint64_t from, uint64_t size)
{
	struct world *world = queue->context;
	CHECK(atomic_load(&world->hostile) != 0 || atomic_load(&world->kept) == 0 ||
	      from == atomic_load(&world->kept));
	CHECK(from + size <= atomic_load(&world->length));
	if (from + size > atomic_load(&world->limit))
		return -ENOMEM;
	atomic_store(&world->kept, from + size);
	return 0;
}

static inline int world_may(struct mdg__queue *queue, unsigned ask)
{
	struct world *world = queue->context;
	(void)ask;
	return -(int)atomic_load(&world->may);
}

static const struct mdg__queue_memory world_memory = {
	.reach = world_reach, .punch = world_punch, .promise = world_promise, .may = world_may
};

static inline void world_begin(struct world *world, uint64_t qbytes)
{
	atomic_store(&world->limit, WORLD_BYTES);
	atomic_store(&world->length, 32768);
	atomic_store(&world->fields[MDG__QUEUE_QBYTES], qbytes);
}

static inline struct world *world_make(uint64_t qbytes)
{
	struct world *world = shared_memory(sizeof(*world));
	world->memory = shared_memory(WORLD_BYTES);
	world_begin(world, qbytes);
	return world;
}

static inline void world_drop(struct world *world)
{
	(void)world_mapped(NULL);
	munmap(world->memory, WORLD_BYTES);
	munmap(world, sizeof(*world));
}

static inline struct mdg__queue queue_of(struct world *world)
{
	return (struct mdg__queue){ .base = world->memory,
		                    .length = *world_mapped(world),
		                    .fields = world->fields,
		                    .pid = getpid(),
		                    .memory = &world_memory,
		                    .context = world };
}

static inline int snd_bytes(struct world *world, int64_t type, const void *text, uint64_t size,
                            uint64_t deadline)
{
	struct mdg__queue queue = queue_of(world);
	return mdg__queue_send(&queue, type, text, size, deadline);
}

static inline int snd(struct world *world, int64_t type, const char *text, uint64_t deadline)
{
	return snd_bytes(world, type, text, strlen(text), deadline);
}

/* What was received. */
struct got {
	int rc;
	int64_t type;
	uint64_t length;
	char text[TEXT_MOST];
};

static inline struct got *rcv_into(struct world *world, int64_t wanted, unsigned flags,
                                   uint64_t size, uint64_t deadline)
{
	static struct got got;
	struct mdg__queue queue = queue_of(world);
	memset(&got, 0, 64);
	got.rc = mdg__queue_receive(&queue, wanted, flags, got.text, size, deadline, &got.type,
	                            &got.length);
	if (got.rc == 0 && got.length < TEXT_MOST)
		got.text[got.length] = 0;
	return &got;
}

static inline struct got *rcv(struct world *world, int64_t wanted, uint64_t deadline)
{
	return rcv_into(world, wanted, 0, TEXT_MOST - 1, deadline);
}

/* Whether just this message comes. */
static inline bool rcv_is(struct world *world, int64_t wanted, unsigned flags, int64_t type,
                          const char *text)
{
	const struct got *got = rcv_into(world, wanted, flags, TEXT_MOST - 1, 0);
	if (got->rc == 0 && got->type == type && strcmp(got->text, text) == 0)
		return true;
	fprintf(stderr, "got %d, type %lld, \"%.20s\"\n", got->rc, (long long)got->type, got->text);
	return false;
}

static inline struct mdg__queue_figures look(struct world *world)
{
	struct mdg__queue queue = queue_of(world);
	struct mdg__queue_figures figures = { 0 };
	CHECK(mdg__queue_look(&queue, &figures) == 0);
	return figures;
}

static inline bool holds(struct world *world, uint64_t qnum, uint64_t cbytes)
{
	struct mdg__queue_figures figures = look(world);
	if (figures.qnum == qnum && figures.cbytes == cbytes &&
	    atomic_load(&world->fields[MDG__QUEUE_QNUM]) == qnum &&
	    atomic_load(&world->fields[MDG__QUEUE_CBYTES]) == cbytes)
		return true;
	fprintf(stderr, "the queue holds %llu messages, %llu bytes\n",
	        (unsigned long long)figures.qnum, (unsigned long long)figures.cbytes);
	return false;
}

/* Waits until so many sleep in the queue, and the process, if it is one, is asleep. */
static inline bool sleeps_in(struct world *world, uint32_t count, pid_t pid)
{
	uint64_t end = GRACE;
	for (;;) {
		struct mdg__queue queue = queue_of(world);
		struct mdg__queue_sleeper sleeper;
		if (mdg__queue_sleepers(&queue, &sleeper, 1) == (int)count &&
		    (pid == 0 || is_asleep(pid)))
			return true;
		if (now_ns() > end)
			return false;
		nap_ms(1);
	}
}

/* What a child has to do. */
struct task {
	struct world *world;
	int64_t type;
	const char *text;
	unsigned flags;
	uint64_t size, deadline;
	int rc;           /* what it has to return */
	int64_t got_type; /* of a receiver, if rc is 0 */
};

static inline void task_send(void *argument)
{
	const struct task *task = argument;
	CHECK(snd(task->world, task->type, task->text, task->deadline) == task->rc);
}

static inline void task_receive(void *argument)
{
	const struct task *task = argument;
	const struct got *got =
		rcv_into(task->world, task->type, task->flags, task->size, task->deadline);
	if (!CHECK(got->rc == task->rc))
		fprintf(stderr, "it returned %d\n", got->rc);
	if (got->rc != 0)
		return;
	CHECK(got->type == task->got_type);
	if (!CHECK(strcmp(got->text, task->text) == 0))
		fprintf(stderr, "it is \"%.20s\"\n", got->text);
}

/* A child that receives, and is asleep in it as the `count`th sleeper. */
static inline pid_t receiver(struct world *world, int64_t wanted, unsigned flags, uint64_t size,
                             int rc, int64_t type, const char *text, uint32_t count)
{
	struct task task = { .world = world,
		             .type = wanted,
		             .text = text,
		             .flags = flags,
		             .size = size,
		             .deadline = FAR,
		             .rc = rc,
		             .got_type = type };
	pid_t pid = start(task_receive, &task);
	CHECK(sleeps_in(world, count, pid));
	return pid;
}

static inline pid_t sender(struct world *world, int64_t type, const char *text, int rc,
                           uint32_t count)
{
	struct task task = {
		.world = world, .type = type, .text = text, .deadline = FAR, .rc = rc
	};
	pid_t pid = start(task_send, &task);
	CHECK(sleeps_in(world, count, pid));
	return pid;
}

#endif
