/* SPDX-License-Identifier: MIT */
/*
 * messages.c - the rules of sending and receiving that a stream, a queue and a topic have in
 * common: what is reserved and held, too little room, batches, who may do what, fork.
 */
#include "channel/handles.h"

enum { SMALL = 1024 };

/* ---- in place --------------------------------------------------------------------------- */

static void reservation(unsigned kind)
{
	struct pair pair = make_pair(kind, SMALL);
	struct mdg_message many[3] = { { .size = 10 }, { .size = 20 }, { .size = 30 } };
	void *place = NULL, *second = &place;
	CHECK_RC(-EINVAL, mdg_channel_commit(pair.talker, 0));
	CHECK_RC(-EINVAL, mdg_channel_cancel(pair.talker));
	CHECK_RC(-EINVAL, mdg_channel_commit_many(pair.talker, many, 1));
	CHECK_RC(0, mdg_channel_reserve(pair.talker, 100, &place, 0));
	fill(place, 100, 5);
	CHECK_RC(-EBUSY, mdg_channel_reserve(pair.talker, 10, &second, GRACE));
	CHECK_RC(-EBUSY, mdg_channel_reserve_many(pair.talker, many, 2, GRACE));
	CHECK_RC(-EBUSY, mdg_channel_send(pair.talker, "x", 1, GRACE));
	CHECK_RC(-EBUSY, mdg_channel_send_many(pair.talker, many, 2, GRACE));
	CHECK(second == &place && many[0].data == NULL);
	CHECK_RC(-EINVAL, mdg_channel_commit(pair.talker, 101));
	CHECK(hears_nothing(pair.listener));
	CHECK_RC(0, mdg_channel_commit(pair.talker, 64));
	CHECK_RC(-EINVAL, mdg_channel_commit(pair.talker, 0));
	CHECK_RC(-EINVAL, mdg_channel_cancel(pair.talker));
	CHECK(hears(pair.listener, 64, 5));
	CHECK_RC(0, mdg_channel_reserve(pair.talker, SMALL, &place, 0));
	CHECK_RC(0, mdg_channel_cancel(pair.talker));
	CHECK(hears_nothing(pair.listener));
	/* A reservation that is left behind is cancelled. */
	CHECK_RC(0, mdg_channel_reserve(pair.talker, 100, &place, 0));
	mdg_channel_close(pair.talker);
	CHECK(hears_nothing(pair.listener));
	pair.talker = talker_of("pair", kind, 0);
	CHECK_RC(3, mdg_channel_reserve_many(pair.talker, many, 3, 0));
	mdg_channel_close(pair.talker);
	CHECK(hears_nothing(pair.listener));
	pair.talker = talker_of("pair", kind, 0);
	CHECK_RC(0, says(pair.talker, 33, 6, 0));
	CHECK(hears(pair.listener, 33, 6));
	end_pair(pair);
}

/* At every place of the ring, the listener having looked as far as it can. */
static void cancelled_anywhere(unsigned kind)
{
	struct pair pair = make_pair(kind, SMALL);
	void *place;
	for (unsigned i = 0; i < 200 && check_failures == 0; i++) {
		struct mdg_message many[2] = { { .size = i % 7 * 100 }, { .size = 300 } };
		if (i % 2 == 0)
			CHECK_RC(0, mdg_channel_reserve(pair.talker, i % 10 * 100, &place, 0));
		else
			CHECK_RC(2, mdg_channel_reserve_many(pair.talker, many, 2, 0));
		CHECK(hears_nothing(pair.listener));
		CHECK_RC(0, mdg_channel_cancel(pair.talker));
		if (i % 3 == 0)
			CHECK(hears_nothing(pair.listener));
		CHECK_RC(0, says(pair.talker, i % 90, i, 0));
		CHECK(hears(pair.listener, i % 90, i));
	}
	end_pair(pair);
}

static void holding(unsigned kind)
{
	struct pair pair = make_pair(kind, SMALL);
	struct mdg_message held = { 0 }, other = { .size = 4711 };
	unsigned char bytes[100];
	CHECK_RC(-EINVAL, mdg_channel_release(pair.listener));
	CHECK_RC(0, says(pair.talker, 100, 0, 0));
	CHECK_RC(0, says(pair.talker, 100, 1, 0));
	CHECK_RC(0, mdg_channel_peek(pair.listener, &held, 0));
	CHECK_RC(-EBUSY, mdg_channel_peek(pair.listener, &other, GRACE));
	CHECK_RC(-EBUSY, mdg_channel_peek_many(pair.listener, &other, 1, GRACE));
	CHECK_RC(-EBUSY, mdg_channel_recv(pair.listener, bytes, sizeof bytes, &other, GRACE));
	CHECK_RC(-EBUSY, mdg_channel_recv_many(pair.listener, &other, 1, GRACE));
	CHECK(other.size == 4711);
	/* It stays as it is, whatever is sent. */
	for (unsigned i = 0; i < 100 && says(pair.talker, 100, 77, 0) == 0; i++)
		;
	CHECK(held.size == 100 && is_filled(held.data, 100, 0));
	CHECK_RC(0, mdg_channel_release(pair.listener));
	CHECK_RC(-EINVAL, mdg_channel_release(pair.listener));
	CHECK(hears(pair.listener, 100, 1));
	end_pair(pair);
}

