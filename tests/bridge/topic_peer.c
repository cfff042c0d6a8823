/* SPDX-License-Identifier: MIT */
/*
 * topic_peer.c - programs of a topic or a stream, for topic.py.
 *
 *     topic_peer make|talk|listen|fill DIRECTORY CHANNEL topic|stream wait|overwrite CAPACITY ...
 *
 *     make      makes the channel
 *     talk      FIRST COUNT SIZE    messages that begin with their numbers
 *     listen    LEDGER              writes a line "NUMBER SIZE FLAGS" for each message
 *     fill      COUNT               so many origins that nobody else has
 */
#include <madang/relay.h>
#include <madang/segment.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int fail(const char *what, int rc)
{
	fprintf(stderr, "topic_peer: %s: %s\n", what, mdg_strerror(rc));
	return 1;
}

static int talk(mdg_channel *channel, unsigned long first, unsigned long count, size_t size)
{
	unsigned char *bytes = calloc(1, size);
	int rc = bytes && size >= sizeof first ? 0 : -EINVAL;

	for (unsigned long i = first; rc == 0 && i < first + count; i++) {
		memset(bytes, (int)(i % 251), size);
		memcpy(bytes, &i, sizeof i);
		rc = mdg_channel_send(channel, bytes, size, MDG_FOREVER);
	}
	free(bytes);
	return rc == 0 ? 0 : fail("send", rc);
}

static int listen_to(mdg_channel *channel, const char *path)
{
	int ledger = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	for (;;) {
		struct mdg_message message;
		unsigned long number = 0;
		char line[80];
		int rc = mdg_channel_peek(channel, &message, MDG_FOREVER);

		if (rc != 0)
			return fail("peek", rc);
		memcpy(&number, message.data, sizeof number);
		for (size_t i = sizeof number; i < message.size; i++)
			if (((const unsigned char *)message.data)[i] != number % 251)
				return fail("a message that nobody sent", MDG_BROKEN);
		int length = snprintf(line, sizeof line, "%lu %zu %u\n", number, message.size,
		                      message.flags);
		if (write(ledger, line, (size_t)length) != length)
			return 1;
		rc = mdg_channel_release(channel);
		if (rc != 0)
			return fail("release", rc);
	}
}

static int fill(mdg_channel *channel, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct mdg_origin origin = { .identity = { 7, i }, .epoch = 1 };
		int rc = mdg_channel_commit_position(channel, &origin, 1);

		if (rc != 0)
			return fail("commit", rc);
	}
	return 0;
}

static int open_channel(mdg_channel **ret, char **argv, unsigned role)
{
	struct mdg_channel_options options = { .size = sizeof options };
	struct timespec pause = { .tv_nsec = 10000000 };
	mdg_namespace *ns;
	int rc = mdg_namespace_open(&ns, argv[2], NULL);

	options.kind = strcmp(argv[4], "topic") == 0 ? MDG_TOPIC : MDG_STREAM;
	options.full = strcmp(argv[5], "wait") == 0 ? MDG_FULL_WAIT : MDG_FULL_OVERWRITE;
	options.capacity = strtoull(argv[6], NULL, 10);
	options.from = role == MDG_LISTENER ? MDG_FROM_OLDEST : 0;
	do /* a bridge, or one that was just killed, may have the place for a moment */
		rc = rc ? rc : mdg_channel_open(ret, ns, argv[3], role, &options);
	while (rc == -EBUSY && nanosleep(&pause, NULL) == 0 && (rc = 0) == 0);
	return rc;
}

int main(int argc, char **argv)
{
	mdg_channel *channel;
	const char *what = argc < 7 ? "" : argv[1];
	unsigned role = strcmp(what, "listen") == 0 ? MDG_LISTENER
	                : strcmp(what, "make") == 0 ? MDG_OBSERVER
	                                            : MDG_TALKER;

	if (!*what)
		return 2;
	int rc = open_channel(&channel, argv, role);
	if (rc != 0)
		return fail("open", rc);
	if (strcmp(what, "talk") == 0 && argc > 9)
		rc = talk(channel, strtoul(argv[7], NULL, 10), strtoul(argv[8], NULL, 10),
		          strtoul(argv[9], NULL, 10));
	else if (role == MDG_LISTENER && argc > 7)
		rc = listen_to(channel, argv[7]);
	else if (strcmp(what, "fill") == 0 && argc > 7)
		rc = fill(channel, (unsigned)strtoul(argv[7], NULL, 10));
	mdg_channel_close(channel);
	return rc;
}
