/* SPDX-License-Identifier: MIT */
/*
 * seen_objects.c - the semaphore sets and message queues of a namespace, and who sleeps in them.
 */
#include "seen/seen.h"

#include <errno.h>

#include "core/ls.h"
#include "msgqueue/view.h"

int seen_read_sets(struct seen *seen, mdg_namespace *ns)
{
	struct mdg_semset_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	int rc;

	while ((rc = mdg_semset_next(ns, &cursor, &info)) > 0) {
		struct seen_set *more = list_grow(seen->sets, seen->set_count, sizeof *more);
		if (more == NULL)
			return -ENOMEM;
		seen->sets = more;
		struct seen_set *set = &more[seen->set_count++];
		*set = (struct seen_set){ .info = info };
		set->has_waiting = count_set_waiting(ns, info.id, &set->waiting);
	}
	return rc;
}

/* The process of that number, if it is the one that did something at that time (seconds): numbers
 * are given again, and other pid namespaces have their own. NOBODY: it is not, or no memory. */
static size_t find_actor(struct seen *seen, int32_t pid, int64_t when)
{
	uint64_t age = pid > 0 ? locks_thread_age(pid, (uint32_t)pid) : UINT64_MAX;

	if (age == UINT64_MAX || when <= 0 || seen->time - (int64_t)(age / 1000) > when + 1)
		return NOBODY;
	return seen_local_process(seen, pid);
}

struct reading {
	struct seen *seen;
	bool out_of_memory;
};

/* Who sleeps in the last queue of the list. */
static void add_sleeper(void *context, const struct mdg__queue_sleeper *sleeper, bool except)
{
	struct reading *reading = context;
	struct seen *seen = reading->seen;
	struct seen_queue *queue = &seen->queues[seen->queue_count - 1];

	(void)except;
	if (sleeper->sends)
		queue->senders++;
	else
		queue->receivers++;
	struct seen_sleeper *more = list_grow(seen->sleepers, seen->sleeper_count, sizeof *more);
	if (more != NULL)
		seen->sleepers = more;
	size_t process = seen_local_process(seen, sleeper->pid);
	if (more == NULL || process == NOBODY)
		reading->out_of_memory = true;
	else
		more[seen->sleeper_count++] =
			(struct seen_sleeper){ seen->queue_count - 1, process, sleeper->sends };
}

int seen_read_queues(struct seen *seen, mdg_namespace *ns)
{
	struct mdg_msgqueue_info info = { .size = sizeof info };
	struct reading reading = { seen, false };
	uint32_t cursor = 0;
	int rc;

	while ((rc = mdg_msgqueue_next(ns, &cursor, &info)) > 0) {
		const struct mdg__queue_viewer viewer = { add_sleeper, &reading };
		struct seen_queue *more = list_grow(seen->queues, seen->queue_count, sizeof *more);
		if (more == NULL)
			return -ENOMEM;
		seen->queues = more;
		more[seen->queue_count++] = (struct seen_queue){
			.info = info,
			.sent_by = find_actor(seen, info.lspid, info.stime),
			.received_by = find_actor(seen, info.lrpid, info.rtime),
		};
		bool seen_all = mdg__msgqueue_view(ns, info.id, &viewer) == 0;
		seen->queues[seen->queue_count - 1].has_waiting = seen_all;
	}
	return reading.out_of_memory ? -ENOMEM : rc;
}
