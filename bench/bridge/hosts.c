/* SPDX-License-Identifier: MIT */
/*
 * hosts.c - many hosts on one machine: so many namespaces, a real bridge for each, one server. A
 * topic is open on every host. First nothing is sent; then every host sends one message a second,
 * which goes to all others, into a topic that waits and into one that overwrites.
 *
 * What grows with the number of hosts, and what with its square, shows in the rows.
 */
#include "bench/bridge/bridge.h"

#include <madang/channel.h>
#include <madang/segment.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct crowd {
	_Atomic uint64_t sent, received;
	_Atomic uint32_t talk, failed;
	uint32_t full; /* enum mdg_channel_full */
} * crowd;

static void pause_ms(long ms)
{
	struct timespec moment = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&moment, NULL);
}

static void name_namespace(char *path, size_t room, unsigned host)
{
	snprintf(path, room, "%s-%u", place.near_ns, host);
}

static const char *channel_name(uint32_t full)
{
	return full == MDG_FULL_WAIT ? "hosts.waits" : "hosts.over";
}

/* ---- the talkers and listeners of all hosts, in one process -------------------- */

struct host {
	mdg_channel *talker, *listener;
};

static int enter(struct host *host, unsigned number)
{
	struct mdg_channel_options options = {
		.size = sizeof options, .kind = MDG_TOPIC, .full = crowd->full, .capacity = 16384
	};
	const char *name = channel_name(crowd->full);
	mdg_namespace *ns;
	char path[192];
	int rc;

	name_namespace(path, sizeof path, number);
	rc = mdg_namespace_open(&ns, path, NULL);
	if (rc == 0)
		rc = mdg_channel_open(&host->talker, ns, name, MDG_TALKER, &options);
	if (rc == 0)
		rc = mdg_channel_open(&host->listener, ns, name, MDG_LISTENER, &options);
	return rc;
}

static void hear(const struct host *hosts, unsigned count)
{
	char data[SMALL];

	for (unsigned i = 0; i < count; i++)
		while (mdg_channel_recv(hosts[i].listener, data, sizeof data, NULL, 0) >= 0)
			atomic_fetch_add(&crowd->received, 1);
}

/* The talkers take turns, so that each sends once a second. */
static int live(unsigned count)
{
	struct host *hosts = bench_alloc(count * sizeof *hosts);
	static const char data[SMALL];

	for (unsigned i = 0; i < count; i++) {
		int rc = enter(&hosts[i], i);

		if (rc == 0)
			continue;
		fprintf(stderr, "madang-bench-bridge: host %u: %s\n", i, mdg_strerror(rc));
		atomic_store(&crowd->failed, 1);
		return 1;
	}
	for (unsigned turn = 0;; turn = (turn + 1) % count) {
		if (atomic_load(&crowd->talk) &&
		    mdg_channel_send(hosts[turn].talker, data, sizeof data, 0) == 0)
			atomic_fetch_add(&crowd->sent, 1);
		hear(hosts, count);
		pause_ms((long)(1000 / count));
	}
}

/* ---- what it costs --------------------------------------------------------------- */

struct totals {
	struct cost bridges, server;
	struct server_counts counts;
};

static void look(const pid_t *bridges, unsigned count, struct totals *ret)
{
	memset(ret, 0, sizeof *ret);
	for (unsigned i = 0; i < count; i++) {
		struct cost cost;

		if (cost_look(bridges[i], &cost) != 0)
			continue;
		ret->bridges.seconds += cost.seconds;
		ret->bridges.own += cost.own / count;
		ret->bridges.threads += cost.threads;
		ret->bridges.descriptors += cost.descriptors;
	}
	(void)cost_look(place.server_pid, &ret->server);
	server_counts(&ret->counts);
}

