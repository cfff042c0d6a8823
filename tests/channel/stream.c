/* SPDX-License-Identifier: MIT */
/*
 * stream.c - what only a stream does.
 *
 * It has one talker and one listener, and others may follow them. Messages are kept while nobody
 * listens. What was given out and not released comes again, marked.
 */
#include "channel/handles.h"

enum { CAPACITY = 1024 };

static _Atomic uint32_t *word;

static mdg_channel *talker(void)
{
	return talker_of("stream", MDG_STREAM, CAPACITY);
}

static mdg_channel *listener(void)
{
	return listener_of("stream", MDG_STREAM, CAPACITY);
}

static void two_of_a_kind(void)
{
	mdg_channel *talks = talker(), *listens = listener(), *second = NULL;
	struct mdg_channel_options options = options_of(MDG_STREAM, 0);
	CHECK_RC(-EBUSY, mdg_channel_open(&second, ns, "stream", MDG_TALKER, &options));
	CHECK_RC(-EBUSY, mdg_channel_open(&second, ns, "stream", MDG_LISTENER, &options));
	CHECK(second == NULL);
	CHECK_RC(0, mdg_channel_open(&second, ns, "stream", MDG_OBSERVER, &options));
	mdg_channel_close(second);
	mdg_channel_close(talks);
	talks = talker();
	CHECK_RC(0, says(talks, 10, 1, 0));
	mdg_channel_close(listens);
	listens = listener();
	CHECK(hears(listens, 10, 1));
	mdg_channel_close(listens);
	mdg_channel_close(talks);
	remove_channel("stream");
}

/* Talker and listener, one after the other, none together. */
static void kept(void)
{
	unsigned next = 0, heard = 0;
	for (unsigned round = 0; round < 20; round++) {
		mdg_channel *talks = talker();
		for (unsigned i = 0; i < 3; i++, next++)
			CHECK_RC(0, says(talks, 50, next, 0));
		mdg_channel_close(talks);
		mdg_channel *listens = listener();
		for (unsigned i = 0; i < 3; i++, heard++)
			CHECK(hears(listens, 50, heard));
		CHECK(hears_nothing(listens));
		mdg_channel_close(listens);
	}
	mdg_channel *looks = enter("stream", MDG_OBSERVER, MDG_STREAM, 0);
	CHECK(info_of(looks).sequence == next && info_of(looks).waiting == 0);
	mdg_channel_close(looks);
	remove_channel("stream");
}

/* Held when the handle was closed: the next one gets it again, and knows. */
static void left_holding(void)
{
	mdg_channel *talks = talker(), *listens = listener();
	struct mdg_message messages[3];
	for (unsigned i = 0; i < 6; i++)
		CHECK_RC(0, says(talks, 20, i, 0));
	CHECK(hears(listens, 20, 0));
	CHECK_RC(3, mdg_channel_peek_many(listens, messages, 3, 0));
	mdg_channel_close(listens);
	listens = listener();
	for (unsigned i = 1; i < 4; i++)
		CHECK(hears_with(listens, 20, i, MDG_REDELIVERED));
	CHECK(hears(listens, 20, 4));
	CHECK(hears(listens, 20, 5));
	CHECK(hears_nothing(listens));
	mdg_channel_close(listens);
	mdg_channel_close(talks);
	remove_channel("stream");
}

static void die_listening(void *argument)
{
	const unsigned *held = argument;
	mdg_channel *listens = listener();
	struct mdg_message messages[8];
	CHECK(hears(listens, 20, 0));
	CHECK_RC((int)*held, mdg_channel_peek_many(listens, messages, *held, 0));
	if (check_failures != 0)
		_exit(1);
	die();
}

