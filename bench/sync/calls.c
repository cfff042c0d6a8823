/* SPDX-License-Identifier: MIT */
/*
 * calls.c - how many system calls a wait and its wake-up take, counted with ptrace(2).
 *
 * Two traced processes (trace.c): the waiter is let go until it sleeps in the kernel, then the
 * waker makes its one call, then the waiter finishes.
 */
#include "bench/common/processes.h"
#include "bench/sync/games.h"
#include "bench/common/trace.h"

#include <sys/mman.h>

const char *sync_wake_name(enum sync_wake what)
{
	static const char *const names[SYNC_WAKES] = {
		[SYNC_WAKE_SEM] = "semaphore",
		[SYNC_WAKE_EVENT] = "event",
		[SYNC_WAKE_MUTEX] = "mutex",
		[SYNC_WAKE_COND] = "condition",
	};

	return names[what];
}

/* ---- the traced process --------------------------------------------------------------- */

struct wake_job {
	const struct sync_side_about *about;
	void *objects;
	enum sync_wake what;
	bool waker;
};

static int prepare(void *context)
{
	const struct wake_job *job = context;
	int bad = job->about->wake(job->objects, job->what, SYNC_WARM);

	return bad | job->about->wake(job->objects, job->what,
	                              job->waker ? SYNC_WAKER_READY : SYNC_WAITER_READY);
}

static int act(void *context)
{
	const struct wake_job *job = context;

	return job->about->wake(job->objects, job->what, job->waker ? SYNC_WAKE : SYNC_WAIT);
}

/* Brings it to its first mark. */
static bool traced_begin(struct traced *traced, const struct sync_side_about *about, void *objects,
                         enum sync_wake what, bool waker)
{
	struct wake_job job = { about, objects, what, waker };

	return trace_begin(traced, prepare, act, &job, 1);
}

/* ---- counting ------------------------------------------------------------------------- */

static void count_alone(const struct sync_side_about *about, enum sync_wake what, int *ret_calls)
{
	void *objects = shared_memory(SYNC_OBJECTS_SIZE);
	struct traced waker = { 0 };
	int calls = 0;

	*ret_calls = -1;
	if (about->make(objects) && traced_begin(&waker, about, objects, what, true) &&
	    trace_count(&waker, true, &calls))
		*ret_calls = calls;
	trace_end(&waker);
	munmap(objects, SYNC_OBJECTS_SIZE);
}

/* The waiter sleeps first: then each call counts, on both sides. */
static void count_both(const struct sync_side_about *about, enum sync_wake what, int *ret_waiter,
                       int *ret_waker)
{
	void *objects = shared_memory(SYNC_OBJECTS_SIZE);
	struct traced waiter = { 0 }, waker = { 0 };
	bool counted = about->make(objects);
	int waits = 0, wakes = 0;

	/* the waker is made ready first where it holds the mutex, the waiter where it does */
	if (what == SYNC_WAKE_MUTEX)
		counted = counted && traced_begin(&waker, about, objects, what, true);
	counted = counted && traced_begin(&waiter, about, objects, what, false);
	counted = counted && !trace_count(&waiter, true, &waits) && trace_sleeps(waiter.pid);
	if (what != SYNC_WAKE_MUTEX)
		counted = counted && traced_begin(&waker, about, objects, what, true);
	counted =
		counted && trace_count(&waker, true, &wakes) && trace_count(&waiter, false, &waits);
	*ret_waiter = counted ? waits : -1;
	*ret_waker = counted ? wakes : -1;
	trace_end(&waiter);
	trace_end(&waker);
	munmap(objects, SYNC_OBJECTS_SIZE);
}

static bool has(const struct sync_side_about *about, enum sync_wake what)
{
	static const enum sync_case_name of[SYNC_WAKES] = {
		[SYNC_WAKE_SEM] = SYNC_SEM,
		[SYNC_WAKE_EVENT] = SYNC_EVENT,
		[SYNC_WAKE_MUTEX] = SYNC_MUTEX,
		[SYNC_WAKE_COND] = SYNC_COND_PAIR,
	};

	return about->name != NULL && about->play[of[what]].run != NULL;
}

void sync_calls_count(const struct sync_side_about side[SYNC_SIDES], struct sync_calls *ret_calls)
{
	for (int i = 0; i < SYNC_SIDES; i++) {
		for (int what = 0; what < SYNC_WAKES; what++) {
			ret_calls->alone[i][what] = -1;
			ret_calls->waiter[i][what] = -1;
			ret_calls->waker[i][what] = -1;
			if (!has(&side[i], (enum sync_wake)what))
				continue;
			count_alone(&side[i], (enum sync_wake)what, &ret_calls->alone[i][what]);
			count_both(&side[i], (enum sync_wake)what, &ret_calls->waiter[i][what],
			           &ret_calls->waker[i][what]);
		}
	}
}
