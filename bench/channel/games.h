/* SPDX-License-Identifier: MIT */
/*
 * games.h - within the C files of `madang-bench --channel`: cases, games, results.
 */
#ifndef MADANG_BENCH_CHANNEL_GAMES_H
#define MADANG_BENCH_CHANNEL_GAMES_H

#include "bench/common/bench.h"
#include "bench/common/scale.h"
#include "bench/channel/channel.h"

/* ---- one game (members.c) --------------------------------------------------- */

struct channel_member {
	uint32_t failed;
	uint32_t preempted; /* in that block: times that another took its processor */
	char rest[120];
};

/* In shared memory; apart what is written by whom. */
struct channel_control {
	uint32_t turn; /* coordinator: one more for each block; members sleep on it */
	uint32_t warm, rounds, stamped, line_rounds, quit;
	char rest0[104];
	uint32_t met; /* members that have come to a meeting of this block */
	char rest1[124];
	uint32_t joined, reached, finished; /* members that have; the last of a block tells */
	char rest2[116];
	uint32_t line; /* the line that goes to and fro */
	char rest3[124];
	struct channel_member member[CHANNEL_MEMBERS];
	/* member 0, of the last block: */
	uint64_t took, stamps_took; /* nanoseconds; ticks are told from the latter */
	uint64_t line_took;         /* of line_rounds, the mean of before and after */
	uint32_t stamps[CHANNEL_STAMPS + 1];
	char why[64];
};

/* Makes it and starts its members; false: it cannot be played, game->why says why. */
bool channel_game_begin(struct channel_game *game);
void channel_game_end(struct channel_game *game);
/* One block; nanoseconds, or 0. */
uint64_t channel_game_block(struct channel_game *game, unsigned n);
uint32_t channel_game_preempted(const struct channel_game *game);

/* What a game has before its members: memory and what make made. */
bool channel_game_make(struct channel_game *game);
void channel_game_unmake(struct channel_game *game);
/* In a process of its own: becomes that member, with its processor and its ends. */
bool channel_member_become(struct channel_game *game, unsigned member);

/* ---- cases (play.c) --------------------------------------------------------- */

struct channel_case {
	char name[32];
	enum channel_measure measure;
	bool sleeps, one_processor;
	unsigned talkers;
	unsigned ahead; /* messages that are written before they are sent */
	double block;   /* seconds */
	double weight;  /* times the usual time */
};

struct channel_tail {
	double p50, p99, p999; /* nanoseconds of a single round, of all blocks; 0: none */
};

struct channel_side_result {
	bool playing, failed;
	struct spread ns;    /* of a round, or a message */
	struct spread ratio; /* Madang's: this / the reference; others: the reference / this */
	struct spread line;  /* nanoseconds of the line's round, in the same blocks */
	struct spread lines; /* ns / line, block by block */
	struct spread steep; /* p99 / p50, block by block */
	struct channel_tail tail;
	unsigned blocks, disturbed; /* disturbed ones are left out */
	char why[64];               /* it does not play */
};

struct channel_case_result {
	struct channel_case what;
	int reference; /* side */
	struct channel_side_result side[CHANNEL_SIDES];
};

enum { CHANNEL_CASES_MAX = 32 };

/* Fills `cases`; returns how many. */
unsigned channel_cases(struct channel_case cases[CHANNEL_CASES_MAX]);
bool channel_is_madang(int side);
const char *channel_measure_what(enum channel_measure measure);

/* ---- system calls (calls.c) ------------------------------------------------- */

enum { CHANNEL_CALLS_TIMES = 5 };

/* A talker's, for one message; -1: not counted. The least and the most of CHANNEL_CALLS_TIMES. */
struct channel_calls {
	int asleep_least[CHANNEL_SIDES], asleep_most[CHANNEL_SIDES];
	int awake_least[CHANNEL_SIDES], awake_most[CHANNEL_SIDES];
};

void channel_calls_count(const struct channel_side side[CHANNEL_SIDES],
                         struct channel_calls *ret_calls);

/* ---- kill and restart (restart.c) ------------------------------------------- */

struct channel_restart {
	bool played;
	unsigned kills, resumed;
	uint64_t messages;    /* received, each counted once */
	uint64_t redelivered; /* came again, marked */
	uint64_t doubled;     /* came again, not marked */
	uint64_t missing;     /* numbers that nobody received */
	uint64_t strange;     /* messages whose content is not their number's */
	struct spread ms;     /* from the restart to the next message that is new */
	double ms_most;
	int code; /* why it ended early, or 0 */
};

void channel_restart_play(struct channel_restart *ret_restart);

/* ---- all ---------------------------------------------------------------------------- */

enum { CHANNEL_BARS_MAX = 32 };

struct channel_bar {
	char what[96], found[64];
	bool met;
};

struct channel_result {
	struct channel_side side[CHANNEL_SIDES];
	struct channel_case_result *cases;
	unsigned case_count;
	struct channel_calls calls;
	bool calls_counted;
	struct channel_restart restart;
};

void channel_measure(const struct settings *settings, struct channel_result *ret_result);
void channel_scale_measure(const struct settings *settings, struct scale_result *ret_result);
void channel_free(struct channel_result *result);
/* The bars for which this run has numbers; returns how many. */
unsigned channel_bars(const struct channel_result *result,
                      struct channel_bar bars[CHANNEL_BARS_MAX]);
void channel_report(const struct channel_result *result, FILE *out);

#endif
