/* SPDX-License-Identifier: MIT */
/*
 * scale.c - how many calls a second 1, 2, 8 and 64 processes make together.
 *
 * Look-up and stat hit one segment that all share, and so do attach and
 * detach; what is created and removed is each process's own. Every process
 * counts in its own cache line of an anonymous shared page, starts when all
 * are there, and stops when told to. With more processes than processors this
 * shows whether anybody waits for somebody who is not running.
 */
#include "bench/segment/segment.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 64
#define BATCH         16 /* calls between two looks at `phase` */
#define TIMES         3  /* the median of so many turns of each side */

enum { WAIT, GO, STOP };

struct counter {
	_Atomic uint32_t calls;
	char rest[60];
};

struct arena {
	_Atomic uint32_t phase;
	_Atomic uint32_t ready;
	char rest[56];
	struct counter counter[PROCESSES_MAX];
};

typedef bool scale_call(const struct case_state *state);

static bool call_lookup(const struct case_state *state)
{
	return state->side->get(state->key, 0, 0600) == state->id;
}

static bool call_stat(const struct case_state *state)
{
	struct shmid_ds about;

	return state->side->ctl(state->id, IPC_STAT, &about) == 0;
}

static bool call_attach(const struct case_state *state)
{
	void *memory = state->side->at(state->id, NULL, 0);

	return memory != (void *)-1 && state->side->dt(memory) == 0;
}

static bool call_create(const struct case_state *state)
{
	int id = state->side->get(IPC_PRIVATE, 4096, IPC_CREAT | SHM_NORESERVE | 0600);

	return id >= 0 && state->side->ctl(id, IPC_RMID, NULL) == 0;
}

static const struct {
	const char *name;
	scale_call *call;
} calls[SCALE_CALLS] = {
	{ "look-up, 0600", call_lookup },
	{ "IPC_STAT", call_stat },
	{ "shmat + shmdt", call_attach },
	{ "create + remove", call_create },
};

static const unsigned steps[SCALE_STEPS] = { 1, 2, 8, 64 };

/* One of the processes. A call that fails ends it: its count stays low. */
static void work(struct arena *arena, struct counter *mine, scale_call *call,
                 const struct case_state *state)
{
	bool done = true;

	atomic_fetch_add(&arena->ready, 1);
	while (atomic_load(&arena->phase) == WAIT)
		sched_yield();
	while (done && atomic_load_explicit(&arena->phase, memory_order_relaxed) == GO) {
		for (int i = 0; i < BATCH && done; i++)
			done = call(state);
		if (done)
			atomic_fetch_add_explicit(&mine->calls, BATCH, memory_order_relaxed);
	}
	_exit(0);
}

static void sleep_seconds(double seconds)
{
	struct timespec time = { .tv_sec = (time_t)seconds };

	time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
	nanosleep(&time, NULL); /* a signal ends it early: all the better */
}

static uint64_t sum(const struct arena *arena)
{
	uint64_t total = 0;

	for (int i = 0; i < PROCESSES_MAX; i++)
		total += atomic_load(&arena->counter[i].calls);
	return total;
}

/* Calls per second of `processes` together. */
static double run_together(struct arena *arena, unsigned processes, scale_call *call,
                           const struct case_state *state, double seconds)
{
	pid_t child[PROCESSES_MAX];
	unsigned started = 0;
	uint64_t start, took, total;

	atomic_store(&arena->phase, WAIT);
	atomic_store(&arena->ready, 0);
	for (int i = 0; i < PROCESSES_MAX; i++)
		atomic_store(&arena->counter[i].calls, 0);
	while (started < processes && (child[started] = fork()) >= 0) {
		if (child[started] == 0)
			work(arena, &arena->counter[started], call, state);
		started++;
	}
	while (atomic_load(&arena->ready) < started && !stop_asked())
		sched_yield();
	start = now_ns();
	atomic_store(&arena->phase, GO);
	sleep_seconds(seconds);
	total = sum(arena);
	took = now_ns() - start;
	atomic_store(&arena->phase, STOP);
	while (started > 0)
		if (waitpid(child[started - 1], NULL, 0) >= 0 || errno != EINTR)
			started--;
	return (double)total * 1e9 / (double)took;
}

static bool shared_make(struct case_state *state, const struct side *side)
{
	*state = (struct case_state){ .side = side, .id = -1, .key = 0x6b000000 + (key_t)getpid() };
	do {
		state->key++;
		state->id = side->get(state->key, 4096, IPC_CREAT | IPC_EXCL | 0600);
	} while (state->id < 0 && errno == EEXIST);
	return state->id >= 0;
}

/* The sides take turns here as well. */
static void measure_step(struct arena *arena, unsigned processes, scale_call *call,
                         const struct case_state state[SIDES], double seconds,
                         struct spread ret_per_second[SIDES], struct spread *ret_ratio)
{
	struct samples samples[SIDES] = { { 0 } }, ratio = { 0 };

	for (int turn = 0; turn < TIMES; turn++) {
		double rate[SIDES] = { 0 };

		for (int side = 0; side < SIDES && !stop_asked(); side++) {
			if (state[side].id < 0)
				continue;
			rate[side] =
				run_together(arena, processes, call, &state[side], seconds / TIMES);
			samples_add(&samples[side], rate[side]);
		}
		if (rate[MADANG] > 0 && rate[KERNEL] > 0)
			samples_add(&ratio, rate[MADANG] / rate[KERNEL]);
	}
	for (int side = 0; side < SIDES; side++) {
		ret_per_second[side] = samples_spread(&samples[side]);
		samples_free(&samples[side]);
	}
	*ret_ratio = samples_spread(&ratio);
	samples_free(&ratio);
}

void scale_measure(const struct settings *settings, struct scale_result *ret_result)
{
	struct arena *arena = mmap(NULL, sizeof *arena, PROT_READ | PROT_WRITE,
	                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct case_state state[SIDES];

	*ret_result = (struct scale_result){ 0 };
	if (arena == MAP_FAILED)
		return;
	for (int side = 0; side < SIDES; side++)
		shared_make(&state[side], bench_sides[side]);
	for (int call = 0; call < SCALE_CALLS; call++) {
		ret_result->call[call] = calls[call].name;
		for (int step = 0; step < SCALE_STEPS; step++) {
			ret_result->processes[step] = steps[step];
			measure_step(arena, steps[step], calls[call].call, state, settings->seconds,
			             ret_result->per_second[call][step],
			             &ret_result->ratio[call][step]);
		}
	}
	for (int side = 0; side < SIDES; side++)
		if (state[side].id >= 0)
			state[side].side->ctl(state[side].id, IPC_RMID, NULL);
	munmap(arena, sizeof *arena);
}