static void print_phase(const char *name, const pid_t *bridges, unsigned count, double seconds)
{
	struct totals before, after;
	uint64_t sent = atomic_load(&crowd->sent), received = atomic_load(&crowd->received);
	double hosts = count;

	look(bridges, count, &before);
	for (int tenths = (int)(seconds * 10); tenths > 0 && !stop_asked(); tenths--)
		pause_ms(100);
	look(bridges, count, &after);
	printf("%5u %-5s %7.1f %5.1f %5.1f %7.3f  %7.1f %7.2f %6.0f %6.0f  %8.0f %8.0f %9.0f  "
	       "%6.0f "
	       "%8.0f\n",
	       count, name, after.bridges.own / 1024, (double)after.bridges.threads / hosts,
	       (double)after.bridges.descriptors / hosts,
	       (after.bridges.seconds - before.bridges.seconds) / seconds / hosts * 100,
	       after.server.rss / 1024,
	       (after.server.seconds - before.server.seconds) / seconds * 100,
	       after.counts.connections, after.counts.subscriptions,
	       (after.counts.in_messages - before.counts.in_messages) / seconds,
	       (after.counts.out_messages - before.counts.out_messages) / seconds,
	       (after.counts.out_bytes - before.counts.out_bytes) / seconds / 1024,
	       (double)(atomic_load(&crowd->sent) - sent) / seconds,
	       (double)(atomic_load(&crowd->received) - received) / seconds);
	fflush(stdout);
}

static int play(unsigned count, double seconds, uint32_t full)
{
	pid_t *bridges = bench_alloc(count * sizeof *bridges);
	char group[24], host[32], path[192];
	pid_t driver;

	memset(crowd, 0, sizeof *crowd);
	crowd->full = full;
	snprintf(group, sizeof group, "hosts%u-%u", count, full);
	driver = place_fork();
	if (driver == 0)
		_exit(live(count));
	for (unsigned i = 0; i < count && !stop_asked(); i++) {
		name_namespace(path, sizeof path, i);
		snprintf(host, sizeof host, "h%u-%u", count, i);
		bridges[i] = place_bridge(path, group, host, channel_name(full));
		pause_ms(20);
	}
	for (int i = 0; i < 80 && !stop_asked() && !atomic_load(&crowd->failed); i++)
		pause_ms(100); /* all have seen all, and what was to be made is made */
	if (!stop_asked() && !atomic_load(&crowd->failed)) {
		if (full == MDG_FULL_WAIT)
			print_phase("still", bridges, count, seconds);
		atomic_store(&crowd->talk, 1);
		pause_ms(2000);
		print_phase(full == MDG_FULL_WAIT ? "waits" : "over", bridges, count, seconds);
	}
	for (unsigned i = 0; i < count; i++)
		place_end(&bridges[i]);
	place_end(&driver);
	free(bridges);
	return atomic_load(&crowd->failed) ? 1 : 0;
}

int hosts_measure(unsigned hosts, double seconds)
{
	int rc = 0;

	if (place.bridge == NULL)
		return 1;
	crowd = shared_memory(sizeof *crowd);
	printf("One topic on every host. still: nothing is sent. waits, over: a message a "
	       "second and\n"
	       "host, into a topic that waits when it is full, or overwrites.\n"
	       "Of a bridge: private MiB, threads, descriptors, %% of a processor. Of the server: "
	       "MiB, %%,\n"
	       "connections, subscriptions, messages in and out a second, KiB out a second. Then\n"
	       "messages a second that were sent, and received by all listeners.\n"
	       "hosts           MiB   thr    fd     cpu      MiB     cpu   conn   subs        in   "
	       " "
	       "  out     KiB/s    sent received\n");
	for (unsigned i = 0; i < 3 && !stop_asked(); i++) {
		static const unsigned divisors[3] = { 10, 3, 1 };

		if (hosts / divisors[i] >= 2)
			rc |= play(hosts / divisors[i], seconds, MDG_FULL_WAIT) |
			      play(hosts / divisors[i], seconds, MDG_FULL_OVERWRITE);
	}
	munmap(crowd, sizeof *crowd);
	return rc;
}
