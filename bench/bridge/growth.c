/* SPDX-License-Identifier: MIT */
/*
 * growth.c - 1, 10 and 100 channels through one pair of bridges: the rate of all together, and what
 * the bridges and the server cost then, and when nothing moves.
 *
 * One process talks into all channels in turn, one listens to all.
 */
#include "bench/bridge/bridge.h"

#include <errno.h>
#include <madang/channel.h>
#include <madang/segment.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHANNELS_MOST = 100, SMALL_RING = 256 << 10 };

static struct crowd {
	_Atomic uint32_t warm[CHANNELS_MOST];
	_Atomic uint32_t failed, go, stop;
	_Atomic uint64_t sent, received, began, ended;
	unsigned channels;
	double seconds;
} * crowd;

static void pause_us(long us)
{
	struct timespec moment = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	nanosleep(&moment, NULL);
}

static int enter(mdg_channel *channels[], bool talker)
{
	struct mdg_channel_options options = { .size = sizeof options,
		                               .kind = MDG_STREAM,
		                               .capacity = SMALL_RING };
	mdg_namespace *ns;
	char name[48];
	int rc = mdg_namespace_open(&ns, talker ? place.near_ns : place.far_ns, NULL);

	for (unsigned i = 0; i < crowd->channels && rc == 0; i++) {
		snprintf(name, sizeof name, "grow%u.%u", crowd->channels, i);
		rc = mdg_channel_open(&channels[i], ns, name, talker ? MDG_TALKER : MDG_LISTENER,
		                      &options);
	}
	if (rc != 0)
		fprintf(stderr, "madang-bench-bridge: growth: %s\n", mdg_strerror(rc));
	return rc;
}

/* ---- the talker and the listener of all ---------------------------------------- */

static bool all_warm(void)
{
	for (unsigned i = 0; i < crowd->channels; i++)
		if (!atomic_load(&crowd->warm[i]))
			return false;
	return true;
}

static int warm_up(mdg_channel *channels[])
{
	static const char first[SMALL];

	for (int waited = 0; !all_warm(); waited += 20) {
		for (unsigned i = 0; i < crowd->channels && waited % 500 == 0; i++)
			if (!atomic_load(&crowd->warm[i]))
				(void)mdg_channel_send(channels[i], first, sizeof first, 0);
		if (waited > 4 * PATIENCE_MS)
			return -1;
		pause_us(20000);
	}
	return 0;
}

static int talk(void)
{
	mdg_channel *channels[CHANNELS_MOST];
	static char data[SMALL] = "x"; /* those of the warming up begin with 0 */
	struct mdg_message batch[BATCH];
	uint64_t until;

	if (enter(channels, true) != 0 || warm_up(channels) != 0)
		return 1;
	for (unsigned i = 0; i < BATCH; i++)
		batch[i] = (struct mdg_message){ .data = data, .size = sizeof data };
	atomic_store(&crowd->began, now_ns());
	atomic_store(&crowd->go, 1);
	until = now_ns() + (uint64_t)(crowd->seconds * 1e9);
	while (now_ns() < until) {
		unsigned moved = 0;

		for (unsigned i = 0; i < crowd->channels; i++) {
			int rc = mdg_channel_send_many(channels[i], batch, BATCH, 0);

			if (rc < 0 && rc != -EAGAIN)
				return 1;
			moved += rc > 0 ? (unsigned)rc : 0;
		}
		atomic_fetch_add(&crowd->sent, moved);
		if (moved == 0)
			pause_us(100);
	}
	atomic_store(&crowd->ended, now_ns());
	while (!atomic_load(&crowd->stop))
		pause_us(10000);
	return 0;
}

static int hear(void)
{
	mdg_channel *channels[CHANNELS_MOST];
	static char data[BATCH][SMALL];
	struct mdg_message batch[BATCH];

	if (enter(channels, false) != 0)
		return 1;
	while (!atomic_load(&crowd->stop)) {
		unsigned moved = 0;

		for (unsigned i = 0; i < crowd->channels; i++) {
			int rc;

			for (unsigned m = 0; m < BATCH; m++)
				batch[m] = (struct mdg_message){ .data = data[m], .size = SMALL };
			rc = mdg_channel_recv_many(channels[i], batch, BATCH, 0);
			if (rc < 0 && rc != -EAGAIN)
				return 1;
			if (rc > 0)
				atomic_store(&crowd->warm[i], 1);
			for (int m = 0; m < rc; m++)
				moved += data[m][0] != 0;
		}
		atomic_fetch_add(&crowd->received, moved);
		if (moved == 0) /* with nothing to do it hardly costs anything */
			pause_us(atomic_load(&crowd->ended) != 0 ? 10000 : 200);
	}
	return 0;
}

