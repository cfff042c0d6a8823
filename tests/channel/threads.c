/* SPDX-License-Identifier: MIT */
/*
 * threads.c - threads of one process in one channel, each with handles of its own, on one mapping:
 * for ThreadSanitizer. In every preset the sums are checked.
 *
 * What is sent lies in plain memory of the channel. It is written before the commit, and read after
 * the peek. So if a message is shown with too little ordering, or overwritten before its listener
 * has released it, the sanitizer sees a race.
 */
#include "channel/handles.h"

/* Handles are closed when all threads have ended: the sanitizer does not see that what one unmaps
 * and another maps in the same place is not the same memory. */
static mdg_channel *opened[16];
static _Atomic uint32_t opened_count;

enum { TALKERS = 3, LISTENERS = 3, CAPACITY = 2048, EACH = SLOWLY ? 1200 : 6000 };

static unsigned kind, full;
static _Atomic uint32_t got, asked, listening, talking;
static _Atomic uint64_t sum_sent, sum_got;

static mdg_channel *enter_thread(unsigned role)
{
	mdg_channel *channel = enter("threads", role, kind, 0);
	opened[atomic_fetch_add(&opened_count, 1)] = channel;
	return channel;
}

/* A few words: each is the number plus its place. */
static size_t words_of(uint32_t number)
{
	return 2 + number % 60 + (number % 50 == 0 ? 200 : 0);
}

static void write_words(void *data, uint32_t number)
{
	uint32_t *words = data;
	for (uint32_t i = 0; i < words_of(number); i++)
		words[i] = number + i;
}

static uint64_t read_words(const struct mdg_message *message)
{
	const uint32_t *words = message->data;
	uint32_t number = words[0];
	if (!CHECK(message->size == words_of(number) * sizeof *words))
		return 0;
	for (uint32_t i = 0; i < words_of(number); i++)
		if (!CHECK(words[i] == number + i))
			return 0;
	return number;
}

static void *talk(void *argument)
{
	uint32_t first = 1000000u * (uint32_t)(uintptr_t)argument;
	mdg_channel *talks = enter_thread(MDG_TALKER);
	for (uint32_t number = first; number < first + EACH && check_failures == 0; number++) {
		uint32_t words[300];
		size_t size = words_of(number) * sizeof words[0];
		void *place = words;
		if (number % 2 == 0)
			CHECK_RC(0, mdg_channel_reserve(talks, size, &place, GRACE));
		write_words(place, number);
		CHECK_RC(0, number % 2 == 0 ? mdg_channel_commit(talks, size)
		                            : mdg_channel_send(talks, words, size, GRACE));
		atomic_fetch_add(&sum_sent, number);
	}
	atomic_fetch_sub(&talking, 1);
	return NULL;
}

static void *listen(void *argument)
{
	unsigned which = (unsigned)(uintptr_t)argument;
	mdg_channel *listens = enter_thread(MDG_LISTENER);
	uint64_t missed = 0, count = 0, first = UINT64_MAX, next = 0;
	atomic_fetch_add(&listening, 1);
	for (unsigned round = which; check_failures == 0; round++) {
		struct mdg_message message;
		uint32_t words[300];
		bool peeks = round % 2 == 0, last = atomic_load(&talking) == 0;
		uint64_t deadline = last ? 0 : mdg_deadline(2000000);
		int rc = peeks ? mdg_channel_peek(listens, &message, deadline)
		               : mdg_channel_recv(listens, words, sizeof words, &message, deadline);
		if (rc == -EAGAIN || rc == -ETIMEDOUT) {
			if (last)
				break;
			continue;
		}
		CHECK(rc >= 0);
		first = first == UINT64_MAX ? message.sequence - message.missed : first;
		next = message.sequence + 1;
		missed += message.missed;
		count++;
		atomic_fetch_add(&sum_got, read_words(&message));
		if (peeks)
			CHECK_RC(0, mdg_channel_release(listens));
	}
	if (kind == MDG_TOPIC && count > 0)
		CHECK(next - first == count + missed);
	atomic_fetch_add(&got, (uint32_t)(count + missed));
	return NULL;
}

static void *ask(void *argument)
{
	uint32_t first = 1000000u * (uint32_t)(uintptr_t)argument;
	mdg_channel *calls = enter_thread(MDG_TALKER);
	for (uint32_t number = first; number < first + EACH / 2 && check_failures == 0; number++) {
		uint32_t words[300], back[300];
		struct mdg_message reply = { 0 };
		write_words(words, number);
		size_t size = words_of(number) * sizeof words[0];
		int rc = mdg_channel_call(calls, words, size, back, sizeof back, &reply, GRACE);
		CHECK(rc >= 0 && read_words(&reply) == number + 7);
		atomic_fetch_add(&asked, 1);
	}
	atomic_fetch_sub(&talking, 1);
	return NULL;
}

