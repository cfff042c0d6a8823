/* SPDX-License-Identifier: MIT */
/*
 * locks_threads.c - the threads that objects name, who waits for whom, and circles of that.
 *
 * A thread id in shared memory proves nothing: the thread may have ended, and the kernel may have
 * given the id to another thread. So an id counts only if a process that has the segment attached
 * has a thread of that id. tgkill(2) with signal 0 tells this without /proc. A note of waiting
 * counts only if the thread is at least as old as the note.
 *
 * Objects are read one after the other, while programs go on using them. So what looks like a
 * circle may never have been one. Everything is therefore read twice, with a pause between. A wait
 * counts only if both readings show it, with the same beginning and the same holder. A thread that
 * waits takes nothing and gives nothing back. So all waits of such a circle lasted at one moment:
 * the end of the first reading.
 *
 * What cannot be seen: locks without a name, and waits beyond the eight that an object notes.
 * A wait with a deadline ends by itself, and its circle with it.
 */
#include "locks/locks.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Start times in /proc are cut to ticks of 10 ms; and clocks are not read at one moment. */
#define SLACK_MS 100u

/* ---- threads ---------------------------------------------------------- */

static bool is_thread_of(int32_t pid, uint32_t id)
{
	return syscall(SYS_tgkill, (pid_t)pid, (pid_t)id, 0) == 0 || errno == EPERM;
}

/* The 22nd field of /proc/PID/task/TID/stat, ticks since boot; false: cannot be read. */
static bool read_start(int32_t pid, uint32_t id, unsigned long long *ret_ticks)
{
	char path[SHOW_ROOM], line[1024];
	bool found = false;

	snprintf(path, sizeof path, "/proc/%d/task/%u/stat", (int)pid, id);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	/* The command, which may hold anything, ends with the last parenthesis. */
	size_t length = fread(line, 1, sizeof line - 1, file);
	line[length] = '\0';
	const char *at = strrchr(line, ')');
	for (int field = 2; at != NULL && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at != NULL) {
		char *end;
		*ret_ticks = strtoull(at + 1, &end, 10);
		found = end != at + 1;
	}
	fclose(file);
	return found;
}

uint64_t locks_thread_age(int32_t pid, uint32_t id)
{
	unsigned long long ticks;
	struct timespec now;
	long per_second = sysconf(_SC_CLK_TCK);

	if (per_second <= 0 || !read_start(pid, id, &ticks) ||
	    clock_gettime(CLOCK_BOOTTIME, &now) != 0)
		return UINT64_MAX;
	uint64_t then = ticks / (unsigned long)per_second * 1000 +
	                ticks % (unsigned long)per_second * 1000 / (unsigned long)per_second;
	uint64_t milliseconds = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	return milliseconds > then ? milliseconds - then : 0;
}

size_t locks_thread(struct survey *survey, uint32_t id, const struct attached *attached)
{
	struct thread thread = { .id = id, .age = UINT64_MAX, .command = "?" };

	for (size_t i = 0; i < attached->count && thread.pid == 0; i++)
		if (is_thread_of(attached->pids[i], id))
			thread.pid = attached->pids[i];
	thread.foreign = thread.pid == 0 && attached->foreign;
	for (size_t i = 0; i < survey->thread_count; i++)
		if (survey->threads[i].id == id && survey->threads[i].pid == thread.pid &&
		    survey->threads[i].foreign == thread.foreign)
			return i;
	struct thread *threads =
		locks_grow(survey, survey->threads, survey->thread_count, sizeof *threads);
	if (threads == NULL)
		return NOBODY;
	if (thread.pid != 0) {
		thread.age = locks_thread_age(thread.pid, id);
		show_command(thread.command, thread.pid);
	}
	survey->threads = threads;
	survey->threads[survey->thread_count] = thread;
	return survey->thread_count++;
}

bool locks_can_wait(const struct thread *thread, uint64_t waited)
{
	return thread->pid != 0 ? thread->age == UINT64_MAX || waited <= thread->age + SLACK_MS
	                        : thread->foreign;
}

/* ---- who waits for whom ------------------------------------------------ */

static bool is_same_thing(const struct survey *survey, const struct edge *edge,
                          const struct survey *other, const struct edge *twin)
{
	if ((edge->lock == NOBODY) != (twin->lock == NOBODY))
		return false;
	if (edge->lock == NOBODY) {
		const struct set_wait *wait = &survey->waits[edge->wait];
		const struct set_wait *same = &other->waits[twin->wait];
		return wait->set == same->set && wait->number == same->number &&
		       wait->change == same->change;
	}
	const struct lock *lock = &survey->locks[edge->lock], *same = &other->locks[twin->lock];
	return lock->entry.offset == same->entry.offset &&
	       survey->segments[lock->segment].id == other->segments[same->segment].id;
}

static bool is_same_edge(const struct survey *survey, const struct edge *edge,
                         const struct survey *other, const struct edge *twin)
{
	return edge->since == twin->since && is_same_thing(survey, edge, other, twin) &&
	       survey->threads[edge->waiter].id == other->threads[twin->waiter].id &&
	       survey->threads[edge->holder].id == other->threads[twin->holder].id;
}

static bool was_there(const struct survey *survey, const struct edge *edge,
                      const struct survey *before)
{
	for (size_t i = 0; before != NULL && i < before->edge_count; i++)
		if (is_same_edge(survey, edge, before, &before->edges[i]))
			return true;
	return before == NULL;
}