/* ---- one row ---------------------------------------------------------------------- */

static int wait_for(_Atomic uint32_t *flag, const pid_t members[2], double seconds)
{
	for (uint64_t until = now_ns() + (uint64_t)(seconds * 1e9); !atomic_load(flag);) {
		for (int i = 0; i < 2; i++)
			if (waitpid(members[i], NULL, WNOHANG) != 0)
				return -1;
		if (now_ns() > until || stop_asked())
			return -1;
		pause_us(10000);
	}
	return 0;
}

/* Until all has come through. Seconds, or < 0. */
static double drain(void)
{
	uint64_t before = atomic_load(&crowd->received), still = now_ns();

	while (atomic_load(&crowd->received) < atomic_load(&crowd->sent) ||
	       atomic_load(&crowd->ended) == 0) {
		pause_us(2000);
		if (atomic_load(&crowd->received) != before) {
			before = atomic_load(&crowd->received);
			still = now_ns();
		}
		if (now_ns() - still > 10000000000u || stop_asked())
			return -1;
	}
	return (double)(now_ns() - atomic_load(&crowd->began)) / 1e9;
}

static void print_row(double seconds, const pid_t bridges[2], double idle)
{
	const pid_t pids[3] = { bridges[0], bridges[1], place.server_pid };
	struct cost before[3], after[3];

	for (int i = 0; i < 3; i++)
		(void)cost_look(pids[i], &before[i]);
	pause_us((long)(idle * 1e6));
	for (int i = 0; i < 3; i++)
		(void)cost_look(pids[i], &after[i]);
	printf("%8u %12.0f", crowd->channels, (double)crowd->received / seconds);
	for (int i = 0; i < 3; i++)
		printf("  %7.1f %4u %4u %6.2f", after[i].own / 1024, after[i].threads,
		       after[i].descriptors, (after[i].seconds - before[i].seconds) / idle * 100);
	printf("\n");
	fflush(stdout);
}

static int play(unsigned channels, bool quick)
{
	pid_t bridges[2], members[2];
	char pattern[16], near_host[16], far_host[16];
	double seconds = -1;

	memset(crowd, 0, sizeof *crowd);
	crowd->channels = channels;
	crowd->seconds = quick ? 0.3 : 2;
	snprintf(pattern, sizeof pattern, "grow%u.*", channels);
	snprintf(near_host, sizeof near_host, "near%u", channels);
	snprintf(far_host, sizeof far_host, "far%u", channels);
	for (int i = 0; i < 2; i++) {
		members[i] = place_fork();
		if (members[i] == 0)
			_exit(i == 0 ? hear() : talk());
	}
	bridges[0] = place_bridge(place.near_ns, "growth", near_host, pattern);
	bridges[1] = place_bridge(place.far_ns, "growth", far_host, pattern);
	if (wait_for(&crowd->go, members, 60) == 0)
		seconds = drain();
	if (seconds > 0)
		print_row(seconds, bridges, quick ? 1 : 5);
	else
		printf("%8u  not everything came through: %llu of %llu\n", channels,
		       (unsigned long long)crowd->received, (unsigned long long)crowd->sent);
	atomic_store(&crowd->stop, 1);
	for (int i = 0; i < 2; i++) {
		place_end(&bridges[i]);
		place_end(&members[i]);
	}
	return seconds > 0 ? 0 : 1;
}

int growth_measure(bool quick)
{
	int rc = 0;

	if (place.bridge == NULL)
		return 1;
	crowd = shared_memory(sizeof *crowd);
	printf("Streams through two bridges; 64 bytes in batches. Then nothing moves.\n"
	       "MiB: private memory; thr: threads; fd: descriptors; cpu: %% of a processor, idle\n"
	       "                        bridge that sends          bridge that receives       "
	       "nats-server\n"
	       "channels  messages/s      MiB  thr   fd    cpu      MiB  thr   fd    cpu      MiB  "
	       "thr   fd    cpu\n");
	for (unsigned channels = 1; channels <= CHANNELS_MOST && !stop_asked(); channels *= 10)
		rc |= play(channels, quick);
	munmap(crowd, sizeof *crowd);
	return rc;
}
