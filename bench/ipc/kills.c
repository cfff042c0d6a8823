/* SPDX-License-Identifier: MIT */
/*
 * kills.c - how soon a sleeper learns that the holder of what it waits for was killed.
 *
 * A holder takes the semaphore with SEM_UNDO. The partner sleeps for it, which is seen to before
 * the holder is killed. The time runs from before kill(2) to when the partner's call has returned.
 * Driver and partner are on one processor, and the holder is on the other. The driver makes no call
 * of the side meanwhile, which might find the death for the partner.
 */
#include "bench/ipc/ipc.h"

#include "bench/common/processes.h"
#include "bench/common/trace.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

static const uint64_t PATIENCE = UINT64_C(10000000000);
static const struct timespec SHORT_WHILE = { 0, 50000 };

static bool comes(const uint32_t *word, uint32_t value)
{
	uint64_t until = now_ns() + PATIENCE;

	while (word_get(word) != value) {
		if (now_ns() > until)
			return false;
		nanosleep(&SHORT_WHILE, NULL);
	}
	return true;
}

/* It sleeps in the kernel, and not only spins. */
static bool falls_asleep(struct ipc_game *game)
{
	uint64_t until = now_ns() + PATIENCE;
	unsigned seen = 0;

	while (seen < 4) {
		bool asleep =
			game->side->set_waiting(game->set, 0) == 1 && trace_sleeps(game->partner);

		if (now_ns() > until)
			return false;
		seen = asleep ? seen + 1 : 0;
		nanosleep(&SHORT_WHILE, NULL);
	}
	return true;
}

static void hold(struct ipc_game *game, uint32_t number)
{
	struct sembuf take = { 0, -1, SEM_UNDO };

	processor_choose(1);
	if (game->side->set_op(game->set, &take, 1) != 0)
		_exit(1);
	word_set(&game->control->held, number);
	for (;;)
		pause();
}

/* Nanoseconds, or 0. */
static uint64_t kill_once(struct ipc_game *game)
{
	struct ipc_control *control = game->control;
	uint32_t number = control->kill + 1;
	pid_t holder = process_start();
	uint64_t killed_at = 0;

	if (holder == 0)
		hold(game, number);
	if (holder < 0)
		return 0;
	if (comes(&control->held, number)) {
		turn_next(&control->kill);
		if (falls_asleep(game))
			killed_at = now_ns();
	}
	process_kill(&holder);
	if (killed_at == 0 || !comes(&control->returned, number))
		return 0;
	return control->returned_at - killed_at;
}

uint64_t ipc_run_kill(struct ipc_game *game, unsigned n)
{
	uint64_t took = 0;

	for (; n > 0; n--) {
		uint64_t once = kill_once(game);

		if (once == 0)
			return 0;
		took += once;
	}
	return took;
}

uint32_t ipc_partner_kill(struct ipc_game *game, uint32_t n)
{
	struct ipc_control *control = game->control;
	struct sembuf take = { 0, -1, 0 }, give = { 0, 1, 0 };

	for (; n > 0; n--) {
		uint32_t number = turn_wait(&control->kill, control->returned);

		if (game->side->set_op(game->set, &take, 1) != 0)
			return UINT32_MAX;
		control->returned_at = now_ns();
		if (game->side->set_op(game->set, &give, 1) != 0)
			return UINT32_MAX;
		word_set(&control->returned, number);
	}
	return 0;
}
