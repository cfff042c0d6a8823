/* SPDX-License-Identifier: MIT */
/*
 * compare.c - measures the cases: all sides take turns of a block each, in an order that rotates. A
 * side's block and the reference's of the same turn make one ratio.
 *
 * A case that waits for another process (HEAP_HAND) is disturbed if another program takes a
 * processor from one of the two. Such turns are left out, and counted, if there are others.
 */
#include "base/progress.h" /* of the tool */
#include "bench/heap/heap.h"

#include "bench/common/processes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CALLS = 4096 };

/* One case while it is being measured. */
struct match {
	const struct heap_case *what;
	struct heap_case_result *result;
	double block; /* seconds */
	struct heap_game game[HEAP_SIDES];
	bool playing[HEAP_SIDES];
	unsigned size[HEAP_SIDES]; /* of a block */
	unsigned turn;
};

/* Of turns that nobody disturbed, and of the others. */
struct found {
	struct samples value[HEAP_SIDES], ratio[HEAP_SIDES], line;
	unsigned turns;
};

static bool is_map(enum heap_kind kind)
{
	return kind == HEAP_MAP_GET || kind == HEAP_MAP_PUT || kind == HEAP_MAP_INTERN;
}

static bool begins_empty(enum heap_kind kind)
{
	return kind == HEAP_GROW || kind == HEAP_CHURN || kind == HEAP_SWEEP;
}

int heap_reference(const struct heap_case *what)
{
	if (what->kind == HEAP_CHURN || what->kind == HEAP_SWEEP)
		return -1;
	return is_map(what->kind) ? HEAP_GLIB : HEAP_MIMALLOC;
}

static bool takes_part(const struct heap_case *what, int number)
{
	const struct heap_side *side = heap_side(number);

	if (what->fast_only && number != HEAP_MADANG && number != HEAP_MIMALLOC)
		return false;
	return side != NULL && side->play[what->kind] != NULL &&
	       !(side->slow && begins_empty(what->kind));
}

const char *heap_verdict(const struct heap_case_result *result, double bar)
{
	const struct heap_case *what = result->what;
	const struct spread *value = heap_reference(what) < 0 ? &result->value[HEAP_MADANG]
	                                                      : &result->ratio[HEAP_MADANG];

	if (result->rough)
		return "";
	if (what->kind == HEAP_CHURN)
		return verdict(value, bar, 1e9);
	return verdict(value, 0, bar);
}

/* ---- turns ------------------------------------------------------------------------------- */

static void side_fails(struct match *match, int side)
{
	match->result->error[side] = errno ? errno : EIO;
	if (match->playing[side] && !begins_empty(match->what->kind))
		heap_game_end(&match->game[side]);
	match->playing[side] = false;
}

static void side_begin(struct match *match, int number)
{
	if (!takes_part(match->what, number))
		return;
	if (begins_empty(match->what->kind)) {
		match->playing[number] = true;
		return;
	}
	errno = 0;
	match->playing[number] =
		heap_game_begin(&match->game[number], heap_side(number), match->what);
	/* The first calls take memory from the system, and say nothing about a block. */
	if (match->playing[number] && heap_game_block(&match->game[number], FIRST_CALLS) != 0)
		match->size[number] =
			block_size(heap_game_block, &match->game[number], match->block);
	if (match->size[number] == 0)
		side_fails(match, number);
}

/* Nanoseconds of one operation, or what else the case finds; 0: nothing. */
static double side_turn(struct match *match, int side)
{
	double value;

	if (!match->playing[side])
		return 0;
	errno = 0;
	if (begins_empty(match->what->kind))
		value = heap_game_once(heap_side(side), match->what);
	else
		value = (double)heap_game_block(&match->game[side], match->size[side]) /
		        match->size[side];
	if (value <= 0)
		side_fails(match, side);
	return value;
}

static void note(const struct match *match, struct found *found, const double each[HEAP_SIDES])
{
	int reference = heap_reference(match->what);

	found->turns++;
	for (int side = 0; side < HEAP_SIDES; side++) {
		if (each[side] <= 0)
			continue;
		samples_add(&found->value[side], each[side]);
		if (match->what->kind == HEAP_HAND && match->game[side].control->line_ns > 0)
			samples_add(&found->line, match->game[side].control->line_ns);
		if (reference >= 0 && side != reference && each[reference] > 0)
			samples_add(&found->ratio[side], each[side] / each[reference]);
	}
}

