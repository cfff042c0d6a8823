/* SPDX-License-Identifier: MIT */
/*
 * scale.c - many processes at once: they are started, counted for a while, and stopped.
 *
 * Every process counts in its own cache line of an anonymous shared page, starts when all
 * are there, and stops when told to. One that does not stop is killed, and its side has failed.
 */
#include "base/progress.h" /* of the tool */
#include "bench/common/scale.h"

#include "bench/common/json.h"
#include "bench/common/processes.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 64
#define BATCH         16                    /* operations between two looks at `phase` */
#define TIMES         3                     /* the median of so many turns of each side */
#define PATIENCE      UINT64_C(10000000000) /* nanoseconds for the last batch */

enum { WAIT, GO, STOP };

struct counter {
	_Atomic uint32_t done;
	_Atomic uint32_t failed;
	char rest[56];
};

struct arena {
	_Atomic uint32_t phase;
	_Atomic uint32_t ready;
	char rest[56];
	struct counter counter[PROCESSES_MAX];
};

static const unsigned steps[SCALE_STEPS] = { 1, 2, 8, 64 };

/* ---- one of the processes ------------------------------------------------------------------ */

static void work(struct arena *arena, struct counter *mine, const struct scale_game *game)
{
	const struct sched_param ordinary = { 0 };
	bool good;

	/* With a real-time priority, as many as there are processors would keep all others from
	 * running, and the process that is to stop them too. */
	sched_setscheduler(0, SCHED_OTHER, &ordinary);
	good = game->join == NULL || game->join(game->context);

	/* What is done for the first time only is not counted. */
	good = good && game->work(game->context, BATCH);
	atomic_fetch_add(&arena->ready, 1);
	while (atomic_load(&arena->phase) == WAIT)
		sched_yield();
	while (good && atomic_load_explicit(&arena->phase, memory_order_relaxed) == GO) {
		good = game->work(game->context, BATCH);
		if (good)
			atomic_fetch_add_explicit(&mine->done, BATCH, memory_order_relaxed);
	}
	if (game->leave != NULL)
		game->leave(game->context);
	atomic_store(&mine->failed, good ? 0 : 1);
	_exit(0);
}

/* ---- all of them --------------------------------------------------------------------------- */

static void sleep_seconds(double seconds)
{
	struct timespec time = { .tv_sec = (time_t)seconds };

	time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
	nanosleep(&time, NULL); /* a signal ends it early: all the better */
}

static uint64_t sum(const struct arena *arena, unsigned processes)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < processes; i++)
		total += atomic_load(&arena->counter[i].done);
	return total;
}

/* False: it had to be killed. */
static bool comes_to_an_end(pid_t *pid)
{
	uint64_t until = now_ns() + PATIENCE;
	pid_t ended;

	while ((ended = waitpid(*pid, NULL, WNOHANG)) == 0 && now_ns() < until)
		sleep_seconds(0.0005);
	if (ended == 0)
		process_kill(pid);
	return ended > 0;
}

static void arena_empty(struct arena *arena)
{
	atomic_store(&arena->phase, WAIT);
	atomic_store(&arena->ready, 0);
	for (int i = 0; i < PROCESSES_MAX; i++) {
		atomic_store(&arena->counter[i].done, 0);
		/* Until it has said that all is well. */
		atomic_store(&arena->counter[i].failed, 1);
	}
}

static unsigned start_all(struct arena *arena, unsigned processes, const struct scale_game *game,
                          pid_t pid[PROCESSES_MAX])
{
	unsigned started = 0;

	while (started < processes && (pid[started] = process_start()) >= 0) {
		if (pid[started] == 0)
			work(arena, &arena->counter[started], game);
		started++;
	}
	return started;
}

