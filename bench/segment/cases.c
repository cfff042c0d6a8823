/* SPDX-License-Identifier: MIT */
/*
 * cases.c - what is measured: how each case is set up, its block, its bar.
 *
 * The bars are the project's promises, with the kernel as 1.00. A case has two
 * states, one for each side, which exist at the same time: both segments stay
 * warm while the sides take turns (compare.c).
 */
#include "bench/segment/segment.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The smallest page of all systems. Touching memory more often than that costs next to nothing. */
#define PAGE   4096u
#define SMALL  4096u
#define CYCLE  (64u << 10)
#define STREAM (1u << 20)
#define LARGE  (64u << 20)

/* ---- setting up -------------------------------------------------------- */

static bool make_private(struct case_state *state, size_t size)
{
	state->id = state->side->get(IPC_PRIVATE, size, IPC_CREAT | 0600);
	return state->id >= 0;
}

static bool attach(struct case_state *state)
{
	state->memory = state->side->at(state->id, NULL, 0);
	if (state->memory == (void *)-1)
		state->memory = NULL;
	return state->memory != NULL;
}

static void touch(char *memory, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		((volatile char *)memory)[i] = 1;
}

/* Undoes whatever was done, also when only a part of it was. */
static void end_any(struct case_state *state)
{
	if (state->pipe_to >= 0)
		close(state->pipe_to);
	if (state->helper > 0) {
		kill(state->helper, SIGKILL);
		waitpid(state->helper, NULL, 0);
	}
	if (state->memory != NULL)
		state->side->dt(state->memory);
	if (state->id >= 0)
		state->side->ctl(state->id, IPC_RMID, NULL);
}

/* A small segment with a key that was free on this side. */
static bool begin_keyed(struct case_state *state)
{
	for (key_t key = 0x6c000000 + (key_t)getpid();; key++) {
		state->id = state->side->get(key, SMALL, IPC_CREAT | IPC_EXCL | 0600);
		state->key = key;
		if (state->id >= 0 || errno != EEXIST)
			return state->id >= 0;
	}
}

static bool begin_small(struct case_state *state)
{
	return make_private(state, SMALL);
}

static bool begin_small_attached(struct case_state *state)
{
	return make_private(state, SMALL) && attach(state);
}

/* Warm: the page is there and the implementation has seen the segment. */
static bool begin_small_warm(struct case_state *state)
{
	if (!begin_small_attached(state))
		return false;
	touch(state->memory, SMALL);
	state->side->dt(state->memory);
	state->memory = NULL;
	return true;
}

static bool begin_nothing(struct case_state *state)
{
	(void)state;
	return true;
}

