/* SPDX-License-Identifier: MIT */
/*
 * partners.c - the processes that take part in a game's blocks.
 *
 * They are forked when a game begins and sleep on `turn` between blocks. A block: the
 * driver raises `turn`, waits until all are ready, and opens `go`; when it has done its
 * part it sets `stop` and waits until all are idle. One that does not come within
 * PATIENCE makes the block fail, and the game with it.
 */
#include "bench/common/processes.h"
#include "bench/sync/games.h"

#include <sched.h>
#include <unistd.h>

static const uint64_t PATIENCE = UINT64_C(10000000000);

/* Waits until *word is `value`, without sleeping: it takes microseconds. */
static bool comes(const uint32_t *word, uint32_t value)
{
	uint64_t until = sync_now() + PATIENCE;

	for (unsigned i = 1; word_get(word) != value; i++) {
		if (i % 256 == 0)
			sched_yield();
		if (i % 65536 == 0 && sync_now() > until)
			return false;
	}
	return true;
}

/* ---- a partner --------------------------------------------------------------------- */

static void take_part(struct sync_match_side *side, unsigned number)
{
	struct sync_control *control = side->game.control;
	uint32_t turn = 0, before;

	for (;;) {
		turn = turn_wait(&control->turn, turn);
		if (word_get(&control->quit))
			_exit(0);
		word_set(&control->partner[number].ready, turn);
		if (!comes(&control->go, turn))
			_exit(1);
		before = preemptions();
		word_set(&control->partner[number].operations,
		         side->play->partner(&side->game, number));
		word_set(&control->partner[number].preempted, preemptions() - before);
		word_set(&control->partner[number].idle, turn);
	}
}

static bool partner_start(struct sync_match_side *side, unsigned number)
{
	pid_t child = process_start();

	if (child == 0) {
		if (side->game.partners == 1)
			processor_choose(1);
		take_part(side, number);
	}
	side->pid[number] = child;
	return child > 0;
}

/* ---- the driver -------------------------------------------------------------------- */

bool partners_begin(struct sync_match_side *side, unsigned count)
{
	bool started = true;

	side->game.partners = count;
	for (unsigned i = 0; i < count && started; i++)
		started = partner_start(side, i);
	return started;
}

void partners_end(struct sync_match_side *side)
{
	for (unsigned i = 0; i < side->game.partners; i++)
		process_kill(&side->pid[i]);
}

bool partners_gather(struct sync_match_side *side, unsigned rounds)
{
	struct sync_control *control = side->game.control;
	uint32_t turn;
	bool there = true;

	word_set(&control->rounds, rounds);
	word_set(&control->stop, 0);
	turn = turn_next(&control->turn);
	for (unsigned i = 0; i < side->game.partners && there; i++)
		there = comes(&control->partner[i].ready, turn);
	word_set(&control->go, turn);
	return there;
}

bool partners_dismiss(struct sync_match_side *side, uint64_t *ret_operations)
{
	struct sync_control *control = side->game.control;
	bool done = true;

	*ret_operations = 0;
	word_set(&control->stop, 1);
	for (unsigned i = 0; i < side->game.partners && done; i++) {
		done = comes(&control->partner[i].idle, control->turn) &&
		       control->partner[i].operations != UINT32_MAX;
		*ret_operations += control->partner[i].operations;
		side->preempted += control->partner[i].preempted;
	}
	return done;
}
