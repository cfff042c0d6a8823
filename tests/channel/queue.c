/* SPDX-License-Identifier: MIT */
/*
 * queue.c - what only a queue does.
 *
 * Each message goes to one of the listeners. What a listener held that left or died goes to another
 * one. Talkers can reserve side by side.
 */
#include "channel/handles.h"

enum { CAPACITY = 4096, MANY = 4 };

static _Atomic uint32_t *word;

static mdg_channel *talker(void)
{
	return talker_of("queue", MDG_QUEUE, CAPACITY);
}

static mdg_channel *listener(void)
{
	return listener_of("queue", MDG_QUEUE, CAPACITY);
}

static void close_all(mdg_channel **channels, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		mdg_channel_close(channels[i]);
}

/* Each to one; none twice. All hold theirs at the same time. */
static void each_to_one(void)
{
	mdg_channel *talks = talker(), *listens[MANY];
	struct mdg_message held[MANY];
	for (unsigned i = 0; i < MANY; i++)
		listens[i] = listener();
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned i = 0; i < MANY; i++)
			CHECK_RC(0, says(talks, 300, i, 0));
		for (unsigned i = 0; i < MANY; i++) {
			CHECK_RC(0, mdg_channel_peek(listens[i], &held[i], 0));
			CHECK(held[i].sequence == round * MANY + i && held[i].flags == 0);
			CHECK(is_filled(held[i].data, held[i].size, i));
		}
		/* Given back in another order. */
		for (unsigned i = 0; i < MANY; i++)
			CHECK_RC(0, mdg_channel_release(listens[(i + round) % MANY]));
	}
	for (unsigned i = 0; i < MANY; i++)
		CHECK(hears_nothing(listens[i]));
	close_all(listens, MANY);
	mdg_channel_close(talks);
	remove_channel("queue");
}

/* Kept while nobody listens, and from whom they are can be told. */
static void kept(void)
{
	mdg_channel *talks[MANY];
	struct mdg_peer peers[MANY + 1] = { { .size = sizeof peers[0] } };
	struct mdg_message message;
	unsigned char bytes[100];
	for (unsigned i = 0; i < MANY; i++)
		talks[i] = talker();
	for (unsigned i = 0; i < 3 * MANY; i++)
		CHECK_RC(0, says(talks[i % MANY], 100, i, 0));
	mdg_channel *listens = listener();
	CHECK_RC(MANY + 1, mdg_channel_peers(listens, peers, MANY + 1));
	uint32_t place[MANY] = { 0 };
	for (unsigned i = 0; i < 3 * MANY; i++) {
		CHECK_RC(100, mdg_channel_recv(listens, bytes, sizeof bytes, &message, 0));
		CHECK(is_filled(bytes, 100, i) && message.sequence == i);
		if (i < MANY)
			place[i] = message.talker;
		CHECK(message.talker == place[i % MANY]);
		bool found = false;
		for (unsigned j = 0; j < MANY + 1; j++)
			found = found || (peers[j].place == message.talker &&
			                  peers[j].role == MDG_TALKER && peers[j].count == 3);
		CHECK(found);
	}
	for (unsigned i = 1; i < MANY; i++)
		CHECK(place[i] != place[0]);
	close_all(talks, MANY);
	mdg_channel_close(listens);
	remove_channel("queue");
}

/* A message that is not finished is waited for; what others send meanwhile comes after it. */
static void reserved_side_by_side(void)
{
	mdg_channel *first = talker(), *second = talker(), *listens = listener();
	for (unsigned round = 0; round < 40; round++) {
		void *one = NULL, *other = NULL;
		CHECK_RC(0, mdg_channel_reserve(first, 500, &one, 0));
		CHECK_RC(0, mdg_channel_reserve(second, 200, &other, 0));
		fill(one, 500, 1);
		fill(other, 200, 2);
		CHECK_RC(0, mdg_channel_commit(second, 200));
		CHECK_RC(0, says(second, 10, 3, 0));
		CHECK(hears_nothing(listens));
		bool cancelled = round % 2 == 1;
		CHECK_RC(0, cancelled ? mdg_channel_cancel(first) : mdg_channel_commit(first, 500));
		if (!cancelled)
			CHECK(hears(listens, 500, 1));
		CHECK(hears(listens, 200, 2));
		CHECK(hears(listens, 10, 3));
		CHECK(hears_nothing(listens));
	}
	mdg_channel_close(first);
	mdg_channel_close(second);
	mdg_channel_close(listens);
	remove_channel("queue");
}

/* A number is missing for a message that was cancelled while others were sent. */
static void numbers(void)
{
	mdg_channel *first = talker(), *second = talker(), *listens = listener();
	struct mdg_message message;
	void *place;
	CHECK_RC(0, says(first, 1, 0, 0));
	CHECK_RC(0, mdg_channel_reserve(first, 100, &place, 0));
	CHECK_RC(0, says(second, 1, 0, 0));
	CHECK_RC(0, mdg_channel_cancel(first));
	CHECK_RC(0, says(second, 1, 0, 0));
	for (unsigned i = 0; i < 3; i++) {
		CHECK_RC(0, mdg_channel_peek(listens, &message, 0));
		CHECK(message.sequence == i + (i > 0) && message.missed == 0);
		CHECK_RC(0, mdg_channel_release(listens));
	}
	CHECK(info_of(first).sequence == 4);
	mdg_channel_close(first);
	mdg_channel_close(second);
	mdg_channel_close(listens);
	remove_channel("queue");
}

