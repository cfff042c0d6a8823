/* SPDX-License-Identifier: MIT */
/*
 * play.c - the cases of channels, and how one is measured: all sides in turn, a block each,
 * in an order that rotates; the reference's block and another side's of the same turn, or nearly,
 * make one ratio. The reference is the stream, or where there are two talkers the queue.
 *
 * Other programs that take the processor away in the middle of a block say nothing about a
 * side that spins on a processor of its own: such a block is left out, and counted. Where
 * processes sleep or share a processor that is part of what is measured.
 */
#include "base/progress.h" /* of the tool */
#include "bench/channel/games.h"
#include "bench/common/processes.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 64, OCTAVES = 32 }; /* of the histogram: within 1.6 % */

struct channel_match_side {
	struct channel_game game;
	bool playing;
	unsigned size; /* of a block */
	double each;   /* nanoseconds in this turn, or 0 */
	struct samples ns, ratio, line, lines, steep;
	uint32_t *counts; /* PARTS * OCTAVES: rounds that took so long */
	unsigned blocks, disturbed;
	bool failed;
};

struct channel_match {
	const struct channel_case *what;
	struct channel_match_side side[CHANNEL_SIDES];
	int reference;
	double recent;        /* of the reference: its last block, or 0 */
	unsigned recent_turn; /* when that was */
};

static unsigned games; /* numbers them */

/* ---- cases -------------------------------------------------------------------------- */

const char *channel_measure_what(enum channel_measure measure)
{
	static const char *const what[CHANNEL_MEASURES] = {
		[CHANNEL_ROUND] = "64 bytes there and back",
		[CHANNEL_ONE] = "64 bytes one way, one by one",
		[CHANNEL_MANY] = "64 bytes one way, in batches of 64",
		[CHANNEL_BIG] = "64 KiB one way, one word of each line read",
	};

	return what[measure];
}

static void case_name(struct channel_case *what)
{
	static const char *const names[CHANNEL_MEASURES] = { "round", "one", "batch", "large" };

	snprintf(what->name, sizeof what->name, "%s-%s%s%s%s", names[what->measure],
	         what->sleeps ? "sleep" : "spin", what->one_processor ? "-1cpu" : "",
	         what->talkers == 2 ? "-2talk" : "", what->ahead != 0 ? "-ready" : "");
}

/* Blocks as short as can be: what processes do to each other on one processor by spinning
 * takes slices of the scheduler, and wake-ups take tens of microseconds. */
static double case_block(const struct channel_case *what)
{
	if (!what->sleeps && (what->one_processor || what->talkers > 1))
		return 0.015;
	return what->talkers > 1 ? 0.006 : what->sleeps ? 0.002 : 0.0007;
}

/* The bars are about these. */
static double case_weight(const struct channel_case *what)
{
	if (what->talkers > 1)
		return 0.7;
	if (!what->sleeps && !what->one_processor)
		return 2;
	return what->sleeps && what->one_processor && what->measure == CHANNEL_ROUND ? 1.5 : 0.8;
}

unsigned channel_cases(struct channel_case cases[CHANNEL_CASES_MAX])
{
	const struct channel_case ready[] = {
		{ .measure = CHANNEL_ROUND, .talkers = 1, .ahead = CHANNEL_AHEAD },
		{ .measure = CHANNEL_ONE, .talkers = 1, .ahead = CHANNEL_AHEAD },
	};
	unsigned count = 0;

	for (unsigned i = 0; i < CHANNEL_MEASURES * 8; i++) {
		struct channel_case what = {
			.measure = (enum channel_measure)(i % CHANNEL_MEASURES),
			.sleeps = i / CHANNEL_MEASURES % 2,
			.one_processor = i / (CHANNEL_MEASURES * 2) % 2,
			.talkers = 1 + i / (CHANNEL_MEASURES * 4),
		};

		if (what.measure == CHANNEL_ROUND && what.talkers > 1)
			continue; /* whom would it answer? */
		cases[count++] = what;
	}
	for (unsigned i = 0; i < 2; i++)
		cases[count++] = ready[i];
	for (unsigned i = 0; i < count; i++) {
		case_name(&cases[i]);
		cases[i].block = case_block(&cases[i]);
		cases[i].weight = case_weight(&cases[i]);
	}
	return count;
}

bool channel_is_madang(int side)
{
	return side <= CHANNEL_CALL;
}

/* ---- rounds timed one by one -------------------------------------------------------- */

static unsigned part_of(double ns)
{
	uint64_t whole = ns < 1 ? 1 : ns > UINT32_MAX ? UINT32_MAX : (uint64_t)ns;
	unsigned octave = 63u - (unsigned)__builtin_clzll(whole);
	double over = ns / (double)(UINT64_C(1) << octave) - 1;

	return octave * PARTS + (over < 0 ? 0 : over < 1 ? (unsigned)(over * PARTS) : PARTS - 1);
}

