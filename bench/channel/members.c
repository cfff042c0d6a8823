/* SPDX-License-Identifier: MIT */
/*
 * members.c - a game's processes, and its blocks.
 *
 * The coordinator, which is the program itself, forks the members and sleeps while a block goes
 * on, until the last of them writes to an eventfd. Between blocks they sleep on `turn`. Member 0
 * takes the time.
 *
 * On two processors, the two members first and last bounce one cache line: the limit that any
 * conversation has, as it is in this very block. It differs by ten times within
 * minutes where processors are virtual.
 *
 * A member that does not come or end within PATIENCE makes the block fail, and the game with it.
 */
#include "bench/channel/games.h"
#include "bench/common/processes.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 4000, LEAVE_MS = 2000, LINE_ROUNDS = 200 };

static unsigned members_of(const struct channel_game *game)
{
	return game->talkers + 1;
}

/* Until *word is at least `value`; without sleeping, but for a share of the processor. */
static bool comes(const uint32_t *word, uint32_t value)
{
	uint64_t until = now_ns() + PATIENCE_MS * UINT64_C(1000000);

	for (unsigned i = 1; (int32_t)(word_get(word) - value) < 0; i++) {
		if (i % 64 == 0)
			sched_yield();
		if (i % 65536 == 0 && now_ns() > until)
			return false;
	}
	return true;
}

bool channel_cannot(struct channel_game *game, const char *what, const char *reason)
{
	snprintf(game->why, sizeof game->control->why, "%s: %s", what, reason);
	return false;
}

bool channel_cannot_errno(struct channel_game *game, const char *what)
{
	return channel_cannot(game, what, strerror(errno));
}

/* ---- a member ----------------------------------------------------------------------- */

/* One line to the other processor and back, n times. */
static uint64_t bounce(struct channel_game *game, unsigned n)
{
	uint32_t *line = &game->control->line, value = *line;
	uint64_t start = now_ns();

	value -= value & 1;
	for (; n > 0; n--, value += 2) {
		if (game->member == 0) {
			word_set(line, value + 1);
			while (word_get(line) != value + 2)
				;
		} else {
			while (word_get(line) != value + 1)
				;
			word_set(line, value + 2);
		}
	}
	return now_ns() - start;
}

/* All are here, the `time`th time in this block; all go on at once. */
static bool meet(struct channel_game *game, unsigned time)
{
	uint32_t *met = &game->control->met;

	__atomic_add_fetch(met, 1, __ATOMIC_ACQ_REL);
	return comes(met, members_of(game) * time);
}

/* The rounds are timed together, and then some of them one by one. Before that come untimed rounds,
 * as many as bring the side's memory back into the caches, from which the other sides have driven
 * it. */
static int play_timed(struct channel_game *game, channel_play *play)
{
	struct channel_control *control = game->control;
	bool first = game->member == 0;
	uint64_t start, took;
	int bad = play(game, control->warm);

	if (bad != 0 || !meet(game, 2))
		return -1;
	start = now_ns();
	bad = play(game, control->rounds);
	took = now_ns() - start;
	if (first)
		control->took = took ? took : 1;
	if (control->stamped == 0 || bad != 0)
		return bad;
	game->stamps = first ? control->stamps : NULL;
	start = now_ns();
	bad = play(game, control->stamped);
	if (first)
		control->stamps_took = now_ns() - start;
	game->stamps = NULL;
	return bad;
}

static int play_block(struct channel_game *game, channel_play *play)
{
	struct channel_control *control = game->control;
	uint64_t before = bounce(game, control->line_rounds), after;
	int bad = play_timed(game, play);

	if (bad != 0)
		return bad;
	after = bounce(game, control->line_rounds);
	if (game->member == 0 && control->line_rounds != 0)
		control->line_took = (before + after) / 2;
	return 0;
}

/* Says so to the coordinator when it is the last. */
static void block_over(struct channel_game *game)
{
	const uint64_t one = 1;

	if (__atomic_add_fetch(&game->control->finished, 1, __ATOMIC_ACQ_REL) < members_of(game))
		return;
	if (write(game->done, &one, sizeof one) != (ssize_t)sizeof one)
		_exit(1);
}

static void take_part(struct channel_game *game)
{
	struct channel_control *control = game->control;
	channel_play *play = game->side->play[game->measure][game->member != 0];
	uint32_t turn = 0, before;

	for (;;) {
		turn = turn_wait(&control->turn, turn);
		if (word_get(&control->quit))
			return;
		before = preemptions();
		if (!meet(game, 1) || play_block(game, play) != 0)
			word_set(&control->member[game->member].failed, 1);
		control->member[game->member].preempted = preemptions() - before;
		block_over(game);
	}
}

