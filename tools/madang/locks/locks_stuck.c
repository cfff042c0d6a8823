/* SPDX-License-Identifier: MIT */
/*
 * locks_stuck.c - which threads cannot go on, because of each other.
 *
 * A thread that waits for a lock is stuck if a thread that has the lock is stuck. With a semaphore
 * it is not as simple, since several processes may have some of it, and what one of them gives back
 * may be enough. A thread that waits for a semaphore is stuck if
 *   - those who have some of it, with undo, have as much as it lacks, and
 *   - those of them who are not stuck have less.
 * The first rule leaves alone whoever waits for something that nobody has: it will come from
 * elsewhere. A process is stuck if all its threads are.
 *
 * At first all who wait are taken to be stuck. Then those who can go on are let go, until nobody
 * is left who can. What remains is stuck.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "locks/locks.h"

struct stuck {
	const struct survey *survey;
	bool *thread; /* whether it is stuck */
	bool *wait;   /* the same of each wait in a set */
	bool *next;   /* of threads: whether an edge says so in this round */
};

static bool is_thread_stuck(const struct stuck *stuck, int32_t pid, uint32_t id)
{
	for (size_t t = 0; t < stuck->survey->thread_count; t++)
		if (stuck->survey->threads[t].pid == pid && stuck->survey->threads[t].id == id)
			return stuck->thread[t];
	return false;
}

/* Also a thread that nothing is known of may give back what its process has. */
static bool is_process_stuck(const struct stuck *stuck, int32_t pid)
{
	char path[SHOW_ROOM];
	bool all = true;
	const struct dirent *entry;

	if (!is_thread_stuck(stuck, pid, (uint32_t)pid))
		return false;
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *directory = opendir(path);
	if (directory == NULL)
		return false;
	while (all && (entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			all = is_thread_stuck(stuck, pid,
			                      (uint32_t)strtoul(entry->d_name, NULL, 10));
	closedir(directory);
	return all;
}

static bool is_wait_stuck(const struct stuck *stuck, const struct set_wait *wait)
{
	const struct survey *survey = stuck->survey;
	int64_t all = 0, free = 0;

	for (size_t h = 0; h < survey->hold_count; h++) {
		const struct set_hold *hold = &survey->holds[h];
		if (!locks_hold_is_for(hold, wait))
			continue;
		int64_t has = hold->sum < 0 ? -(int64_t)hold->sum : hold->sum;
		all += has;
		if (!is_process_stuck(stuck, hold->pid))
			free += has;
	}
	return all >= wait->lacks && free < wait->lacks;
}

/* Whether what the edge is about keeps its waiter. */
static bool keeps(const struct stuck *stuck, const struct edge *edge)
{
	return edge->lock == NOBODY ? stuck->wait[edge->wait] : stuck->thread[edge->holder];
}

/* Lets go who can go on as things are. False: nobody could. */
static bool let_go(struct stuck *stuck)
{
	const struct survey *survey = stuck->survey;
	bool any = false;

	memset(stuck->next, 0, survey->thread_count * sizeof *stuck->next);
	for (size_t w = 0; w < survey->wait_count; w++)
		stuck->wait[w] = stuck->wait[w] && is_wait_stuck(stuck, &survey->waits[w]);
	for (size_t e = 0; e < survey->edge_count; e++)
		if (keeps(stuck, &survey->edges[e]))
			stuck->next[survey->edges[e].waiter] = true;
	for (size_t t = 0; t < survey->thread_count; t++) {
		any = any || (stuck->thread[t] && !stuck->next[t]);
		stuck->thread[t] = stuck->thread[t] && stuck->next[t];
	}
	return any;
}

void locks_drop_free_edges(struct survey *survey)
{
	size_t kept = 0;
	struct stuck stuck = { survey, calloc(survey->thread_count + 1, 1),
		               calloc(survey->wait_count + 1, 1),
		               calloc(survey->thread_count + 1, 1) };

	if (stuck.thread == NULL || stuck.wait == NULL || stuck.next == NULL) {
		survey->out_of_memory = true;
	} else {
		for (size_t e = 0; e < survey->edge_count; e++)
			stuck.thread[survey->edges[e].waiter] = true;
		memset(stuck.wait, true, survey->wait_count);
		while (let_go(&stuck))
			;
		for (size_t e = 0; e < survey->edge_count; e++) {
			const struct edge *edge = &survey->edges[e];
			if (stuck.thread[edge->waiter] && stuck.thread[edge->holder] &&
			    keeps(&stuck, edge))
				survey->edges[kept++] = *edge;
		}
		survey->edge_count = kept;
	}
	free(stuck.thread);
	free(stuck.wait);
	free(stuck.next);
}
