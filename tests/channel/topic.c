/* SPDX-License-Identifier: MIT */
/*
 * topic.c - what only a topic does.
 *
 * Each message goes to every listener. A new listener begins where it wants to. Talkers wait for
 * the slowest listener, or overtake it and it is told how many messages it missed.
 */
#include "channel/handles.h"

enum { CAPACITY = 2048, MANY = 4 };

static _Atomic uint32_t *word;

static mdg_channel *topic(unsigned role, unsigned full, unsigned from)
{
	struct mdg_channel_options options = options_of(MDG_TOPIC, CAPACITY);
	options.full = full;
	options.from = from;
	return enter_as("topic", role, &options);
}

static mdg_channel *talker(unsigned full)
{
	return topic(MDG_TALKER, full, 0);
}

static mdg_channel *listener(unsigned full)
{
	return topic(MDG_LISTENER, full, MDG_FROM_NEXT);
}

/* ---- to every listener ------------------------------------------------------------------ */

static void to_each(unsigned full)
{
	mdg_channel *talks[2] = { talker(full), talker(full) }, *listens[MANY];
	unsigned sent = 0, heard[MANY] = { 0 };
	for (unsigned i = 0; i < MANY; i++)
		listens[i] = listener(full);
	for (unsigned step = 0; step < 3000; step++) {
		unsigned which = draw(MANY + 3);
		unsigned slowest = heard[0];
		for (unsigned i = 1; i < MANY; i++)
			slowest = heard[i] < slowest ? heard[i] : slowest;
		if (which < MANY && heard[which] < sent) {
			CHECK(hears(listens[which], heard[which] % 300, heard[which]));
			heard[which]++;
		} else if (which < MANY) {
			CHECK(hears_nothing(listens[which]));
		} else if (sent - slowest < 4) { /* so that nobody is overtaken */
			CHECK_RC(0, says(talks[which % 2], sent % 300, sent, 0));
			sent++;
		}
	}
	for (unsigned i = 0; i < MANY; i++) {
		for (; heard[i] < sent; heard[i]++)
			CHECK(hears(listens[i], heard[i] % 300, heard[i]));
		CHECK(hears_nothing(listens[i]));
		mdg_channel_close(listens[i]);
	}
	mdg_channel_close(talks[0]);
	mdg_channel_close(talks[1]);
	remove_channel("topic");
}

/* All hold the same one, at the same place. */
static void held_by_all(unsigned full)
{
	mdg_channel *talks = talker(full), *listens[MANY];
	struct mdg_message message[MANY];
	for (unsigned i = 0; i < MANY; i++)
		listens[i] = listener(full);
	CHECK_RC(0, says(talks, 100, 1, 0));
	for (unsigned i = 0; i < MANY; i++) {
		CHECK_RC(0, mdg_channel_peek(listens[i], &message[i], 0));
		CHECK(message[i].sequence == 0 && message[i].data == message[0].data);
	}
	for (unsigned i = 0; i < MANY; i++) {
		CHECK(is_filled(message[i].data, 100, 1));
		CHECK_RC(0, mdg_channel_release(listens[i]));
		mdg_channel_close(listens[i]);
	}
	mdg_channel_close(talks);
	remove_channel("topic");
}

/* ---- where one begins ------------------------------------------------------------------- */

static void begins(unsigned full)
{
	mdg_channel *talks = talker(full);
	mdg_channel *next = topic(MDG_LISTENER, full, MDG_FROM_NEXT);
	mdg_channel *oldest = topic(MDG_LISTENER, full, MDG_FROM_OLDEST);
	mdg_channel *last = topic(MDG_LISTENER, full, MDG_FROM_LAST);
	CHECK(hears_nothing(next) && hears_nothing(oldest) && hears_nothing(last));
	for (unsigned i = 0; i < 5; i++)
		CHECK_RC(0, says(talks, 10, i, 0));
	for (unsigned i = 0; i < 5; i++)
		CHECK(hears(next, 10, i) && hears(oldest, 10, i) && hears(last, 10, i));
	mdg_channel_close(next);
	mdg_channel_close(oldest);
	mdg_channel_close(last);
	/* Now there is something. */
	next = topic(MDG_LISTENER, full, MDG_FROM_NEXT);
	oldest = topic(MDG_LISTENER, full, MDG_FROM_OLDEST);
	last = topic(MDG_LISTENER, full, MDG_FROM_LAST);
	CHECK(hears_nothing(next));
	for (unsigned i = 0; i < 5; i++)
		CHECK(hears(oldest, 10, i));
	CHECK(hears(last, 10, 4));
	CHECK_RC(0, says(talks, 10, 5, 0));
	CHECK(hears(next, 10, 5) && hears(oldest, 10, 5) && hears(last, 10, 5));
	CHECK(hears_nothing(next) && hears_nothing(oldest) && hears_nothing(last));
	mdg_channel_close(next);
	mdg_channel_close(oldest);
	mdg_channel_close(last);
	mdg_channel_close(talks);
	remove_channel("topic");
}

