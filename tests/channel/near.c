/* SPDX-License-Identifier: MIT */
/*
 * near.c - a listener with MDG_WAIT_NEAR is not woken by what a bridge relays, and nobody waits for
 * it in vain.
 *
 * As woken.c, this is built with channels of which nobody looks up by itself. So what the listener
 * sees, it was woken for.
 */
#include "channel/handles.h"
#include "madang/relay.h"

enum { CAPACITY = 4096, SIZE = 64, FEW = 8, MANY = 1000, QUIET_MS = 50 };

static struct board {
	_Atomic uint32_t heard, waits;
} * board;

static const struct mdg_origin far = { { 11, 22 }, 33 };
static uint64_t number;

/* Takes all that comes, until a message has one byte. */
static void listener(void *kind)
{
	struct mdg_channel_options options = options_of(*(unsigned *)kind, CAPACITY);
	unsigned char bytes[CAPACITY];
	options.wait = MDG_WAIT_NEAR;
	mdg_channel *channel = enter_as("near", MDG_LISTENER, &options);
	int rc = SIZE;
	atomic_store(&board->waits, 1);
	while (rc > 1) {
		rc = mdg_channel_recv(channel, bytes, sizeof bytes, NULL, GRACE);
		CHECK(rc == SIZE || rc == 1);
		atomic_fetch_add(&board->heard, 1);
	}
	mdg_channel_close(channel);
}

static void relays(mdg_channel *talker, unsigned count)
{
	unsigned char bytes[SIZE] = { 0 };
	for (unsigned i = 0; i < count; i++) {
		struct mdg_relayed message = { .data = bytes, .size = SIZE, .origin = far };
		message.number = ++number;
		CHECK_RC(1, mdg_channel_relay(talker, &message, 1, NULL, GRACE));
	}
}

static void says_one(mdg_channel *talker, size_t size)
{
	CHECK_RC(0, says(talker, size, 4, GRACE));
}

/* The listener has had so many, and sleeps again. */
static void sleeps_at(pid_t pid, uint32_t heard)
{
	CHECK(reaches(&board->heard, heard));
	CHECK(falls_asleep(pid, &board->waits));
	CHECK(atomic_load(&board->heard) == heard);
}

/* What it has not seen for a moment it is not going to see. */
static void sleeps_on_at(uint32_t heard)
{
	nap_ms(QUIET_MS);
	CHECK(atomic_load(&board->heard) == heard);
}

static uint64_t next_number(mdg_channel *channel)
{
	struct mdg_channel_info info = { .size = sizeof info };
	CHECK_RC(0, mdg_channel_look(channel, &info));
	return info.sequence;
}

static void in_a_topic(void)
{
	unsigned kind = MDG_TOPIC;
	mdg_channel *talker = talker_of("near", kind, CAPACITY);
	memset(board, 0, sizeof *board);
	pid_t pid = start(listener, &kind);
	sleeps_at(pid, 0);
	relays(talker, FEW);
	sleeps_on_at(0);
	says_one(talker, SIZE); /* a message of this host wakes it, and it sees all */
	sleeps_at(pid, FEW + 1);
	relays(talker, FEW);
	sleeps_on_at(FEW + 1);
	/* Who waits until all is done with wakes it. */
	CHECK_RC(0, mdg_channel_settled(talker, next_number(talker), GRACE));
	sleeps_at(pid, FEW + 1 + FEW);
	relays(talker, MANY); /* many times what the ring holds: nobody waits for ever */
	says_one(talker, 1);
	CHECK(ended_well(pid));
	CHECK(atomic_load(&board->heard) == FEW + 1 + FEW + MANY + 1);
	mdg_channel_close(talker);
	remove_channel("near");
}

/* A quarter of the ring, and it looks. */
static void a_quarter(void)
{
	unsigned kind = MDG_TOPIC, most = CAPACITY * 2 / 4 / SIZE + 1;
	mdg_channel *talker = talker_of("near", kind, CAPACITY);
	memset(board, 0, sizeof *board);
	pid_t pid = start(listener, &kind);
	sleeps_at(pid, 0);
	relays(talker, most);
	CHECK(reaches(&board->heard, 1));
	says_one(talker, 1);
	CHECK(ended_well(pid));
	mdg_channel_close(talker);
	remove_channel("near");
}

/* In other kinds it is woken as any. */
static void in_others(unsigned kind)
{
	mdg_channel *talker = talker_of("near", kind, CAPACITY);
	memset(board, 0, sizeof *board);
	pid_t pid = start(listener, &kind);
	sleeps_at(pid, 0);
	relays(talker, 1);
	sleeps_at(pid, 1);
	says_one(talker, 1);
	CHECK(ended_well(pid));
	mdg_channel_close(talker);
	remove_channel("near");
}

int main(void)
{
	board = shared_memory(sizeof *board);
	open_namespace();
	in_a_topic();
	a_quarter();
	in_others(MDG_QUEUE);
	in_others(MDG_STREAM);
	mdg_namespace_close(ns);
	return test_result();
}