static void *serve(void *argument)
{
	mdg_channel *serves = enter_thread(MDG_LISTENER);
	atomic_fetch_add(&listening, 1);
	while (atomic_load(&talking) > 0 && check_failures == 0) {
		struct mdg_message message;
		void *place = NULL;
		int rc = mdg_channel_peek(serves, &message, mdg_deadline(2000000));
		if (rc == -ETIMEDOUT)
			continue;
		CHECK_RC(0, rc);
		uint32_t number = (uint32_t)read_words(&message) + 7;
		size_t size = words_of(number) * sizeof number;
		CHECK_RC(0, mdg_channel_reserve(serves, size, &place, GRACE));
		write_words(place, number);
		CHECK_RC(0, mdg_channel_commit(serves, size));
		atomic_fetch_add(&got, 1);
	}
	(void)argument;
	return NULL;
}

/* Looks at everybody, all the time. */
static void *look(void *argument)
{
	mdg_channel *looks = enter_thread(MDG_OBSERVER);
	(void)argument;
	while (atomic_load(&talking) > 0 && check_failures == 0) {
		struct mdg_peer peers[10] = { { .size = sizeof peers[0] } };
		struct mdg_peer_event event = { .size = sizeof event };
		struct mdg_channel_info info = info_of(looks);
		CHECK(info.talkers <= TALKERS && info.listeners <= LISTENERS);
		CHECK(mdg_channel_peers(looks, peers, 10) >= 0);
		int rc = mdg_channel_event(looks, &event, mdg_deadline(1000000));
		CHECK(rc == 0 || rc == -ETIMEDOUT);
	}
	return NULL;
}

static void run(unsigned as_kind, unsigned as_full)
{
	pthread_t thread[TALKERS + LISTENERS + 1];
	struct mdg_channel_options options = options_of(as_kind, CAPACITY);
	unsigned talkers = as_kind == MDG_STREAM ? 1 : TALKERS, count = 0;
	unsigned listeners = as_kind == MDG_STREAM ? 1 : LISTENERS;
	kind = as_kind;
	full = as_full;
	options.full = full;
	mdg_channel *looks = enter_as("threads", MDG_OBSERVER, &options);
	got = asked = listening = 0;
	sum_sent = sum_got = 0;
	talking = talkers;
	for (unsigned i = 0; i < listeners; i++)
		CHECK(pthread_create(&thread[count++], NULL, kind == MDG_CALL ? serve : listen,
		                     (void *)(uintptr_t)i) == 0);
	CHECK(reaches(&listening, listeners));
	for (unsigned i = 0; i < talkers; i++)
		CHECK(pthread_create(&thread[count++], NULL, kind == MDG_CALL ? ask : talk,
		                     (void *)(uintptr_t)(i + 1)) == 0);
	CHECK(pthread_create(&thread[count++], NULL, look, NULL) == 0);
	for (unsigned i = 0; i < count; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	for (uint32_t i = 0; i < opened_count; i++)
		mdg_channel_close(opened[i]);
	opened_count = 0;
	if (kind == MDG_CALL)
		CHECK(asked == talkers * (EACH / 2) && got == asked);
	else if (full != MDG_FULL_OVERWRITE)
		CHECK(sum_got == sum_sent * (kind == MDG_TOPIC ? listeners : 1));
	if (kind == MDG_TOPIC)
		CHECK(got <= talkers * EACH * listeners);
	if (kind == MDG_STREAM || kind == MDG_QUEUE)
		CHECK(got == talkers * EACH);
	CHECK(info_of(looks).talkers == 0 && info_of(looks).listeners == 0);
	mdg_channel_close(looks);
	remove_channel("threads");
}

/* ---- a reply that is begun and taken back --------------------------------------------------- */

enum { LOOKS = SLOWLY ? 200000 : 4000000 };
static _Atomic bool looked_enough;

static void *hesitate(void *argument)
{
	mdg_channel *serves = argument;
	struct mdg_message request;
	CHECK(mdg_channel_peek(serves, &request, MDG_FOREVER) == 0);
	while (!looked_enough && check_failures == 0) {
		void *place;
		CHECK(mdg_channel_reserve(serves, 8, &place, 0) == 0);
		CHECK(mdg_channel_cancel(serves) == 0);
	}
	CHECK(mdg_channel_send(serves, "done", 4, MDG_FOREVER) == 0);
	return NULL;
}

/* A caller that looks all the time sees nothing of it, whichever moment it looks at. */
static void taken_back(void)
{
	struct pair pair = make_pair(MDG_CALL, 0);
	pthread_t server;
	char reply[8];
	CHECK(pthread_create(&server, NULL, hesitate, pair.listener) == 0);
	CHECK(mdg_channel_send(pair.talker, "ask", 3, MDG_FOREVER) == 0);
	for (int i = 0; i < LOOKS && check_failures == 0; i++)
		CHECK(mdg_channel_recv(pair.talker, reply, sizeof reply, NULL, 0) == -EAGAIN);
	looked_enough = true;
	CHECK(mdg_channel_recv(pair.talker, reply, sizeof reply, NULL, MDG_FOREVER) == 4);
	CHECK(pthread_join(server, NULL) == 0);
	end_pair(pair);
}

int main(void)
{
	open_namespace();
	run(MDG_STREAM, 0);
	run(MDG_QUEUE, 0);
	run(MDG_TOPIC, MDG_FULL_WAIT);
	run(MDG_TOPIC, MDG_FULL_OVERWRITE);
	run(MDG_CALL, 0);
	taken_back();
	mdg_namespace_close(ns);
	return test_result();
}
