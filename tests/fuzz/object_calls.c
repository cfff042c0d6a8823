/* SPDX-License-Identifier: MIT */
/* See objects.h: the calls on a set and on a queue. */
#include "fuzz/objects.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "madang/msg.h"
#include "madang/sem.h"
#include "msgqueue/check.h"
#include "msgqueue/view.h"
#include "semset/check.h"
#include "semset/view.h"

/* With a damaged lock each call waits for seconds before it says so. One of them is enough. */
#define ASK(name, expression) (caller->waited ? -ETIMEDOUT : CALL(name, expression))

enum { SEMAPHORES = 20, SHORTLY_NS = 100000 };

static int find(const struct mdg_finding *finding, void *context)
{
	(void)finding;
	(void)context;
	return 0;
}

static void see_semaphore(void *context, uint32_t number, int32_t value, int32_t pid)
{
	*(uint32_t *)context += number + (uint32_t)value + (uint32_t)pid;
}

static void see_sleeper(void *context, const struct mdg__set_sleeper *sleeper)
{
	*(uint32_t *)context += sleeper->number;
}

static void see_undo(void *context, const struct mdg__set_undo *undo)
{
	*(uint32_t *)context += undo->number;
}

static void see_queue(void *context, const struct mdg__queue_sleeper *sleeper, bool except)
{
	*(uint32_t *)context += (uint32_t)sleeper->pid + except;
}

static uint64_t shortly(void)
{
	return mdg_deadline(SHORTLY_NS);
}

static void change_set(struct caller *caller, mdg_namespace *ns, mdg_id id)
{
	uint16_t all[SEMAPHORES] = { 1, 2, 3 };
	const struct mdg_semset_op three[3] = { { 0, 1, MDG_SEM_UNDO },
		                                { 17, -1, MDG_SEM_UNDO },
		                                { 4, 1, 0 } };
	struct mdg_semset_op list[30];
	uint16_t a = (uint16_t)roll_below(&caller->dice, SEMAPHORES);
	for (uint16_t i = 0; i < 30; i++)
		list[i] = (struct mdg_semset_op){ i % SEMAPHORES, 1, MDG_SEM_UNDO };
	list[20].change = -5;
	(void)ASK("op +1", mdg_semset_op(ns, id, &(struct mdg_semset_op){ a, 1, 0 }, 1, 0));
	(void)ASK("op -1",
	          mdg_semset_op(ns, id, &(struct mdg_semset_op){ a, -1, 0 }, 1, shortly()));
	(void)ASK("op 0", mdg_semset_op(ns, id, &(struct mdg_semset_op){ a, 0, 0 }, 1, shortly()));
	(void)ASK("op with undo", mdg_semset_op(ns, id, three, 1, 0));
	(void)ASK("op of three", mdg_semset_op(ns, id, three, 3, shortly()));
	(void)ASK("op of many", mdg_semset_op(ns, id, list, 30, shortly()));
	(void)ASK("set_value", mdg_semset_set_value(ns, id, a, 1));
	(void)ASK("set_all", mdg_semset_set_all(ns, id, all, SEMAPHORES));
}

static void look_at_set(struct caller *caller, mdg_namespace *ns, mdg_id id)
{
	struct mdg_semset_info info = { .size = sizeof info };
	uint16_t all[SEMAPHORES];
	uint32_t sum = 0, a = roll_below(&caller->dice, SEMAPHORES);
	int32_t pid;
	const struct mdg__set_viewer viewer = { see_semaphore, see_sleeper, see_undo, &sum };
	(void)ASK("semset_value", mdg_semset_value(ns, id, a));
	(void)ASK("semset_pid", mdg_semset_pid(ns, id, a, &pid));
	(void)ASK("semset_waiting", mdg_semset_waiting(ns, id, a, 0));
	(void)ASK("semset_waiting for zero", mdg_semset_waiting(ns, id, a, 1));
	(void)ASK("semset_all", mdg_semset_all(ns, id, all, SEMAPHORES));
	(void)ASK("semset_stat", mdg_semset_stat(ns, id, 0, &info));
	(void)ASK("semset_view", mdg__semset_view(ns, id, &viewer));
	(void)ASK("semset_check", mdg__semset_check(ns, id, one_in(&caller->dice, 2), find, NULL));
}

