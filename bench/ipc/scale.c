/* SPDX-License-Identifier: MIT */
/*
 * scale.c - semaphores and message queues of System V, used by many processes at once: one object
 * for all, and one for each.
 *
 * Each process gives back what it has taken, and receives as many messages as it has sent. So
 * nobody waits for ever: while a process waits for a message, there is one on its way.
 */
#include "bench/ipc/ipc.h"

enum { SIZE = 64 };

struct scale_objects {
	const struct ipc_side *side;
	int set, queue;
};

static bool work_set(void *context, unsigned n)
{
	const struct scale_objects *objects = context;
	struct sembuf take = { 0, -1, 0 }, give = { 0, 1, 0 };
	bool good = true;

	for (; n > 0 && good; n--)
		good = objects->side->set_op(objects->set, &take, 1) == 0 &&
		       objects->side->set_op(objects->set, &give, 1) == 0;
	return good;
}

static bool work_queue(void *context, unsigned n)
{
	const struct scale_objects *objects = context;
	struct {
		long type;
		char text[SIZE];
	} sent = { 1, "message" }, got;
	bool good = true;

	for (; n > 0 && good; n--)
		good = objects->side->queue_send(objects->queue, &sent, SIZE) == 0 &&
		       objects->side->queue_receive(objects->queue, &got, SIZE, 0) == SIZE;
	return good;
}

/* ---- the objects --------------------------------------------------------------------------- */

static bool make_set(void *context)
{
	struct scale_objects *objects = context;

	objects->set = objects->side->set_get(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	return objects->set >= 0 && objects->side->set_give(objects->set, 0, 1) == 0;
}

static void remove_set(void *context)
{
	const struct scale_objects *objects = context;

	if (objects->set >= 0)
		objects->side->set_remove(objects->set);
}

static bool make_queue(void *context)
{
	struct scale_objects *objects = context;

	objects->queue = objects->side->queue_get(IPC_PRIVATE, IPC_CREAT | 0600);
	return objects->queue >= 0;
}

static void remove_queue(void *context)
{
	const struct scale_objects *objects = context;

	if (objects->queue >= 0)
		objects->side->queue_remove(objects->queue);
}

static const struct {
	const char *name;
	bool (*make)(void *context);
	bool (*work)(void *context, unsigned n);
	void (*remove)(void *context);
	bool each; /* has its own */
} calls[] = {
	{ "semaphore of all", make_set, work_set, remove_set, false },
	{ "semaphore of each", make_set, work_set, remove_set, true },
	{ "message, queue of all", make_queue, work_queue, remove_queue, false },
	{ "message, queue of each", make_queue, work_queue, remove_queue, true },
};

void ipc_scale_measure(const struct settings *settings, const char *namespace_dir,
                       struct scale_result *ret_result)
{
	static const int sides[] = { IPC_MADANG, IPC_KERNEL };

	ipc_sides_open(namespace_dir);
	*ret_result = (struct scale_result){
		.section = "ipc_scale",
		.title = "Semaphores and messages of System V",
		.side = { ipc_side_name(IPC_MADANG), ipc_side_name(IPC_KERNEL) },
	};
	for (unsigned i = 0; i < sizeof calls / sizeof *calls && !stop_asked(); i++) {
		struct scale_call call = { .name = calls[i].name };
		struct scale_objects objects[2];

		for (int k = 0; k < 2; k++) {
			objects[k] = (struct scale_objects){ ipc_side(sides[k]), -1, -1 };
			if (objects[k].side == NULL)
				continue;
			call.side[k] = (struct scale_game){ .work = calls[i].work,
				                            .context = &objects[k] };
			if (calls[i].each) {
				call.side[k].join = calls[i].make;
				call.side[k].leave = calls[i].remove;
			} else if (!calls[i].make(&objects[k])) {
				call.side[k].work = NULL;
			}
		}
		scale_measure(settings, &call, ret_result);
		for (int k = 0; k < 2; k++)
			if (objects[k].side != NULL)
				calls[i].remove(&objects[k]);
	}
	ipc_sides_close();
}
