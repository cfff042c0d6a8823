/* SPDX-License-Identifier: MIT */
/*
 * queue_peer.c - a program of a queue, for queue.py.
 *
 *     queue_peer talk DIRECTORY QUEUE FIRST COUNT [SIZE [CAPACITY]]
 *     queue_peer work DIRECTORY QUEUE LEDGER [MICROSECONDS]
 *
 * `work` writes a line "NUMBER FLAGS" to its ledger when it has a message, works so long, and then
 * releases the message. The bytes of a message follow from its number, and are checked.
 */
#include <madang/channel.h>
#include <madang/segment.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 200, LARGEST = 1 << 20 };

static unsigned char bytes[LARGEST];

static void fill(unsigned long number, size_t size)
{
	memset(bytes, (int)(number * 31 & 0xff), size);
	memcpy(bytes, &number, sizeof number);
}

static int fail(const char *what, int rc)
{
	fprintf(stderr, "queue_peer: %s: %s\n", what, mdg_strerror(rc));
	return 1;
}

static int talk(mdg_channel *queue, unsigned long first, unsigned long count, size_t size)
{
	for (unsigned long i = first; i < first + count; i++) {
		fill(i, size);
		int rc = mdg_channel_send(queue, bytes, size, MDG_FOREVER);
		if (rc != 0)
			return fail("send", rc);
	}
	return 0;
}

static int work(mdg_channel *queue, const char *ledger, unsigned microseconds)
{
	int fd = open(ledger, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	for (;;) {
		struct mdg_message message;
		unsigned long number;
		char line[64];
		int rc = mdg_channel_peek(queue, &message, MDG_FOREVER);
		if (rc != 0)
			return fail("peek", rc);
		if (message.size < sizeof number || message.size > LARGEST)
			return fail("a size that nobody sent", MDG_BROKEN);
		memcpy(&number, message.data, sizeof number);
		fill(number, message.size);
		if (memcmp(bytes, message.data, message.size) != 0)
			return fail("a message that nobody sent", MDG_BROKEN);
		int length = snprintf(line, sizeof line, "%lu %u\n", number, message.flags);
		if (write(fd, line, (size_t)length) != length)
			return 1;
		if (microseconds != 0)
			(void)usleep(microseconds);
		rc = mdg_channel_release(queue);
		if (rc != 0)
			return fail("release", rc);
	}
}

int main(int argc, char **argv)
{
	struct mdg_channel_options options = { .size = sizeof options, .kind = MDG_QUEUE };
	mdg_namespace *ns;
	mdg_channel *queue;
	if (argc < 5)
		return 2;
	int talks = strcmp(argv[1], "talk") == 0;
	size_t size = talks && argc > 6 ? strtoul(argv[6], NULL, 10) : SIZE;
	if (size < sizeof(unsigned long) || size > LARGEST)
		return 2;
	if (talks && argc > 7)
		options.capacity = strtoull(argv[7], NULL, 10);
	int rc = mdg_namespace_open(&ns, argv[2], NULL);
	if (rc == 0)
		rc = mdg_channel_open(&queue, ns, argv[3], talks ? MDG_TALKER : MDG_LISTENER,
		                      &options);
	if (rc != 0)
		return fail("open", rc);
	if (talks && argc > 5)
		rc = talk(queue, strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10), size);
	else
		rc = work(queue, argv[4], argc > 5 ? (unsigned)atoi(argv[5]) : 0);
	mdg_channel_close(queue);
	return rc;
}