/* True when another program was in the way. */
static bool play_turn(struct match *match, double each[HEAP_SIDES])
{
	bool disturbed = false;

	for (unsigned i = 0; i < HEAP_SIDES; i++) {
		int side = (int)((match->turn + i) % HEAP_SIDES);

		each[side] = side_turn(match, side);
		disturbed |= match->playing[side] && match->game[side].preempted != 0;
	}
	match->turn++;
	return disturbed && match->what->kind == HEAP_HAND;
}

static void settle(struct heap_case_result *result, struct found *quiet, struct found *disturbed)
{
	struct found *found = quiet->turns == 0 ? disturbed : quiet;

	result->turns = quiet->turns + disturbed->turns;
	result->disturbed = quiet->turns == 0 ? 0 : disturbed->turns;
	result->rough = quiet->turns == 0 && disturbed->turns != 0;
	result->line = samples_spread(&found->line);
	samples_free(&quiet->line);
	samples_free(&disturbed->line);
	for (int side = 0; side < HEAP_SIDES; side++) {
		result->value[side] = samples_spread(&found->value[side]);
		result->ratio[side] = samples_spread(&found->ratio[side]);
		samples_free(&quiet->value[side]);
		samples_free(&quiet->ratio[side]);
		samples_free(&disturbed->value[side]);
		samples_free(&disturbed->ratio[side]);
	}
}

static bool somebody_plays(const struct match *match)
{
	for (int side = 0; side < HEAP_SIDES; side++)
		if (match->playing[side])
			return true;
	return false;
}

/* On a busy machine longer, for a few turns that nobody disturbed. */
static bool more_turns(const struct match *match, const struct found *quiet,
                       const struct found *disturbed, double seconds, uint64_t start)
{
	enum { TURNS_LEAST = 3, TURNS_ENOUGH = 10, TIMES_MOST = 4 };
	double gone = (double)(now_ns() - start);
	/* Each turn of HEAP_SWEEP is several already. */
	unsigned least = match->what->kind == HEAP_SWEEP ? 1 : TURNS_LEAST;

	if (stop_asked())
		return false;
	if (gone < seconds * 1e9 || quiet->turns + disturbed->turns < least)
		return true;
	return disturbed->turns != 0 && quiet->turns < TURNS_ENOUGH &&
	       gone < seconds * 1e9 * TIMES_MOST;
}

void heap_case_measure(const struct settings *settings, const struct heap_case *what,
                       struct heap_case_result *ret_result)
{
	struct match *match = bench_alloc(sizeof *match);
	struct found quiet = { .turns = 0 }, disturbed = { .turns = 0 };
	uint64_t start;

	*ret_result = (struct heap_case_result){ .what = what };
	match->what = what;
	match->result = ret_result;
	match->block = settings->block * what->weight;
	for (int side = 0; side < HEAP_SIDES && !stop_asked(); side++)
		side_begin(match, side);
	start = now_ns();
	while (somebody_plays(match) &&
	       more_turns(match, &quiet, &disturbed, settings->seconds, start)) {
		double each[HEAP_SIDES];
		bool bad = play_turn(match, each);

		note(match, bad ? &disturbed : &quiet, each);
	}
	settle(ret_result, &quiet, &disturbed);
	for (int side = 0; side < HEAP_SIDES; side++)
		if (match->playing[side] && !begins_empty(what->kind))
			heap_game_end(&match->game[side]);
	free(match);
}

void heap_measure(const struct settings *settings, const char *namespace_dir,
                  struct heap_result *ret_result)
{
	memset(ret_result, 0, sizeof *ret_result);
	processors_read();
	if (!settings->control)
		heap_madang_open(namespace_dir);
	heap_sides_open(settings->control);
	for (int side = 0; side < HEAP_SIDES; side++)
		ret_result->have[side] = heap_side(side) != NULL;
	if (settings->scale)
		heap_scale_measure(settings, ret_result);
	for (unsigned i = 0; i < heap_case_count && !settings->scale && !stop_asked(); i++) {
		const struct heap_case *what = &heap_cases[i];

		if (settings->only != NULL && strcmp(settings->only, what->name) != 0)
			continue;
		progress_step(what->what, i, heap_case_count);
		heap_case_measure(settings, what, &ret_result->cases[ret_result->case_count++]);
	}
	progress_end();
	processor_any();
	heap_madang_close();
}
