/* SPDX-License-Identifier: MIT */
/*
 * start.h - what the start of a program costs: `true`, alone and in the ways that give a program
 * Madang's System V calls. And what a fork costs a program that was started so.
 */
#ifndef MADANG_BENCH_START_H
#define MADANG_BENCH_START_H

#include "bench/common/bench.h"
#include "bench/common/json.h"

enum start_way {
	START_PLAIN,
	START_ENV, /* by a program that only executes it: what any such program adds */
	START_PRELOADED,
	START_RUN,
	START_FORK, /* from here on: fork, exit and wait of forker.c */
	START_FORK_PRELOADED,
	START_FORK_KERNEL,   /* attached to a segment of the kernel's */
	START_FORK_ATTACHED, /* preloaded, and attached to a segment of Madang's */
	START_WAYS
};

struct start_result {
	struct {
		const char *name, *what;
		char why_not[96];    /* "": it was measured */
		struct spread wall;  /* from before the start or fork to after the wait, ns */
		struct spread cpu;   /* of the process, in user mode and in the kernel, ns */
		struct spread more;  /* wall, less than that of the plain one beside it, ns */
		struct spread ratio; /* wall, by that of the plain one beside it */
	} way[START_WAYS];
};

/* The ways take turns, one start each. */
void start_measure(const struct settings *settings, struct start_result *ret_result);
void start_report(const struct start_result *result, FILE *out);
void start_json(struct json *json, const struct start_result *result);

#endif
