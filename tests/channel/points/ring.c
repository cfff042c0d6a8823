/* SPDX-License-Identifier: MIT */
/*
 * ring.c - operations on a stream, a queue and a topic, cut off.
 */
#include "channel/points/scene.h"

#include <poll.h>

/* ---- sending ---------------------------------------------------------------------------- */

size_t write_number(void *data, size_t size, uint32_t number)
{
	uint32_t words[2] = { number, ~number };
	memset(data, (int)(number & 0xff), size);
	memcpy(data, words, sizeof words);
	return size;
}

void say_sized(struct actor *me, size_t size)
{
	unsigned char bytes[LARGE];
	uint32_t number = atomic_load(&books->trying);
	write_number(bytes, size, number);
	atomic_store(&books->trying, number + 1);
	MUST_RC(0, mdg_channel_send(me->talks, bytes, size, GRACE));
	atomic_store(&books->sent, number + 1);
}

void say_one(struct actor *me)
{
	say_sized(me, 8);
}
void say_large(struct actor *me)
{
	say_sized(me, LARGE);
}

void say_three(struct actor *me)
{
	unsigned char bytes[3][16];
	struct mdg_message many[3];
	uint32_t number = atomic_load(&books->trying);
	for (uint32_t i = 0; i < 3; i++)
		many[i] = (struct mdg_message){ .data = bytes[i],
			                        .size = write_number(bytes[i], 16, number + i) };
	atomic_store(&books->trying, number + 3);
	MUST_RC(3, mdg_channel_send_many(me->talks, many, 3, GRACE));
	atomic_store(&books->sent, number + 3);
}

/* Not sent before it is committed. */
static void reserve_sized(struct actor *me, size_t size)
{
	uint32_t number = atomic_load(&books->trying);
	atomic_store(&books->never[number], 1);
	atomic_store(&books->trying, number + 1);
	MUST_RC(0, mdg_channel_reserve(me->talks, size, &me->place, GRACE));
	write_number(me->place, size, number);
}

void reserve(struct actor *me)
{
	reserve_sized(me, 8);
}
void reserve_large(struct actor *me)
{
	reserve_sized(me, LARGE);
}

/* A talker knows of room only after it has sent something, and takes the short way from then on. */
static void say_and_reserve(struct actor *me)
{
	say_one(me);
	reserve(me);
}

static void commit_sized(struct actor *me, size_t size)
{
	uint32_t number = atomic_load(&books->trying) - 1;
	atomic_store(&books->never[number], 0);
	MUST_RC(0, mdg_channel_commit(me->talks, size));
	atomic_store(&books->sent, number + 1);
}

static void commit(struct actor *me)
{
	commit_sized(me, 8);
}

static void reserve_three(struct actor *me)
{
	uint32_t number = atomic_load(&books->trying);
	for (uint32_t i = 0; i < 3; i++) {
		me->many[i] = (struct mdg_message){ .size = 80 };
		atomic_store(&books->never[number + i], 1);
	}
	atomic_store(&books->trying, number + 3);
	MUST_RC(3, mdg_channel_reserve_many(me->talks, me->many, 3, GRACE));
}

/* Of three reserved the first two, and shorter. */
static void commit_two(struct actor *me)
{
	uint32_t number = atomic_load(&books->trying) - 3;
	for (uint32_t i = 0; i < 2; i++) {
		me->many[i].size = write_number(me->many[i].data, 8, number + i);
		atomic_store(&books->never[number + i], 0);
	}
	MUST_RC(0, mdg_channel_commit_many(me->talks, me->many, 2));
	atomic_store(&books->sent, number + 3);
}

void cancel(struct actor *me)
{
	MUST_RC(0, mdg_channel_cancel(me->talks));
	atomic_store(&books->sent, atomic_load(&books->trying));
}

/* What another sends comes behind it. */
static void reserve_before_another(struct actor *me)
{
	reserve_large(me);
	me->other = points_open(MDG_TALKER);
	struct actor other = { .talks = me->other };
	say_one(&other);
}

static void commit_before_another(struct actor *me)
{
	uint32_t number = atomic_load(&books->trying) - 2;
	atomic_store(&books->never[number], 0);
	atomic_store(&books->sent, number); /* in doubt, and so the one behind it is not all */
	MUST_RC(0, mdg_channel_commit(me->talks, 8));
	atomic_store(&books->sent, number + 2);
}

