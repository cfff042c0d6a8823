/* SPDX-License-Identifier: MIT */
/*
 * place.h - what the small examples share: memory of a segment, children, and words about
 * errors. A program of your own needs no more than the first of them.
 */
#ifndef MADANG_EXAMPLES_SYNC_PLACE_H
#define MADANG_EXAMPLES_SYNC_PLACE_H

#include <madang/segment.h>
#include <madang/sync.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Ends the program when a call has failed. */
static inline void must(int rc, const char *what)
{
	if (rc < 0) {
		fprintf(stderr, "%s: %s\n", what, mdg_strerror(rc));
		exit(EXIT_FAILURE);
	}
}

/* Memory that children share. Zeros, so every object in it is ready. The segment is removed at
 * once: it lives as long as somebody has it attached, and nothing is left behind. */
static inline void *shared_place(size_t size)
{
	mdg_namespace *ns;
	void *place;
	mdg_id id;

	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	must(mdg_segment_create(ns, NULL, size, 0600, 0, &id), "segment");
	must(mdg_segment_attach(ns, id, NULL, 0, &place), "attach");
	must(mdg_segment_remove(ns, id), "remove");
	return place;
}

/* Starts a child that does that and ends. */
static inline pid_t child(void (*f)(void))
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(EXIT_FAILURE);
	}
	if (pid == 0) {
		f();
		fflush(stdout);
		_exit(EXIT_SUCCESS);
	}
	return pid;
}

/* Waits for its end; true when all went well. */
static inline int went_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What can happen to a process at any moment. */
static inline void die(void)
{
	kill(getpid(), SIGKILL);
}

static inline void nap(long milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

#endif
