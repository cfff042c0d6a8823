/* SPDX-License-Identifier: MIT */
/*
 * segment.c - a replica of 1 MiB of which each commit changes 1 %, through two bridges: how many
 * generations arrive in a second, and how old they are then.
 *
 * A writer commits in the near namespace, a reader waits in the far one: both are processes of
 * their own, and so is each bridge. The time of a commit (CLOCK_REALTIME of the same machine) comes
 * with its generation. First the writer commits 500 times a second, then as often as it can.
 */
#include "bench/bridge/bridge.h"

#include <errno.h>
#include <madang/replica.h>
#include <madang/sync.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	SEGMENT = 1 << 20,
	PIECE = 512,
	PIECES = SEGMENT / 100 / PIECE,
	LAGS = 1 << 17,
	ROUNDS = 7,
	SLOW_US = 2000
};
static const char name[] = "bench";

static struct segment_trial {
	_Atomic uint32_t ready, go, stop;
	uint64_t commits, spent; /* ns in mdg_segment_commit */
	double seconds;
	_Atomic uint32_t arrived; /* the reader's */
	uint64_t lag[LAGS];       /* ns */
} * trial;

/* Over all rounds: a second; ns. */
struct found {
	struct samples commits, each, arrived, median, late;
};

static uint64_t realtime(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void pause_us(long us)
{
	struct timespec moment = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	nanosleep(&moment, NULL);
}

/* ---- the writer and the reader ------------------------------------------------------ */

static int open_replica(mdg_replica **ret, const char *namespace_dir, uint32_t flags,
                        void **ret_memory)
{
	struct mdg_replica_options options = { .size = sizeof options, .flags = flags };
	mdg_namespace *ns;
	mdg_id id;
	int rc = mdg_namespace_open(&ns, namespace_dir, NULL);

	if (rc == 0 && ret_memory != NULL)
		rc = mdg_segment_create(ns, name, SEGMENT, 0600, MDG_OR_OPEN, &id);
	if (rc == 0 && ret_memory != NULL)
		rc = mdg_segment_attach(ns, id, NULL, 0, ret_memory);
	for (int i = 0; rc == 0; i++) {
		rc = mdg_replica_open(ret, ns, name, &options);
		if (rc != -ENOENT || i == PATIENCE_MS / 10)
			break;
		pause_us(10000); /* the bridge makes it with the first generation */
		rc = 0;
	}
	if (rc != 0)
		fprintf(stderr, "madang-bench-bridge: segment: %s\n", mdg_strerror(rc));
	return rc;
}

static int write_on(long pause)
{
	struct mdg_range ranges[PIECES];
	mdg_replica *writer = NULL;
	void *memory = NULL;
	uint64_t until;

	if (open_replica(&writer, place.near_ns, MDG_REPLICA_COMMIT, &memory) != 0)
		return 1;
	/* One that never sleeps, with a real-time policy, would keep even the kernel's threads from
	 * this processor. It gets the time that is left. */
	if (pause == 0)
		(void)sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 });
	atomic_fetch_add(&trial->ready, 1);
	while (!atomic_load(&trial->go))
		pause_us(1000);
	until = now_ns() + (uint64_t)(trial->seconds * 1e9);
	for (; now_ns() < until; trial->commits++) {
		for (unsigned i = 0; i < PIECES; i++) {
			uint64_t piece = (trial->commits * PIECES + i) * 7919 % (SEGMENT / PIECE);

			memset((char *)memory + piece * PIECE, (int)trial->commits, PIECE);
			ranges[i] = (struct mdg_range){ piece * PIECE, PIECE };
		}
		uint64_t start = now_ns();
		if (mdg_segment_commit(writer, ranges, PIECES, MDG_FOREVER, NULL) != 0)
			return 1;
		trial->spent += now_ns() - start;
		if (pause != 0)
			pause_us(pause);
	}
	return 0;
}

