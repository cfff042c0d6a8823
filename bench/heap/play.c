/* SPDX-License-Identifier: MIT */
/*
 * play.c - the members of a game: started, asleep between blocks, at work, ended.
 *
 * A member counts the time that it has had a processor, so that it matters little what else the
 * machine does. Only where two members wait for each other (HEAP_HAND) it is the time of the clock.
 * A part of the block is done before, and not timed: it brings into the caches what other sides
 * have driven out. All first members have the same processor. Otherwise one side would find its
 * caches as it has left them, and another would share them.
 *
 * A member that ends, or does not answer for a minute, ends the game.
 */
#include "bench/heap/heap.h"

#include "bench/common/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_PART = 8, PATIENCE = 60 }; /* seconds */

void heap_moment(unsigned looks)
{
	if (looks % 256 == 255)
		sched_yield();
}

uint64_t heap_resident(void)
{
	char line[128] = "", *pages;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file == NULL)
		return 0;
	if (fgets(line, sizeof line, file) == NULL)
		line[0] = '\0';
	fclose(file);
	(void)strtoull(line, &pages, 10); /* of addresses */
	return strtoull(pages, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- a member ------------------------------------------------------------------------- */

uint64_t heap_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Sizes from least to most: each power of two as often as the others. */
static void draw_sizes(struct heap_end *end)
{
	const struct heap_case *what = end->game->what;
	unsigned powers = 0;

	for (uint32_t top = what->least; top < what->most; top *= 2)
		powers++;
	for (unsigned i = 0; i < HEAP_SIZES; i++) {
		uint32_t least = powers == 0 ? what->least : what->least << (i % powers);

		end->sizes[i] = powers == 0 ? least : least + heap_random(end) % least;
	}
}

static bool end_begin(struct heap_end *end, struct heap_game *game, unsigned number)
{
	const struct heap_case *what = game->what;

	*end = (struct heap_end){ .game = game, .number = number, .random = number * 977u + 12345 };
	draw_sizes(end);
	if (what->live != 0) /* not by an allocator: none is to notice */
		end->live = shared_memory(what->live * sizeof(void *));
	return game->side->begin == NULL || game->side->begin(end);
}

static bool fill_first(struct heap_end *end)
{
	return end->live == NULL || end->game->side->fill(end, end->game->what->live);
}

static void answer(struct heap_game *game)
{
	ssize_t wrote = write(game->reports[1], "", 1);

	(void)wrote; /* if the driver is gone, the kernel ends this process */
}

/* A cache line to the other processor and back. Nanoseconds, or 0. */
static double line_bounce(struct heap_end *end)
{
	enum { ROUNDS = 100 };
	uint32_t *line = &end->game->control->line, value = word_get(line) & ~1u;
	uint64_t start = now_ns();

	if (end->game->what->kind != HEAP_HAND || processors_count() < 2)
		return 0;
	for (unsigned n = 0; n < ROUNDS; n++, value += 2) {
		for (unsigned looks = 0; word_get(line) != value + end->number; looks++)
			heap_moment(looks);
		word_set(line, value + end->number + 1);
	}
	return (double)(now_ns() - start) / ROUNDS;
}

static void play_block(struct heap_end *end)
{
	struct heap_game *game = end->game;
	struct heap_report *report = &game->control->of[end->number];
	const struct heap_side *side = game->side;
	unsigned kind = (unsigned)game->what->kind;
	bool by_clock = game->what->kind == HEAP_HAND;
	unsigned n = game->control->count;
	double line = line_bounce(end);
	uint32_t before = preemptions();
	bool good = side->play[kind](end, n / WARM_PART);
	uint64_t start;

	if (end->number == 1)
		game->control->line_ns = line;
	end->ns = 0;
	start = by_clock ? now_ns() : heap_cpu_ns();
	good = good && side->play[kind](end, n);
	report->ns = end->ns != 0 ? end->ns : (by_clock ? now_ns() : heap_cpu_ns()) - start;
	report->preempted = preemptions() - before;
	word_set(&report->bad, !good);
}

/* For as long as the driver lives. */
static _Noreturn void member(struct heap_game *game, unsigned number)
{
	struct heap_end *end = shared_memory(sizeof *end);
	uint32_t turn = 0;

	processor_choose((int)(number % 2));
	word_set(&game->control->of[number].bad, !end_begin(end, game, number) || !fill_first(end));
	for (;;) {
		answer(game);
		turn = turn_wait(&game->control->turn, turn);
		play_block(end);
	}
}

static void *second_thread(void *context)
{
	member(context, 1);
}

/* Members that are to use one private heap are threads of one process. */
static bool by_threads(const struct heap_game *game)
{
	enum heap_kind kind = game->what->kind;

	return !game->side->shared && game->what->members > 1 && kind != HEAP_PAIR;
}

static bool start_member(struct heap_game *game, unsigned number)
{
	pthread_t thread;

	game->pid[number] = process_start();
	if (game->pid[number] != 0)
		return game->pid[number] > 0;
	if (by_threads(game) && pthread_create(&thread, NULL, second_thread, game) != 0)
		_exit(1);
	member(game, number);
}

/* ---- the driver -------------------------------------------------------------------------- */

/* Until all have answered. */
static bool all_done(struct heap_game *game)
{
	char byte[HEAP_MEMBERS_MAX];
	unsigned left = game->what->members;

	while (left > 0) {
		struct pollfd wait = { .fd = game->reports[0], .events = POLLIN };
		int ready = poll(&wait, 1, PATIENCE * 1000);
		ssize_t got = ready > 0 ? read(game->reports[0], byte, left) : -1;

		if (ready < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			errno = ready == 0 ? ETIMEDOUT : EPIPE;
			return false;
		}
		left -= (unsigned)got;
	}
	for (unsigned i = 0; i < game->what->members; i++)
		if (word_get(&game->control->of[i].bad) != 0) {
			errno = ENOMEM;
			return false;
		}
	return true;
}

static bool start_members(struct heap_game *game)
{
	unsigned processes = by_threads(game) ? 1 : game->what->members;

	for (unsigned i = 0; i < processes; i++)
		if (!start_member(game, i))
			return false;
	/* From here on a read ends when all members have ended. */
	close(game->reports[1]);
	game->reports[1] = -1;
	return all_done(game);
}

bool heap_game_begin(struct heap_game *game, const struct heap_side *side,
                     const struct heap_case *what)
{
	*game = (struct heap_game){ .side = side, .what = what, .reports = { -1, -1 } };
	processors_read(); /* the members choose theirs */
	game->control = shared_memory(sizeof *game->control);
	if (pipe2(game->reports, O_CLOEXEC) == 0 && (side->make == NULL || side->make(game)) &&
	    start_members(game))
		return true;
	heap_game_end(game);
	return false;
}

void heap_game_end(struct heap_game *game)
{
	int saved = errno;

	for (unsigned i = 0; i < HEAP_MEMBERS_MAX; i++)
		process_kill(&game->pid[i]);
	for (int i = 0; i < 2; i++)
		if (game->reports[i] >= 0)
			close(game->reports[i]);
	if (game->side->remove != NULL)
		game->side->remove(game);
	munmap(game->control, sizeof *game->control);
	errno = saved;
}

uint64_t heap_game_block(void *context, unsigned n)
{
	struct heap_game *game = context;
	uint64_t all = 0;

	game->control->count = n;
	turn_next(&game->control->turn);
	if (!all_done(game))
		return 0;
	game->preempted = 0;
	for (unsigned i = 0; i < game->what->members; i++) {
		all += game->control->of[i].ns;
		game->preempted += game->control->of[i].preempted;
	}
	if (game->what->kind == HEAP_HAND)
		all = game->control->of[1].ns;
	else if (game->what->kind != HEAP_HAND_TURNS && game->what->members > 1)
		all /= game->what->members; /* in turns, one operation takes both */
	return all ? all : 1;
}

/* ---- cases that begin with an empty heap --------------------------------------------------- */

static double once_grow(struct heap_end *end)
{
	uint64_t start = heap_cpu_ns();

	if (!end->game->side->play[HEAP_GROW](end, end->game->what->live))
		return 0;
	return (double)(heap_cpu_ns() - start) / end->game->what->live;
}

/* The part of the memory that is in live blocks, after ten times as many changes as there are
 * blocks. */
static double once_churn(struct heap_end *end)
{
	const struct heap_side *side = end->game->side;
	uint64_t before = heap_resident(), live = 0, heap;

	if (!side->fill(end, end->game->what->live) ||
	    !side->play[HEAP_CHURN](end, end->game->what->live * 10))
		return 0;
	heap = side->bytes != NULL ? side->bytes(end) : heap_resident() - before;
	for (uint32_t i = 0; i < end->live_count; i++)
		live += ((uint32_t *)end->live[i])[2];
	return heap == 0 ? 0 : (double)live / (double)heap;
}

static _Noreturn void member_once(struct heap_game *game)
{
	struct heap_end *end = shared_memory(sizeof *end);
	enum heap_kind kind = game->what->kind;

	processor_choose(0);
	if (!end_begin(end, game, 0))
		_exit(1);
	if (end->live != NULL) /* its pages are not the allocator's */
		memset(end->live, 0, game->what->live * sizeof(void *));
	if (kind == HEAP_GROW)
		game->control->value = once_grow(end);
	else if (kind == HEAP_CHURN)
		game->control->value = once_churn(end);
	else if (!game->side->play[kind](end, 1))
		_exit(1);
	_exit(0);
}

double heap_game_once(const struct heap_side *side, const struct heap_case *what)
{
	struct heap_game game = { .side = side, .what = what };
	double value = 0;
	int status = 1;

	game.control = shared_memory(sizeof *game.control);
	if (side->make == NULL || side->make(&game)) {
		game.pid[0] = process_start();
		if (game.pid[0] == 0)
			member_once(&game);
		while (game.pid[0] > 0 && waitpid(game.pid[0], &status, 0) < 0 && errno == EINTR)
			;
		if (status == 0)
			value = game.control->value;
		errno = value > 0 ? 0 : ENOMEM;
	}
	if (side->remove != NULL)
		side->remove(&game);
	munmap(game.control, sizeof *game.control);
	return value;
}
