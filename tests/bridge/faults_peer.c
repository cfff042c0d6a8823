/* SPDX-License-Identifier: MIT */
/*
 * faults_peer.c - a talker and a listener of a stream, a queue or a topic, for faults.py.
 *
 *     faults_peer talk DIRECTORY CHANNEL KIND PAUSE ENOUGH
 *     faults_peer listen DIRECTORY CHANNEL KIND PAUSE LEDGER
 *     faults_peer look DIRECTORY CHANNEL KIND
 *
 * KIND is stream, queue, topic or overwrite. The bytes of a message follow from its number in the
 * talker's channel, and so does its size: mostly up to 256 bytes, and up to 300 KiB. A talker asks
 * the channel for the next number. So one that follows a killed one goes on where that one was.
 * After each batch it pauses for PAUSE microseconds. When there is a file ENOUGH, it prints how
 * many were sent, and ends. A listener writes what it has into its ledger before it releases it,
 * and never ends.
 *
 * To a queue messages come back, and take numbers there. So the number is also in the message, and
 * the file DIRECTORY/sent has the number that follows the batch that the talker last began.
 *
 * `look` prints the first number that the bridge has not handed on; of a queue, each number that
 * lies there. For a stream it takes the talker's place.
 *
 * $MADANG_SPOIL=torn: the talker changes one byte of one message; =unmarked: the listener takes no
 * notice of marks. Whoever looks has to see that.
 */
#include <madang/channel.h>
#include <madang/relay.h>
#include <madang/segment.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, QUEUE_BATCH = 16, CAPACITY = 512 << 10, HEAD = sizeof(uint64_t) };
#define LARGEST UINT64_C(307200)
enum { TOPIC_CAPACITY = 4 << 20, SPOILT = 200 };
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

static bool spoils(const char *what)
{
	const char *spoil = getenv("MADANG_SPOIL");

	return spoil != NULL && strcmp(spoil, what) == 0;
}

static uint64_t step(uint64_t value)
{
	return value * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
}