/* Operations a second of `processes` together; 0: one of them failed. */
static double run_together(struct arena *arena, unsigned processes, const struct scale_game *game,
                           double seconds)
{
	pid_t pid[PROCESSES_MAX];
	unsigned started;
	uint64_t start, took, total;
	bool good;

	arena_empty(arena);
	started = start_all(arena, processes, game, pid);
	good = started == processes;
	start = now_ns();
	while (atomic_load(&arena->ready) < started && now_ns() - start < PATIENCE)
		sched_yield();
	start = now_ns();
	atomic_store(&arena->phase, GO);
	sleep_seconds(seconds);
	total = sum(arena, started);
	took = now_ns() - start;
	atomic_store(&arena->phase, STOP);
	for (unsigned i = 0; i < started; i++)
		good = comes_to_an_end(&pid[i]) && atomic_load(&arena->counter[i].failed) == 0 &&
		       good;
	return good ? (double)total * 1e9 / (double)took : 0;
}

/* The sides take turns here as well. */
static void measure_step(struct arena *arena, const struct scale_call *call, double seconds,
                         struct scale_row *row)
{
	struct samples samples[SCALE_SIDES] = { { 0 } }, ratio = { 0 };

	for (int turn = 0; turn < TIMES; turn++) {
		double rate[SCALE_SIDES] = { 0 };

		for (int side = 0; side < SCALE_SIDES && !stop_asked(); side++) {
			if (call->side[side].work == NULL)
				continue;
			rate[side] = run_together(arena, row->processes, &call->side[side],
			                          seconds / TIMES);
			if (rate[side] > 0)
				samples_add(&samples[side], rate[side]);
		}
		if (rate[0] > 0 && rate[1] > 0)
			samples_add(&ratio, rate[0] / rate[1]);
	}
	for (int side = 0; side < SCALE_SIDES; side++) {
		row->rate[side] = samples_spread(&samples[side]);
		samples_free(&samples[side]);
	}
	row->ratio = samples_spread(&ratio);
	samples_free(&ratio);
}

void scale_measure(const struct settings *settings, const struct scale_call *call,
                   struct scale_result *result)
{
	struct arena *arena = shared_memory(sizeof *arena);

	for (int step = 0; step < SCALE_STEPS && !stop_asked(); step++) {
		struct scale_row *row = &result->row[result->rows];

		if (result->rows == sizeof result->row / sizeof *row)
			break;
		*row = (struct scale_row){ .call = call->name, .processes = steps[step] };
		progress_step(call->name, (uint64_t)step, SCALE_STEPS);
		measure_step(arena, call, settings->seconds, row);
		result->rows++;
	}
	progress_end();
	munmap(arena, sizeof *arena);
}

/* ---- what is shown ------------------------------------------------------------------------- */

static void put_rate(const struct spread *rate, FILE *out)
{
	if (rate->count == 0)
		fprintf(out, " %14s", "-");
	else
		fprintf(out, " %14.0f", rate->median);
}

void scale_report(const struct scale_result *result, FILE *out)
{
	fprintf(out, "%s: a second, all processes together (recorded, no bar).\n", result->title);
	fprintf(out, "%-26s %9s %14s %14s  %s / %s (10%%-90%% of the turns)\n", "what", "processes",
	        result->side[0], result->side[1], result->side[0], result->side[1]);
	for (unsigned i = 0; i < result->rows; i++) {
		const struct scale_row *row = &result->row[i];

		fprintf(out, "%-26s %9u", row->call, row->processes);
		put_rate(&row->rate[0], out);
		put_rate(&row->rate[1], out);
		if (row->ratio.count != 0)
			fprintf(out, "  %6.2f (%.2f-%.2f)", row->ratio.median, row->ratio.low,
			        row->ratio.high);
		fputc('\n', out);
	}
}

void scale_json(struct json *json, const struct scale_result *result)
{
	json_open(json, result->section, '[');
	for (unsigned i = 0; i < result->rows; i++) {
		const struct scale_row *row = &result->row[i];
		char name[32];

		json_open(json, NULL, '{');
		json_text(json, "call", row->call);
		json_number(json, "processes", row->processes);
		json_spread(json, "madang_rate", &row->rate[0]);
		snprintf(name, sizeof name, "%s_rate", result->side[1]);
		json_spread(json, name, &row->rate[1]);
		json_spread(json, "ratio", &row->ratio);
		json_close(json, '}');
	}
	json_close(json, ']');
}
