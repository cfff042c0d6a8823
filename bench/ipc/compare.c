/* SPDX-License-Identifier: MIT */
/*
 * compare.c - measures the cases: all sides in turn, without and with other sets and queues.
 *
 * The time of a case is split into rounds. Each round measures it once without others and once with
 * them, in an order that changes from round to round, so that growth is compared within a second.
 * In a round, each side begins its game anew. Then the sides take turns of a block each, in an
 * order that rotates. A side's block and the kernel's of the same turn make one ratio.
 *
 * A turn in which another program took a processor from one of the processes is left out, and
 * counted. This is not done where the processes share a processor: they take it from each other.
 * Nor is it done in a round in which there is no other turn; such rounds are counted too.
 */
#include "base/progress.h" /* of the tool */
#include "bench/ipc/ipc.h"

#include "bench/common/processes.h"

#include <errno.h>
#include <string.h>

/* One case while it is being measured. */
struct match {
	const struct ipc_case *what;
	const struct settings *settings;
	struct ipc_case_result *result;
	struct ipc_game game[IPC_SIDES];
	bool playing[IPC_SIDES];
	unsigned size[IPC_SIDES]; /* of a block */
	unsigned turn;
	struct samples line;
	struct samples ns[IPC_CROWDS][IPC_SIDES], ratio[IPC_CROWDS][IPC_SIDES];
	/* Medians of each round. */
	struct samples round_ns[IPC_CROWDS][IPC_SIDES], round_ratio[IPC_CROWDS][IPC_SIDES];
};

/* ---- games ------------------------------------------------------------------------------ */

static void side_end(struct match *match, int side)
{
	if (match->playing[side])
		ipc_game_end(&match->game[side], side);
	match->playing[side] = false;
}

static void side_fails(struct match *match, int side)
{
	match->result->error[side] = errno ? errno : EIO;
	side_end(match, side);
}

/* A side that failed before stays out. */
static void side_begin(struct match *match, int side)
{
	const struct ipc_case *what = match->what;
	double block = match->settings->block * what->weight;

	if (ipc_side(side) == NULL || match->result->error[side] != 0)
		return;
	errno = 0;
	match->playing[side] = ipc_game_begin(&match->game[side], side, what);
	match->size[side] = what->most;
	if (match->playing[side] && what->most == 0)
		match->size[side] = block_size(ipc_game_block, &match->game[side], block);
	if (!match->playing[side] || match->size[side] == 0)
		side_fails(match, side);
}

/* ---- turns ------------------------------------------------------------------------------ */

/* Nanoseconds of one call, or 0. */
static double side_block(struct match *match, int side)
{
	struct ipc_game *game = &match->game[side];
	double runs = match->size[side], took;

	if (!match->playing[side])
		return 0;
	errno = 0;
	took = (double)ipc_game_block(game, match->size[side]);
	if (took <= 0) {
		side_fails(match, side);
		return 0;
	}
	if (match->what->together)
		runs += (double)game->partner_did;
	return took / runs / match->what->calls;
}

struct turns {
	struct samples line, ns[IPC_SIDES], ratio[IPC_SIDES];
	unsigned count;
};

struct round {
	struct turns quiet, disturbed;
};

static void note(const struct match *match, struct turns *turns, const double each[IPC_SIDES])
{
	turns->count++;
	for (int side = 0; side < IPC_SIDES; side++) {
		if (match->playing[side] && match->game[side].line > 0)
			samples_add(&turns->line, match->game[side].line);
		if (each[side] > 0)
			samples_add(&turns->ns[side], each[side]);
		if (side != IPC_KERNEL && each[side] > 0 && each[IPC_KERNEL] > 0)
			samples_add(&turns->ratio[side], each[side] / each[IPC_KERNEL]);
	}
}

static void play_turn(struct match *match, struct round *round)
{
	double each[IPC_SIDES];
	bool disturbed = false;

	for (unsigned i = 0; i < IPC_SIDES; i++) {
		int side = (int)((match->turn + i) % IPC_SIDES);

		each[side] = side_block(match, side);
		disturbed = disturbed || (match->playing[side] && match->game[side].preempted != 0);
	}
	match->turn++;
	disturbed = disturbed && match->what->place != IPC_ONE_PROCESSOR;
	note(match, disturbed ? &round->disturbed : &round->quiet, each);
}

/* On a busy machine longer, for a few turns that nobody disturbed. */
static bool more_turns(const struct match *match, const struct round *round, uint64_t start)
{
	enum { TURNS_ENOUGH = 10, TIMES_MOST = 4 };
	double each = match->settings->seconds * 1e9 / match->settings->rounds;
	double gone = (double)(now_ns() - start);

	return !stop_asked() &&
	       (gone < each || (round->quiet.count < TURNS_ENOUGH && gone < each * TIMES_MOST));
}

static void settle_one(struct samples *of_round, struct samples *all, struct samples *medians)
{
	if (of_round->count != 0)
		samples_add(medians, samples_spread(of_round).median);
	for (unsigned i = 0; i < of_round->count; i++)
		samples_add(all, of_round->value[i]);
}