/* ---- what a listener held --------------------------------------------------------------- */

static void left_holding(void)
{
	mdg_channel *talks = talker(), *leaves = listener(), *stays = listener();
	struct mdg_message messages[3];
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 5; i++)
			CHECK_RC(0, says(talks, 200, i, 0));
		CHECK_RC(3, mdg_channel_peek_many(leaves, messages, 3, 0));
		CHECK(hears(stays, 200, 3));
		mdg_channel_close(leaves);
		unsigned seen = 0;
		for (unsigned i = 0; i < 4; i++) {
			CHECK_RC(0, mdg_channel_peek(stays, messages, 0));
			unsigned which = 0;
			while (which < 5 && !is_filled(messages->data, 200, which))
				which++;
			CHECK((messages->flags == MDG_REDELIVERED) == (which < 3));
			CHECK((seen & 1u << which) == 0);
			seen |= 1u << which;
			CHECK_RC(0, mdg_channel_release(stays));
		}
		CHECK(seen == 0x17);
		CHECK(hears_nothing(stays));
		leaves = listener();
	}
	mdg_channel_close(leaves);
	mdg_channel_close(stays);
	mdg_channel_close(talks);
	remove_channel("queue");
}

/* The message is too large for the buffer of one listener. It stays for this listener or
 * another. */
static void too_large_for_one(void)
{
	mdg_channel *talks = talker(), *one = listener(), *other = listener();
	unsigned char byte;
	CHECK_RC(0, says(talks, 100, 1, 0));
	CHECK_RC(0, says(talks, 100, 2, 0));
	CHECK_RC(-EMSGSIZE, mdg_channel_recv(one, &byte, 1, NULL, 0));
	mdg_channel_close(one);
	unsigned seen = 0;
	for (unsigned i = 0; i < 2; i++) {
		struct mdg_message message;
		CHECK_RC(0, mdg_channel_peek(other, &message, 0));
		unsigned which = is_filled(message.data, 100, 1) ? 1 : 2;
		CHECK(is_filled(message.data, 100, which));
		seen |= which;
		CHECK_RC(0, mdg_channel_release(other));
	}
	CHECK(seen == 3);
	CHECK(hears_nothing(other));
	mdg_channel_close(other);
	mdg_channel_close(talks);
	remove_channel("queue");
}

static void die_holding(void *argument)
{
	const unsigned *way = argument;
	mdg_channel *listens = listener();
	struct mdg_message messages[3];
	unsigned char bytes[200];
	CHECK_RC(*way == 0 ? 0 : 3, *way == 0 ? mdg_channel_peek(listens, messages, 0)
	                                      : mdg_channel_peek_many(listens, messages, 3, 0));
	if (*way == 2) { /* these have been worked on */
		CHECK_RC(0, mdg_channel_release(listens));
		CHECK_RC(200, mdg_channel_recv(listens, bytes, sizeof bytes, NULL, 0));
	}
	if (check_failures != 0)
		_exit(1);
	die();
}

static void killed_holding(void)
{
	static const unsigned held[] = { 1, 3, 0 }, gone[] = { 0, 0, 4 };
	mdg_channel *talks = talker(), *listens = listener();
	for (unsigned way = 0; way < 3; way++) {
		for (unsigned i = 0; i < 6; i++)
			CHECK_RC(0, says(talks, 200, i, 0));
		CHECK(WIFSIGNALED(ended(start(die_holding, &way))));
		unsigned seen = 0, marked = 0;
		for (unsigned i = gone[way]; i < 6; i++) {
			struct mdg_message message;
			CHECK_RC(0, mdg_channel_peek(listens, &message, GRACE));
			for (unsigned j = 0; j < 6; j++)
				if (is_filled(message.data, 200, j)) {
					seen |= 1u << j;
					marked |= (message.flags & MDG_REDELIVERED) << j;
				}
			CHECK_RC(0, mdg_channel_release(listens));
		}
		CHECK(seen == (0x3fu & ~((1u << gone[way]) - 1)));
		CHECK(marked == (1u << held[way]) - 1);
		CHECK(hears_nothing(listens));
	}
	mdg_channel_close(listens);
	mdg_channel_close(talks);
	remove_channel("queue");
}

/* A message that a listener holds keeps its room until it is released. A talker that comes round
 * the ring waits for it. */