static void change_queue(struct caller *caller, mdg_namespace *ns, mdg_id id)
{
	static char text[6000];
	static const int64_t wanted[] = { 0, 1, -5, 4, 99, INT64_MIN };
	int64_t type;
	size_t length;
	(void)ASK("send", mdg_msgqueue_send(ns, id, 1, text, roll_below(&caller->dice, 100), 0));
	(void)ASK("send a long one", mdg_msgqueue_send(ns, id, 2, text, 5500, shortly()));
	(void)ASK("send to a sleeper", mdg_msgqueue_send(ns, id, 99, text, 5, 0));
	for (int i = 0; i < 6; i++) {
		(void)ASK("receive a copy", mdg_msgqueue_receive(ns, id, i, text, sizeof text,
		                                                 MDG_MSG_COPY, 0, &type, &length));
		(void)ASK("receive", mdg_msgqueue_receive(ns, id, wanted[i], text, sizeof text,
		                                          i == 3 ? MDG_MSG_EXCEPT : 0,
		                                          i == 4 ? shortly() : 0, &type, &length));
	}
	(void)ASK("receive a part",
	          mdg_msgqueue_receive(ns, id, 0, text, 3, MDG_MSG_NOERROR, 0, &type, &length));
	(void)ASK("msgqueue_set", mdg_msgqueue_set(ns, id, 0, 0, 0600, 16384));
}

static void look_at_queue(struct caller *caller, mdg_namespace *ns, mdg_id id)
{
	struct mdg_msgqueue_info info = { .size = sizeof info };
	uint32_t sum = 0;
	const struct mdg__queue_viewer viewer = { see_queue, &sum };
	(void)ASK("msgqueue_stat", mdg_msgqueue_stat(ns, id, 0, &info));
	(void)ASK("msgqueue_view", mdg__msgqueue_view(ns, id, &viewer));
	(void)ASK("msgqueue_check",
	          mdg__msgqueue_check(ns, id, one_in(&caller->dice, 2), find, NULL));
}

static void wrong(const struct caller *caller, const char *what)
{
	fprintf(stderr, "%s beside the damaged one is another\n", what);
	call_give_up(caller, EXIT_WRONG);
}

static void check_beside(const struct caller *caller, const struct objects *objects,
                         mdg_namespace *ns)
{
	mdg_id set = objects->of[OBJECT_SET].beside, queue = objects->of[OBJECT_QUEUE].beside;
	char text[8] = "";
	int64_t type = 0;
	size_t length = 0;
	if (mdg_semset_value(ns, set, 1) != 1 || mdg_semset_value(ns, set, 0) != 0)
		wrong(caller, "the set");
	if (mdg_msgqueue_receive(ns, queue, 0, text, sizeof text, MDG_MSG_COPY, 0, &type,
	                         &length) != 0 ||
	    type != 1 || length != 1 || text[0] != '1')
		wrong(caller, "the queue");
}

void object_call(struct caller *caller, struct objects *objects, enum object_kind kind,
                 mdg_namespace *ns)
{
	struct mdg_semset_info set = { .size = sizeof set };
	struct mdg_msgqueue_info queue = { .size = sizeof queue };
	mdg_id id = objects->of[kind].id;
	bool looks_first = one_in(&caller->dice, 2);
	for (int i = 0; i < 2; i++) {
		bool looks = looks_first == (i == 0);
		if (kind == OBJECT_SET)
			(looks ? look_at_set : change_set)(caller, ns, id);
		else
			(looks ? look_at_queue : change_queue)(caller, ns, id);
	}
	check_beside(caller, objects, ns);
	if (one_in(&caller->dice, 8))
		(void)CALL("remove", kind == OBJECT_SET ? mdg_semset_remove(ns, id)
		                                        : mdg_msgqueue_remove(ns, id));
	bool there = kind == OBJECT_SET ? mdg_semset_stat(ns, id, MDG_STAT_ANY, &set) == 0
	                                : mdg_msgqueue_stat(ns, id, MDG_STAT_ANY, &queue) == 0;
	if (!there)
		object_again(objects, kind, ns);
}
