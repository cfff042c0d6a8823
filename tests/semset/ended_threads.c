/* SPDX-License-Identifier: MIT */
/*
 * ended_threads.c - threads that use UNDO and end leave nothing behind that grows: neither memory
 * of the process, nor what they were a witness in. Run under enclose.
 */
#include <madang/sem.h>
#include <madang/segment.h>

#include <pthread.h>
#include <stdio.h>

#include "sync/shared.h"

enum { THREADS = 300, FIRST = 20 };

static mdg_namespace *ns;
static mdg_id id;

static void *take_and_give(void *unused)
{
	const struct mdg_semset_op ops[2] = { { 0, -1, MDG_SEM_UNDO }, { 0, 1, MDG_SEM_UNDO } };
	(void)unused;
	for (int i = 0; i < 3; i++)
		CHECK(mdg_semset_op(ns, id, &ops[0], 1, MDG_FOREVER) == 0 &&
		      mdg_semset_op(ns, id, &ops[1], 1, MDG_FOREVER) == 0);
	return NULL;
}

/* Pages of memory of this process, in use or not. */
static long pages(void)
{
	long result = -1;
	FILE *file = fopen("/proc/self/statm", "r");
	if (CHECK(file != NULL)) {
		CHECK(fscanf(file, "%ld", &result) == 1);
		fclose(file);
	}
	return result;
}

static void run_threads(int count)
{
	for (int i = 0; i < count; i++) {
		pthread_t thread;
		CHECK(pthread_create(&thread, NULL, take_and_give, NULL) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
}

/* A forked child has its parent's pages, but none of its threads. */
static void as_child(void *unused)
{
	(void)unused;
	(void)take_and_give(NULL);
	run_threads(FIRST);
	(void)take_and_give(NULL);
}

int main(void)
{
	CHECK(mdg_namespace_open(&ns, NULL, NULL) == 0);
	CHECK(mdg_semset_create(ns, NULL, 1, 0600, 0, &id) == 0);
	CHECK(mdg_semset_set_value(ns, id, 0, 1) == 0);
	run_threads(FIRST);
	long before = pages();
	run_threads(THREADS);
	long grown = pages() - before;
	if (grown > THREADS / 4)
		printf("%ld pages more after %d threads\n", grown, THREADS);
	CHECK(grown <= THREADS / 4);
	(void)take_and_give(NULL);
	CHECK(ended_well(start(as_child, NULL)));
	CHECK(mdg_semset_value(ns, id, 0) == 1);
	CHECK(mdg_semset_remove(ns, id) == 0);
	/* Whoever becomes a witness elsewhere gives back the memory of the set that is gone. */
	long with = pages();
	for (int i = 0; i < 50; i++) {
		CHECK(mdg_semset_create(ns, NULL, 1, 0600, 0, &id) == 0);
		CHECK(mdg_semset_set_value(ns, id, 0, 1) == 0);
		run_threads(1);
		CHECK(mdg_semset_remove(ns, id) == 0);
	}
	CHECK(pages() - with <= 50);
	mdg_namespace_close(ns);
	return test_result();
}
