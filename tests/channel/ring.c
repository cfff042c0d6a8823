/* SPDX-License-Identifier: MIT */
/*
 * ring.c - messages of all sizes through a stream, a queue and a topic: at every place of the ring,
 * by every way of sending and receiving, compared with a model; and what a capacity promises.
 *
 * What only one kind does is in stream.c, queue.c, topic.c and call.c.
 */
#include "channel/handles.h"

enum { CAPACITY = 4096, SMALL = 1024 };
enum { OVER = 48 }; /* what a message counts more than its size: madang/channel.h */

/* ---- sizes ------------------------------------------------------------------------------ */

static void one_size(struct pair pair, size_t size, uint64_t *sequence)
{
	static unsigned char bytes[LETTER_MOST];
	struct mdg_message message;
	void *place = NULL;
	/* Copied in and out. */
	CHECK_RC(0, says(pair.talker, size, size, 0));
	CHECK_RC((int)size, mdg_channel_recv(pair.listener, bytes, size, &message, 0));
	CHECK(message.sequence == (*sequence)++ && message.size == size && message.data == bytes);
	CHECK(message.missed == 0 && message.flags == 0 && is_filled(bytes, size, size));
	/* Made and looked at in place. */
	CHECK_RC(0, mdg_channel_reserve(pair.talker, size, &place, 0));
	CHECK((uintptr_t)place % 16 == 0);
	fill(place, size, size + 1);
	CHECK(hears_nothing(pair.listener));
	CHECK_RC(0, mdg_channel_commit(pair.talker, size));
	memset(&message, 0xa5, sizeof message);
	CHECK_RC(0, mdg_channel_peek(pair.listener, &message, 0));
	CHECK(message.sequence == (*sequence)++ && message.size == size);
	CHECK(message.missed == 0 && message.flags == 0 && is_filled(message.data, size, size + 1));
	CHECK_RC(0, mdg_channel_release(pair.listener));
}

static void sizes(unsigned kind)
{
	static const size_t some[] = { 0,
		                       1,
		                       15,
		                       16,
		                       17,
		                       47,
		                       48,
		                       49,
		                       63,
		                       64,
		                       65,
		                       111,
		                       112,
		                       113,
		                       127,
		                       128,
		                       129,
		                       1007,
		                       1008,
		                       1009,
		                       1023,
		                       1024,
		                       1025,
		                       CAPACITY - 65,
		                       CAPACITY - 64,
		                       CAPACITY - 1,
		                       CAPACITY };
	static unsigned char large[CAPACITY + 1];
	struct pair pair = make_pair(kind, CAPACITY);
	struct mdg_message message = { .data = large, .size = CAPACITY + 1 };
	uint64_t sequence = 0;
	void *place = large;
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
			one_size(pair, some[i], &sequence);
	CHECK_RC(-EMSGSIZE, mdg_channel_send(pair.talker, large, CAPACITY + 1, GRACE));
	CHECK_RC(-EMSGSIZE, mdg_channel_send(pair.talker, large, SIZE_MAX, GRACE));
	CHECK_RC(-EMSGSIZE, mdg_channel_reserve(pair.talker, CAPACITY + 1, &place, GRACE));
	CHECK_RC(-EMSGSIZE, mdg_channel_reserve(pair.talker, SIZE_MAX - 15, &place, GRACE));
	CHECK(place == large);
	CHECK_RC(-EMSGSIZE, mdg_channel_send_many(pair.talker, &message, 1, GRACE));
	CHECK_RC(-EMSGSIZE, mdg_channel_reserve_many(pair.talker, &message, 1, GRACE));
	CHECK(hears_nothing(pair.listener));
	CHECK(info_of(pair.talker).sequence == sequence);
	CHECK_RC(0, mdg_channel_send(pair.talker, NULL, 0, 0));
	CHECK_RC(0, mdg_channel_recv(pair.listener, NULL, 0, NULL, 0));
	end_pair(pair);
}

/* ---- round and round -------------------------------------------------------------------- */

enum { FLIGHT_MOST = 256, BATCH = 5 };

/* A ring, and the model that it is compared with. */
struct flight {
	struct pair pair;
	size_t capacity, room; /* of what is in it, with OVER for each */
	size_t nothing, rest;  /* of that, behind the last one sent, and the last one received */
	uint64_t sent, received, cancelled;
	struct flown {
		size_t size, before, rest;
		uint64_t cancelled;
	} message[FLIGHT_MOST];
	uint64_t last; /* the sequence of what was received last, plus one */
};

