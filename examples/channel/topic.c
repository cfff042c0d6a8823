/* SPDX-License-Identifier: MIT */
/*
 * topic.c - a ticker, and readers each at its own speed.
 *
 * Each reader gets every tick from the moment it comes. The ticker waits for nobody: when the
 * topic is full it overwrites the oldest ticks, and a reader that was too slow finds in the next
 * message how many it missed. Made with MDG_FULL_WAIT instead, the ticker would wait for
 * the slowest reader, and nobody would miss anything.
 *
 * Three readers: one reads as fast as it can; one naps after each tick, and misses some; one comes
 * when all is over, and asks for the last tick. Ticks read and ticks missed add up to all.
 */
#include <madang/channel.h>
#include <madang/segment.h>

#include <inttypes.h>
#include <stdbool.h>

#include "../sync/place.h"

enum { TICKS = 2000, AT_ONCE = 50, READERS = 2 };
#define PATIENCE mdg_deadline(UINT64_C(20000000000)) /* 20 s */

struct tick {
	int32_t number, price; /* from 1 */
};

static mdg_channel *enter(unsigned role, unsigned from)
{
	struct mdg_channel_options options = {
		.size = sizeof(options),
		.kind = MDG_TOPIC,
		.full = MDG_FULL_OVERWRITE,
		.capacity = 4096, /* about 60 ticks: 64 bytes are counted for each, and its own */
		.from = from,
	};
	mdg_namespace *ns;
	mdg_channel *channel;

	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	must(mdg_channel_open(&channel, ns, "example-ticks", role, &options), "topic");
	return channel;
}

static void read_ticks(const char *who, unsigned from, long rest)
{
	mdg_channel *ticks = enter(MDG_LISTENER, from);
	struct tick tick = { 0, 0 };
	uint64_t count = 0, missed = 0;

	while (tick.number != TICKS) {
		struct mdg_message message;
		int rc = mdg_channel_recv(ticks, &tick, sizeof(tick), &message, PATIENCE);
		must(rc, "waiting for a tick");
		missed += message.missed;
		count++;
		if (rest != 0 && tick.number != TICKS)
			nap(rest);
	}
	printf("%s reader: %" PRIu64 " ticks, missed %" PRIu64 ", the last price is %d\n", who,
	       count, missed, (int)tick.price);
	mdg_channel_close(ticks);
	if (from == MDG_FROM_NEXT ? count + missed != TICKS : count != 1)
		exit(EXIT_FAILURE);
}

static void read_fast(void)
{
	read_ticks("fast", MDG_FROM_NEXT, 0);
}

static void read_slowly(void)
{
	read_ticks("slow", MDG_FROM_NEXT, 1);
}

static void come_late(void)
{
	read_ticks("late", MDG_FROM_LAST, 0);
}

/* Waits until all readers are there. Each member of the channel is told who listens, one event
 * after the other. */
static void await_readers(mdg_channel *ticks)
{
	for (int readers = 0; readers < READERS;) {
		struct mdg_peer_event event = { .size = sizeof event };
		must(mdg_channel_event(ticks, &event, PATIENCE), "waiting for readers");
		readers += event.change == MDG_PEER_CAME && event.role == MDG_LISTENER;
	}
}

int main(void)
{
	mdg_channel *ticks = enter(MDG_TALKER, 0);
	mdg_namespace *ns;

	pid_t fast = child(read_fast), slow = child(read_slowly);
	await_readers(ticks);
	for (int i = 1; i <= TICKS; i++) {
		struct tick tick = { i, 100 + i % 7 };
		must(mdg_channel_send(ticks, &tick, sizeof(tick), PATIENCE), "send");
		if (i % AT_ONCE == 0)
			nap(1);
	}
	bool well = went_well(child(come_late));
	well = went_well(fast) && well;
	well = went_well(slow) && well;
	mdg_channel_close(ticks);
	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	must(mdg_channel_remove(ns, "example-ticks"), "remove");
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}
