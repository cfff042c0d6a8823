/* SPDX-License-Identifier: MIT */
/*
 * trial.c - one case on one side for a moment: a talker and a listener, each a process of its own.
 *
 * The talker repeats a first message until one has come through: by then the bridges have seen
 * both, and whatever has to be made is made. Only then the clock runs. A one-way trip is timed by
 * the stamp in the message, as both read the clock of one machine. Between two of these the talker
 * waits for half a millisecond, so that each is alone on its way.
 */
#include "bench/bridge/bridge.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct trial *trial_now;

static void pause_us(long us)
{
	struct timespec moment = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	nanosleep(&moment, NULL);
}

static int fail(void)
{
	atomic_store(&trial_now->failed, 1);
	return 1;
}

/* ---- the talker ------------------------------------------------------------ */

static void stamp(char *data, uint64_t number)
{
	struct packet packet = { .trial = trial_now->id, .number = number, .stamp = now_ns() };

	memcpy(data, &packet, sizeof packet);
}

static int warm_up(const struct side *side, void *end, char *data)
{
	for (int waited = 0; !atomic_load(&trial_now->warm); waited += 20) {
		if (waited % 200 == 0) {
			stamp(data, WARM);
			if (waited > PATIENCE_MS || side->put(end, data, trial_now->size, 1) != 1)
				return -1;
		}
		pause_us(20000);
	}
	pause_us(50000); /* what was repeated has come too */
	return 0;
}

static int talk_slowly(const struct side *side, void *end, char *data)
{
	for (uint64_t i = 0; i < trial_now->count; i++) {
		stamp(data, i);
		if (side->put(end, data, trial_now->size, 1) != 1)
			return -1;
		pause_us(500);
	}
	atomic_store(&trial_now->sent, trial_now->count);
	return 0;
}

static int talk_fast(const struct side *side, void *end, char *data)
{
	uint64_t until = now_ns() + (uint64_t)(trial_now->seconds * 1e9);
	uint64_t sent = 0;

	do {
		for (unsigned i = 0; i < BATCH; i++)
			memcpy(data + (size_t)i * trial_now->size,
			       &(struct packet){ .trial = trial_now->id, .number = sent + i },
			       sizeof(struct packet));
		if (side->put(end, data, trial_now->size, BATCH) != BATCH)
			return -1;
		sent += BATCH;
		atomic_store(&trial_now->sent, sent);
	} while (now_ns() < until);
	return side->finish != NULL ? side->finish(end) : 0;
}

static int time_calls(const struct side *side, void *end, char *data)
{
	for (int waited = 0;; waited++) { /* the first calls find no server, perhaps */
		stamp(data, WARM);
		if (side->ask(end, data, trial_now->size) == 0)
			break;
		if (waited > PATIENCE_MS / 100)
			return -1;
		pause_us(100000);
	}
	for (uint32_t i = 0; i < trial_now->count; i++) {
		uint64_t before;

		stamp(data, i);
		before = now_ns();
		if (side->ask(end, data, trial_now->size) != 0)
			return -1;
		trial_now->latency[i] = now_ns() - before;
		trial_now->found = i + 1;
		pause_us(300);
	}
	atomic_store(&trial_now->ended, now_ns());
	return 0;
}

static int talk(const struct side *side, enum measure measure)
{
	char *data = bench_alloc((size_t)BATCH * trial_now->size);
	void *end;
	int rc;

	while (atomic_load(&trial_now->joined) == 0)
		pause_us(1000);
	end = side->join(true);
	if (end == NULL)
		return fail();
	if (measure == ROUND_TRIP) {
		rc = time_calls(side, end, data);
		atomic_store(&trial_now->stop, 1);
	} else {
		rc = side->take != NULL ? warm_up(side, end, data) : 0;
		atomic_store(&trial_now->began, now_ns());
		if (rc == 0)
			rc = measure == RATE ? talk_fast(side, end, data)
			                     : talk_slowly(side, end, data);
		atomic_store(&trial_now->wanted, atomic_load(&trial_now->sent));
	}
	if (side->take == NULL)
		atomic_store(&trial_now->ended, now_ns());
	side->leave(end);
	free(data);
	return rc == 0 ? 0 : fail();
}