static struct flown *flown(struct flight *flight, uint64_t number)
{
	return &flight->message[number % FLIGHT_MOST];
}

/* What was cancelled, or reserved and not used, takes its room until the listener has come by. */
static void flies(struct flight *flight, size_t size, size_t reserved)
{
	struct flown flies = { size, flight->nothing, reserved - size, flight->cancelled };
	flight->room += reserved + OVER;
	flight->nothing = 0;
	*flown(flight, flight->sent++) = flies;
}

static void is_cancelled(struct flight *flight, size_t size)
{
	flight->cancelled++;
	flight->nothing += size + OVER;
	flight->room += size + OVER;
}

/* There may be no room only when the capacity is used up, with OVER for each message. */
static bool full_rightly(const struct flight *flight, size_t size)
{
	return CHECK(flight->room > 0) && CHECK(flight->room + size + OVER > flight->capacity);
}

static void lands(struct flight *flight, const struct mdg_message *message)
{
	uint64_t number = flight->received++;
	struct flown *as = flown(flight, number);
	CHECK(message->size == as->size && is_filled(message->data, as->size, number));
	CHECK(message->missed == 0 && message->flags == 0);
	/* Numbers go up, and only those of cancelled messages may be missing. */
	CHECK(message->sequence >= flight->last && message->sequence >= number);
	CHECK(message->sequence <= number + as->cancelled);
	flight->last = message->sequence + 1;
	flight->room -= flight->rest + as->before + as->size + OVER;
	flight->rest = as->rest;
}

static size_t some_size(const struct flight *flight)
{
	uint32_t most = draw(4) == 0 ? (uint32_t)flight->capacity
	                             : (uint32_t)(flight->capacity < 200 ? flight->capacity : 200);
	return draw(most + 1);
}

static void talk_one(struct flight *flight)
{
	size_t size = some_size(flight), less = size - draw((uint32_t)size + 1);
	unsigned way = draw(3);
	void *place;
	int rc = way == 0 ? says(flight->pair.talker, size, flight->sent, 0)
	                  : mdg_channel_reserve(flight->pair.talker, size, &place, 0);
	if (rc == -EAGAIN) {
		(void)full_rightly(flight, size);
		return;
	}
	CHECK_RC(0, rc);
	if (way == 0) {
		flies(flight, size, size);
	} else if (way == 1) {
		fill(place, less, flight->sent);
		CHECK_RC(0, mdg_channel_commit(flight->pair.talker, less));
		flies(flight, less, size);
	} else {
		fill(place, size, ~flight->sent);
		CHECK_RC(0, mdg_channel_cancel(flight->pair.talker));
		is_cancelled(flight, size);
	}
}

static void send_some(struct flight *flight, struct mdg_message *messages, unsigned count)
{
	static unsigned char bytes[BATCH][LETTER_MOST / 8];
	for (unsigned i = 0; i < count; i++) {
		messages[i].data = bytes[i];
		fill(bytes[i], messages[i].size, flight->sent + i);
	}
	int rc = mdg_channel_send_many(flight->pair.talker, messages, count, 0);
	if (rc == -EAGAIN)
		(void)full_rightly(flight, messages[0].size);
	else
		CHECK(rc >= 1 && rc <= (int)count);
	for (int i = 0; i < rc; i++)
		flies(flight, messages[i].size, messages[i].size);
	if (rc > 0 && rc < (int)count)
		(void)full_rightly(flight, messages[rc].size);
}

static void reserve_some(struct flight *flight, struct mdg_message *messages, unsigned count)
{
	int rc = mdg_channel_reserve_many(flight->pair.talker, messages, count, 0);
	if (rc == -EAGAIN) {
		(void)full_rightly(flight, messages[0].size);
		return;
	}
	if (!CHECK(rc >= 1 && rc <= (int)count))
		return;
	unsigned shown = draw((uint32_t)rc + 1);
	size_t reserved[BATCH] = { 0 };
	for (int i = 0; i < rc; i++)
		reserved[i] = messages[i].size;
	for (unsigned i = 0; i < shown; i++) {
		CHECK((uintptr_t)messages[i].data % 16 == 0);
		messages[i].size -= draw((uint32_t)messages[i].size + 1);
		fill(messages[i].data, messages[i].size, flight->sent + i);
	}
	if (shown == 0)
		CHECK_RC(0, mdg_channel_cancel(flight->pair.talker));
	else
		CHECK_RC(0, mdg_channel_commit_many(flight->pair.talker, messages, shown));
	for (unsigned i = 0; i < (unsigned)rc; i++) {
		if (i < shown)
			flies(flight, messages[i].size, reserved[i]);
		else
			is_cancelled(flight, reserved[i]);
	}
}