/* Nobody listens: nobody is waited for, and the latest are kept. */
static void nobody_listens(unsigned full)
{
	enum { SENT = 500 };
	mdg_channel *talks = talker(full);
	for (unsigned i = 0; i < SENT; i++)
		CHECK_RC(0, says(talks, 100, i, 0));
	mdg_channel *oldest = topic(MDG_LISTENER, full, MDG_FROM_OLDEST);
	mdg_channel *last = topic(MDG_LISTENER, full, MDG_FROM_LAST);
	struct mdg_message message;
	CHECK(hears(last, 100, SENT - 1));
	CHECK(hears_nothing(last));
	uint64_t kept = info_of(talks).waiting;
	CHECK(kept >= CAPACITY / 148 && kept < SENT);
	for (uint64_t i = SENT - kept; i < SENT; i++) {
		CHECK_RC(0, mdg_channel_peek(oldest, &message, 0));
		CHECK(message.sequence == i && message.missed == 0);
		CHECK(message.size == 100 && is_filled(message.data, 100, i));
		CHECK_RC(0, mdg_channel_release(oldest));
	}
	CHECK(hears_nothing(oldest));
	mdg_channel_close(oldest);
	mdg_channel_close(last);
	mdg_channel_close(talks);
	remove_channel("topic");
}

static uint32_t record_of(uint32_t size)
{
	return (16 + size + 15) / 16 * 16; /* bytes: src/channel/layout.h */
}

/* The latest messages are kept, as many as the capacity promises if none is larger than three
 * quarters of it. A large one comes where just too little is left of the ring. */
static void keeps_its_capacity(unsigned full, uint64_t capacity)
{
	enum { OVER = 48, LATEST = 128, LARGE = SLOWLY ? 5 : 20 }; /* madang/channel.h: OVER */
	struct mdg_channel_options options = options_of(MDG_TOPIC, capacity);
	options.full = full;
	mdg_channel *talks = enter_as("topic", MDG_TALKER, &options);
	uint32_t size[LATEST], sent = 0, large = 0, next = (uint32_t)capacity / 4 * 3;
	while (large < LARGE && check_failures == 0) {
		struct mdg_channel_info info = info_of(talks);
		uint32_t rest = (uint32_t)(info.room - info.bytes % info.room),
			 most = record_of(next);
		bool is_there = rest < most && rest + 16 >= most;
		uint32_t its = is_there ? next : draw(draw(20) == 0 ? next - 30 : 20);
		if (rest >= most && rest - most + 16 < record_of(its))
			its = rest - most; /* and there it is */
		size[sent++ % LATEST] = its;
		CHECK_RC(0, says(talks, its, sent, 0));
		uint64_t kept = 0, left = capacity;
		for (; kept < sent && left >= size[(sent - kept - 1) % LATEST] + OVER; kept++)
			left -= size[(sent - kept - 1) % LATEST] + OVER;
		CHECK(info_of(talks).waiting >= kept);
		large += is_there;
		next = is_there ? (uint32_t)capacity / 4 * 3 - draw(40) : next;
	}
	mdg_channel_close(talks);
	remove_channel("topic");
}

/* The last message is found also behind what was cancelled. */
static void last_behind_cancelled(unsigned full)
{
	mdg_channel *talks = talker(full), *other = talker(full);
	void *place = NULL;
	for (unsigned round = 0; round < 60; round++) {
		CHECK_RC(0, says(talks, 50, round, 0));
		CHECK_RC(0, mdg_channel_reserve(talks, 700, &place, 0));
		CHECK_RC(0, mdg_channel_reserve(other, round % 2 == 0 ? 10 : 300, &place, 0));
		CHECK_RC(0, mdg_channel_cancel(talks));
		CHECK_RC(0, mdg_channel_cancel(other));
		mdg_channel *last = topic(MDG_LISTENER, full, MDG_FROM_LAST);
		CHECK(hears(last, 50, round));
		CHECK(hears_nothing(last));
		mdg_channel_close(last);
	}
	mdg_channel_close(talks);
	mdg_channel_close(other);
	remove_channel("topic");
}

/* ---- the slowest is waited for ---------------------------------------------------------- */