static void listener_killed(void)
{
	mdg_channel *talks = talker();
	for (unsigned held = 1; held < 4; held++) {
		for (unsigned i = 0; i < 6; i++)
			CHECK_RC(0, says(talks, 20, i, 0));
		CHECK(WIFSIGNALED(ended(start(die_listening, &held))));
		mdg_channel *listens = listener();
		for (unsigned i = 1; i < 6; i++)
			CHECK(hears_with(listens, 20, i, i <= held ? MDG_REDELIVERED : 0));
		CHECK(hears_nothing(listens));
		mdg_channel_close(listens);
	}
	mdg_channel_close(talks);
	remove_channel("stream");
}

static void die_talking(void *argument)
{
	const unsigned *way = argument;
	struct mdg_message many[3] = { { .size = 30 }, { .size = 40 }, { .size = 50 } };
	mdg_channel *talks = talker();
	void *place = NULL;
	CHECK_RC(0, says(talks, 30, 0, 0));
	if (*way == 0)
		CHECK_RC(0, mdg_channel_reserve(talks, CAPACITY / 2, &place, 0));
	else
		CHECK_RC(3, mdg_channel_reserve_many(talks, many, 3, 0));
	fill(*way == 0 ? place : many[0].data, 30, 1);
	if (check_failures != 0)
		_exit(1);
	die();
}

/* What was not committed never appears; what was, stays; and nobody has to wait. */
static void talker_killed(void)
{
	mdg_channel *listens = listener();
	for (unsigned round = 0; round < 12; round++) {
		unsigned way = round % 2;
		CHECK(WIFSIGNALED(ended(start(die_talking, &way))));
		CHECK(hears(listens, 30, 0));
		CHECK(hears_nothing(listens));
		mdg_channel *talks = talker();
		CHECK_RC(0, says(talks, 70, 2, 0));
		CHECK(hears(listens, 70, 2));
		mdg_channel_close(talks);
	}
	mdg_channel_close(listens);
	remove_channel("stream");
}

/* The one who listens next finds room again for who waits. */
static void wait_for_room(void *argument)
{
	mdg_channel *talks = talker();
	unsigned count = 0;
	(void)argument;
	while (says(talks, 100, count, 0) == 0)
		count++;
	atomic_store(word + 1, count + 1);
	atomic_store(word, 1);
	CHECK_RC(0, says(talks, 100, count, GRACE));
	mdg_channel_close(talks);
}

static void listener_comes_late(void)
{
	atomic_store(word, 0);
	pid_t pid = start(wait_for_room, NULL);
	sleeps_after(pid, word);
	mdg_channel *listens = listener();
	for (unsigned i = 0; i < atomic_load(word + 1); i++)
		CHECK(hears(listens, 100, i));
	CHECK(ended_well(pid));
	mdg_channel_close(listens);
	remove_channel("stream");
}

/* Without options a stream is what one gets. */
static void by_default(void)
{
	mdg_channel *talks = NULL, *listens = NULL;
	CHECK_RC(0, mdg_channel_open(&talks, ns, "stream", MDG_TALKER, NULL));
	CHECK_RC(0, mdg_channel_open(&listens, ns, "stream", MDG_LISTENER, NULL));
	struct mdg_channel_info info = info_of(talks);
	CHECK(info.kind == MDG_STREAM && info.full == MDG_FULL_WAIT);
	CHECK(info.capacity == MDG_CAPACITY_DEFAULT && info.peers == MDG_PEERS_DEFAULT);
	CHECK_RC(0, says(talks, MDG_CAPACITY_DEFAULT, 1, 0));
	CHECK(hears(listens, MDG_CAPACITY_DEFAULT, 1));
	mdg_channel_close(talks);
	mdg_channel_close(listens);
	mdg_channel_close(NULL);
	remove_channel("stream");
}

int main(void)
{
	word = shared_memory(2 * sizeof *word);
	open_namespace();
	by_default();
	two_of_a_kind();
	kept();
	left_holding();
	listener_killed();
	talker_killed();
	listener_comes_late();
	mdg_namespace_close(ns);
	return test_result();
}