/* The middle of it. */
static double part_ns(unsigned part)
{
	return (1.0 + (part % PARTS + 0.5) / PARTS) * (double)(UINT64_C(1) << part / PARTS);
}

static double tail_at(const uint32_t *counts, double share)
{
	uint64_t all = 0, below = 0;

	for (unsigned i = 0; i < PARTS * OCTAVES; i++)
		all += counts[i];
	for (unsigned i = 0; i < PARTS * OCTAVES && all > 0; i++) {
		below += counts[i];
		if ((double)below >= share * (double)all)
			return part_ns(i);
	}
	return 0;
}

static int by_size(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

/* What the last block's rounds took. */
static void note_rounds(struct channel_match_side *side)
{
	const struct channel_control *control = side->game.control;
	static uint32_t took[CHANNEL_STAMPS];
	uint32_t n = control->stamped, ticks = 0, middle, late;
	double ns;

	if (n == 0 || control->stamps_took == 0)
		return;
	for (uint32_t i = 0; i < n; i++) {
		took[i] = control->stamps[i + 1] - control->stamps[i];
		ticks += took[i];
	}
	ns = ticks != 0 ? (double)control->stamps_took / ticks : 0;
	for (uint32_t i = 0; i < n; i++)
		side->counts[part_of(took[i] * ns)]++;
	qsort(took, n, sizeof *took, by_size);
	middle = took[n / 2];
	late = took[n - 1 - n / 100];
	if (n >= 100 && middle != 0)
		samples_add(&side->steep, (double)late / middle);
}

/* ---- a side in a match -------------------------------------------------------------- */

static uint64_t run_block(void *context, unsigned n)
{
	struct channel_match_side *side = context;

	return channel_game_block(&side->game, n);
}

static bool can_play(const struct channel_side *about, const struct channel_case *what)
{
	return about->name != NULL && about->play[what->measure][0] != NULL &&
	       (what->sleeps ? about->sleeps : about->spins) &&
	       (what->talkers == 1 || about->talkers);
}

static void side_end(struct channel_match_side *side, char *ret_why, size_t room)
{
	if (!side->playing && side->game.control != NULL)
		snprintf(ret_why, room, "%s", side->game.why);
	if (side->game.control != NULL)
		channel_game_end(&side->game);
	free(side->counts);
	side->counts = NULL;
	side->playing = false;
}

static void side_begin(struct channel_match_side *side, const struct channel_side *about,
                       const struct channel_case *what)
{
	if (!can_play(about, what))
		return;
	side->game = (struct channel_game){
		.side = about,
		.measure = what->measure,
		.sleeps = what->sleeps,
		.one_processor = what->one_processor,
		.talkers = what->talkers,
		.ahead = what->ahead,
		.number = games++,
	};
	side->counts = bench_alloc(sizeof *side->counts * PARTS * OCTAVES);
	side->playing = channel_game_begin(&side->game);
	if (side->playing)
		side->size = block_size(run_block, side, what->block);
	side->playing = side->playing && side->size != 0;
}

static bool disturbed(const struct channel_match_side *side)
{
	const struct channel_game *game = &side->game;

	return !game->sleeps && !game->one_processor && game->talkers == 1 &&
	       channel_game_preempted(game) != 0;
}

/* A size that was found in a bad moment, or in a better one than there will be, changes. False: the
 * block was too short to tell anything. */
static bool size_fits(struct channel_match_side *side, double took, double wanted)
{
	if (took < wanted / 4) {
		side->size = side->size < 1u << 28 ? side->size * 2 : side->size;
		return false;
	}
	if (took > wanted * 4)
		side->size = side->size > 1 ? side->size / 2 : 1;
	return true;
}

static void side_block(struct channel_match_side *side, const struct channel_case *what)
{
	const struct channel_control *control = side->game.control;
	unsigned size = side->size;
	double took, line;

	side->each = 0;
	if (!side->playing)
		return;
	took = (double)channel_game_block(&side->game, size);
	if (took <= 0) {
		side->playing = false;
		side->failed = true;
		return;
	}
	side->blocks++;
	if (!size_fits(side, took, what->block * 1e9))
		return;
	if (disturbed(side)) {
		side->disturbed++;
		return;
	}
	side->each = took / size / side->game.talkers;
	samples_add(&side->ns, side->each);
	note_rounds(side);
	if (control->line_rounds != 0 && control->line_took != 0) {
		line = (double)control->line_took / control->line_rounds;
		samples_add(&side->line, line);
		samples_add(&side->lines, side->each / line);
	}
}

/* ---- a case ------------------------------------------------------------------------- */

/* The reference's block of this turn. If that one was disturbed, one of shortly before. */
static double reference_of(struct channel_match *match, unsigned turn)
{
	enum { RECENT = 3 }; /* turns */
	double each = match->side[match->reference].each;

	if (each > 0) {
		match->recent = each;
		match->recent_turn = turn;
	}
	return turn - match->recent_turn <= RECENT ? match->recent : 0;
}

static void play_turn(struct channel_match *match, unsigned turn)
{
	double reference;

	for (unsigned i = 0; i < CHANNEL_SIDES; i++)
		side_block(&match->side[(turn + i) % CHANNEL_SIDES], match->what);
	reference = reference_of(match, turn);
	for (int i = 0; i < CHANNEL_SIDES && reference > 0; i++) {
		double each = match->side[i].each;

		if (each > 0 && i != match->reference)
			samples_add(&match->side[i].ratio,
			            channel_is_madang(i) ? each / reference : reference / each);
	}
}

/* On a busy machine it goes on longer, until the reference was left alone in a few turns. */
static bool more_turns(const struct channel_match *match, uint64_t until, uint64_t seconds_ns)
{
	enum { TURNS_ENOUGH = 25, TIMES_MOST = 2 };
	const struct channel_match_side *reference = &match->side[match->reference];
	uint64_t now = now_ns();

	return now < until || (reference->playing && reference->ns.count < TURNS_ENOUGH &&
	                       now < until + seconds_ns * (TIMES_MOST - 1));
}

static struct spread settle(struct samples *samples)
{
	struct spread spread = samples_spread(samples);

	samples_free(samples);
	return spread;
}

static void side_result(struct channel_match_side *side, struct channel_side_result *ret_result)
{
	ret_result->playing = side->playing;
	ret_result->failed = side->failed;
	ret_result->blocks = side->blocks;
	ret_result->disturbed = side->disturbed;
	if (side->counts != NULL) {
		ret_result->tail.p50 = tail_at(side->counts, 0.5);
		ret_result->tail.p99 = tail_at(side->counts, 0.99);
		ret_result->tail.p999 = tail_at(side->counts, 0.999);
	}
	side_end(side, ret_result->why, sizeof ret_result->why);
	ret_result->ns = settle(&side->ns);
	ret_result->ratio = settle(&side->ratio);
	ret_result->line = settle(&side->line);
	ret_result->lines = settle(&side->lines);
	ret_result->steep = settle(&side->steep);
}

static void case_play(const struct settings *settings, const struct channel_side *sides,
                      const struct channel_case *what, struct channel_case_result *result)
{
	static struct channel_match match; /* large */
	uint64_t time = (uint64_t)(settings->seconds * what->weight * 1e9), until;

	memset(&match, 0, sizeof match);
	match.what = what;
	match.reference = what->talkers > 1 ? CHANNEL_QUEUE : CHANNEL_STREAM;
	for (int i = 0; i < CHANNEL_SIDES && !stop_asked(); i++)
		side_begin(&match.side[i], &sides[i], what);
	until = now_ns() + time;
	for (unsigned turn = 0; more_turns(&match, until, time) && !stop_asked(); turn++)
		play_turn(&match, turn);
	result->what = *what;
	result->reference = match.reference;
	for (int i = 0; i < CHANNEL_SIDES; i++)
		side_result(&match.side[i], &result->side[i]);
}

static void fill_sides(struct channel_side side[CHANNEL_SIDES])
{
	channel_madang_fill(side);
	channel_kernel_fill(side);
#ifdef WITH_CK
	channel_ck_fill(&side[CHANNEL_CK]);
#endif
#ifdef WITH_QB
	channel_qb_fill(&side[CHANNEL_QB]);
#endif
#ifdef WITH_ZMQ
	channel_zmq_fill(&side[CHANNEL_ZMQ]);
#endif
#ifdef WITH_NNG
	channel_nng_fill(&side[CHANNEL_NNG]);
#endif
#ifdef WITH_BOOST
	channel_boost_fill(side);
#endif
}

void channel_measure(const struct settings *settings, struct channel_result *ret_result)
{
	struct channel_case cases[CHANNEL_CASES_MAX];
	unsigned count = channel_cases(cases);

	memset(ret_result, 0, sizeof *ret_result);
	fill_sides(ret_result->side);
	ret_result->cases = bench_alloc(count * sizeof *ret_result->cases);
	processors_read();
	for (unsigned i = 0; i < count && !stop_asked(); i++) {
		if (settings->only != NULL && strcmp(settings->only, cases[i].name) != 0)
			continue;
		progress_step(cases[i].name, i, count);
		case_play(settings, ret_result->side, &cases[i],
		          &ret_result->cases[ret_result->case_count++]);
	}
	progress_end();
	if (settings->only == NULL && !stop_asked()) {
		channel_calls_count(ret_result->side, &ret_result->calls);
		ret_result->calls_counted = true;
	}
	if ((settings->only == NULL || strcmp(settings->only, "restart") == 0) && !stop_asked())
		channel_restart_play(&ret_result->restart);
}

void channel_free(struct channel_result *result)
{
	free(result->cases);
	result->cases = NULL;
	result->case_count = 0;
}
