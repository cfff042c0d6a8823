/* SPDX-License-Identifier: MIT */
/*
 * storms.h - what storms of kills in a heap share. Before, the file has `heap`, and complain(what,
 * number), which says so and counts it.
 */
#ifndef MADANG_TESTS_HEAP_STORMS_H
#define MADANG_TESTS_HEAP_STORMS_H

#include <signal.h>
#include <sys/wait.h>

/* [all others are dead] What they held is given back. */
static void sweep_all(void)
{
	for (int i = 0; i < 100 && mdg_heap_sweep(heap) != 0; i++)
		;
	(void)mdg_heap_trim(heap, UINT64_MAX); /* who gets the lock from a dead one counts again */
}

/* [nobody is at it] The tables agree with each other, and so many blocks are allocated. Of these,
 * `apart` are not linked. */
static void compare_tables(uint64_t linked, uint64_t apart)
{
	struct found found = look(heap);
	if (found.wrong != 0 || mdg_heap_check(heap, 0, NULL, NULL) != 0)
		complain("the tables contradict each other", found.wrong);
	if (found.live != linked + apart) {
		fprintf(stderr, "%llu blocks are allocated, %llu are linked\n",
		        (unsigned long long)(found.live - apart), (unsigned long long)linked);
		complain("blocks are lost, or given twice", 0);
	}
}

static void kill_worker(pid_t worker)
{
	int status;
	kill(worker, SIGKILL);
	if (waitpid(worker, &status, 0) == worker &&
	    (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL))
		complain("a process has ended by itself", (uint64_t)status);
}

static uint64_t seconds(void)
{
	return mdg_deadline(0) / UINT64_C(1000000000);
}

#endif