static void slowest_is_waited_for(void)
{
	mdg_channel *talks = talker(MDG_FULL_WAIT);
	mdg_channel *slow = listener(MDG_FULL_WAIT), *quick = listener(MDG_FULL_WAIT);
	for (unsigned round = 0; round < 10; round++) {
		unsigned count = 0, first = 0;
		while (says(talks, 100, count, 0) == 0 && count < 1000) {
			CHECK(hears(quick, 100, count));
			count++;
		}
		CHECK(count >= CAPACITY / 148 && count < 1000);
		CHECK_RC(-ETIMEDOUT, says(talks, 100, count, mdg_deadline(1000000)));
		struct mdg_channel_info info = info_of(talks);
		CHECK(info.missed == 0 && info.waiting >= count);
		if (round % 3 == 0) { /* leaves */
			mdg_channel_close(slow);
			slow = listener(MDG_FULL_WAIT);
			first = count;
		}
		for (; first < count; first++)
			CHECK(hears(slow, 100, first));
		CHECK_RC(0, says(talks, 100, 7, 0));
		CHECK(hears(slow, 100, 7));
		CHECK(hears(quick, 100, 7));
	}
	mdg_channel_close(slow);
	mdg_channel_close(quick);
	mdg_channel_close(talks);
	remove_channel("topic");
}

static void die_slow(void *argument)
{
	const bool *holds = argument;
	mdg_channel *slow = listener(0);
	atomic_store(word, 1);
	if (*holds)
		CHECK_RC(0, mdg_channel_peek(slow, &(struct mdg_message){ 0 }, GRACE));
	atomic_store(word, check_failures == 0 ? 2 : 9);
	for (;;)
		pause();
}

/* Its place is freed. */
static void slowest_dies(unsigned full)
{
	mdg_channel *talks = talker(full);
	for (int i = 0; i < 2; i++) {
		bool holds = i == 1;
		unsigned count = 0;
		atomic_store(word, 0);
		pid_t pid = start(die_slow, &holds);
		CHECK(reaches(word, 1));
		CHECK_RC(0, says(talks, 10, 0, 0));
		CHECK(reaches(word, 2) && atomic_load(word) == 2);
		while (says(talks, 100, count, 0) == 0 && count < 500)
			count++;
		CHECK((count < 500) == (full == MDG_FULL_WAIT || holds));
		killed(pid);
		for (unsigned j = 0; j < 100; j++)
			CHECK_RC(0, says(talks, 100, j, GRACE));
		CHECK(info_of(talks).listeners == 0);
	}
	mdg_channel_close(talks);
	remove_channel("topic");
}

/* ---- overtaken -------------------------------------------------------------------------- */

/* Received and missed together are what was sent, at every moment. */
static void missed_is_exact(void)
{
	mdg_channel *talks = talker(MDG_FULL_OVERWRITE), *listens[2];
	uint64_t sent = 0, next[2] = { 0 }, missed[2] = { 0 };
	for (int i = 0; i < 2; i++)
		listens[i] = listener(MDG_FULL_OVERWRITE);
	for (unsigned step = 0; step < 4000 && check_failures == 0; step++) {
		unsigned which = draw(2);
		for (unsigned i = draw(step / 200 % 2 == 0 ? 3 : 60); i > 0; i--, sent++)
			CHECK_RC(0, says(talks, (size_t)(sent % 400), sent, 0));
		struct mdg_message message;
		unsigned char bytes[400];
		int rc = step % 2 == 0 ? mdg_channel_recv(listens[which], bytes, sizeof bytes,
		                                          &message, 0)
		                       : mdg_channel_peek(listens[which], &message, 0);
		if (next[which] == sent) {
			CHECK_RC(-EAGAIN, rc);
			continue;
		}
		CHECK(rc >= 0 && message.sequence == next[which] + message.missed);
		CHECK(message.size == message.sequence % 400);
		CHECK(is_filled(message.data, message.size, message.sequence));
		next[which] = message.sequence + 1;
		missed[which] += message.missed;
		if (step % 2 != 0)
			CHECK_RC(0, mdg_channel_release(listens[which]));
		if (step % 50 == 0) {
			struct mdg_peer peers[3] = { { .size = sizeof peers[0] } };
			CHECK_RC(3, mdg_channel_peers(talks, peers, 3));
			uint64_t sum = 0;
			for (int i = 0; i < 3; i++)
				sum += peers[i].missed;
			CHECK(sum == missed[0] + missed[1] && info_of(talks).missed == sum);
		}
	}
	CHECK(missed[0] > 100 && missed[1] > 100);
	mdg_channel_close(listens[0]);
	mdg_channel_close(listens[1]);
	mdg_channel_close(talks);
	remove_channel("topic");
}

