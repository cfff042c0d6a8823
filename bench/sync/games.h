/* SPDX-License-Identifier: MIT */
/*
 * games.h - within the C files of `madang-bench --sync`: cases, games, results.
 */
#ifndef MADANG_BENCH_SYNC_GAMES_H
#define MADANG_BENCH_SYNC_GAMES_H

#include "bench/common/bench.h"
#include "bench/common/scale.h"
#include "bench/sync/sync.h"

struct sync_case {
	const char *name, *what;
	double bar;    /* Madang / C library at most; 0: recorded only */
	double bar_ns; /* Madang's own nanoseconds at most; 0: none */
	unsigned partners;
	unsigned weight; /* blocks so many times as long as usual */
	bool together;   /* the partners' operations count as the driver's do */
};

extern const struct sync_case sync_cases[SYNC_CASES];

struct sync_case_result {
	const struct sync_case *what; /* NULL: not asked for */
	struct spread ns[SYNC_SIDES];
	struct spread ratio[SYNC_SIDES]; /* Madang / this one, pair by pair */
	struct spread share[SYNC_SIDES]; /* partners' operations for one of the driver's */
	struct spread fresh[SYNC_SIDES]; /* of the reads, those that found a new value */
	bool failed[SYNC_SIDES];
	unsigned disturbed, turns; /* turns left out, and all */
};

/* System calls of waking; -1: not counted, or not on this side. */
struct sync_calls {
	int waiter[SYNC_SIDES][SYNC_WAKES], waker[SYNC_SIDES][SYNC_WAKES];
	int alone[SYNC_SIDES][SYNC_WAKES]; /* the waker's, when nobody waits */
};

struct sync_result {
	struct sync_side_about side[SYNC_SIDES];
	struct sync_case_result cases[SYNC_CASES];
	struct sync_calls calls;
	bool calls_counted;
};

/* ---- one case on one side (partners.c) ------------------------------------------ */

struct sync_match_side {
	const struct sync_play *play;
	struct sync_game game;
	bool playing;
	unsigned size;         /* of a block */
	uint64_t partners_did; /* in the last block */
	uint32_t preempted;    /* in the last block, of all its processes */
	pid_t pid[SYNC_PARTNERS_MAX];
};

bool partners_begin(struct sync_match_side *side, unsigned count);
void partners_end(struct sync_match_side *side);
/* Around the driver's part of a block; false: one did not come, or failed. */
bool partners_gather(struct sync_match_side *side, unsigned rounds);
bool partners_dismiss(struct sync_match_side *side, uint64_t *ret_operations);

/* ---- all ------------------------------------------------------------------------------ */

void sync_calls_count(const struct sync_side_about side[SYNC_SIDES],
                      struct sync_calls *ret_calls); /* calls.c */
const char *sync_wake_name(enum sync_wake what);
void sync_measure(const struct settings *settings, struct sync_result *ret_result);
void sync_scale_measure(const struct settings *settings, struct scale_result *ret_result);
const char *sync_verdict(const struct sync_case_result *result);
void sync_report(const struct sync_result *sync, FILE *out);

#endif
