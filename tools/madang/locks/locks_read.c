/* SPDX-License-Identifier: MIT */
/*
 * locks_read.c - reads the segments of a namespace, the named objects in them, and who waits.
 *
 * Names and objects are read from the data files (mdg_names_next), so nothing is attached, and a
 * program that hangs is not touched. Semaphore sets are looked into as well, for circles that lead
 * through them (locks_sets.c). When all that shows a circle of waits, everything is read again
 * after a moment: see locks_threads.c.
 */
#include "locks/locks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Longer than any wait looks the same to whom it is not: see locks_threads.c. */
#define PAUSE_MS 50

/* ---- lists ------------------------------------------------------------ */

void *locks_grow(struct survey *survey, void *list, size_t count, size_t size)
{
	void *more = list_grow(list, count, size);
	if (more == NULL)
		survey->out_of_memory = true;
	return more;
}

void survey_free(struct survey *survey)
{
	for (size_t i = 0; i < survey->cycle_count; i++)
		free(survey->cycles[i].edge);
	free(survey->cycles);
	free(survey->edges);
	free(survey->waits);
	free(survey->holds);
	free(survey->locks);
	free(survey->threads);
	free(survey->refused);
	free(survey->segments);
	memset(survey, 0, sizeof *survey);
}

/* ---- reading ---------------------------------------------------------- */

static int read_segments(struct survey *survey, mdg_namespace *ns, unsigned flags)
{
	struct mdg_segment_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	int rc;

	while ((rc = mdg_segment_next(ns, &cursor, flags, &info)) > 0) {
		struct mdg_segment_info *segments = locks_grow(
			survey, survey->segments, survey->segment_count, sizeof *segments);
		if (segments == NULL)
			return -ENOMEM;
		survey->segments = segments;
		survey->segments[survey->segment_count++] = info;
	}
	survey->refused = calloc(survey->segment_count + 1, sizeof *survey->refused);
	return survey->refused == NULL ? -ENOMEM : rc;
}

static void read_attached(struct survey *survey, mdg_namespace *ns, mdg_id id, struct attached *ret)
{
	struct mdg_process_info process = { .size = sizeof process };
	uint32_t cursor = 0;

	memset(ret, 0, sizeof *ret);
	while (mdg_segment_next_process(ns, id, &cursor, &process) > 0) {
		if (!process.same_pid_namespace || process.pid <= 0) {
			ret->foreign = true;
			continue;
		}
		int32_t *pids = locks_grow(survey, ret->pids, ret->count, sizeof *pids);
		if (pids == NULL)
			return;
		ret->pids = pids;
		ret->pids[ret->count++] = process.pid;
	}
}

static void fill_waiters(struct survey *survey, const struct attached *attached, struct lock *lock)
{
	uint32_t now = (uint32_t)(mdg_deadline(0) / 1000000);
	const struct mdg_sync_state *state = &lock->entry.state;

	for (uint32_t i = 0; i < state->waiters && i < MDG_WAITERS_SHOWN; i++) {
		struct waiter waiter = { locks_thread(survey, state->waiter[i].thread, attached),
			                 state->waiter[i].since, now - state->waiter[i].since };
		/* Noted since `now` was asked for. */
		if (waiter.waited > UINT32_MAX - 1000)
			waiter.waited = 0;
		if (waiter.thread != NOBODY &&
		    locks_can_wait(&survey->threads[waiter.thread], waiter.waited))
			lock->waiter[lock->waiter_count++] = waiter;
	}
}

static void add_lock(struct survey *survey, const struct attached *attached, size_t segment,
                     const struct mdg_name_info *entry)
{
	struct lock *locks = locks_grow(survey, survey->locks, survey->lock_count, sizeof *locks);
	if (locks == NULL)
		return;
	survey->locks = locks;
	struct lock *lock = &locks[survey->lock_count++];
	memset(lock, 0, sizeof *lock);
	lock->segment = segment;
	lock->entry = *entry;
	lock->owner = entry->state.owner == 0 ? NOBODY
	                                      : locks_thread(survey, entry->state.owner, attached);
	for (uint32_t i = 0; i < entry->state.readers && i < 64; i++) {
		size_t reader = locks_thread(survey, entry->state.reader[i], attached);
		if (reader != NOBODY)
			lock->reader[lock->reader_count++] = reader;
	}
	fill_waiters(survey, attached, lock);
}

static int read_names(struct survey *survey, mdg_namespace *ns, size_t segment)
{
	struct attached attached;
	struct mdg_name_info entry = { .size = sizeof entry };
	mdg_id id = survey->segments[segment].id;
	uint32_t cursor = 0;
	int rc = mdg_names_next(ns, id, &cursor, &entry);

	if (rc <= 0)
		return rc;
	read_attached(survey, ns, id, &attached);
	for (; rc > 0; rc = mdg_names_next(ns, id, &cursor, &entry))
		add_lock(survey, &attached, segment, &entry);
	free(attached.pids);
	return rc;
}

/* 0, or the code that kept from reading all segments. */
static int survey_read(struct survey *survey, mdg_namespace *ns, unsigned flags,
                       const struct survey *before)
{
	int rc = read_segments(survey, ns, flags);

	for (size_t i = 0; i < survey->segment_count && survey->refused != NULL; i++) {
		survey->refused[i] = read_names(survey, ns, i);
		if (survey->refused[i] == -EINVAL) /* it has gone */
			survey->refused[i] = 0;
	}
	locks_read_sets(survey, ns);
	locks_find_edges(survey, before);
	locks_drop_free_edges(survey);
	locks_find_cycles(survey);
	return survey->out_of_memory ? -ENOMEM : rc;
}

int survey_make(struct survey *survey, mdg_namespace *ns, unsigned flags)
{
	const struct timespec moment = { 0, PAUSE_MS * 1000000L };
	int rc = survey_read(survey, ns, flags, NULL);

	if (survey->cycle_count > 0) {
		struct survey before = *survey;
		memset(survey, 0, sizeof *survey);
		nanosleep(&moment, NULL);
		rc = survey_read(survey, ns, flags, &before);
		survey_free(&before);
	}
	return rc;
}
