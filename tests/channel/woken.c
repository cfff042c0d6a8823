/* SPDX-License-Identifier: MIT */
/*
 * woken.c - a process that sleeps in a channel is woken by each call that has to wake it.
 *
 * A sleeper looks for dead processes every 25 ms (MDG__SLICE_NS), and then finds whatever has come
 * meanwhile. So a lost wake-up only costs time, and a test that waits long enough would pass
 * without any wake-up. This test is built with channels that look once an hour. A process that is
 * not woken sleeps until its deadline, however fast or slow the machine is.
 */
#include "channel/handles.h"

enum { CAPACITY = 1024, PLAYS = 5, T = MDG_TALKER, L = MDG_LISTENER };

static struct board {
	_Atomic uint32_t waits;
} * board;

typedef void act(mdg_channel *talks, mdg_channel *listens);

static const struct scene {
	const char *name;
	unsigned kind, full;
	unsigned roles, role; /* whose handles there are meanwhile; the sleeper's */
	act *before, *sleeps, *wakes;
} * scene;

/* From here on it waits. */
static void about_to_wait(void)
{
	atomic_store(&board->waits, 1);
}

/* ---- who sleeps ------------------------------------------------------------------------- */

static void waits_for_message(mdg_channel *talks, mdg_channel *listens)
{
	(void)talks;
	about_to_wait();
	CHECK(hears(listens, 30, 4));
}

static void waits_for_what_was_held(mdg_channel *talks, mdg_channel *listens)
{
	(void)talks;
	about_to_wait();
	CHECK(hears_with(listens, 30, 4, MDG_REDELIVERED));
}

static void waits_for_room(mdg_channel *talks, mdg_channel *listens)
{
	(void)listens;
	while (says(talks, 100, 5, 0) == 0)
		;
	about_to_wait();
	CHECK_RC(0, says(talks, 100, 6, GRACE));
}

static void waits_for_reply(mdg_channel *talks, mdg_channel *listens)
{
	(void)listens;
	CHECK_RC(0, says(talks, 30, 4, 0));
	about_to_wait();
	CHECK(hears(talks, 30, 7));
}

static void waits_for_refusal(mdg_channel *talks, mdg_channel *listens)
{
	(void)listens;
	CHECK_RC(0, says(talks, 30, 4, 0));
	about_to_wait();
	CHECK_RC(-ECANCELED, mdg_channel_recv(talks, NULL, 0, NULL, GRACE));
}

static void waits_for_event(mdg_channel *talks, mdg_channel *listens)
{
	struct mdg_peer_event event = { .size = sizeof event };
	mdg_channel *looks = enter("woken", MDG_OBSERVER, 0, 0);
	(void)talks;
	(void)listens;
	about_to_wait();
	CHECK_RC(0, mdg_channel_event(looks, &event, GRACE));
	mdg_channel_close(looks);
}

static void waits_until_removed(mdg_channel *talks, mdg_channel *listens)
{
	(void)talks;
	about_to_wait();
	CHECK_RC(-EIDRM, mdg_channel_recv(listens, NULL, 0, NULL, GRACE));
}

/* ---- who wakes -------------------------------------------------------------------------- */

static void sends(mdg_channel *talks, mdg_channel *listens)
{
	(void)listens;
	CHECK_RC(0, says(talks, 30, 4, 0));
}

static void reserves(mdg_channel *talks, mdg_channel *listens)
{
	void *place = NULL;
	(void)listens;
	CHECK_RC(0, mdg_channel_reserve(talks, 30, &place, 0));
	fill(place, 30, 4);
}

static void commits(mdg_channel *talks, mdg_channel *listens)
{
	(void)listens;
	CHECK_RC(0, mdg_channel_commit(talks, 30));
}

/* What another has sent meanwhile is behind it, and can be received now. */
static void cancels(mdg_channel *talks, mdg_channel *listens)
{
	mdg_channel *other = talker_of("woken", scene->kind, 0);
	(void)listens;
	CHECK_RC(0, says(other, 30, 4, 0));
	CHECK_RC(0, mdg_channel_cancel(talks));
	mdg_channel_close(other);
}

static void holds(mdg_channel *talks, mdg_channel *listens)
{
	CHECK_RC(0, says(talks, 30, 4, 0));
	CHECK_RC(0, mdg_channel_peek(listens, &(struct mdg_message){ 0 }, 0));
}

static void releases(mdg_channel *talks, mdg_channel *listens)
{
	(void)talks;
	CHECK_RC(0, mdg_channel_release(listens));
}

static void leaves(mdg_channel *talks, mdg_channel *listens)
{
	(void)talks;
	mdg_channel_close(listens);
}

static void receives_all(mdg_channel *talks, mdg_channel *listens)
{
	unsigned char bytes[100];
	(void)talks;
	while (mdg_channel_recv(listens, bytes, sizeof bytes, NULL, 0) >= 0)
		;
}

