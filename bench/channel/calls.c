/* SPDX-License-Identifier: MIT */
/*
 * calls.c - how many system calls a talker makes for one message, counted with ptrace(2):
 * to a listener that sleeps in the kernel, and to one that is awake and does not wait.
 *
 * Only the talker is traced, and of it the thread that sends. Before each message that is to
 * find a sleeper the listener is seen to sleep.
 */
#include "bench/channel/games.h"
#include "bench/common/processes.h"
#include "bench/common/trace.h"

#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000 };

static const struct timespec moment = { 0, 200000 };

/* ---- the processes ------------------------------------------------------------------ */

/* Takes one message that does not count, and then those that do, and says in `line` how many it has
 * taken. A listener that must stay awake does not even ask until all messages are there. */
static void listen_on(struct channel_game *game, bool awake)
{
	struct channel_control *control = game->control;
	unsigned taken = 0;

	if (!channel_member_become(game, 0))
		_exit(1);
	while (taken <= CHANNEL_CALLS_TIMES) {
		if (game->side->take_one(game) != 0)
			_exit(1);
		__atomic_store_n(&control->line, ++taken, __ATOMIC_RELEASE);
		while (awake && taken == 1 && __atomic_load_n(&control->met, __ATOMIC_ACQUIRE) == 0)
			;
	}
	pause();
	_exit(0);
}

static int prepare(void *context)
{
	struct channel_game *game = context;

	return !channel_member_become(game, 1) || game->side->put_one(game) != 0;
}

static int act(void *context)
{
	struct channel_game *game = context;

	return game->side->put_one(game);
}

/* ---- counting ----------------------------------------------------------------------- */

/* It has taken so many, and then: sleeps, if it is to. */
static bool listener_is(const struct channel_game *game, pid_t listener, unsigned taken,
                        bool asleep)
{
	uint64_t until = now_ns() + PATIENCE_MS * UINT64_C(1000000);
	unsigned seen = 0;

	while (seen < 3 && now_ns() < until) {
		bool so = __atomic_load_n(&game->control->line, __ATOMIC_ACQUIRE) == taken &&
		          (!asleep || trace_sleeps(listener));

		seen = so ? seen + 1 : 0;
		nanosleep(&moment, NULL);
	}
	return seen >= 3;
}

static bool count_each(struct channel_game *game, pid_t listener, struct traced *talker, bool awake,
                       int *ret_least, int *ret_most)
{
	int least = 0, most = 0;

	for (unsigned i = 0; i < CHANNEL_CALLS_TIMES; i++) {
		int calls = 0, between = 0;

		if (!listener_is(game, listener, awake ? 1 : i + 1, !awake) ||
		    !trace_count(talker, true, &calls))
			return false;
		least = i == 0 || calls < least ? calls : least;
		most = calls > most ? calls : most;
		if (i + 1 < CHANNEL_CALLS_TIMES && !trace_count(talker, true, &between))
			return false;
	}
	*ret_least = least;
	*ret_most = most;
	return true;
}

static void count_side(const struct channel_side *about, unsigned number, bool awake,
                       int *ret_least, int *ret_most)
{
	struct channel_game game = { .side = about,
		                     .measure = CHANNEL_ONE,
		                     .sleeps = true,
		                     .talkers = 1,
		                     .number = number };
	struct traced talker = { 0 };
	pid_t listener = -1;

	if (channel_game_make(&game)) {
		listener = process_start();
		if (listener == 0)
			listen_on(&game, awake);
		if (listener > 0 && trace_begin(&talker, prepare, act, &game, CHANNEL_CALLS_TIMES))
			count_each(&game, listener, &talker, awake, ret_least, ret_most);
	}
	trace_end(&talker);
	process_kill(&listener);
	channel_game_unmake(&game);
}

void channel_calls_count(const struct channel_side side[CHANNEL_SIDES],
                         struct channel_calls *ret_calls)
{
	for (int i = 0; i < CHANNEL_SIDES; i++) {
		ret_calls->asleep_least[i] = ret_calls->asleep_most[i] = -1;
		ret_calls->awake_least[i] = ret_calls->awake_most[i] = -1;
		if (side[i].name == NULL || !side[i].sleeps ||
		    side[i].play[CHANNEL_ONE][0] == NULL || stop_asked())
			continue;
		count_side(&side[i], 1000000u + 2u * (unsigned)i, false,
		           &ret_calls->asleep_least[i], &ret_calls->asleep_most[i]);
		count_side(&side[i], 1000001u + 2u * (unsigned)i, true, &ret_calls->awake_least[i],
		           &ret_calls->awake_most[i]);
	}
}
