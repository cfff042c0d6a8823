/* SPDX-License-Identifier: MIT */
/*
 * kept.c - operations by a handle that keeps its lock, and by others while it does, cut off.
 */
#include "channel/points/scene.h"

static void keep(struct actor *me)
{
	uint32_t words[2];
	write_number(words, sizeof words, BEFORE);
	for (unsigned i = 0; i < UNTIL_KEPT; i++) {
		MUST_RC(0, mdg_channel_send(me->talks, words, sizeof words, GRACE));
		MUST_RC(sizeof words,
		        mdg_channel_recv(me->listens, words, sizeof words, NULL, GRACE));
	}
}

static void keep_and_say(struct actor *me)
{
	keep(me);
	say_one(me);
	say_one(me);
}

static void keep_and_reserve(struct actor *me)
{
	keep(me);
	reserve_large(me);
}

static void open_and_keep(struct actor *me)
{
	me->talks = points_open(MDG_TALKER);
	me->listens = points_open(MDG_LISTENER);
	keep(me);
}

/* It lives, and keeps the locks, when the victim begins. */
static void keep_and_hear(struct actor *me)
{
	open_and_keep(me);
	atomic_store(&books->asleep, 1);
	hear_all(me->listens);
	mdg_channel_close(me->talks);
	mdg_channel_close(me->listens);
}

static void leave(struct actor *me)
{
	mdg_channel_close(me->listens);
	mdg_channel_close(me->talks);
	me->listens = me->talks = NULL;
}

static void look(struct actor *me)
{
	struct mdg_channel_info info = { .size = sizeof info };
	mdg_channel *looks = points_open(MDG_OBSERVER);
	(void)me;
	MUST_RC(0, mdg_channel_look(looks, &info));
}

enum { T = MDG_TALKER, L = MDG_LISTENER };
const struct scene kept_scenes[] = {
	{ "send-kept", SHARED, T | L, 0, 0, .prepare = keep, .operate = say_one, .least = 8 },
	{ "send-large-kept", SHARED, T | L, 0, 0, .prepare = keep, .operate = say_large,
	  .least = 8 },
	{ "send-many-kept", SHARED, T | L, 0, 0, .prepare = keep, .operate = say_three,
	  .least = 9 },
	{ "reserve-kept", SHARED, T | L, 0, 0, .prepare = keep, .operate = reserve, .least = 7 },
	{ "cancel-kept", SHARED, T | L, 0, 0, .prepare = keep_and_reserve, .operate = cancel,
	  .least = 1 },
	{ "take-kept", QUEUE, T | L, 0, 0, .prepare = keep_and_say, .operate = take_one,
	  .least = 5 },
	{ "receive-kept", QUEUE, T | L, 0, 0, .prepare = keep_and_say, .operate = receive_one,
	  .least = 6 },
	{ "receive-two-kept", QUEUE, T | L, 0, 0, .prepare = keep_and_say, .operate = receive_two,
	  .least = 6 },
	{ "leave-kept", SHARED, T | L, 0, 0, .prepare = keep, .operate = leave, .least = 4 },
	{ "end-kept", SHARED, T, 0, 0, .operate = say_one, .sleeper = keep_and_hear, .least = 8 },
	{ "bury-kept", QUEUE, 0, 0, 0, .dying = open_and_keep, .operate = look, .least = 6 },
	{ .name = NULL }
};