static void too_little_room(unsigned kind)
{
	struct pair pair = make_pair(kind, SMALL);
	unsigned char bytes[200] = { 0 }, more[200];
	struct mdg_message message = { .size = 4711 };
	struct mdg_message many[2] = { { .data = bytes, .size = 99 },
		                       { .data = more, .size = 99 } };
	CHECK_RC(0, says(pair.talker, 100, 0, 0));
	CHECK_RC(0, says(pair.talker, 50, 1, 0));
	CHECK_RC(0, says(pair.talker, 100, 2, 0));
	CHECK_RC(-EMSGSIZE, mdg_channel_recv(pair.listener, bytes, 99, &message, GRACE));
	CHECK(message.size == 100);
	CHECK_RC(-EMSGSIZE, mdg_channel_recv(pair.listener, NULL, 0, NULL, GRACE));
	CHECK_RC(-EMSGSIZE, mdg_channel_recv_many(pair.listener, many, 2, GRACE));
	CHECK(bytes[0] == 0 && bytes[98] == 0);
	CHECK_RC(-EINVAL, mdg_channel_release(pair.listener)); /* it is not held */
	CHECK_RC(100, mdg_channel_recv(pair.listener, bytes, 100, NULL, GRACE));
	CHECK(is_filled(bytes, 100, 0) && bytes[100] == 0);
	many[0] = (struct mdg_message){ .data = bytes, .size = 50 };
	many[1] = (struct mdg_message){ .data = more, .size = 99 };
	CHECK_RC(1, mdg_channel_recv_many(pair.listener, many, 2, GRACE));
	CHECK(many[0].size == 50 && is_filled(bytes, 50, 1));
	CHECK(hears(pair.listener, 100, 2));
	end_pair(pair);
}

/* ---- batches ---------------------------------------------------------------------------- */

static void batches(unsigned kind)
{
	enum { COUNT = 10 };
	struct pair pair = make_pair(kind, SMALL);
	struct mdg_message many[COUNT] = { { 0 } };
	unsigned char bytes[COUNT][64];
	CHECK_RC(-EINVAL, mdg_channel_send_many(pair.talker, many, 0, 0));
	CHECK_RC(-EINVAL, mdg_channel_send_many(pair.talker, many, MDG_MANY_MAX + 1, 0));
	CHECK_RC(-EINVAL, mdg_channel_reserve_many(pair.talker, many, 0, 0));
	CHECK_RC(-EINVAL, mdg_channel_reserve_many(pair.talker, many, MDG_MANY_MAX + 1, 0));
	CHECK_RC(-EINVAL, mdg_channel_recv_many(pair.listener, many, 0, 0));
	CHECK_RC(-EINVAL, mdg_channel_peek_many(pair.listener, many, MDG_MANY_MAX + 1, 0));
	for (unsigned i = 0; i < COUNT; i++) {
		fill(bytes[i], i, i);
		many[i] = (struct mdg_message){ .data = bytes[i], .size = i };
	}
	CHECK_RC(COUNT, mdg_channel_send_many(pair.talker, many, COUNT, 0));
	memset(many, 0, sizeof many);
	CHECK_RC(4, mdg_channel_peek_many(pair.listener, many, 4, 0));
	for (unsigned i = 0; i < 4; i++)
		CHECK(many[i].size == i && many[i].sequence == i && is_filled(many[i].data, i, i));
	CHECK_RC(0, mdg_channel_release(pair.listener));
	for (unsigned i = 0; i < COUNT; i++)
		many[i] = (struct mdg_message){ .data = bytes[i], .size = sizeof bytes[i] };
	CHECK_RC(COUNT - 4, mdg_channel_recv_many(pair.listener, many, COUNT, GRACE));
	for (unsigned i = 4; i < COUNT; i++)
		CHECK(many[i - 4].size == i && many[i - 4].sequence == i &&
		      is_filled(bytes[i - 4], i, i));
	/* Reserved together; some become smaller, some are cancelled. */
	for (unsigned i = 0; i < COUNT; i++)
		many[i] = (struct mdg_message){ .size = 40 };
	CHECK_RC(COUNT, mdg_channel_reserve_many(pair.talker, many, COUNT, 0));
	CHECK_RC(-EBUSY, mdg_channel_send(pair.talker, "x", 1, 0));
	for (unsigned i = 0; i < COUNT; i++) {
		many[i].size = i;
		fill(many[i].data, i, i);
	}
	CHECK_RC(-EINVAL, mdg_channel_commit_many(pair.talker, many, COUNT + 1));
	many[2].size = 41;
	CHECK_RC(-EINVAL, mdg_channel_commit_many(pair.talker, many, COUNT));
	many[2].size = 2;
	CHECK(hears_nothing(pair.listener));
	CHECK_RC(0, mdg_channel_commit_many(pair.talker, many, 7));
	CHECK_RC(-EINVAL, mdg_channel_commit_many(pair.talker, many, 7));
	for (unsigned i = 0; i < 7; i++)
		CHECK(hears(pair.listener, i, i));
	CHECK(hears_nothing(pair.listener));
	CHECK_RC(0, says(pair.talker, 12, 12, 0));
	CHECK(hears(pair.listener, 12, 12));
	end_pair(pair);
}

