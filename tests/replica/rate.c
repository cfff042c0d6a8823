/* SPDX-License-Identifier: MIT */
/*
 * rate.c - how fast generations come to another namespace, and how late. For rate.sh, by hand.
 *
 *     rate write SECONDS PAUSE-MICROSECONDS    1 MiB, of which each commit changes 1 %
 *     rate read SECONDS                        in the other namespace
 *
 * The time of each commit (CLOCK_REALTIME of the same machine) comes with it.
 */
#include <madang/replica.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "unit/unit.h"

enum { MEGABYTE = 1 << 20, PIECE = 512, PIECES = MEGABYTE / 100 / PIECE, LAGS = 1 << 20 };

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_REALTIME, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static int write_on(mdg_namespace *ns, uint64_t seconds, unsigned pause)
{
	struct mdg_replica_options options = { .size = sizeof options,
		                               .flags = MDG_REPLICA_COMMIT };
	struct mdg_range ranges[PIECES];
	mdg_replica *writer = NULL;
	void *memory = NULL;
	mdg_id id;
	uint64_t commits = 0, begin = now(), spent = 0;
	CHECK_RC(0, mdg_segment_create(ns, "rate", MEGABYTE, 0600, MDG_OR_OPEN, &id));
	CHECK_RC(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	if (!CHECK_RC(0, mdg_replica_open(&writer, ns, "rate", &options)))
		return 1;
	for (; now() - begin < seconds * 1000000000u; commits++) {
		for (unsigned i = 0; i < PIECES; i++) {
			uint64_t at = (commits * PIECES + i) * 7919 % (MEGABYTE / PIECE) * PIECE;
			memset((char *)memory + at, (int)commits, PIECE);
			ranges[i] = (struct mdg_range){ at, PIECE };
		}
		uint64_t start = now();
		CHECK_RC(0, mdg_segment_commit(writer, ranges, PIECES, MDG_FOREVER, NULL));
		spent += now() - start;
		if (pause != 0)
			usleep(pause);
	}
	printf("committed %.0f a second, %.1f us each\n", (double)commits / (double)seconds,
	       (double)spent / (double)commits / 1000);
	return test_result();
}

static int read_on(mdg_namespace *ns, uint64_t seconds)
{
	static uint32_t lags[LAGS];
	uint64_t begin = now(), last = 0;
	unsigned count = 0;
	mdg_replica *replica = NULL;
	while (mdg_replica_open(&replica, ns, "rate", NULL) != 0)
		if (now() - begin > 5000000000u)
			return 1;
		else
			usleep(1000);
	while (now() - begin < seconds * 1000000000u && count < LAGS) {
		struct mdg_replica_info info = { .size = sizeof info };
		if (mdg_replica_wait(replica, last, mdg_deadline(100000000), NULL) != 0)
			continue;
		CHECK_RC(0, mdg_replica_look(replica, &info));
		last = info.generation;
		lags[count++] = (uint32_t)((now() - info.time) / 1000);
	}
	qsort(lags, count, sizeof *lags, compare);
	if (!CHECK(count > 0))
		return 1;
	printf("%.0f generations a second arrive; lag %u us in the median, %u us for 99 %%\n",
	       (double)count / (double)seconds, lags[count / 2], lags[count * 99 / 100]);
	return test_result();
}

int main(int argc, char **argv)
{
	mdg_namespace *ns = NULL;
	if (argc < 3 || !CHECK_RC(0, mdg_namespace_open(&ns, NULL, NULL)))
		return 2;
	uint64_t seconds = strtoull(argv[2], NULL, 10);
	if (strcmp(argv[1], "write") == 0)
		return write_on(ns, seconds, argc > 3 ? (unsigned)atoi(argv[3]) : 0);
	return read_on(ns, seconds);
}