/* ---- the listener ------------------------------------------------------------ */

/* The message is the next one, of this trial; or the first, or an old one. < 0: out of order. */
static int take_note(const char *data, uint64_t *next)
{
	struct packet packet;

	memcpy(&packet, data, sizeof packet);
	if (packet.trial != trial_now->id)
		return 0;
	if (packet.number == WARM) {
		atomic_store(&trial_now->warm, 1);
		return 0;
	}
	if (packet.number != *next)
		return -1;
	if (packet.stamp != 0 && *next < LATENCIES) {
		trial_now->latency[*next] = now_ns() - packet.stamp;
		trial_now->found = (uint32_t)*next + 1;
	}
	++*next;
	return 0;
}

static int listen_to_all(const struct side *side, void *end, char *data)
{
	uint64_t next = 0, wanted;

	do {
		int count = side->take(end, data, trial_now->size, BATCH, 100);

		if (count < 0 || atomic_load(&trial_now->failed))
			return -1;
		for (int i = 0; i < count; i++)
			if (take_note(data + (size_t)i * trial_now->size, &next) != 0)
				return -1;
		if (count > 0) {
			atomic_store(&trial_now->received, next);
			atomic_store(&trial_now->ended, now_ns());
		}
		wanted = atomic_load(&trial_now->wanted);
	} while (wanted == 0 || next < wanted);
	return 0;
}

static int serve(const struct side *side, void *end)
{
	while (!atomic_load(&trial_now->stop) && !atomic_load(&trial_now->failed))
		if (side->answer(end, 50) < 0)
			return -1;
	return 0;
}

static int hear(const struct side *side, enum measure measure)
{
	char *data = bench_alloc((size_t)BATCH * trial_now->size);
	void *end = side->join(false);
	int rc = 0;

	atomic_store(&trial_now->joined, 1);
	if (end == NULL)
		return fail();
	if (measure == ROUND_TRIP)
		rc = serve(side, end);
	else if (side->take != NULL)
		rc = listen_to_all(side, end, data);
	side->leave(end);
	free(data);
	return rc == 0 ? 0 : fail();
}

/* ---- both --------------------------------------------------------------------- */

static const char *wait_for(pid_t pids[2], double seconds)
{
	uint64_t until = now_ns() + (uint64_t)((seconds + 40) * 1e9);
	const char *wrong = NULL;
	int left = 2, status;

	while (left > 0) {
		for (int i = 0; i < 2; i++) {
			if (pids[i] == 0 || waitpid(pids[i], &status, WNOHANG) != pids[i])
				continue;
			pids[i] = 0;
			left--;
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				wrong = i == 0 ? "the listener failed" : "the talker failed";
		}
		if (now_ns() > until || stop_asked() || wrong != NULL) {
			wrong = wrong != NULL ? wrong : "it took too long";
			atomic_store(&trial_now->failed, 1);
			for (int i = 0; i < 2; i++)
				process_kill(&pids[i]);
			return wrong;
		}
		pause_us(5000);
	}
	return wrong;
}

const char *trial_play(const struct side *side, const struct bridge_case *what, double seconds,
                       struct trial *trial)
{
	static uint64_t last_id;
	const char *wrong;
	pid_t pids[2];

	memset(trial, 0, sizeof *trial);
	trial->id = now_ns() + ++last_id;
	trial->size = what->size;
	trial->seconds = seconds;
	trial->count = what->measure == RATE ? 0 : (uint32_t)(seconds * 1500);
	if (trial->count > LATENCIES)
		trial->count = LATENCIES;
	trial_now = trial;
	for (int i = 0; i < 2; i++) {
		pids[i] = place_fork();
		if (pids[i] == 0)
			_exit(i == 0 ? hear(side, what->measure) : talk(side, what->measure));
		if (pids[i] < 0)
			return "fork failed";
	}
	wrong = wait_for(pids, seconds);
	if (wrong == NULL && what->measure != RATE && trial->found != trial->count)
		wrong = "messages are missing";
	return wrong;
}