static void send_in_vain(struct actor *me)
{
	unsigned char bytes[CAPACITY];
	uint32_t number = atomic_load(&books->trying);
	atomic_store(&books->never[number], 1);
	atomic_store(&books->trying, number + 1);
	write_number(bytes, CAPACITY, number);
	MUST_RC(-ETIMEDOUT, mdg_channel_send(me->talks, bytes, CAPACITY, mdg_deadline(5000000)));
}

/* ---- receiving -------------------------------------------------------------------------- */

static void take_some(struct actor *me, unsigned count)
{
	atomic_store(&books->taking, count);
	int rc = count == 1 ? mdg_channel_peek(me->listens, me->many, GRACE)
	                    : mdg_channel_peek_many(me->listens, me->many, count, GRACE);
	MUST(rc == (count == 1 ? 0 : (int)count));
	me->held = count;
	atomic_fetch_add(&books->peeked, count);
	atomic_store(&books->taking, 0);
}

void take_one(struct actor *me)
{
	take_some(me, 1);
}
static void take_two(struct actor *me)
{
	take_some(me, 2);
}

static void give_back(struct actor *me)
{
	atomic_store(&books->releasing, atomic_load(&books->peeked));
	MUST_RC(0, mdg_channel_release(me->listens));
	atomic_store(&books->released, atomic_load(&books->peeked));
}

static void receive_some(struct actor *me, unsigned count)
{
	unsigned char bytes[2][CAPACITY];
	for (unsigned i = 0; i < 2; i++)
		me->many[i] = (struct mdg_message){ .data = bytes[i], .size = CAPACITY };
	atomic_store(&books->receiving, count);
	int rc = count == 1 ? mdg_channel_recv(me->listens, bytes[0], CAPACITY, me->many, GRACE)
	                    : mdg_channel_recv_many(me->listens, me->many, count, GRACE);
	MUST(count == 1 ? rc >= 0 : rc == (int)count);
	atomic_fetch_add(&books->peeked, count);
	atomic_store(&books->releasing, atomic_load(&books->peeked));
	atomic_store(&books->released, atomic_load(&books->peeked));
	atomic_store(&books->receiving, 0);
}

void receive_one(struct actor *me)
{
	receive_some(me, 1);
}
void receive_two(struct actor *me)
{
	receive_some(me, 2);
}

/* Takes what a dead listener held. The books note it as given to a process that is dead. */
static void adopt_one(struct actor *me)
{
	MUST_RC(0, mdg_channel_peek(me->listens, me->many, GRACE));
}

static void adopt_two(struct actor *me)
{
	MUST_RC(2, mdg_channel_peek_many(me->listens, me->many, 2, GRACE));
}

/* Of a topic: what was there before. */
static void skip_all(struct actor *me)
{
	while (mdg_channel_peek(me->listens, me->many, 0) == 0)
		MUST_RC(0, mdg_channel_release(me->listens));
}

static void receive_in_vain(struct actor *me)
{
	struct mdg_message message;
	MUST_RC(-ETIMEDOUT, mdg_channel_peek(me->listens, &message, mdg_deadline(5000000)));
}

static void poll_in_vain(struct actor *me)
{
	struct mdg_message message;
	MUST(mdg_channel_fd(me->listens) >= 0);
	MUST_RC(-EAGAIN, mdg_channel_peek(me->listens, &message, 0));
}

/* ---- coming and going ------------------------------------------------------------------- */

static void open_talker(struct actor *me)
{
	me->talks = points_open(MDG_TALKER);
}
static void open_listener(struct actor *me)
{
	me->listens = points_open(MDG_LISTENER);
}

/* What is held goes to others, what is reserved is cancelled. */
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

static void be_removed(struct actor *me)
{
	(void)me;
	points_remove();
}

/* One that died with something of each. */
static void die_with_all(struct actor *me)
{
	me->talks = points_open(MDG_TALKER);
	me->listens = points_open(MDG_LISTENER);
	take_two(me);
	reserve_large(me);
}