static uint64_t mixed(uint64_t number)
{
	uint64_t value = step(number * UINT64_C(0x9e3779b97f4a7c15) + 1);

	return (value ^ value >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}

/* Of sixty-four messages one may be large. */
static size_t size_of(uint64_t number)
{
	uint64_t value = mixed(number) >> 8;

	if (value % 64 != 0)
		return (size_t)(value / 64 % 257);
	return (size_t)(value / 64 % ((LARGEST >> (value >> 40) % 12) + 1));
}

/* What follows the number in a queue. */
static void fill_rest(unsigned char *bytes, size_t size, uint64_t number)
{
	uint64_t value = mixed(number);

	for (size_t i = 0; i < size; i++) {
		value = step(value);
		bytes[i] = (unsigned char)(value >> 56);
	}
}

/* The message of this number: its size. */
static size_t fill(unsigned char *bytes, uint64_t number, bool has_head)
{
	size_t head = has_head ? HEAD : 0, size = size_of(number);

	memcpy(bytes, &number, head);
	fill_rest(bytes + head, size, number);
	return head + size;
}

static bool is_filled(const unsigned char *bytes, size_t size, uint64_t number, bool has_head)
{
	static unsigned char wanted[LARGEST + HEAD];

	return size == fill(wanted, number, has_head) && memcmp(wanted, bytes, size) == 0;
}

static void pause_for(long microseconds)
{
	struct timespec time = { microseconds / 1000000, microseconds % 1000000 * 1000 };

	if (microseconds != 0)
		(void)nanosleep(&time, NULL);
}

/* A topic keeps only the latest messages while nobody listens. So the talker waits for its bridge,
 * at first and when that was killed. */
static int await_listener(mdg_channel *channel)
{
	struct mdg_channel_info info = { .size = sizeof info };
	int rc = mdg_channel_look(channel, &info);

	for (; rc == 0 && info.kind == MDG_TOPIC && info.listeners == 0;
	     rc = mdg_channel_look(channel, &info))
		pause_for(5000);
	return rc;
}

static bool spoils_torn(const struct mdg_message *message, uint64_t number)
{
	return number >= SPOILT && message->size > HEAD && spoils("torn");
}

/* The number that follows the batch that was last begun: reads or writes it. */
static int sent_until(const char *directory, uint64_t *number, bool writes)
{
	static int file = -1;
	char path[256];

	(void)snprintf(path, sizeof path, "%s/sent", directory);
	if (file < 0)
		file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ssize_t rc = writes ? pwrite(file, number, HEAD, 0) : pread(file, number, HEAD, 0);
	return rc == HEAD || (rc == 0 && !writes) ? 0 : MDG_BROKEN;
}

static int send_batch(mdg_channel *channel, uint64_t next, const char *directory)
{
	static unsigned char bytes[BATCH][LARGEST + HEAD];
	struct mdg_message batch[BATCH];
	uint64_t end = next + BATCH;
	int rc = await_listener(channel);

	for (unsigned i = 0; i < BATCH; i++) {
		batch[i] = (struct mdg_message){ .data = bytes[i] };
		batch[i].size = fill(bytes[i], next + i, directory != NULL);
		if (spoils_torn(&batch[i], next + i))
			bytes[i][batch[i].size - 1] ^= 1;
	}
	if (rc == 0 && directory != NULL)
		rc = sent_until(directory, &end, true);
	if (rc == 0)
		rc = mdg_channel_send_many(channel, batch, BATCH, mdg_deadline(SECOND / 4));
	return rc == -ETIMEDOUT ? 0 : rc;
}

/* `directory` is given for a queue. */
static int talk(mdg_channel *channel, uint64_t next, long pause, const char *enough,
                const char *directory)
{
	if (directory != NULL) {
		next = 0;
		if (sent_until(directory, &next, false) != 0)
			return fail("what was sent", MDG_BROKEN);
	}
	while (access(enough, F_OK) != 0) {
		int rc = send_batch(channel, next, directory);

		if (rc < 0)
			return fail("send", rc);
		next += (unsigned)rc;
		pause_for(pause);
	}
	printf("%" PRIu64 "\n", next);
	return 0;
}

/* The number that its talker gave the message. */
static int number_of(mdg_channel *channel, const struct mdg_message *message, bool has_head,
                     uint64_t *ret)
{
	struct mdg_relayed relayed;
	int rc = 0;

	*ret = message->sequence;
	if (has_head && message->size >= HEAD) {
		memcpy(ret, message->data, HEAD);
	} else if (message->flags & MDG_RELAYED) {
		rc = mdg_channel_relayed(channel, message, &relayed);
		*ret = relayed.number;
	}
	if (rc == 0 && !is_filled(message->data, message->size, *ret, has_head))
		rc = MDG_BROKEN;
	return rc;
}

static int note(int ledger, const struct entry *entry)
{
	return write(ledger, entry, sizeof *entry) == (ssize_t)sizeof *entry ? 0 : MDG_BROKEN;
}

/* Writes down what was received: an entry for each row of numbers. */
static int note_all(mdg_channel *channel, int ledger, const struct mdg_message *batch, int count,
                    bool has_head)
{
	struct entry entry = { 0, 0, 0 };

	for (int i = 0; i < count; i++) {
		bool marked = (batch[i].flags & MDG_REDELIVERED) != 0 && !spoils("unmarked");
		uint64_t number;
		int rc = number_of(channel, &batch[i], has_head, &number);

		if (rc != 0)
			return fail("a message that nobody sent", rc);
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

static int listen_to(mdg_channel *channel, bool is_queue, long pause, const char *path)
{
	int ledger = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct mdg_message batch[4 * BATCH];

	for (;;) {
		int rc = mdg_channel_peek_many(channel, batch, is_queue ? QUEUE_BATCH : 4 * BATCH,
		                               MDG_FOREVER);

		if (rc < 0)
			return fail("peek", rc);
		if (note_all(channel, ledger, batch, rc, is_queue) != 0)
			return 1;
		pause_for(pause);
		rc = mdg_channel_release(channel);
		if (rc != 0)
			return fail("release", rc);
	}
}

static int look_into(mdg_channel *channel, const struct mdg_channel_info *info)
{
	static unsigned char bytes[LARGEST + HEAD];
	uint64_t first = info->sequence, cursor = 0, number = 0;
	struct mdg_message message;
	int rc;

	while ((rc = mdg_channel_browse(channel, &cursor, bytes, sizeof bytes, &message, NULL)) ==
	       1) {
		memcpy(&number, bytes, HEAD);
		if (info->kind == MDG_QUEUE)
			printf("%" PRIu64 "\n", number);
		first = message.sequence < first ? message.sequence : first;
	}
	if (rc == 0 && info->kind == MDG_STREAM)
		printf("%" PRIu64 "\n", first);
	return rc == 0 ? 0 : fail("browse", rc);
}

static int look(mdg_channel *channel, const struct mdg_channel_info *info)
{
	struct mdg_origin own = { { info->identity[0], info->identity[1] }, info->epoch };
	uint64_t first = 0;

	if (info->kind != MDG_TOPIC)
		return look_into(channel, info);
	(void)mdg_channel_position(channel, &own, &first);
	printf("%" PRIu64 "\n", first);
	return 0;
}

static const struct kind {
	const char *name;
	uint32_t kind, full, capacity;
} kinds[] = {
	{ "stream", MDG_STREAM, 0, CAPACITY },
	{ "queue", MDG_QUEUE, 0, CAPACITY },
	{ "topic", MDG_TOPIC, MDG_FULL_WAIT, TOPIC_CAPACITY },
	{ "overwrite", MDG_TOPIC, MDG_FULL_OVERWRITE, CAPACITY },
};

static int enter(mdg_channel **ret, char **words, const struct kind *kind, unsigned role)
{
	struct mdg_channel_options options = { .size = sizeof options,
		                               .kind = kind->kind,
		                               .full = kind->full,
		                               .capacity = kind->capacity,
		                               .from = MDG_FROM_OLDEST };
	mdg_namespace *ns;
	int rc = mdg_namespace_open(&ns, words[2], NULL);

	if (rc == 0)
		do /* a bridge, or one that was just killed, may have the place for a moment */
			rc = mdg_channel_open(ret, ns, words[3], role, &options);
		while (rc == -EBUSY && (pause_for(20000), true));
	return rc;
}

int main(int argc, char **argv)
{
	struct mdg_channel_info info = { .size = sizeof info };
	const struct kind *kind = kinds;
	mdg_channel *channel;

	if (argc < 5)
		return 2;
	while (strcmp(kind->name, argv[4]) != 0)
		if (++kind == kinds + sizeof kinds / sizeof *kinds)
			return 2;
	bool talks = strcmp(argv[1], "talk") == 0, looks = strcmp(argv[1], "look") == 0;
	unsigned role = talks || (looks && kind->kind == MDG_STREAM) ? MDG_TALKER
	                : looks                                      ? MDG_OBSERVER
	                                                             : MDG_LISTENER;
	int rc = enter(&channel, argv, kind, role);
	if (rc == 0)
		rc = mdg_channel_look(channel, &info);
	if (rc != 0)
		return fail("open", rc);
	if (looks)
		return look(channel, &info);
	if (argc < 7)
		return 2;
	long pause = strtol(argv[5], NULL, 10);
	bool is_queue = kind->kind == MDG_QUEUE;
	return talks ? talk(channel, info.sequence, pause, argv[6], is_queue ? argv[2] : NULL)
	             : listen_to(channel, is_queue, pause, argv[6]);
}