static void settle(struct match *match, struct round *round, int crowd)
{
	bool rough = round->quiet.count == 0 && round->disturbed.count != 0;
	struct turns *turns = rough ? &round->disturbed : &round->quiet;

	for (unsigned i = 0; i < turns->line.count; i++)
		samples_add(&match->line, turns->line.value[i]);
	samples_free(&round->quiet.line);
	samples_free(&round->disturbed.line);
	for (int side = 0; side < IPC_SIDES; side++) {
		settle_one(&turns->ns[side], &match->ns[crowd][side],
		           &match->round_ns[crowd][side]);
		settle_one(&turns->ratio[side], &match->ratio[crowd][side],
		           &match->round_ratio[crowd][side]);
		samples_free(&round->quiet.ns[side]);
		samples_free(&round->quiet.ratio[side]);
		samples_free(&round->disturbed.ns[side]);
		samples_free(&round->disturbed.ratio[side]);
	}
	match->result->turns += round->quiet.count + round->disturbed.count;
	match->result->disturbed += rough ? 0 : round->disturbed.count;
	match->result->rough_rounds += rough;
}

static void play_round(struct match *match, int crowd)
{
	struct round round = { .quiet = { .count = 0 } };
	uint64_t start;

	for (int i = 0; i < IPC_SIDES; i++)
		side_begin(match, (int)(match->turn + (unsigned)i) % IPC_SIDES);
	start = now_ns();
	while (more_turns(match, &round, start) &&
	       (match->playing[IPC_MADANG] || match->playing[IPC_KERNEL]))
		play_turn(match, &round);
	for (int side = 0; side < IPC_SIDES; side++)
		side_end(match, side);
	settle(match, &round, crowd);
}

static void play_crowded(struct match *match, struct ipc_result *result)
{
	int made[IPC_SIDES] = { 0 };

	ipc_others_make(match->settings->others, made);
	for (int side = 0; side < IPC_SIDES; side++)
		if (made[side] < result->others_made[side])
			result->others_made[side] = made[side];
	play_round(match, 1);
	ipc_others_remove();
}

/* ---- a case ----------------------------------------------------------------------------- */

static struct ipc_ratio ratio_of(struct samples *all, const struct samples *medians)
{
	struct ipc_ratio ratio = { .all = samples_spread(all) };

	for (unsigned i = 0; i < medians->count; i++) {
		double value = medians->value[i];

		ratio.least = i == 0 || value < ratio.least ? value : ratio.least;
		ratio.most = i == 0 || value > ratio.most ? value : ratio.most;
	}
	return ratio;
}

/* What each round found with others, by what it found without. */
static struct ipc_ratio growth_of(const struct match *match, int side)
{
	const struct samples *without = &match->round_ns[0][side];
	const struct samples *with = &match->round_ns[1][side];
	struct samples growth = { 0 };
	struct ipc_ratio ratio;

	for (unsigned i = 0; i < without->count && i < with->count; i++)
		samples_add(&growth, with->value[i] / without->value[i]);
	ratio = ratio_of(&growth, &growth);
	samples_free(&growth);
	return ratio;
}

static void match_finish(struct match *match)
{
	struct ipc_case_result *result = match->result;

	result->line = samples_spread(&match->line);
	samples_free(&match->line);
	for (int side = 0; side < IPC_SIDES; side++) {
		result->growth[side] = growth_of(match, side);
		for (int crowd = 0; crowd < IPC_CROWDS; crowd++) {
			result->ns[crowd][side] = samples_spread(&match->ns[crowd][side]);
			result->ratio[crowd][side] = ratio_of(&match->ratio[crowd][side],
			                                      &match->round_ratio[crowd][side]);
			samples_free(&match->ns[crowd][side]);
			samples_free(&match->ratio[crowd][side]);
			samples_free(&match->round_ns[crowd][side]);
			samples_free(&match->round_ratio[crowd][side]);
		}
	}
}

void ipc_case_measure(const struct settings *settings, const struct ipc_case *what,
                      struct ipc_result *result, struct ipc_case_result *ret_result)
{
	struct match match = { .what = what, .settings = settings, .result = ret_result };
	bool crowded = settings->others > 0;

	*ret_result = (struct ipc_case_result){ .what = what };
	for (int side = 0; side < IPC_SIDES; side++)
		ret_result->calls[side] = ipc_calls_count(what, side);
	for (unsigned round = 0; round < settings->rounds && !stop_asked(); round++) {
		if (crowded && round % 2 == 1)
			play_crowded(&match, result);
		play_round(&match, 0);
		if (crowded && round % 2 == 0)
			play_crowded(&match, result);
	}
	match_finish(&match);
}

void ipc_measure(const struct settings *settings, const char *namespace_dir,
                 struct ipc_result *ret_result)
{
	memset(ret_result, 0, sizeof *ret_result);
	ret_result->crowded = settings->others > 0;
	for (int side = 0; side < IPC_SIDES; side++)
		ret_result->others_made[side] = settings->others;
	ipc_remove_on_crash();
	ipc_sides_open(namespace_dir);
	processors_read();
	processor_choose(0);
	for (unsigned i = 0; i < ipc_case_count && !stop_asked(); i++) {
		const struct ipc_case *what = &ipc_cases[i];

		if (settings->only != NULL && strcmp(settings->only, what->name) != 0)
			continue;
		progress_step(what->what, i, ipc_case_count);
		ipc_case_measure(settings, what, ret_result,
		                 &ret_result->cases[ret_result->case_count++]);
	}
	progress_end();
	processor_any();
	ipc_sides_close();
}
