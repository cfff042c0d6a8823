/* SPDX-License-Identifier: MIT */
/*
 * newborn.c - children that are killed before they have run. shm_lpid names them all the same.
 *
 * On one processor a child does not run before its parent waits. So most of these children die
 * before their first instruction.
 */
#include "support/check.h"
#include "support/segments.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>

enum { TIMES = 200, THREADS = 2 };

static int id;

static pid_t forked_and_killed(void)
{
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	return pid;
}

static void one_processor(void)
{
	cpu_set_t all, one;
	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof all, &all) != 0)
		return;
	for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	(void)sched_setaffinity(0, sizeof one, &one);
}

static void killed_at_once(void)
{
	char *memory = attach(id);
	for (int i = 0; i < TIMES && check_failures == 0; i++) {
		pid_t pid = forked_and_killed();
		CHECK(stat_of(id).shm_lpid == pid);
		CHECK(stat_of(id).shm_nattch == 1);
	}
	/* Also the second of two segments, and what is attached twice. */
	int other = make_private(page_size(), 0600);
	char *one = attach(other), *two = attach(other);
	pid_t pid = forked_and_killed();
	CHECK(stat_of(id).shm_lpid == pid && stat_of(other).shm_lpid == pid);
	CHECK(stat_of(other).shm_nattch == 2);
	CHECK(shmdt(one) == 0 && shmdt(two) == 0 && shmdt(memory) == 0);
	CHECK(stat_of(other).shm_lpid == getpid());
}

static pid_t pids[THREADS][TIMES / 4];

static void *fork_and_kill(void *mine)
{
	for (int i = 0; i < TIMES / 4; i++)
		((pid_t *)mine)[i] = forked_and_killed();
	return NULL;
}

static void by_threads(void)
{
	pthread_t threads[THREADS];
	char *memory = attach(id);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, fork_and_kill, pids[i]) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	struct shmid_ds status = stat_of(id);
	bool found = false;
	for (int i = 0; i < THREADS; i++)
		for (int j = 0; j < TIMES / 4; j++)
			found = found || pids[i][j] == status.shm_lpid;
	CHECK(found && status.shm_nattch == 1);
	CHECK(shmdt(memory) == 0);
}

int main(void)
{
	begin();
	one_processor();
	id = make_private(page_size(), 0600);
	killed_at_once();
	by_threads();
	return test_result();
}