/* Stays attached until it is killed, or until the benchmark is gone. */
static void stay_attached(struct case_state *state, int pipe_from, int pipe_to)
{
	char answer = attach(state) ? 'y' : 'n';

	if (write(pipe_to, &answer, 1) == 1)
		while (read(pipe_from, &answer, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}

static bool begin_small_foreign(struct case_state *state)
{
	int to[2], from[2];
	char answer = 'n';

	if (!make_private(state, SMALL) || pipe(to) != 0)
		return false;
	state->pipe_to = to[1];
	if (pipe(from) != 0) {
		close(to[0]);
		return false;
	}
	state->helper = fork();
	if (state->helper == 0) {
		close(to[1]);
		close(from[0]);
		stay_attached(state, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	if (read(from[0], &answer, 1) != 1 || answer != 'y')
		errno = EIO;
	close(from[0]);
	return answer == 'y';
}

static bool begin_memory(struct case_state *state, size_t size)
{
	if (!make_private(state, size) || !attach(state))
		return false;
	touch(state->memory, size);
	return true;
}

static bool begin_stream(struct case_state *state)
{
	return begin_memory(state, STREAM);
}

static bool begin_random(struct case_state *state)
{
	return begin_memory(state, LARGE);
}

/* ---- blocks ------------------------------------------------------------ */

static uint64_t run_lookup(struct case_state *state, unsigned n)
{
	uint64_t start = now_ns();

	while (n-- > 0)
		if (state->side->get(state->key, 0, 0) < 0)
			return 0;
	return now_ns() - start;
}

static uint64_t run_lookup_asks(struct case_state *state, unsigned n)
{
	uint64_t start = now_ns();

	while (n-- > 0)
		if (state->side->get(state->key, 0, 0600) < 0)
			return 0;
	return now_ns() - start;
}

static uint64_t run_stat(struct case_state *state, unsigned n)
{
	struct shmid_ds about;
	uint64_t start = now_ns();

	while (n-- > 0)
		if (state->side->ctl(state->id, IPC_STAT, &about) != 0)
			return 0;
	return now_ns() - start;
}

static uint64_t run_attach(struct case_state *state, unsigned n)
{
	uint64_t start = now_ns();

	while (n-- > 0) {
		void *memory = state->side->at(state->id, NULL, 0);

		if (memory == (void *)-1 || state->side->dt(memory) != 0)
			return 0;
	}
	return now_ns() - start;
}

static uint64_t create_and_remove(struct case_state *state, unsigned n, int flags)
{
	uint64_t start = now_ns();

	while (n-- > 0) {
		int id = state->side->get(IPC_PRIVATE, SMALL, IPC_CREAT | flags | 0600);

		if (id < 0 || state->side->ctl(id, IPC_RMID, NULL) != 0)
			return 0;
	}
	return now_ns() - start;
}

static uint64_t run_create(struct case_state *state, unsigned n)
{
	return create_and_remove(state, n, SHM_NORESERVE);
}

static uint64_t run_create_memory(struct case_state *state, unsigned n)
{
	return create_and_remove(state, n, 0);
}

/* Makes, attaches and touches; the time until then is returned, 0 on failure.
 * Then detaches and removes. */
static uint64_t live_once(struct case_state *state, size_t size)
{
	uint64_t start = now_ns(), touched = 0;

	if (!make_private(state, size))
		return 0;
	if (attach(state)) {
		touch(state->memory, size);
		touched = now_ns() - start;
		state->side->dt(state->memory);
		state->memory = NULL;
	}
	state->side->ctl(state->id, IPC_RMID, NULL);
	state->id = -1;
	return touched;
}

static uint64_t whole_lives(struct case_state *state, unsigned n, size_t size)
{
	uint64_t start = now_ns();

	while (n-- > 0)
		if (live_once(state, size) == 0)
			return 0;
	return now_ns() - start;
}

static uint64_t run_cycle(struct case_state *state, unsigned n)
{
	return whole_lives(state, n, CYCLE);
}

static uint64_t run_life_small(struct case_state *state, unsigned n)
{
	return whole_lives(state, n, SMALL);
}

static uint64_t run_touch_large(struct case_state *state, unsigned n)
{
	uint64_t total = 0;

	while (n-- > 0) {
		uint64_t took = live_once(state, LARGE);

		if (took == 0)
			return 0;
		total += took;
	}
	return total;
}

static uint64_t run_life_large(struct case_state *state, unsigned n)
{
	return whole_lives(state, n, LARGE);
}

/* n times over the memory in order: reads all of it, then writes all of it.
 * Not `words[i] += i`: there the processor's guess whether a read depends on
 * the write before it flips now and then, and with it the speed, by two. */
static uint64_t run_stream(struct case_state *state, unsigned n)
{
	volatile uint64_t *words = (volatile uint64_t *)(void *)state->memory;
	uint64_t start = now_ns(), sum = 0;

	while (n-- > 0) {
		for (size_t i = 0; i < STREAM / sizeof *words; i++)
			sum += words[i];
		for (size_t i = 0; i < STREAM / sizeof *words; i++)
			words[i] = sum;
	}
	return now_ns() - start;
}

/* n reads and writes all over the memory; each place depends on what was read
 * before (always 0), so that they cannot overlap. */
static uint64_t run_random(struct case_state *state, unsigned n)
{
	volatile uint32_t *words = (volatile uint32_t *)(void *)(state->memory + 4);
	uint32_t place = state->position;
	uint64_t start = now_ns();

	while (n-- > 0) {
		/* a full-period generator; its high bits are the good ones; a stride
		 * of 64 bytes: one word a cache line, never the touched byte's */
		uint32_t line = place >> 12;

		place = (place + words[(size_t)line * 16]) * 1664525u + 1013904223u;
		words[(size_t)line * 16] = 0;
	}
	state->position = place;
	return now_ns() - start;
}

/* ---- the list ---------------------------------------------------------- */

_Static_assert((LARGE >> 6) == 1u << (32 - 12), "run_random reaches every line of the memory");

const struct bench_case bench_cases[] = {
	{ .name = "lookup",
	  .what = "shmget of an existing key, no permission asked",
	  .bar = 0.40,
	  .begin = begin_keyed,
	  .run = run_lookup,
	  .end = end_any },
	{ .name = "lookup-asks",
	  .what = "shmget of an existing key, flags 0600",
	  .bar = 0.95,
	  .begin = begin_keyed,
	  .run = run_lookup_asks,
	  .end = end_any },
	{ .name = "stat",
	  .what = "IPC_STAT, nobody attached",
	  .bar = 0.95,
	  .begin = begin_small,
	  .run = run_stat,
	  .end = end_any },
	{ .name = "stat-own",
	  .what = "IPC_STAT, only the caller attached",
	  .bar = 0.95,
	  .begin = begin_small_attached,
	  .run = run_stat,
	  .end = end_any },
	{ .name = "stat-foreign",
	  .what = "IPC_STAT, one other process attached",
	  .bar = 0.60,
	  .begin = begin_small_foreign,
	  .run = run_stat,
	  .end = end_any },
	{ .name = "attach",
	  .what = "shmat + shmdt, 4 KiB, warm",
	  .bar = 1.05,
	  .begin = begin_small_warm,
	  .run = run_attach,
	  .end = end_any },
	{ .name = "create",
	  .what = "shmget IPC_PRIVATE + IPC_RMID, SHM_NORESERVE",
	  .bar = 1.20,
	  .begin = begin_nothing,
	  .run = run_create,
	  .end = end_any },
	{ .name = "create-memory",
	  .what = "shmget IPC_PRIVATE + IPC_RMID, 4 KiB reserved",
	  .begin = begin_nothing,
	  .run = run_create_memory,
	  .end = end_any },
	{ .name = "life-4k",
	  .what = "create, attach, touch 4 KiB, detach, remove",
	  .begin = begin_nothing,
	  .run = run_life_small,
	  .end = end_any },
	{ .name = "cycle",
	  .what = "create, attach, touch 64 KiB, detach, remove",
	  .bar = 1.00,
	  .begin = begin_nothing,
	  .run = run_cycle,
	  .end = end_any },
	{ .name = "fork",
	  .what = "fork + _exit + waitpid with 4 attachments",
	  .bar = 1.05,
	  .weight = 2,
	  .begin = forks_begin,
	  .run = forks_run,
	  .end = forks_end },
	{ .name = "touch-64m",
	  .what = "create, attach and touch 64 MiB",
	  .bar = 1.05,
	  .memory_only = true,
	  .weight = 3,
	  .begin = begin_nothing,
	  .run = run_touch_large,
	  .end = end_any },
	{ .name = "life-64m",
	  .what = "the same, detach and remove included",
	  .memory_only = true,
	  .weight = 2,
	  .begin = begin_nothing,
	  .run = run_life_large,
	  .end = end_any },
	{ .name = "access-stream",
	  .what = "read and write 1 MiB in order",
	  .bar_low = 0.97,
	  .bar = 1.03,
	  .memory_only = true,
	  .renew_pairs = 8,
	  .begin = begin_stream,
	  .run = run_stream,
	  .end = end_any },
	{ .name = "access-random",
	  .what = "read and write at random in 64 MiB",
	  .bar_low = 0.97,
	  .bar = 1.03,
	  .memory_only = true,
	  .weight = 6,
	  .renew_pairs = 20,
	  .begin = begin_random,
	  .run = run_random,
	  .end = end_any },
};
const unsigned bench_case_count = sizeof bench_cases / sizeof *bench_cases;
