/* SPDX-License-Identifier: MIT */
/*
 * claim.c - a talker that relays, and waits for room in a topic, gets it before those that send.
 * If it is killed or stopped, it holds up nobody.
 */
#include "channel/handles.h"
#include "madang/relay.h"

enum { CAPACITY = 4096, SIZE = 1900, LESS = 1200, ROUNDS = 20 };

static struct board {
	_Atomic uint32_t sends, relays; /* it is about to wait */
} * board;

static uint64_t number;

static void sender(void *unused)
{
	mdg_channel *talker = talker_of("claim", MDG_TOPIC, CAPACITY);
	(void)unused;
	atomic_store(&board->sends, 1);
	CHECK_RC(0, says(talker, LESS, 4, GRACE));
	mdg_channel_close(talker);
}

static void relayer(void *unused)
{
	static const struct mdg_origin far = { { 11, 22 }, 33 };
	static unsigned char bytes[LESS];
	struct mdg_relayed message = {
		.data = bytes, .size = sizeof bytes, .origin = far, .number = number
	};
	mdg_channel *talker = talker_of("claim", MDG_TOPIC, CAPACITY);
	(void)unused;
	atomic_store(&board->relays, 1);
	CHECK_RC(1, mdg_channel_relay(talker, &message, 1, NULL, GRACE));
	mdg_channel_close(talker);
}

struct play {
	mdg_channel *talker, *listener;
	pid_t sender, relayer;
};

/* The ring is full, and both wait for room. */
static struct play begin(void)
{
	struct play play = { .talker = talker_of("claim", MDG_TOPIC, CAPACITY) };
	play.listener = listener_of("claim", MDG_TOPIC, CAPACITY);
	memset(board, 0, sizeof *board);
	number++;
	while (says(play.talker, SIZE, 4, 0) == 0)
		;
	while (says(play.talker, 8, 4, 0) == 0)
		;
	play.sender = start(sender, NULL);
	sleeps_after(play.sender, &board->sends);
	play.relayer = start(relayer, NULL);
	sleeps_after(play.relayer, &board->relays);
	return play;
}

static void take_one(mdg_channel *listener)
{
	static unsigned char bytes[SIZE];
	/* Room for one of the two. */
	CHECK_RC(SIZE, mdg_channel_recv(listener, bytes, sizeof bytes, NULL, GRACE));
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0);
	return info.si_pid == pid;
}

static void end(struct play *play)
{
	static unsigned char bytes[SIZE];
	while (!has_ended(play->sender))
		if (mdg_channel_recv(play->listener, bytes, sizeof bytes, NULL, 0) == -EAGAIN)
			nap_ms(1);
	CHECK(ended_well(play->sender));
	mdg_channel_close(play->talker);
	mdg_channel_close(play->listener);
	remove_channel("claim");
}

static void goes_first(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct play play = begin();
		take_one(play.listener);
		CHECK(ended_well(play.relayer));
		CHECK(!has_ended(play.sender));
		end(&play);
	}
}

/* Nobody takes what it leaves, so the room is there for the other one after a while. */
static void holds_up_nobody(int signal)
{
	struct play play = begin();
	CHECK(kill(play.relayer, signal) == 0);
	take_one(play.listener);
	CHECK(ended_well(play.sender));
	if (signal == SIGSTOP)
		CHECK(!has_ended(play.relayer));
	killed(play.relayer);
	mdg_channel_close(play.talker);
	mdg_channel_close(play.listener);
	remove_channel("claim");
}

int main(void)
{
	board = shared_memory(sizeof *board);
	open_namespace();
	goes_first();
	holds_up_nobody(SIGKILL);
	holds_up_nobody(SIGSTOP);
	mdg_namespace_close(ns);
	return test_result();
}
