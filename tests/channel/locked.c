/* SPDX-License-Identifier: MIT */
/*
 * locked.c - a real-time program, whose memory the kernel locks as it is mapped: a channel for
 * calls gets memory for those callers that come, as with any other program.
 */
#include "channel/handles.h"

#include "support/memlock.h"

enum { KIB = 1024, MIB = 1 << 20, CAPACITY = 128 * KIB, PEERS = 64 };

static struct mdg_channel_options options(void)
{
	struct mdg_channel_options options = options_of(MDG_CALL, CAPACITY);
	options.peers = PEERS;
	return options;
}

static uint64_t resident(void)
{
	struct mdg_segment_info info = { .size = sizeof info };
	mdg_id id;
	CHECK_RC(0, mdg_segment_open(ns, "locked", 0, 0, &id));
	CHECK_RC(0, mdg_segment_stat(ns, id, MDG_STAT_RESIDENT, &info));
	CHECK(info.bytes > PEERS * CAPACITY);
	return info.resident;
}

/* A question and an answer, and how much memory the channel has then. */
static uint64_t use(void)
{
	const struct mdg_channel_options wanted = options();
	mdg_channel *serves = enter_as("locked", MDG_LISTENER, &wanted);
	mdg_channel *calls = enter_as("locked", MDG_TALKER, &wanted);
	CHECK_RC(0, says(calls, CAPACITY, 1, 0));
	CHECK(hears(serves, CAPACITY, 1));
	CHECK_RC(0, says(serves, CAPACITY, 2, 0));
	CHECK(hears(calls, CAPACITY, 2));
	uint64_t bytes = resident();
	mdg_channel_close(calls);
	mdg_channel_close(serves);
	return bytes;
}

static uint64_t usual;

static void lock_and_use(void *limit)
{
	if (!memlock_all(*(const uint64_t *)limit))
		exit(0); /* not possible here */
	CHECK(use() <= usual + 512 * KIB);
}

int main(void)
{
	/* The second is enough for the ring and one box, but not for all boxes. */
	static uint64_t limits[] = { 0, 4 * MIB };
	open_namespace();
	usual = use();
	CHECK(usual < 4 * MIB);
	for (int i = 0; i < 2; i++) {
		/* One that is there, and one that it makes. */
		CHECK(in_child(lock_and_use, &limits[i]));
		remove_channel("locked");
		CHECK(in_child(lock_and_use, &limits[i]));
	}
	remove_channel("locked");
	mdg_namespace_close(ns);
	return test_result();
}