static void add_edge(struct survey *survey, const struct survey *before, struct edge edge)
{
	/* Only of threads that are there can it be said that they wait or hold. */
	if (edge.holder == NOBODY || edge.holder == edge.waiter ||
	    survey->threads[edge.holder].pid == 0 || survey->threads[edge.waiter].pid == 0 ||
	    !was_there(survey, &edge, before))
		return;
	struct edge *edges = locks_grow(survey, survey->edges, survey->edge_count, sizeof *edges);
	if (edges == NULL)
		return;
	survey->edges = edges;
	survey->edges[survey->edge_count++] = edge;
}

/* Everybody who holds a lock is waited for: also the readers, by the readers that a waiting writer
 * keeps out. */
static void find_lock_edges(struct survey *survey, const struct survey *before)
{
	for (size_t n = 0; n < survey->lock_count; n++) {
		const struct lock *lock = &survey->locks[n];
		bool counts = lock->entry.state.kind == MDG_SYNC_RWLOCK;
		for (size_t w = 0; w < lock->waiter_count; w++) {
			const struct waiter *waiter = &lock->waiter[w];
			struct edge edge = { .waiter = waiter->thread,
				             .holder = lock->owner,
				             .lock = n,
				             .since = waiter->since,
				             .waited = waiter->waited };
			add_edge(survey, before, edge);
			for (size_t r = 0; counts && r < lock->reader_count; r++) {
				edge.holder = lock->reader[r];
				add_edge(survey, before, edge);
			}
		}
	}
}

/* What a process has of a semaphore, any thread of it may give back. So each is waited for. */
static void find_set_edges(struct survey *survey, const struct survey *before)
{
	for (size_t w = 0; w < survey->wait_count; w++) {
		const struct set_wait *wait = &survey->waits[w];
		for (size_t h = 0; h < survey->hold_count; h++) {
			const struct set_hold *hold = &survey->holds[h];
			for (size_t t = 0;
			     locks_hold_is_for(hold, wait) && t < survey->thread_count; t++)
				if (survey->threads[t].pid == hold->pid)
					add_edge(survey, before,
					         (struct edge){ .waiter = wait->thread,
					                        .holder = t,
					                        .lock = NOBODY,
					                        .wait = w,
					                        .has = hold->sum,
					                        .since = wait->since,
					                        .waited = wait->waited });
		}
	}
}

void locks_find_edges(struct survey *survey, const struct survey *before)
{
	find_lock_edges(survey, before);
	find_set_edges(survey, before);
}

/* ---- circles ----------------------------------------------------------- */

enum { UNSEEN, ON_PATH, DONE };

struct search {
	unsigned char *mark; /* of each thread */
	size_t *path;        /* edges */
	size_t length;
};

/* The path from where the thread stands on it, to its end. */
static void keep_cycle(struct survey *survey, const struct search *search, size_t thread)
{
	size_t from = search->length;
	while (from > 0 && survey->edges[search->path[from - 1]].waiter != thread)
		from--;
	if (from == 0)
		return;
	from--;
	struct cycle *cycles =
		locks_grow(survey, survey->cycles, survey->cycle_count, sizeof *cycles);
	size_t *edges = calloc(search->length - from, sizeof *edges);
	if (cycles != NULL)
		survey->cycles = cycles;
	if (cycles == NULL || edges == NULL) {
		survey->out_of_memory = true;
		free(edges);
		return;
	}
	memcpy(edges, search->path + from, (search->length - from) * sizeof *edges);
	struct cycle cycle = { edges, search->length - from, false };
	for (size_t i = 0; i < cycle.length; i++) {
		const struct edge *edge = &survey->edges[edges[i]];
		if (edge->lock == NOBODY && survey->waits[edge->wait].timed)
			cycle.timed = true;
	}
	survey->cycles[survey->cycle_count++] = cycle;
}

/* The next edge of a thread from `from` on, edge_count for none. */
static size_t next_edge(const struct survey *survey, size_t thread, size_t from)
{
	while (from < survey->edge_count && survey->edges[from].waiter != thread)
		from++;
	return from;
}

/* Depth first, without recursion: each thread is left once, and where there is a circle one is
 * found. */
static void search_from(struct survey *survey, struct search *search, size_t start)
{
	size_t thread = start, from = 0;

	search->length = 0;
	search->mark[start] = ON_PATH;
	for (;;) {
		size_t edge = next_edge(survey, thread, from);
		if (edge < survey->edge_count) {
			size_t holder = survey->edges[edge].holder;
			from = edge + 1;
			if (search->mark[holder] == DONE)
				continue;
			search->path[search->length++] = edge;
			if (search->mark[holder] == ON_PATH) {
				keep_cycle(survey, search, holder);
				search->length--;
				continue;
			}
			search->mark[holder] = ON_PATH;
			thread = holder;
			from = 0;
			continue;
		}
		search->mark[thread] = DONE;
		if (search->length == 0)
			return;
		edge = search->path[--search->length];
		thread = survey->edges[edge].waiter;
		from = edge + 1;
	}
}

void locks_find_cycles(struct survey *survey)
{
	struct search search = { calloc(survey->thread_count + 1, 1),
		                 calloc(survey->edge_count + 1, sizeof(size_t)), 0 };

	if (search.mark == NULL || search.path == NULL)
		survey->out_of_memory = true;
	for (size_t i = 0; i < survey->thread_count && !survey->out_of_memory; i++)
		if (search.mark[i] == UNSEEN)
			search_from(survey, &search, i);
	free(search.mark);
	free(search.path);
}
