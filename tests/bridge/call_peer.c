/* SPDX-License-Identifier: MIT */
/*
 * call_peer.c - callers and servers that check everything that a bridge does with calls.
 *
 *     call_peer serve DIRECTORY CHANNEL LEDGER [--threads N] [--busy MICROSECONDS] [--capacity N]
 *               [--peers N]
 *     call_peer ask DIRECTORY CHANNEL LEDGER --count N [--threads N] [--size BYTES]
 *               [--reply BYTES] [--wait MILLISECONDS] [--first NUMBER] [--lenient] [--spread]
 *               [--gap MICROSECONDS] [--until FILE]
 *     call_peer look DIRECTORY CHANNEL /dev/null     prints how many callers and servers are there
 *
 * A request has a number of its own, a size and a checksum; the reply has the same number, another
 * checksum, and the size that was asked for. The server writes each number into the file LEDGER
 * before it works on it, with one write(2). So LEDGER shows whether anything was executed twice.
 * The caller writes what became of each number into its own: `NUMBER ok`, `NUMBER died`, `NUMBER
 * late` (its own deadline), `NUMBER refused`.
 *
 * `ask` ends with 0 if all were answered; with --lenient if each was answered, died, or was late.
 * With --spread the sizes are up to BYTES. After each call it pauses for --gap. When there is a
 * FILE it asks no more. It prints the median and the 99th percentile of its calls, in microseconds.
 * A wrong reply ends it with 1 at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "madang/channel.h"
#include "madang/segment.h"

struct request {
	uint64_t number, check;
	uint32_t size, reply; /* bytes of all, and of the reply */
	unsigned char bytes[];
};

struct settings {
	const char *channel;
	mdg_namespace *ns;
	int ledger;
	uint32_t threads, count, size, reply, busy, wait, capacity, peers, gap;
	uint64_t first;
	const char *until;
	bool lenient, spread;
};
static struct settings settings = {
	.threads = 1, .count = 1, .size = 64, .reply = 64, .wait = 30000
};

static _Atomic uint32_t next_call, answered, unlucky, failures;
static uint64_t *durations;

