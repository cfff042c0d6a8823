/* SPDX-License-Identifier: MIT */
/*
 * play.c - the cases of synchronisation, and how one is measured: all sides in turn, a
 * block each, in an order that rotates; Madang's block and another side's of the same turn
 * make one ratio.
 *
 * In cases of two processes each has a processor to itself, and their throughput is the
 * time by the operations of both.
 *
 * Other programs that take the processor away in the middle of a block say nothing about
 * the objects: such a turn is left out, and counted, except with 16 partners, which preempt
 * each other.
 */
#include "bench/common/processes.h"
#include "bench/sync/games.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

const struct sync_case sync_cases[SYNC_CASES] = {
	[SYNC_MUTEX] = { "mutex", "mutex: lock + unlock, nobody else", 1.0, 0, 0, 1, false },
	[SYNC_MUTEX_2] = { "mutex-2", "mutex: 2 processes at once, an operation of either", 1.0, 0,
	                   1, 1, true },
	[SYNC_READ] = { "read", "rwlock: read + unlock, nobody else", 1.0, 0, 0, 1, false },
	[SYNC_WRITE] = { "write", "rwlock: write + unlock, nobody else", 1.0, 0, 0, 1, false },
	[SYNC_READ_2] = { "read-2", "rwlock: 2 readers at once, an operation of either", 1.0, 0, 1,
	                  1, true },
	[SYNC_SEM] = { "sem", "semaphore: post + wait, nobody else", 1.0, 0, 0, 1, false },
	[SYNC_CELL_READ] = { "cell-read", "cell: read 64 bytes (others: guarded by a rwlock)", 0,
	                     12.0, 0, 1, false },
	[SYNC_CELL_WRITER] = { "cell-writer", "the same while a process writes all the time", 0, 0,
	                       1, 1, false },
	[SYNC_EVENT] = { "event", "event: set + try to take (others: a semaphore)", 0, 0, 0, 1,
	                 false },
	[SYNC_SEM_PAIR] = { "sem-pair", "semaphore: there and back between 2 processes", 1.0, 0, 1,
	                    4, false },
	[SYNC_EVENT_PAIR] = { "event-pair", "event: there and back (others: semaphores)", 1.0, 0, 1,
	                      4, false },
	[SYNC_COND_PAIR] = { "cond-pair", "condition: there and back between 2 processes", 1.0, 0,
	                     1, 4, false },
	[SYNC_COND_SIGNAL] = { "cond-signal", "condition: signal one of 16, it answers", 1.0, 0, 16,
	                       8, false },
	[SYNC_COND_BROADCAST] = { "cond-all", "condition: wake all of 16, the last one answers",
	                          1.0, 0, 16, 8, false },
	[SYNC_BARRIER] = { "barrier", "barrier: a meeting of 2 processes", 1.0, 0, 1, 4, false },
	[SYNC_TXN] = { "txn", "transaction of two words (others: mutex alone, no journal)", 0, 0, 0,
	               1, false },
};

struct sync_match {
	const struct sync_case *what;
	struct sync_match_side side[SYNC_SIDES];
	double each[SYNC_SIDES]; /* nanoseconds in this turn */
	unsigned disturbed, turns;
	struct samples ns[SYNC_SIDES], ratio[SYNC_SIDES], share[SYNC_SIDES], fresh[SYNC_SIDES];
};

/* ---- a block ------------------------------------------------------------------------ */

static uint64_t run_block(void *context, unsigned n)
{
	struct sync_match_side *side = context;
	uint32_t before;
	uint64_t took;

	side->partners_did = 0;
	if (side->game.partners != 0 && !partners_gather(side, n))
		return 0;
	before = preemptions();
	took = side->play->run(&side->game, n);
	side->preempted = preemptions() - before;
	if (side->game.partners != 0 && took != 0 && !partners_dismiss(side, &side->partners_did))
		return 0;
	return took;
}

static void side_end(struct sync_match_side *side)
{
	partners_end(side);
	munmap(side->game.control, sizeof *side->game.control);
	munmap(side->game.objects, SYNC_OBJECTS_SIZE);
	side->playing = false;
}

static void side_begin(struct sync_match_side *side, const struct sync_side_about *about,
                       const struct sync_case *what, double block)
{
	side->play = &about->play[what - sync_cases];
	if (about->name == NULL || side->play->run == NULL)
		return;
	side->game.control = shared_memory(sizeof *side->game.control);
	side->game.objects = shared_memory(SYNC_OBJECTS_SIZE);
	side->playing = about->make(side->game.objects) && partners_begin(side, what->partners);
	if (side->playing)
		side->size = block_size(run_block, side, block * what->weight);
	if (side->size == 0)
		side_end(side);
}

