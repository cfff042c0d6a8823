/* SPDX-License-Identifier: MIT */
/*
 * trace.h - counting the system calls of a process in a stretch (trace.c).
 */
#ifndef MADANG_BENCH_TRACE_H
#define MADANG_BENCH_TRACE_H

#include <stdbool.h>
#include <sys/types.h>

struct traced {
	pid_t pid;
	long call; /* at an entry: its number */
};

/* Forks a process that prepares, then acts `times` times between two marks each, and brings
 * it to the first mark. Both return 0, or the process ends with 1. */
bool trace_begin(struct traced *traced, int (*prepare)(void *context), int (*act)(void *context),
                 void *context, unsigned times);
void trace_end(struct traced *traced);

/* Adds the calls up to the next mark. True: it is at the mark. False: it sleeps, or is gone. `go`:
 * it stands at a stop, and does not sleep. */
bool trace_count(struct traced *traced, bool go, int *count);

/* The process sleeps in the kernel. */
bool trace_sleeps(pid_t pid);

#endif
