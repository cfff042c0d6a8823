/* SPDX-License-Identifier: MIT */
/*
 * partner.c - a block of a game, and the process that takes part in it.
 *
 * The partner is forked when a game begins, and sleeps on `turn` between blocks. A block: the
 * driver raises `turn`, waits until the partner is ready, and opens `go`. When it has done its part
 * it sets `stop`, and waits until the partner is idle. One that does not come within PATIENCE makes
 * the block fail, and the game with it. A driver that sleeps in a call so long is woken by SIGALRM.
 *
 * On two processors, driver and partner first bounce a cache line. No conversation can be faster.
 * It differs by four times within minutes where processors are virtual.
 */
#include "bench/ipc/ipc.h"

#include "bench/common/processes.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE = 10 }; /* seconds */

/* Waits until *word is `value`, without sleeping: it takes microseconds. */
static bool comes(const uint32_t *word, uint32_t value)
{
	uint64_t until = now_ns() + PATIENCE * UINT64_C(1000000000);

	for (unsigned i = 1; word_get(word) != value; i++) {
		if (i % 64 == 0)
			sched_yield();
		if (i % 4096 == 0 && now_ns() > until)
			return false;
	}
	return true;
}

/* One line to the other processor and back, n times. Nanoseconds of one, or 0. */
static double bounce(struct ipc_game *game, bool driver)
{
	enum { ROUNDS = 100, LOOKS = 1 << 24 };
	uint32_t *line = &game->control->line, value = driver ? 0 : 1;
	uint64_t start = now_ns();

	for (unsigned n = 0; n < ROUNDS; n++, value += 2) {
		unsigned looks = 0;

		while (word_get(line) != value)
			if (++looks == LOOKS)
				return 0;
		word_set(line, value + 1);
	}
	return (double)(now_ns() - start) / ROUNDS;
}

static bool has_line(const struct ipc_game *game)
{
	return game->what->place == IPC_TWO_PROCESSORS && processors_count() > 1;
}

/* ---- the partner ------------------------------------------------------------------------ */

static void take_part(struct ipc_game *game)
{
	struct ipc_control *control = game->control;
	uint32_t turn = 0, before;

	for (;;) {
		turn = turn_wait(&control->turn, turn);
		if (word_get(&control->quit))
			_exit(0);
		word_set(&control->ready, turn);
		if (!comes(&control->go, turn))
			_exit(1);
		if (has_line(game))
			bounce(game, false);
		before = preemptions();
		word_set(&control->operations, game->what->partner(game, control->rounds));
		word_set(&control->preempted, preemptions() - before);
		word_set(&control->idle, turn);
	}
}

bool ipc_partner_begin(struct ipc_game *game)
{
	int which = game->what->place == IPC_TWO_PROCESSORS ? 1 : 0;

	game->partner = process_start();
	if (game->partner == 0) {
		processor_choose(which);
		take_part(game);
	}
	return game->partner > 0;
}

void ipc_partner_end(struct ipc_game *game)
{
	process_kill(&game->partner);
}

/* ---- the driver ------------------------------------------------------------------------- */

static void on_alarm(int number)
{
	(void)number; /* it has woken the sleeper; it comes again, in case nobody slept yet */
}

static void alarm_set(long first)
{
	const struct itimerval times = { { first != 0, 0 }, { first, 0 } };

	setitimer(ITIMER_REAL, &times, NULL);
}

static bool gather(struct ipc_game *game, unsigned rounds)
{
	static bool ready;
	struct ipc_control *control = game->control;
	uint32_t turn;
	bool there;

	if (!ready) {
		struct sigaction action = { .sa_handler = on_alarm };

		sigaction(SIGALRM, &action, NULL);
		ready = true;
	}
	word_set(&control->rounds, rounds);
	word_set(&control->stop, 0);
	turn = turn_next(&control->turn);
	there = comes(&control->ready, turn);
	alarm_set(PATIENCE);
	word_set(&control->line, 0);
	word_set(&control->go, turn);
	game->line = there && has_line(game) ? bounce(game, true) : 0;
	return there;
}

static bool dismiss(struct ipc_game *game)
{
	struct ipc_control *control = game->control;

	word_set(&control->stop, 1);
	if (!comes(&control->idle, control->turn) || control->operations == UINT32_MAX) {
		errno = EIO;
		return false;
	}
	game->partner_did = control->operations;
	game->preempted += control->preempted;
	return true;
}

/* Two processes that count without mutual exclusion lose some. */
static bool guarded_well(struct ipc_game *game, uint64_t before, unsigned n)
{
	if (!game->what->together || game->control->guarded - before == n + game->partner_did)
		return true;
	errno = EILSEQ;
	return false;
}

uint64_t ipc_game_block(void *context, unsigned n)
{
	struct ipc_game *game = context;
	uint64_t guarded = 0, took;
	uint32_t before;

	game->partner_did = 0;
	game->preempted = 0;
	if (game->what->partner != NULL) {
		guarded = game->control->guarded;
		if (!gather(game, n))
			return 0;
	}
	before = preemptions();
	took = game->what->run(game, n);
	game->preempted = preemptions() - before;
	if (game->what->partner == NULL)
		return took;
	if (took != 0 && (!dismiss(game) || !guarded_well(game, guarded, n)))
		took = 0;
	alarm_set(0);
	return took;
}