static void die_holding(struct actor *me)
{
	me->listens = points_open(MDG_LISTENER);
	take_two(me);
}

/* ---- others ----------------------------------------------------------------------------- */

void count_message(const struct mdg_message *message)
{
	uint32_t words[2] = { UINT32_MAX, 0 };
	if (message->size >= sizeof words)
		memcpy(words, message->data, sizeof words);
	if (words[0] == BEFORE && words[1] == ~words[0]) {
		MUST(scene->kind == MDG_TOPIC); /* in other kinds they were received before */
		return;
	}
	if (words[0] >= NUMBERS || words[1] != ~words[0]) {
		complain("a message that nobody sent, of %u bytes", (unsigned)message->size);
		return;
	}
	const unsigned char *bytes = message->data;
	for (size_t i = sizeof words; i < message->size; i++)
		MUST(bytes[i] == (words[0] & 0xff));
	atomic_fetch_add(&books->got[words[0]], 1);
	atomic_fetch_add(&books->missed, message->missed);
	if ((message->flags & MDG_REDELIVERED) != 0)
		atomic_fetch_add(&books->marked[words[0]], 1);
}

void hear_all(mdg_channel *listens)
{
	uint64_t next = 0;
	do {
		struct mdg_message message;
		int rc = mdg_channel_peek(listens, &message, GRACE);
		if (rc < 0) {
			complain("who listens is told %d (%s)", rc, mdg_strerror(rc));
			return;
		}
		count_message(&message);
		bool again = (message.flags & MDG_REDELIVERED) != 0;
		MUST(again || message.sequence >= next);
		next = again ? next : message.sequence + 1;
		MUST_RC(0, mdg_channel_release(listens));
	} while (atomic_load(&books->got[NUMBERS - 1]) == 0);
}

static void sleep_and_hear(struct actor *me)
{
	me->listens = points_open(MDG_LISTENER);
	atomic_store(&books->asleep, 1);
	hear_all(me->listens);
	mdg_channel_close(me->listens);
}

static void poll_and_hear(struct actor *me)
{
	me->listens = points_open(MDG_LISTENER);
	struct pollfd ask = { .fd = mdg_channel_fd(me->listens), .events = POLLIN };
	MUST(ask.fd >= 0);
	atomic_store(&books->asleep, 1);
	while (atomic_load(&books->got[NUMBERS - 1]) == 0) {
		struct mdg_message message;
		if (poll(&ask, 1, 20000) != 1) {
			complain("who polls hears nothing");
			return;
		}
		while (mdg_channel_peek(me->listens, &message, 0) == 0) {
			count_message(&message);
			MUST_RC(0, mdg_channel_release(me->listens));
		}
	}
	mdg_channel_close(me->listens);
}

/* ---- the scenes ------------------------------------------------------------------------- */

/* A ring has 576 bytes, and a message that goes through before takes 32 of them. So 18 of these are
 * a lap, and from the second one on there are old messages everywhere. */

enum { T = MDG_TALKER, L = MDG_LISTENER };