/* Opens the channel from which it takes first. Otherwise a talker might find nobody listening. */
bool channel_member_become(struct channel_game *game, unsigned member)
{
	struct channel_control *control = game->control;

	game->member = member;
	processor_choose(game->one_processor || member == 0 ? 0 : 1);
	if (game->side->join != NULL && !game->side->join(game))
		return false;
	__atomic_add_fetch(&control->joined, 1, __ATOMIC_ACQ_REL);
	if (!comes(&control->joined, members_of(game)))
		return channel_cannot(game, "another process", "it did not come");
	if (game->side->reach != NULL && !game->side->reach(game))
		return false;
	__atomic_add_fetch(&control->reached, 1, __ATOMIC_ACQ_REL);
	return true;
}

static bool member_start(struct channel_game *game, unsigned member)
{
	pid_t child = process_start();

	if (child == 0) {
		if (!channel_member_become(game, member)) {
			word_set(&game->control->member[member].failed, 1);
			_exit(1);
		}
		take_part(game);
		if (game->side->leave != NULL)
			game->side->leave(game);
		_exit(0);
	}
	game->pid[member] = child;
	return child > 0;
}

/* ---- the coordinator ---------------------------------------------------------------- */

static bool any_failed(const struct channel_game *game)
{
	for (unsigned i = 0; i < members_of(game); i++)
		if (word_get(&game->control->member[i].failed))
			return true;
	return false;
}

bool channel_game_make(struct channel_game *game)
{
	game->control = shared_memory(sizeof *game->control);
	game->why = game->control->why;
	game->memory = shared_memory(CHANNEL_MEMORY);
	game->done = eventfd(0, EFD_CLOEXEC);
	if (game->done < 0)
		return channel_cannot_errno(game, "eventfd");
	return game->side->make == NULL || game->side->make(game);
}

void channel_game_unmake(struct channel_game *game)
{
	if (game->side->unmake != NULL)
		game->side->unmake(game);
	if (game->done >= 0)
		close(game->done);
	munmap(game->memory, CHANNEL_MEMORY);
	munmap(game->control, sizeof *game->control);
	game->control = NULL;
}

bool channel_game_begin(struct channel_game *game)
{
	const struct timespec moment = { 0, 200000 };
	uint64_t until = now_ns() + PATIENCE_MS * UINT64_C(1000000);

	if (!channel_game_make(game))
		return false;
	for (unsigned i = 0; i < members_of(game); i++)
		if (!member_start(game, i))
			return channel_cannot_errno(game, "fork");
	while (word_get(&game->control->reached) < members_of(game)) {
		if (any_failed(game))
			return false;
		if (now_ns() > until)
			return channel_cannot(game, "its processes", "they did not come");
		nanosleep(&moment, NULL);
	}
	return true;
}

/* The members close what they have open, and end. A member that does not end is killed. */
void channel_game_end(struct channel_game *game)
{
	const struct timespec moment = { 0, 200000 };
	uint64_t until = now_ns() + LEAVE_MS * UINT64_C(1000000);

	word_set(&game->control->quit, 1);
	turn_next(&game->control->turn);
	for (unsigned i = 0; i < members_of(game); i++) {
		if (game->pid[i] <= 0)
			continue;
		while (waitpid(game->pid[i], NULL, WNOHANG) == 0) {
			if (now_ns() > until || any_failed(game))
				kill(game->pid[i], SIGKILL);
			nanosleep(&moment, NULL);
		}
		game->pid[i] = 0;
	}
	channel_game_unmake(game);
}

static bool block_ends(struct channel_game *game)
{
	struct pollfd done = { .fd = game->done, .events = POLLIN };
	uint64_t until = now_ns() + PATIENCE_MS * UINT64_C(1000000), count;

	while (poll(&done, 1, 100) <= 0)
		if (now_ns() > until || any_failed(game))
			return false;
	return read(game->done, &count, sizeof count) == (ssize_t)sizeof count;
}

/* Where one other process is to bounce it with, on a processor of its own. */
static bool has_line(const struct channel_game *game)
{
	return !game->one_processor && game->talkers == 1;
}

uint64_t channel_game_block(struct channel_game *game, unsigned n)
{
	struct channel_control *control = game->control;
	bool round = game->measure == CHANNEL_ROUND;
	unsigned slots = game->measure == CHANNEL_BIG ? CHANNEL_LARGE_SLOTS : CHANNEL_SLOTS;
	unsigned warm = round ? slots : 2 * slots;

	word_set(&control->finished, 0);
	word_set(&control->met, 0);
	word_set(&control->rounds, n);
	word_set(&control->warm, n < warm ? n : warm);
	word_set(&control->stamped, !round ? 0 : n < CHANNEL_STAMPS ? n : CHANNEL_STAMPS);
	word_set(&control->line_rounds, has_line(game) ? LINE_ROUNDS : 0);
	turn_next(&control->turn);
	if (!block_ends(game)) {
		channel_cannot(game, "a block", "a call failed, or it took too long");
		return 0;
	}
	return any_failed(game) ? 0 : control->took;
}

uint32_t channel_game_preempted(const struct channel_game *game)
{
	uint32_t times = 0;

	for (unsigned i = 0; i < members_of(game); i++)
		times += game->control->member[i].preempted;
	return times;
}