static uint64_t now(void)
{
	struct timespec time;
	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t check_of(const unsigned char *bytes, size_t size, uint64_t seed)
{
	uint64_t sum = 14695981039346656037u ^ seed;
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 1099511628211u;
	return sum;
}

/* Bytes that follow from the number, and all that is said of them. */
static void make(struct request *message, uint32_t size, uint64_t number, uint32_t reply)
{
	message->number = number;
	message->size = size;
	message->reply = reply;
	for (uint32_t i = 0; i < size - sizeof *message; i++)
		message->bytes[i] = (unsigned char)(number * 31 + i * 7 + i / 251);
	message->check = check_of(message->bytes, size - sizeof *message, number ^ reply);
}

static bool is_right(const struct request *message, size_t size)
{
	return size >= sizeof *message && message->size == size &&
	       message->check == check_of(message->bytes, size - sizeof *message,
	                                  message->number ^ message->reply);
}

static void note(uint64_t number, const char *what)
{
	char line[64];
	int length = snprintf(line, sizeof line, "%" PRIu64 " %s\n", number, what);
	if (write(settings.ledger, line, (size_t)length) != length) {
		perror("ledger");
		_exit(1);
	}
}

static void fail(const char *what, int rc)
{
	fprintf(stderr, "call_peer: %s: %s\n", what, mdg_strerror(rc));
	_exit(1);
}

static mdg_channel *enter(unsigned role)
{
	struct mdg_channel_options options = { .size = sizeof options,
		                               .kind = MDG_CALL,
		                               .capacity = settings.capacity,
		                               .peers = settings.peers };
	mdg_channel *channel = NULL;
	int rc = mdg_channel_open(&channel, settings.ns, settings.channel, role, &options);
	if (rc < 0)
		fail("mdg_channel_open", rc);
	return channel;
}

/* ---- serve ----------------------------------------------------------------------------- */

static int answer(mdg_channel *channel, const struct mdg_message *message)
{
	const struct request *request = message->data;
	void *room = NULL;
	if (!is_right(request, message->size) || request->reply < sizeof *request) {
		note(0, "wrong");
		fprintf(stderr, "call_peer: a wrong request\n");
		_exit(1);
	}
	uint64_t number = request->number;
	uint32_t size = request->reply;
	note(number, "run");
	if (settings.busy > 0)
		(void)usleep(settings.busy);
	int rc = mdg_channel_reserve(channel, size, &room, 0);
	if (rc < 0)
		return rc;
	make(room, size, ~number, 0);
	return mdg_channel_commit(channel, size);
}

static void *serve(void *unused)
{
	mdg_channel *channel = enter(MDG_LISTENER);
	struct mdg_message message;
	(void)unused;
	for (;;) {
		int rc = mdg_channel_peek(channel, &message, MDG_FOREVER);
		if (rc == -EINTR)
			continue;
		if (rc < 0)
			fail("mdg_channel_peek", rc);
		rc = answer(channel, &message);
		if (rc < 0 && rc != MDG_PEER_DIED && rc != -ECANCELED)
			fail("the reply", rc);
	}
	return NULL;
}

/* ---- ask ------------------------------------------------------------------------------- */

/* One of many sizes up to this one, most of which are small. */
static uint32_t spread(uint32_t most, uint64_t number)
{
	uint64_t mixed = (number + most) * UINT64_C(0x9e3779b97f4a7c15) >> 16;
	uint32_t least = sizeof(struct request), room = most - least;
	return settings.spread ? least + (uint32_t)(mixed % ((room >> (mixed >> 32) % 12) + 1))
	                       : most;
}

static void ask_one(mdg_channel *channel, uint32_t which, void *request, void *reply)
{
	uint64_t number = settings.first + which;
	uint32_t size = spread(settings.size, number), wanted = spread(settings.reply, number);
	make(request, size, number, wanted);
	uint64_t began = now();
	int rc = mdg_channel_call(channel, request, size, reply, settings.reply, NULL,
	                          began + settings.wait * UINT64_C(1000000));
	durations[which] = now() - began;
	if (rc >= 0) {
		const struct request *got = reply;
		if (!is_right(got, (size_t)rc) || got->number != ~number ||
		    (uint32_t)rc != wanted) {
			fprintf(stderr, "call_peer: a wrong reply to %" PRIu64 "\n", number);
			_exit(1);
		}
		note(number, "ok");
		atomic_fetch_add(&answered, 1);
		return;
	}
	note(number, rc == MDG_PEER_DIED ? "died" : rc == -ETIMEDOUT ? "late" : "refused");
	atomic_fetch_add(&unlucky, 1);
	if (!settings.lenient || (rc != MDG_PEER_DIED && rc != -ETIMEDOUT)) {
		fprintf(stderr, "call_peer: %" PRIu64 ": %s\n", number, mdg_strerror(rc));
		atomic_fetch_add(&failures, 1);
	}
}

static void *ask(void *unused)
{
	mdg_channel *channel = enter(MDG_TALKER);
	void *request = malloc(settings.size), *reply = malloc(settings.reply);
	(void)unused;
	if (request == NULL || reply == NULL)
		_exit(1);
	for (;;) {
		uint32_t which = atomic_fetch_add(&next_call, 1);
		if (which >= settings.count ||
		    (settings.until != NULL && access(settings.until, F_OK) == 0))
			break;
		ask_one(channel, which, request, reply);
		if (settings.gap > 0)
			(void)usleep(settings.gap);
	}
	mdg_channel_close(channel);
	free(request);
	free(reply);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static int report(uint64_t began)
{
	double seconds = (double)(now() - began) / 1e9;
	uint32_t middle = settings.count / 2,
		 late = (uint32_t)(settings.count * UINT64_C(99) / 100);
	qsort(durations, settings.count, sizeof *durations, compare);
	printf("%u answered, %u not, median %.1f us, 99%% %.1f us, longest %.1f ms, %.0f a "
	       "second\n",
	       answered, unlucky, (double)durations[middle] / 1e3, (double)durations[late] / 1e3,
	       (double)durations[settings.count - 1] / 1e6, settings.count / seconds);
	return failures == 0 ? 0 : 1;
}

static int look(void)
{
	struct mdg_channel_info info = { .size = sizeof info };
	int rc = mdg_channel_look(enter(MDG_OBSERVER), &info);
	if (rc < 0)
		fail("mdg_channel_look", rc);
	printf("%u %u\n", info.talkers, info.listeners);
	return 0;
}

/* ---- the command line -------------------------------------------------------------------- */

static const struct option long_options[] = {
	{ "threads", required_argument, NULL, 't' },  { "count", required_argument, NULL, 'c' },
	{ "size", required_argument, NULL, 's' },     { "reply", required_argument, NULL, 'r' },
	{ "busy", required_argument, NULL, 'b' },     { "wait", required_argument, NULL, 'w' },
	{ "capacity", required_argument, NULL, 'C' }, { "first", required_argument, NULL, 'f' },
	{ "lenient", no_argument, NULL, 'l' },        { "peers", required_argument, NULL, 'p' },
	{ "spread", no_argument, NULL, 'S' },         { "gap", required_argument, NULL, 'g' },
	{ "until", required_argument, NULL, 'u' },    { NULL, 0, NULL, 0 }
};

static void take(int option)
{
	uint64_t value = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;
	switch (option) {
	case 't':
		settings.threads = (uint32_t)value;
		break;
	case 'c':
		settings.count = (uint32_t)value;
		break;
	case 's':
		settings.size = (uint32_t)value;
		break;
	case 'r':
		settings.reply = (uint32_t)value;
		break;
	case 'b':
		settings.busy = (uint32_t)value;
		break;
	case 'w':
		settings.wait = (uint32_t)value;
		break;
	case 'C':
		settings.capacity = (uint32_t)value;
		break;
	case 'p':
		settings.peers = (uint32_t)value;
		break;
	case 'f':
		settings.first = value;
		break;
	case 'l':
		settings.lenient = true;
		break;
	case 'S':
		settings.spread = true;
		break;
	case 'g':
		settings.gap = (uint32_t)value;
		break;
	case 'u':
		settings.until = optarg;
		break;
	default:
		exit(2);
	}
}

int main(int count, char **words)
{
	pthread_t threads[64];
	for (int option; (option = getopt_long(count, words, "", long_options, NULL)) != -1;)
		take(option);
	if (count - optind != 4 || settings.threads > 64 ||
	    settings.size < sizeof(struct request) || settings.reply < sizeof(struct request))
		return 2;
	bool serves = strcmp(words[optind], "serve") == 0;
	int rc = mdg_namespace_open(&settings.ns, words[optind + 1], NULL);
	if (rc < 0)
		fail("mdg_namespace_open", rc);
	settings.channel = words[optind + 2];
	settings.ledger = open(words[optind + 3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	durations = calloc(settings.count, sizeof *durations);
	if (settings.ledger < 0 || durations == NULL)
		return 1;
	if (strcmp(words[optind], "look") == 0)
		return look();
	uint64_t began = now();
	for (uint32_t i = 0; i < settings.threads; i++)
		if (pthread_create(&threads[i], NULL, serves ? serve : ask, NULL) != 0)
			return 1;
	for (uint32_t i = 0; i < settings.threads; i++)
		(void)pthread_join(threads[i], NULL);
	return report(began);
}
