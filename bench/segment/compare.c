/* SPDX-License-Identifier: MIT */
/*
 * compare.c - measures one case: both sides in turn, without and with other
 * segments.
 *
 * The time of a case is split into rounds; each round measures it once without
 * other segments and once with them, in an order that changes from round to
 * round. So what grows with their number is compared within a second or so,
 * and not between the beginning and the end of the run.
 */
#include "bench/segment/segment.h"

#include <errno.h>

/* Both sides of one case while it is being measured. */
struct match {
	const struct bench_case *what;
	struct case_state state[SIDES];
	bool playing[SIDES];
	unsigned size[SIDES]; /* of a block */
	unsigned begun;       /* times that both sides were set up */
	int first;            /* the side that goes first since then */
	struct samples ratio[OTHERS_STATES], ns[OTHERS_STATES][SIDES];
	struct samples round_median[OTHERS_STATES][SIDES];
};

static uint64_t run_state(void *context, unsigned n)
{
	struct match *match = ((struct match **)context)[0];
	struct case_state *state = ((void **)context)[1];

	return match->what->run(state, n);
}

static void side_begin(struct match *match, int side, int *ret_error)
{
	struct case_state *state = &match->state[side];

	*state = (struct case_state){ .side = bench_sides[side],
		                      .id = -1,
		                      .pipe_to = -1,
		                      .pipe_from = -1,
		                      .position = match->begun * 2654435769u };
	errno = 0;
	match->playing[side] = match->what->begin(state);
	if (!match->playing[side]) {
		*ret_error = errno ? errno : EIO;
		match->what->end(state);
	}
}

static void side_end(struct match *match, int side)
{
	if (match->playing[side])
		match->what->end(&match->state[side]);
	match->playing[side] = false;
}

/* How long a block is on this side; a side that cannot do one drops out. */
static void side_calibrate(struct match *match, int side, double block, int *ret_error)
{
	void *context[] = { match, &match->state[side] };

	if (!match->playing[side])
		return;
	errno = 0;
	match->size[side] = block_size(run_state, context, block);
	if (match->size[side] == 0) {
		*ret_error = errno ? errno : EIO;
		side_end(match, side);
	}
}

/* One block on each side, and the ratio if both could do it. */
static void play_pair(struct match *match, struct samples *ratio, struct samples ns[SIDES],
                      struct samples round[SIDES])
{
	double each[SIDES] = { 0 };

	for (int i = 0; i < SIDES; i++) {
		int side = (match->first + i) % SIDES;
		uint64_t took = 0;

		if (match->playing[side])
			took = match->what->run(&match->state[side], match->size[side]);
		if (took == 0)
			continue;
		each[side] = (double)took / match->size[side];
		samples_add(&ns[side], each[side]);
		samples_add(&round[side], each[side]);
	}
	if (each[MADANG] > 0 && each[KERNEL] > 0)
		samples_add(ratio, each[MADANG] / each[KERNEL]);
}

/* Sets both sides up, now one and now the other first, and it stays first until
 * the next time: where the pages of the second lie, and what is left for it in
 * the caches, depends on the first's. A side that failed before stays out. */
static void both_begin(struct match *match, int error[SIDES])
{
	match->first = match->begun++ % 2 ? KERNEL : MADANG;
	for (int i = 0; i < SIDES; i++) {
		int side = (match->first + i) % SIDES;

		if (error[side] == 0)
			side_begin(match, side, &error[side]);
	}
}

/* The side that was first ends last: the system gives the pages that were freed
 * last away first, so that the other side gets them next time. */
static void both_end(struct match *match)
{
	for (int i = SIDES - 1; i >= 0; i--)
		side_end(match, (match->first + i) % SIDES);
}

static void play_round(struct match *match, const struct settings *settings, int others,
                       struct case_result *result)
{
	unsigned weight = match->what->weight ? match->what->weight : 1;
	unsigned renew_pairs = match->what->renew_pairs;
	struct samples round[SIDES] = { { 0 } };
	int *error = result->error[others];
	uint64_t until;

	both_begin(match, error);
	for (int side = 0; side < SIDES; side++)
		side_calibrate(match, side, settings->block, &error[side]);
	until = now_ns() + (uint64_t)(settings->seconds * weight * 1e9 / settings->rounds);
	for (unsigned pair = 1; (match->playing[MADANG] || match->playing[KERNEL]) &&
	                        !stop_asked() && now_ns() < until;
	     pair++) {
		play_pair(match, &match->ratio[others], match->ns[others], round);
		if (renew_pairs != 0 && pair % renew_pairs == 0) {
			/* pages lie elsewhere after this, so that their luck averages out */
			both_end(match);
			both_begin(match, error);
		}
	}
	both_end(match);
	for (int side = 0; side < SIDES; side++) {
		if (round[side].count != 0)
			samples_add(&match->round_median[others][side],
			            samples_spread(&round[side]).median);
		samples_free(&round[side]);
	}
}

static void play_with_others(struct match *match, const struct settings *settings,
                             struct case_result *result)
{
	for (int side = 0; side < SIDES; side++)
		result->others_made[side] = others_make(bench_sides[side], settings->others);
	play_round(match, settings, 1, result);
	for (int side = 0; side < SIDES; side++)
		others_remove(bench_sides[side]);
}

/* What each round found with others, by what it found without. */
static struct spread growth_of(const struct match *match, int side)
{
	const struct samples *without = &match->round_median[0][side];
	const struct samples *with = &match->round_median[1][side];
	struct samples growth = { 0 };
	struct spread spread;

	for (unsigned i = 0; i < without->count && i < with->count; i++)
		samples_add(&growth, with->value[i] / without->value[i]);
	spread = samples_spread(&growth);
	samples_free(&growth);
	return spread;
}

static void match_finish(struct match *match, struct case_result *ret_result)
{
	for (int side = 0; side < SIDES; side++)
		ret_result->growth[side] = growth_of(match, side);
	for (int others = 0; others < OTHERS_STATES; others++) {
		ret_result->ratio[others] = samples_spread(&match->ratio[others]);
		samples_free(&match->ratio[others]);
		for (int side = 0; side < SIDES; side++) {
			ret_result->ns[others][side] = samples_spread(&match->ns[others][side]);
			samples_free(&match->ns[others][side]);
			samples_free(&match->round_median[others][side]);
		}
	}
}

void case_measure(const struct settings *settings, const struct bench_case *what,
                  struct case_result *ret_result)
{
	struct match match = { .what = what };
	bool crowded = settings->others > 0 && !what->memory_only;

	*ret_result = (struct case_result){ .what = what, .measured = { true, crowded } };
	for (unsigned round = 0; round < settings->rounds && !stop_asked(); round++) {
		if (crowded && round % 2 == 1)
			play_with_others(&match, settings, ret_result);
		play_round(&match, settings, 0, ret_result);
		if (crowded && round % 2 == 0)
			play_with_others(&match, settings, ret_result);
	}
	match_finish(&match, ret_result);
}
