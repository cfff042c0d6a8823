/* SPDX-License-Identifier: MIT */
/*
 * calls.c - how many system calls one run of a case makes, counted with ptrace(2). Only of cases of
 * one process: how often two processes call the kernel depends on who comes first.
 *
 * The fewest of some runs are shown: now and then a call looks at the file system, by the clock.
 */
#include "bench/ipc/ipc.h"

#include "bench/common/trace.h"

enum { RUNS = 5 };

struct traced_game {
	struct ipc_game game;
	const struct ipc_case *what;
	int side;
};

/* What a process does at its first calls only must not be counted. */
static int prepare(void *context)
{
	struct traced_game *traced = context;

	return traced->what->run(&traced->game, 3) == 0;
}

static int act(void *context)
{
	struct traced_game *traced = context;

	return traced->what->run(&traced->game, 1) == 0;
}

int ipc_calls_count(const struct ipc_case *what, int side)
{
	struct traced_game game = { .what = what, .side = side };
	struct traced traced;
	int fewest = -1;
	bool going;

	if (what->partner != NULL || ipc_side(side) == NULL ||
	    !ipc_game_begin(&game.game, side, what))
		return -1;
	going = trace_begin(&traced, prepare, act, &game, RUNS);
	for (int i = 0; going && i < RUNS; i++) {
		int count = 0, between = 0;

		going = trace_count(&traced, true, &count);
		if (going && (fewest < 0 || count < fewest))
			fewest = count;
		going = going && i + 1 < RUNS && trace_count(&traced, true, &between);
	}
	trace_end(&traced);
	ipc_game_end(&game.game, side);
	return fewest;
}