static void held_is_in_the_way(void)
{
	mdg_channel *talks = talker(), *holds = listener(), *listens = listener();
	struct mdg_message held;
	CHECK_RC(0, says(talks, 1000, 99, 0));
	CHECK_RC(0, mdg_channel_peek(holds, &held, 0));
	unsigned count = 0;
	while (says(talks, 500, count, 0) == 0 && count < 100) {
		CHECK(hears(listens, 500, count));
		count++;
	}
	CHECK(count >= CAPACITY / 548 - 2 && count < 100);
	CHECK(held.size == 1000 && is_filled(held.data, 1000, 99));
	CHECK_RC(0, mdg_channel_release(holds));
	CHECK_RC(0, says(talks, 500, 5, 0));
	CHECK(hears(holds, 500, 5));
	mdg_channel_close(holds);
	mdg_channel_close(listens);
	mdg_channel_close(talks);
	remove_channel("queue");
}

/* ---- many at once ----------------------------------------------------------------------- */

enum { TALKERS = 3, LISTENERS = 3, EACH = SLOWLY ? 300 : 2000 };

static struct books {
	_Atomic uint32_t got[TALKERS][EACH], all;
} * books;

struct letter {
	uint32_t talker, number;
};

static void talk(void *argument)
{
	const unsigned *which = argument;
	mdg_channel *talks = talker();
	for (uint32_t i = 0; i < EACH; i++) {
		unsigned char bytes[600];
		struct letter letter = { *which, i };
		size_t size = sizeof letter + i % 500;
		fill(bytes, size, i);
		memcpy(bytes, &letter, sizeof letter);
		CHECK_RC(0, mdg_channel_send(talks, bytes, size, GRACE));
	}
	mdg_channel_close(talks);
}

static void listen(void *argument)
{
	mdg_channel *listens = listener();
	uint32_t next[TALKERS] = { 0 };
	(void)argument;
	while (atomic_load(&books->all) < TALKERS * EACH) {
		struct mdg_message message;
		struct letter letter;
		int rc = mdg_channel_peek(listens, &message, mdg_deadline(5000000));
		if (rc == -ETIMEDOUT)
			continue;
		if (!CHECK_RC(0, rc))
			return;
		memcpy(&letter, message.data, sizeof letter);
		const unsigned char *bytes = message.data;
		bool whole = letter.talker < TALKERS && letter.number < EACH &&
		             message.size == sizeof letter + letter.number % 500;
		for (size_t i = sizeof letter; whole && i < message.size; i++)
			whole = bytes[i] == byte_of(letter.number, i);
		if (!CHECK(whole && message.flags == 0))
			return;
		CHECK(letter.number >= next[letter.talker]); /* in order */
		next[letter.talker] = letter.number + 1;
		CHECK(atomic_fetch_add(&books->got[letter.talker][letter.number], 1) == 0);
		CHECK_RC(0, mdg_channel_release(listens));
		atomic_fetch_add(&books->all, 1);
	}
	mdg_channel_close(listens);
}

static void many_at_once(void)
{
	pid_t pid[TALKERS + LISTENERS];
	unsigned which[TALKERS];
	memset(books, 0, sizeof *books);
	for (unsigned i = 0; i < LISTENERS; i++)
		pid[i] = start(listen, NULL);
	for (unsigned i = 0; i < TALKERS; i++) {
		which[i] = i;
		pid[LISTENERS + i] = start(talk, &which[i]);
	}
	for (unsigned i = 0; i < TALKERS + LISTENERS; i++)
		CHECK(ended_well(pid[i]));
	for (unsigned i = 0; i < TALKERS; i++)
		for (unsigned j = 0; j < EACH; j++)
			CHECK(atomic_load(&books->got[i][j]) == 1);
	remove_channel("queue");
}

/* One message wakes one who sleeps; as many as there are messages go. */
static void sleep_for_one(void *argument)
{
	const unsigned *which = argument;
	mdg_channel *listens = listener();
	atomic_store(&word[1 + *which], 1);
	CHECK(hears(listens, 10, 1));
	atomic_fetch_add(word, 1);
	mdg_channel_close(listens);
}

static void wakes_each(void)
{
	mdg_channel *talks = talker();
	pid_t pid[MANY];
	unsigned which[MANY];
	atomic_store(word, 0);
	for (unsigned i = 0; i < MANY; i++) {
		atomic_store(&word[1 + i], 0);
		which[i] = i;
		pid[i] = start(sleep_for_one, &which[i]);
	}
	for (unsigned i = 0; i < MANY; i++)
		sleeps_after(pid[i], &word[1 + i]);
	for (unsigned i = 0; i < MANY; i++) {
		CHECK_RC(0, says(talks, 10, 1, 0));
		CHECK(reaches(word, i + 1));
	}
	for (unsigned i = 0; i < MANY; i++)
		CHECK(ended_well(pid[i]));
	mdg_channel_close(talks);
	remove_channel("queue");
}

int main(void)
{
	word = shared_memory((1 + MANY) * sizeof *word);
	books = shared_memory(sizeof *books);
	open_namespace();
	each_to_one();
	kept();
	reserved_side_by_side();
	numbers();
	left_holding();
	too_large_for_one();
	killed_holding();
	held_is_in_the_way();
	many_at_once();
	wakes_each();
	mdg_namespace_close(ns);
	return test_result();
}