const struct scene ring_scenes[] = {
	{ "send", ALL, T, 22, 1, .operate = say_one, .least = 5 },
	{ "send-again", ALL, T, 22, 1, .prepare = say_one, .operate = say_one, .least = 5 },
	{ "send-wraps", ALL, T, 34, 0, .operate = say_large, .least = 9 },
	{ "send-many", ALL, T, 38, 0, .operate = say_three, .least = 9 },
	{ "commit", ALL, T, 22, 1, .prepare = reserve, .operate = commit, .least = 4 },
	{ "commit-again", STREAM, T, 22, 1, .prepare = say_and_reserve, .operate = commit,
	  .least = 5 },
	{ "commit-short", ALL, T, 34, 1, .prepare = reserve_large, .operate = commit, .least = 4 },
	{ "commit-two", ALL, T, 35, 0, .prepare = reserve_three, .operate = commit_two,
	  .least = 6 },
	{ "cancel", SHARED, T, 34, 1, .prepare = reserve_large, .operate = cancel, .least = 1 },
	/* A stream's listener has not seen anything of it. */
	{ "cancel", STREAM, T, 34, 1, .prepare = reserve_large, .operate = cancel },
	{ "leave-reserving", ALL, T, 34, 1, .prepare = reserve_large, .operate = leave,
	  .least = 4 },
	{ "come-to-talk", ALL, 0, 23, 1, .operate = open_talker, .least = 12 },
	{ "make", STREAM | QUEUE, 0, 0, 0, .operate = open_talker, .zeros = true, .least = 20 },
	{ "make-listening", QUEUE, 0, 0, 0, .operate = open_listener, .zeros = true, .least = 20 },
	{ "remove", STREAM | QUEUE, 0, 3, 1, .operate = be_removed, .gone = true, .least = 1 },

	/* A topic's listener that waits for others stores nothing when it takes. */
	{ "take", ALL, L, 3, 3, .operate = take_one },
	{ "take-two", ALL, L, 38, 3, .operate = take_two },
	{ "release", ALL, L, 3, 3, .prepare = take_two, .operate = give_back, .least = 2 },
	{ "receive", ALL, L, 3, 3, .operate = receive_one, .least = 3 },
	{ "receive-two", ALL, L, 38, 3, .operate = receive_two, .least = 3 },
	{ "leave-holding", ALL, L, 3, 3, .prepare = take_two, .operate = leave, .least = 4 },
	{ "come-to-listen", ALL, 0, 3, 1, .operate = open_listener, .least = 12 },
	/* On a slow machine the deadline may pass before it says that it sleeps. */
	{ "wait", ALL, L, 3, 0, .prepare = skip_all, .operate = receive_in_vain },
	{ "poll", ALL, L, 3, 0, .prepare = skip_all, .operate = poll_in_vain, .least = 2 },

	/* Where there may be other talkers. */
	{ "reserve", SHARED, T, 22, 1, .operate = reserve, .least = 7 },
	{ "reserve-wraps", SHARED, T, 34, 0, .operate = reserve_large, .least = 9 },
	{ "reserve-three", SHARED, T, 35, 0, .operate = reserve_three, .least = 9 },
	{ "cancel-before-another", SHARED, T, 34, 0, .prepare = reserve_before_another,
	  .operate = cancel, .least = 3 },
	{ "commit-before-another", SHARED, T, 34, 0, .prepare = reserve_before_another,
	  .operate = commit_before_another, .least = 4 },

	{ "bury", STREAM | QUEUE, 0, 9, 3, .dying = die_with_all, .operate = look, .least = 6 },
	/* Or the sleeper has buried it before. */
	{ "bury", TOPIC | OVERWRITE, 0, 3, 3, .dying = die_with_all, .operate = look },
	{ "adopt", QUEUE, L, 18, 3, .dying = die_holding, .operate = adopt_one, .least = 6 },
	{ "adopt-two", QUEUE, L, 18, 3, .dying = die_holding, .operate = adopt_two, .least = 6 },
	{ "full", STREAM | QUEUE, T, 3, 10, .operate = send_in_vain },
	{ "make-room", TOPIC | OVERWRITE, T, 44, 0, .operate = say_large, .least = 9 },

	{ "wake", STREAM | QUEUE, T, 23, 0, .operate = say_one, .sleeper = sleep_and_hear,
	  .least = 7 },
	{ "wake-many", STREAM | QUEUE, T, 23, 0, .operate = say_three, .sleeper = sleep_and_hear,
	  .least = 9 },
	{ "wake-poll", ALL, T, 23, 0, .operate = say_one, .sleeper = poll_and_hear, .least = 7 },
	{ "make-room-poll", TOPIC, T, 44, 0, .operate = say_large, .sleeper = poll_and_hear,
	  .least = 9 },
	{ .name = NULL }
};

const struct family families[] = { { "stream", STREAM, MDG_STREAM, 0, NULL },
	                           { "queue", QUEUE, MDG_QUEUE, 0, NULL },
	                           /* Fresh listeners cannot know what there was. */
	                           { "topic", TOPIC, MDG_TOPIC, MDG_FULL_WAIT, sleep_and_hear },
	                           { "overwrite", OVERWRITE, MDG_TOPIC, MDG_FULL_OVERWRITE,
	                             sleep_and_hear },
	                           { "call", CALL, MDG_CALL, 0, NULL },
	                           { .name = NULL } };
