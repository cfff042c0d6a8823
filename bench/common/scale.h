/* SPDX-License-Identifier: MIT */
/*
 * scale.h - how many operations a second 1, 2, 8 and 64 processes make together, on Madang's side
 * and on another: for all tables of `--scale` but the heap's.
 *
 * With more processes than processors this shows whether anybody waits for somebody who is not
 * running.
 */
#ifndef MADANG_BENCH_SCALE_H
#define MADANG_BENCH_SCALE_H

#include "bench/common/bench.h"

struct json;

enum { SCALE_STEPS = 4, SCALE_CALLS_MAX = 8, SCALE_SIDES = 2 }; /* Madang is side 0 */

/* One operation on one side. All processes get the same `context`, which is as it was when they
 * were forked: what they write there, each has for itself. */
struct scale_game {
	/* In each process before it is counted. NULL: nothing to do. */
	bool (*join)(void *context);
	/* n times. False: it failed. NULL: not on this side. */
	bool (*work)(void *context, unsigned n);
	void (*leave)(void *context);
	void *context;
};

struct scale_call {
	const char *name;
	struct scale_game side[SCALE_SIDES];
};

struct scale_row {
	const char *call;
	unsigned processes;
	struct spread rate[SCALE_SIDES]; /* a second, all together; count 0: it failed */
	struct spread ratio;             /* of the rates, turn by turn: Madang / the other */
};

struct scale_result {
	const char *section; /* of the JSON: "sync_scale" */
	const char *title;
	const char *side[SCALE_SIDES];
	struct scale_row row[SCALE_CALLS_MAX * SCALE_STEPS];
	unsigned rows;
};

/* Adds the rows of one operation. */
void scale_measure(const struct settings *settings, const struct scale_call *call,
                   struct scale_result *result);
void scale_report(const struct scale_result *result, FILE *out);
void scale_json(struct json *json, const struct scale_result *result);

#endif