/* Only what is held at that moment is waited for, and stays as it is. */
static void held_is_not_overwritten(void)
{
	mdg_channel *talks = talker(MDG_FULL_OVERWRITE), *listens = listener(MDG_FULL_OVERWRITE);
	for (unsigned round = 0; round < 30; round++) {
		struct mdg_message held[3], message;
		uint64_t first = info_of(talks).sequence;
		unsigned many = 1 + round % 3, count = 0;
		for (unsigned i = 0; i < 3; i++)
			CHECK_RC(0, says(talks, 100, i, 0));
		CHECK_RC((int)many, mdg_channel_peek_many(listens, held, many, 0));
		CHECK(held[0].sequence == first && held[0].missed == 0);
		while (says(talks, 130, count, 0) == 0 && count < 1000)
			count++;
		CHECK(count < 1000);
		CHECK_RC(-ETIMEDOUT, says(talks, 130, count, mdg_deadline(300000)));
		for (unsigned i = 0; i < many; i++)
			CHECK(held[i].size == 100 && is_filled(held[i].data, 100, i));
		CHECK_RC(0, mdg_channel_release(listens));
		for (unsigned i = 0; i < 200; i++)
			CHECK_RC(0, says(talks, 130, 9, 0));
		CHECK_RC(0, mdg_channel_peek(listens, &message, 0));
		CHECK(message.missed > 0 && message.sequence == first + many + message.missed);
		CHECK_RC(0, mdg_channel_release(listens));
		mdg_channel_close(listens);
		listens = listener(MDG_FULL_OVERWRITE);
	}
	mdg_channel_close(listens);
	mdg_channel_close(talks);
	remove_channel("topic");
}

static void release_later(void *argument)
{
	mdg_channel *listens = listener(0);
	struct mdg_message held;
	(void)argument;
	atomic_store(word, 1);
	CHECK_RC(0, mdg_channel_peek(listens, &held, GRACE));
	atomic_store(word, 2);
	CHECK(reaches(word, 3));
	CHECK(is_filled(held.data, 100, 1));
	CHECK_RC(0, mdg_channel_release(listens));
	mdg_channel_close(listens);
}

/* The talker sleeps meanwhile and is woken. */
static void waits_for_release(unsigned full)
{
	mdg_channel *talks = talker(full);
	atomic_store(word, 0);
	pid_t pid = start(release_later, NULL);
	CHECK(reaches(word, 1));
	CHECK_RC(0, says(talks, 100, 1, 0));
	CHECK(reaches(word, 2));
	while (says(talks, 100, 2, 0) == 0)
		;
	atomic_store(word, 3);
	CHECK_RC(0, says(talks, 100, 2, GRACE));
	CHECK(ended_well(pid));
	mdg_channel_close(talks);
	remove_channel("topic");
}

/* ---- as fast as they can ---------------------------------------------------------------- */

enum { SENT = SLOWLY ? 4000 : 40000, LISTENERS = 2 };

static void listen_to_all(void *argument)
{
	const unsigned *full = argument;
	unsigned char bytes[400];
	struct mdg_message message = { 0 };
	mdg_channel *listens = listener(*full);
	uint64_t next = 0, missed = 0, got = 0;
	atomic_fetch_add(word, 1);
	while (next < SENT && check_failures == 0) {
		bool peeks = got % 3 == 0;
		int rc = peeks ? mdg_channel_peek(listens, &message, GRACE)
		               : mdg_channel_recv(listens, bytes, sizeof bytes, &message, GRACE);
		CHECK(rc >= 0 && message.sequence == next + message.missed);
		CHECK(message.size == message.sequence % 400);
		CHECK(is_filled(message.data, message.size, message.sequence));
		if (peeks)
			CHECK_RC(0, mdg_channel_release(listens));
		next = message.sequence + 1;
		missed += message.missed;
		got++;
	}
	CHECK(next == SENT && got + missed == SENT);
	CHECK(missed == 0 || *full == MDG_FULL_OVERWRITE);
	mdg_channel_close(listens);
}

static void at_full_speed(unsigned full)
{
	mdg_channel *talks = talker(full);
	pid_t pid[LISTENERS];
	atomic_store(word, 0);
	for (unsigned i = 0; i < LISTENERS; i++)
		pid[i] = start(listen_to_all, &full);
	CHECK(reaches(word, LISTENERS));
	for (uint64_t i = 0; i < SENT && check_failures == 0; i++)
		CHECK_RC(0, says(talks, (size_t)(i % 400), i, GRACE));
	for (unsigned i = 0; i < LISTENERS; i++)
		CHECK(ended_well(pid[i]));
	mdg_channel_close(talks);
	remove_channel("topic");
}

int main(void)
{
	word = shared_memory(sizeof *word);
	open_namespace();
	for (unsigned full = MDG_FULL_WAIT; full <= MDG_FULL_OVERWRITE; full++) {
		to_each(full);
		held_by_all(full);
		begins(full);
		nobody_listens(full);
		for (uint64_t capacity = 128; capacity <= 4096; capacity += 64)
			keeps_its_capacity(full, capacity);
		last_behind_cancelled(full);
		slowest_dies(full);
		waits_for_release(full);
		at_full_speed(full);
	}
	slowest_is_waited_for();
	missed_is_exact();
	held_is_not_overwritten();
	mdg_namespace_close(ns);
	return test_result();
}