static int read_on(void)
{
	mdg_replica *replica = NULL;
	uint64_t last = 0;

	if (open_replica(&replica, place.far_ns, 0, NULL) != 0)
		return 1;
	atomic_fetch_add(&trial->ready, 1);
	while (!atomic_load(&trial->stop)) {
		struct mdg_view view = { .size = sizeof view };

		if (mdg_replica_wait(replica, last, mdg_deadline(100000000), NULL) != 0 ||
		    mdg_replica_begin(replica, &view) != 0)
			continue;
		if (mdg_replica_end(replica, &view) != 0 || view.generation == last)
			continue;
		last = view.generation;
		uint32_t count = atomic_load(&trial->arrived);
		if (!atomic_load(&trial->go) || count == LAGS)
			continue;
		trial->lag[count] = realtime() - view.time;
		atomic_store(&trial->arrived, count + 1);
	}
	return 0;
}

/* ---- one row ------------------------------------------------------------------------- */

static int by_time(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static void note(struct found *found)
{
	uint32_t count = trial->arrived, middle = count / 2;
	uint32_t late = (uint32_t)((uint64_t)count * 99 / 100);

	qsort(trial->lag, count, sizeof *trial->lag, by_time);
	samples_add(&found->commits, (double)trial->commits / trial->seconds);
	samples_add(&found->each, (double)trial->spent / (double)trial->commits);
	samples_add(&found->arrived, (double)count / trial->seconds);
	samples_add(&found->median, (double)trial->lag[middle]);
	samples_add(&found->late, (double)trial->lag[late]);
}

static int play(struct found *found, long pause, double seconds)
{
	pid_t writer, reader;
	int status = 1;

	memset(trial, 0, sizeof *trial);
	trial->seconds = seconds;
	reader = place_fork();
	if (reader == 0)
		_exit(read_on());
	writer = place_fork();
	if (writer == 0)
		_exit(write_on(pause));
	for (int i = 0; i < PATIENCE_MS && atomic_load(&trial->ready) < 2; i++)
		pause_us(1000);
	pause_us(100000); /* the first generation, of all of it, is over */
	atomic_store(&trial->go, 1);
	if (atomic_load(&trial->ready) == 2 && waitpid(writer, &status, 0) == writer)
		writer = 0;
	pause_us(20000);
	for (int i = 0; i < PATIENCE_MS && status == 0 && atomic_load(&trial->arrived) == 0; i++)
		pause_us(1000);
	atomic_store(&trial->stop, 1);
	place_end(&writer);
	place_end(&reader);
	if (status != 0 || trial->arrived == 0)
		return 1;
	note(found);
	return 0;
}

static void print_spread(const struct samples *samples, double unit)
{
	struct spread spread = samples_spread(samples);

	printf("  %8.0f (%.0f to %.0f)", spread.median / unit, spread.low / unit,
	       spread.high / unit);
}

static int measure_row(const char *what, long pause, bool quick)
{
	struct found found;
	int rc = 0;

	memset(&found, 0, sizeof found);
	for (int round = 0; round < (quick ? 2 : ROUNDS) && rc == 0 && !stop_asked(); round++)
		rc = play(&found, pause, quick ? 0.3 : 2);
	if (found.commits.count == 0) {
		printf("%-12s nothing came through\n", what);
		return 1;
	}
	printf("%-12s", what);
	print_spread(&found.commits, 1);
	print_spread(&found.each, 1000);
	print_spread(&found.arrived, 1);
	print_spread(&found.median, 1000);
	print_spread(&found.late, 1000);
	printf("\n");
	fflush(stdout);
	samples_free(&found.commits);
	samples_free(&found.each);
	samples_free(&found.arrived);
	samples_free(&found.median);
	samples_free(&found.late);
	return rc;
}

int segment_measure(bool quick)
{
	pid_t near_bridge, far_bridge;
	int rc;

	if (place.bridge == NULL)
		return 1;
	trial = shared_memory(sizeof *trial);
	near_bridge = place_bridge_with(place.near_ns, "segment", "near", "--write", name);
	far_bridge = place_bridge_with(place.far_ns, "segment", "far", "--replicate", name);
	printf("A segment of 1 MiB through two bridges; each commit changes 1 %% of it.\n"
	       "Medians, with the 10th and 90th percentile of the rounds.\n"
	       "             commits a second   us for a commit   arrive a second   "
	       "lag, us: median   99 %%\n");
	rc = measure_row("500 a second", SLOW_US, quick);
	rc |= measure_row("all it can", 0, quick);
	place_end(&near_bridge);
	place_end(&far_bridge);
	munmap(trial, sizeof *trial);
	return rc;
}