static void replies(mdg_channel *talks, mdg_channel *listens)
{
	(void)talks;
	CHECK(hears(listens, 30, 4));
	CHECK_RC(0, says(listens, 30, 7, 0));
}

static void refuses(mdg_channel *talks, mdg_channel *listens)
{
	(void)talks;
	CHECK(hears(listens, 30, 4));
	CHECK_RC(0, mdg_channel_release(listens));
}

static void comes(mdg_channel *talks, mdg_channel *listens)
{
	(void)talks;
	(void)listens;
	mdg_channel_close(talker_of("woken", scene->kind, 0));
}

static void removes(mdg_channel *talks, mdg_channel *listens)
{
	(void)talks;
	(void)listens;
	remove_channel("woken");
}

static const struct scene scenes[] = {
	{ "stream: sent", MDG_STREAM, 0, T, L, NULL, waits_for_message, sends },
	{ "queue: sent", MDG_QUEUE, 0, T, L, NULL, waits_for_message, sends },
	{ "topic: sent", MDG_TOPIC, 0, T, L, NULL, waits_for_message, sends },
	{ "stream: committed", MDG_STREAM, 0, T, L, reserves, waits_for_message, commits },
	{ "queue: committed", MDG_QUEUE, 0, T, L, reserves, waits_for_message, commits },
	{ "topic: committed", MDG_TOPIC, 0, T, L, reserves, waits_for_message, commits },
	{ "queue: cancelled before it", MDG_QUEUE, 0, T, L, reserves, waits_for_message, cancels },
	{ "topic: cancelled before it", MDG_TOPIC, 0, T, L, reserves, waits_for_message, cancels },
	{ "queue: left holding", MDG_QUEUE, 0, T | L, L, holds, waits_for_what_was_held, leaves },
	{ "stream: room", MDG_STREAM, 0, L, T, NULL, waits_for_room, receives_all },
	{ "queue: room", MDG_QUEUE, 0, L, T, NULL, waits_for_room, receives_all },
	{ "topic: room", MDG_TOPIC, 0, L, T, NULL, waits_for_room, receives_all },
	{ "topic: the slowest leaves", MDG_TOPIC, 0, L, T, NULL, waits_for_room, leaves },
	{ "topic: released, overwriting", MDG_TOPIC, MDG_FULL_OVERWRITE, T | L, T, holds,
	  waits_for_room, releases },
	{ "call: asked", MDG_CALL, 0, T, L, NULL, waits_for_message, sends },
	{ "call: replied", MDG_CALL, 0, L, T, NULL, waits_for_reply, replies },
	{ "call: refused", MDG_CALL, 0, L, T, NULL, waits_for_refusal, refuses },
	{ "queue: event", MDG_QUEUE, 0, L, 0, NULL, waits_for_event, comes },
	{ "stream: removed", MDG_STREAM, 0, T, L, NULL, waits_until_removed, removes },
	{ "topic: removed", MDG_TOPIC, 0, T, L, NULL, waits_until_removed, removes },
};

/* ---- the play --------------------------------------------------------------------------- */

static mdg_channel *handle(unsigned roles, unsigned role)
{
	struct mdg_channel_options options = options_of(scene->kind, CAPACITY);
	options.full = scene->full;
	options.from = MDG_FROM_OLDEST; /* also what is being written when it comes */
	return (roles & role) == 0 ? NULL : enter_as("woken", role, &options);
}

static void sleeper(void *unused)
{
	mdg_channel *talks = handle(scene->role, T), *listens = handle(scene->role, L);
	(void)unused;
	scene->sleeps(talks, listens);
	mdg_channel_close(talks);
	mdg_channel_close(listens);
}

static void play(void)
{
	mdg_channel *talks = handle(scene->roles, T), *listens = handle(scene->roles, L);
	memset(board, 0, sizeof *board);
	if (scene->before != NULL)
		scene->before(talks, listens);
	pid_t pid = start(sleeper, NULL);
	sleeps_after(pid, &board->waits);
	scene->wakes(talks, listens);
	CHECK(ended_well(pid));
	mdg_channel_close(talks);
	if (scene->wakes != leaves)
		mdg_channel_close(listens);
	if (scene->wakes != removes)
		remove_channel("woken");
}

int main(void)
{
	board = shared_memory(sizeof *board);
	open_namespace();
	for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
		int before = check_failures;
		scene = &scenes[i];
		for (int plays = 0; plays < PLAYS && check_failures == before; plays++)
			play();
		printf("%-30s %s\n", scene->name, check_failures == before ? "woken" : "NOT WOKEN");
		fflush(stdout);
	}
	mdg_namespace_close(ns);
	return test_result();
}