static void talk_some(struct flight *flight)
{
	struct mdg_message messages[BATCH];
	unsigned count = 1 + draw(BATCH);
	for (unsigned i = 0; i < count; i++)
		messages[i] = (struct mdg_message){ .size = some_size(flight) };
	(draw(2) == 0 ? send_some : reserve_some)(flight, messages, count);
}

static void listen_some(struct flight *flight)
{
	static unsigned char bytes[BATCH][LETTER_MOST / 8];
	struct mdg_message messages[BATCH] = { { 0 } };
	unsigned count = 1 + draw(BATCH), way = draw(4);
	mdg_channel *listener = flight->pair.listener;
	for (unsigned i = 0; i < count; i++)
		messages[i] = (struct mdg_message){ .data = bytes[i], .size = sizeof bytes[i] };
	int rc = way == 0   ? mdg_channel_recv(listener, bytes[0], sizeof bytes[0], messages, 0)
	         : way == 1 ? mdg_channel_peek(listener, messages, 0)
	         : way == 2 ? mdg_channel_recv_many(listener, messages, count, 0)
	                    : mdg_channel_peek_many(listener, messages, count, 0);
	if (flight->sent == flight->received) {
		CHECK_RC(-EAGAIN, rc);
		flight->room = flight->nothing = flight->rest = 0;
		return;
	}
	CHECK(rc >= 0 && rc != (way >= 2 ? 0 : -1));
	unsigned got = way < 2 ? 1 : (unsigned)rc;
	CHECK(got <= flight->sent - flight->received && (way < 2 || got <= count));
	for (unsigned i = 0; i < got && check_failures == 0; i++)
		lands(flight, &messages[i]);
	if (way == 1 || way == 3)
		CHECK_RC(0, mdg_channel_release(listener));
}

/* By every way of sending and receiving, at every place of the ring. */
static void round_and_round(unsigned kind, uint64_t capacity)
{
	enum { STEPS = SLOWLY ? 6000 : 20000 };
	static struct flight flight;
	struct mdg_channel_info info;
	flight = (struct flight){ .pair = make_pair(kind, capacity) };
	flight.capacity = (size_t)info_of(flight.pair.talker).capacity;
	CHECK(flight.capacity == (capacity + 63) / 64 * 64);
	for (unsigned step = 0; step < STEPS && check_failures == 0; step++) {
		bool most = flight.sent - flight.received > FLIGHT_MOST - 8;
		if (most || draw(2 + step / 500 % 2) == 0)
			listen_some(&flight);
		else
			(draw(2) == 0 ? talk_one : talk_some)(&flight);
	}
	info = info_of(flight.pair.listener);
	CHECK(info.sequence >= flight.sent && info.sequence <= flight.sent + flight.cancelled);
	CHECK(info.bytes > 50 * info.room);
	while (flight.received < flight.sent && check_failures == 0)
		listen_some(&flight);
	CHECK(hears_nothing(flight.pair.listener));
	end_pair(flight.pair);
}

/* What the capacity promises, from every place in the ring. */
static void holds_its_capacity(unsigned kind)
{
	struct pair pair = make_pair(kind, SMALL);
	for (size_t size = 0; size <= SMALL; size += size < 130 ? 13 : 111)
		for (unsigned place = 0; place < 40 && check_failures == 0; place++) {
			unsigned fit = (unsigned)(SMALL / (size + OVER));
			for (unsigned i = 0; i < (fit == 0 ? 1 : fit); i++)
				CHECK_RC(0, says(pair.talker, size, i, 0));
			for (unsigned i = 0; i < (fit == 0 ? 1 : fit); i++)
				CHECK(hears(pair.listener, size, i));
			CHECK_RC(0, says(pair.talker, 1, place, 0));
			CHECK(hears(pair.listener, 1, place));
		}
	end_pair(pair);
}

int main(void)
{
	open_namespace();
	for (unsigned kind = MDG_STREAM; kind <= MDG_TOPIC; kind++) {
		int before = check_failures;
		sizes(kind);
		round_and_round(kind, CAPACITY);
		round_and_round(kind, 1);
		round_and_round(kind, 200);
		holds_its_capacity(kind);
		if (check_failures != before)
			fprintf(stderr, "of kind %u\n", kind);
	}
	mdg_namespace_close(ns);
	return test_result();
}
