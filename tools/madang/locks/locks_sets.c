/* SPDX-License-Identifier: MIT */
/*
 * locks_sets.c - who sleeps in the semaphore sets of a namespace, and who has what of them.
 *
 * A semaphore has no owner. But what a process has taken or added with undo is noted, since it is
 * given back at the process's end. So a program that uses a semaphore with undo as a lock is known
 * as the one that has it.
 *
 * Sets of which the caller may see nothing are passed over, and so are processes of other pid
 * namespaces. Nothing is locked (semset/view.h).
 */
#include <string.h>

#include "locks/locks.h"
#include "madang/sem.h"
#include "semset/view.h"

/* A note that is younger may be of another sleep when it is read again: times are cut to whole
 * milliseconds. */
enum { YOUNGEST_MS = 2 };

struct reading {
	struct survey *survey;
	mdg_id set;
};

static void add_wait(void *context, const struct mdg__set_sleeper *sleeper)
{
	const struct reading *reading = context;
	struct survey *survey = reading->survey;
	int32_t pid = sleeper->process.pid;
	const struct attached own = { &pid, 1, false };
	uint32_t now = (uint32_t)(mdg_deadline(0) / 1000000);
	uint32_t waited = (now - sleeper->since) & MDG__SET_SINCE_MASK;

	/* Noted since `now` was asked for. */
	if (waited > MDG__SET_SINCE_MASK - 1000)
		waited = 0;
	if (!sleeper->process.is_seen || waited < YOUNGEST_MS)
		return;
	struct set_wait *waits =
		locks_grow(survey, survey->waits, survey->wait_count, sizeof *waits);
	size_t thread = locks_thread(survey, sleeper->tid, &own);
	if (waits != NULL)
		survey->waits = waits;
	if (waits == NULL || thread == NOBODY || survey->threads[thread].pid == 0)
		return;
	waits[survey->wait_count++] = (struct set_wait){ .thread = thread,
		                                         .set = reading->set,
		                                         .number = sleeper->number,
		                                         .change = sleeper->change,
		                                         .lacks = sleeper->lacks,
		                                         .since = sleeper->since,
		                                         .waited = waited,
		                                         .timed = sleeper->is_timed };
}

static void add_hold(void *context, const struct mdg__set_undo *undo)
{
	const struct reading *reading = context;
	struct survey *survey = reading->survey;

	if (!undo->process.is_seen)
		return;
	struct set_hold *holds =
		locks_grow(survey, survey->holds, survey->hold_count, sizeof *holds);
	if (holds == NULL)
		return;
	survey->holds = holds;
	holds[survey->hold_count++] =
		(struct set_hold){ undo->process.pid, reading->set, undo->number, undo->sum };
}

void locks_read_sets(struct survey *survey, mdg_namespace *ns)
{
	struct mdg_semset_info info = { .size = sizeof info };
	uint32_t cursor = 0;

	while (mdg_semset_next(ns, &cursor, &info) > 0) {
		struct reading reading = { survey, info.id };
		const struct mdg__set_viewer viewer = { .sleeper = add_wait,
			                                .undo = add_hold,
			                                .context = &reading };
		(void)mdg__semset_view(ns, info.id, &viewer);
	}
}

bool locks_hold_is_for(const struct set_hold *hold, const struct set_wait *wait)
{
	return hold->set == wait->set && hold->number == wait->number &&
	       (wait->change < 0 ? hold->sum > 0 : hold->sum < 0);
}
