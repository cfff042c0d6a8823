/* SPDX-License-Identifier: MIT */
/*
 * faults_peer.c - a talker and a listener of a stream or a topic, for faults.py.
 *
 *     faults_peer talk DIRECTORY CHANNEL stream|topic COUNT [PAUSE]
 *     faults_peer listen DIRECTORY CHANNEL stream|topic COUNT LEDGER
 *
 * Each message has its number, and bytes that follow from it. A talker asks the channel for the
 * next number. So one that follows a killed one goes on where that one was. After each batch it
 * pauses for PAUSE microseconds. The listener writes what it has into its ledger before it
 * releases it.
 */
#include <madang/channel.h>
#include <madang/segment.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, LONGEST = 256, QUIET_S = 120 };
#define SECOND UINT64_C(1000000000)

/* What a listener had at once: numbers from `first` to `last`. So many of them, from the first on,
 * were marked MDG_REDELIVERED. */
struct entry {
	uint64_t first, last, marked;
};

static int fail(const char *what, int rc)
{
	fprintf(stderr, "faults_peer: %s: %s\n", what, mdg_strerror(rc));
	return 1;
}

/* The message of this number: its size. */
static size_t fill(unsigned char bytes[LONGEST], uint64_t number)
{
	uint64_t value = number * UINT64_C(0x9e3779b97f4a7c15) + 1;
	size_t size = sizeof number + value % (LONGEST - sizeof number);

	memcpy(bytes, &number, sizeof number);
	for (size_t i = sizeof number; i < size; i++) {
		value = value * UINT64_C(6364136223846793005) + 1442695040888963407;
		bytes[i] = (unsigned char)(value >> 56);
	}
	return size;
}

static void pause_for(long microseconds)
{
	struct timespec time = { microseconds / 1000000, microseconds % 1000000 * 1000 };
	(void)nanosleep(&time, NULL);
}

/* A topic keeps only the latest messages while nobody listens. So wait until the bridge does. */
static int await_listener(mdg_channel *channel)
{
	struct mdg_channel_info info = { .size = sizeof info };
	int rc = mdg_channel_look(channel, &info);

	for (; rc == 0 && info.listeners == 0; rc = mdg_channel_look(channel, &info))
		pause_for(10000);
	return rc;
}

static int talk(mdg_channel *channel, uint64_t count, long pause)
{
	static unsigned char bytes[BATCH][LONGEST];
	struct mdg_channel_info info = { .size = sizeof info };
	struct mdg_message batch[BATCH];
	int rc = mdg_channel_look(channel, &info);
	uint64_t next = info.sequence;

	if (rc == 0 && info.kind == MDG_TOPIC)
		rc = await_listener(channel);
	if (rc != 0)
		return fail("look", rc);
	while (next < count) {
		unsigned n = count - next < BATCH ? (unsigned)(count - next) : BATCH;

		for (unsigned i = 0; i < n; i++) {
			batch[i] = (struct mdg_message){ .data = bytes[i] };
			batch[i].size = fill(bytes[i], next + i);
		}
		rc = mdg_channel_send_many(channel, batch, n, mdg_deadline(QUIET_S * SECOND));
		if (rc < 0)
			return fail("send", rc);
		next += (unsigned)rc;
		if (pause != 0)
			pause_for(pause);
	}
	return 0;
}

/* Whether the bytes are those of the number that they begin with. */
static bool is_whole(const struct mdg_message *message, uint64_t *ret_number)
{
	unsigned char wanted[LONGEST];

	if (message->size < sizeof *ret_number)
		return false;
	memcpy(ret_number, message->data, sizeof *ret_number);
	return fill(wanted, *ret_number) == message->size &&
	       memcmp(wanted, message->data, message->size) == 0;
}

static int note(int ledger, const struct entry *entry)
{
	return write(ledger, entry, sizeof *entry) == (ssize_t)sizeof *entry ? 0 : -1;
}

/* Writes down what was received: an entry for each row of numbers. */
static int note_all(int ledger, const struct mdg_message *batch, int count)
{
	struct entry entry = { 0, 0, 0 };

	for (int i = 0; i < count; i++) {
		bool marked = (batch[i].flags & MDG_REDELIVERED) != 0;
		uint64_t number;

		if (!is_whole(&batch[i], &number))
			return fail("a message that nobody sent", MDG_BROKEN);
		if (i == 0 || number != entry.last + 1 ||
		    (marked && entry.marked != number - entry.first)) {
			if (i != 0 && note(ledger, &entry) != 0)
				return fail("the ledger", MDG_BROKEN);
			entry = (struct entry){ number, number, 0 };
		}
		entry.last = number;
		entry.marked += marked;
	}
	return note(ledger, &entry) == 0 ? 0 : fail("the ledger", MDG_BROKEN);
}

/* Whether the one before, which was killed, had all of them. */
static bool is_complete(int ledger, uint64_t count)
{
	struct entry entry;
	off_t at = lseek(ledger, 0, SEEK_END) - (off_t)sizeof entry;

	return at >= 0 && pread(ledger, &entry, sizeof entry, at) == (ssize_t)sizeof entry &&
	       entry.last + 1 >= count;
}

static int listen_to(mdg_channel *channel, uint64_t count, const char *path)
{
	int ledger = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct mdg_message batch[4 * BATCH];

	while (!is_complete(ledger, count)) {
		uint64_t last;
		int rc = mdg_channel_peek_many(channel, batch, 4 * BATCH,
		                               mdg_deadline(QUIET_S * SECOND));
		if (rc < 0)
			return fail("peek", rc);
		if (note_all(ledger, batch, rc) != 0)
			return 1;
		memcpy(&last, batch[rc - 1].data, sizeof last);
		rc = mdg_channel_release(channel);
		if (rc != 0)
			return fail("release", rc);
	}
	return 0;
}

int main(int argc, char **argv)
{
	bool talks = argc > 1 && strcmp(argv[1], "talk") == 0;
	struct mdg_channel_options options = { .size = sizeof options, .from = MDG_FROM_OLDEST };
	mdg_namespace *ns;
	mdg_channel *channel;

	if (argc < 6)
		return 2;
	options.kind = strcmp(argv[4], "topic") == 0 ? MDG_TOPIC : MDG_STREAM;
	int rc = mdg_namespace_open(&ns, argv[2], NULL);
	if (rc == 0)
		do /* a bridge, or one that was just killed, may have the place for a moment */
			rc = mdg_channel_open(&channel, ns, argv[3],
			                      talks ? MDG_TALKER : MDG_LISTENER, &options);
		while (rc == -EBUSY && (pause_for(20000), true));
	if (rc != 0)
		return fail("open", rc);
	uint64_t count = strtoull(argv[5], NULL, 10);
	return talks ? talk(channel, count, argc > 6 ? atol(argv[6]) : 0)
	             : listen_to(channel, count, argv[6]);
}