/* Nanoseconds of one operation, or 0. */
static double side_block(struct sync_match *match, int number)
{
	struct sync_match_side *side = &match->side[number];
	double operations = side->size, took;

	if (!side->playing)
		return 0;
	took = (double)run_block(side, side->size);
	if (took <= 0) {
		side_end(side);
		return 0;
	}
	if (match->what->together)
		operations += (double)side->partners_did;
	return took / operations;
}

static void side_note(struct sync_match *match, int number, double ns)
{
	const struct sync_match_side *side = &match->side[number];

	samples_add(&match->ns[number], ns);
	if (side->partners_did != 0)
		samples_add(&match->share[number], (double)side->partners_did / side->size);
	if (side->game.note != 0)
		samples_add(&match->fresh[number], (double)side->game.note / side->size);
	if (number != SYNC_MADANG && match->each[SYNC_MADANG] > 0)
		samples_add(&match->ratio[number], match->each[SYNC_MADANG] / ns);
}

static void play_turn(struct sync_match *match, unsigned turn)
{
	bool disturbed = false;

	for (unsigned i = 0; i < SYNC_SIDES; i++) {
		unsigned number = (turn + i) % SYNC_SIDES;

		match->side[number].preempted = 0;
		match->each[number] = side_block(match, (int)number);
		disturbed = disturbed || match->side[number].preempted != 0;
	}
	match->turns++;
	if (disturbed && match->what->partners <= 1) {
		match->disturbed++;
		return;
	}
	for (int i = 0; i < SYNC_SIDES; i++)
		if (match->each[i] > 0)
			side_note(match, i, match->each[i]);
}

/* ---- a case ------------------------------------------------------------------------- */

static struct spread settle(struct samples *samples)
{
	struct spread spread = samples_spread(samples);

	samples_free(samples);
	return spread;
}

/* On a busy machine longer, for a few turns that nobody disturbed. */
static bool more_turns(const struct sync_match *match, uint64_t until,
                       const struct settings *settings)
{
	enum { TURNS_ENOUGH = 50, TIMES_MOST = 4 };
	uint64_t now = now_ns();

	return now < until ||
	       (match->turns - match->disturbed < TURNS_ENOUGH &&
	        now < until + (uint64_t)(settings->seconds * 1e9) * (TIMES_MOST - 1));
}

static void case_play(const struct settings *settings, const struct sync_side_about *about,
                      const struct sync_case *what, struct sync_case_result *result)
{
	struct sync_match match = { .what = what };
	uint64_t until;

	if (what->partners == 1) {
		/* Two processes have one each: else it is luck whether they meet at all. */
		processors_read();
		processor_choose(0);
	}
	for (int i = 0; i < SYNC_SIDES; i++)
		side_begin(&match.side[i], &about[i], what, settings->block);
	until = now_ns() + (uint64_t)(settings->seconds * 1e9);
	for (unsigned turn = 0; more_turns(&match, until, settings) && !stop_asked(); turn++)
		play_turn(&match, turn);
	result->what = what;
	result->disturbed = match.disturbed;
	result->turns = match.turns;
	for (int i = 0; i < SYNC_SIDES; i++) {
		result->failed[i] = !match.side[i].playing && match.side[i].game.control != NULL;
		if (match.side[i].playing)
			side_end(&match.side[i]);
		result->ns[i] = settle(&match.ns[i]);
		result->ratio[i] = settle(&match.ratio[i]);
		result->share[i] = settle(&match.share[i]);
		result->fresh[i] = settle(&match.fresh[i]);
	}
	if (what->partners == 1)
		processor_any();
}

void sync_measure(const struct settings *settings, struct sync_result *ret_result)
{
	memset(ret_result, 0, sizeof *ret_result);
	sync_madang_fill(&ret_result->side[SYNC_MADANG]);
	sync_libc_fill(&ret_result->side[SYNC_LIBC]);
#ifdef WITH_BOOST
	sync_boost_fill(&ret_result->side[SYNC_BOOST]);
#endif
	for (int i = 0; i < SYNC_CASES && !stop_asked(); i++)
		if (settings->only == NULL || strcmp(settings->only, sync_cases[i].name) == 0)
			case_play(settings, ret_result->side, &sync_cases[i],
			          &ret_result->cases[i]);
	if (settings->only == NULL && !stop_asked()) {
		sync_calls_count(ret_result->side, &ret_result->calls);
		ret_result->calls_counted = true;
	}
}