/* ---- who may ---------------------------------------------------------------------------- */

/* Whatever a role of sending and of receiving cannot do. */
static void all_sending_is(int code, mdg_channel *channel)
{
	struct mdg_message message = { .data = &message, .size = 0 };
	void *place = NULL;
	CHECK_RC(code, mdg_channel_send(channel, "", 0, 0));
	CHECK_RC(code, mdg_channel_send_many(channel, &message, 1, 0));
	CHECK_RC(code, mdg_channel_reserve(channel, 0, &place, 0));
	CHECK_RC(code, mdg_channel_reserve_many(channel, &message, 1, 0));
	CHECK_RC(code, mdg_channel_commit(channel, 0));
	CHECK_RC(code, mdg_channel_commit_many(channel, &message, 1));
	CHECK_RC(code, mdg_channel_cancel(channel));
}

static void all_receiving_is(int code, mdg_channel *channel)
{
	unsigned char byte;
	struct mdg_message message = { .data = &byte, .size = 1 };
	CHECK_RC(code, mdg_channel_recv(channel, &byte, 1, NULL, 0));
	CHECK_RC(code, mdg_channel_recv_many(channel, &message, 1, 0));
	CHECK_RC(code, mdg_channel_peek(channel, &message, 0));
	CHECK_RC(code, mdg_channel_peek_many(channel, &message, 1, 0));
	CHECK_RC(code, mdg_channel_release(channel));
	CHECK_RC(code, mdg_channel_fd(channel));
}

static int call(mdg_channel *channel)
{
	unsigned char byte = 0;
	return mdg_channel_call(channel, &byte, 1, &byte, 1, NULL, 0);
}

static void roles(unsigned kind)
{
	struct pair pair = make_pair(kind, SMALL);
	mdg_channel *observer = enter("pair", MDG_OBSERVER, kind, 0);
	all_sending_is(-EPERM, pair.listener);
	all_receiving_is(-EPERM, pair.talker);
	all_sending_is(-EPERM, observer);
	all_receiving_is(-EPERM, observer);
	CHECK_RC(-EPERM, call(pair.talker));
	CHECK_RC(-EPERM, call(pair.listener));
	CHECK_RC(-EPERM, call(observer));
	CHECK_RC(0, says(pair.talker, 5, 5, 0));
	CHECK(hears(pair.listener, 5, 5));
	mdg_channel_close(observer);
	end_pair(pair);
}

static void in_forked_child(void *argument)
{
	struct pair *pair = argument;
	struct mdg_channel_info info = { .size = sizeof info };
	struct mdg_peer peer = { .size = sizeof peer };
	struct mdg_peer_event event = { .size = sizeof event };
	for (int i = 0; i < 2; i++) {
		mdg_channel *channel = i == 0 ? pair->talker : pair->listener;
		all_sending_is(-EPERM, channel);
		all_receiving_is(-EPERM, channel);
		CHECK_RC(-EPERM, call(channel));
		CHECK_RC(-EPERM, mdg_channel_look(channel, &info));
		CHECK_RC(-EPERM, mdg_channel_peers(channel, &peer, 1));
		CHECK_RC(-EPERM, mdg_channel_event(channel, &event, 0));
		mdg_channel_close(channel);
	}
}

static void forked(unsigned kind)
{
	struct pair pair = make_pair(kind, SMALL);
	struct mdg_message held = { 0 };
	void *place = NULL;
	CHECK_RC(0, says(pair.talker, 100, 0, 0));
	CHECK_RC(0, mdg_channel_peek(pair.listener, &held, 0));
	CHECK_RC(0, mdg_channel_reserve(pair.talker, 100, &place, 0));
	CHECK(in_child(in_forked_child, &pair));
	CHECK(info_of(pair.talker).talkers == 1 && info_of(pair.talker).listeners == 1);
	fill(place, 100, 1);
	CHECK_RC(0, mdg_channel_commit(pair.talker, 100));
	CHECK(is_filled(held.data, 100, 0));
	CHECK_RC(0, mdg_channel_release(pair.listener));
	CHECK(hears(pair.listener, 100, 1));
	end_pair(pair);
}

int main(void)
{
	open_namespace();
	for (unsigned kind = MDG_STREAM; kind <= MDG_TOPIC; kind++) {
		int before = check_failures;
		reservation(kind);
		cancelled_anywhere(kind);
		holding(kind);
		too_little_room(kind);
		batches(kind);
		roles(kind);
		forked(kind);
		if (check_failures != before)
			fprintf(stderr, "of kind %u\n", kind);
	}
	mdg_namespace_close(ns);
	return test_result();
}
