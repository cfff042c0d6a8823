/* SPDX-License-Identifier: MIT */
/* See open.h. */
#include "msgqueue/open.h"

#include <stdatomic.h>

#include "msgqueue/layout.h"
#include "platform/epoch.h"
#include "platform/identity.h"

/* The process id, without a system call each time: the epoch in the upper half. Relaxed: the word
 * says all. */
static int32_t own_pid(void)
{
	static _Atomic uint64_t known;
	uint64_t seen = atomic_load_explicit(&known, memory_order_relaxed);
	if (__builtin_expect((seen >> 32) != 0 && mdg__epoch_is_at_once((uint32_t)(seen >> 32)), 1))
		return (int32_t)(uint32_t)seen;
	uint64_t epoch = mdg__epoch();
	int32_t pid = mdg__pid();
	atomic_store_explicit(&known, epoch << 32 | (uint32_t)pid, memory_order_relaxed);
	return pid;
}

/* What was mapped before stays, for locks and sleepers in it. If the call has been left, what is
 * mapped now stays for good, like what that call had mapped. */
static int reach(struct mdg__queue *queue, uint64_t bytes)
{
	struct mdg__open *open = queue->of_call;
	struct mdg__memory left = { 0 },
			   *memory = open == NULL ? &left : &open->memory[open->count];
	if (open != NULL && open->count == MDG__OPEN_MAPPINGS)
		return -ENOMEM;
	int rc = mdg__memory_get(queue->context, MDG__MESSAGE_QUEUES, queue->id, bytes, memory);
	if (rc < 0)
		return rc == -EINVAL ? -EIDRM : rc; /* removed, since this call or sleep began */
	if (open != NULL)
		open->count++;
	queue->base = memory->base;
	queue->length = memory->length;
	return 0;
}

static void punch(struct mdg__queue *queue, uint64_t from)
{
	(void)mdg__memory_punch(queue->context, MDG__MESSAGE_QUEUES, queue->id, from);
}

static int promise(struct mdg__queue *queue, uint64_t from, uint64_t size)
{
	return mdg__memory_promise(queue->context, MDG__MESSAGE_QUEUES, queue->id, from, size);
}

/* What a layer above wants to do around each sleep. Relaxed: it is set once, before any call. */
static void (*_Atomic on_sleep)(bool begins);

void mdg__msgqueue_on_sleep(void (*hook)(bool begins))
{
	atomic_store_explicit(&on_sleep, hook, memory_order_relaxed);
}

static void asleep(struct mdg__queue *queue, bool begins)
{
	void (*hook)(bool) = atomic_load_explicit(&on_sleep, memory_order_relaxed);
	(void)queue;
	if (begins)
		mdg__object_sleeps();
	if (hook != NULL)
		hook(begins);
}

static int may(struct mdg__queue *queue, unsigned ask)
{
	int rc = mdg__object_glance(queue->context);
	if (rc == 0)
		rc = mdg__object_may(queue->context, MDG__MESSAGE_QUEUES, queue->id, ask);
	return rc == -EINVAL ? -EIDRM : rc;
}

static void set_up(struct mdg__open *open, mdg_namespace *ns, mdg_id id)
{
	static const struct mdg__queue_memory functions = {
		.reach = reach, .punch = punch, .promise = promise, .may = may, .asleep = asleep
	};
	open->ns = ns;
	open->id = id;
	open->count = 1;
	open->queue = (struct mdg__queue){
		.base = open->memory[0].base,
		.length = open->memory[0].length,
		.fields = mdg__object_fields(ns, MDG__MESSAGE_QUEUES, id),
		.pid = own_pid(),
		.memory = &functions,
		.context = ns,
		.id = id,
		.of_call = open,
	};
}

int mdg__open(struct mdg__open *open, mdg_namespace *ns, mdg_id id)
{
	struct mdg__memory *memory = &open->memory[0];
	bool taken = mdg__memory_take(ns, MDG__MESSAGE_QUEUES, id, memory);
	if (taken && memory->length < MDG__QUEUE_LEAST) {
		mdg__memory_leave(memory);
		taken = false;
	}
	if (!taken) {
		int rc = mdg__memory_get(ns, MDG__MESSAGE_QUEUES, id, MDG__QUEUE_LEAST, memory);
		if (rc < 0)
			return rc;
	}
	set_up(open, ns, id);
	return 0;
}

int mdg__open_look(struct mdg__open *open, mdg_namespace *ns, mdg_id id)
{
	struct mdg__memory *memory = &open->memory[0];
	if (!mdg__memory_take(ns, MDG__MESSAGE_QUEUES, id, memory)) {
		int rc = mdg__memory_look(ns, MDG__MESSAGE_QUEUES, id, memory);
		if (rc < 0)
			return rc;
	}
	if (memory->length < MDG__QUEUE_LEAST) { /* its maker has died, or has not got so far */
		mdg__memory_leave(memory);
		return -ENOENT;
	}
	set_up(open, ns, id);
	return 0;
}

int mdg__open_done(struct mdg__open *open, int rc)
{
	if (rc == -EIDRM)
		(void)mdg__object_end_removal(open->ns, MDG__MESSAGE_QUEUES, open->id);
	while (open->count > 0)
		mdg__memory_leave(&open->memory[--open->count]);
	return rc;
}
