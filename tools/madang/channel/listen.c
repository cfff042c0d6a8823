/* SPDX-License-Identifier: MIT */
/*
 * listen.c - madang listen: writes the messages of a channel to standard output.
 *
 * Messages are written out where they lie and released then, so that none is lost by killing this
 * process, or its reader: what was not released goes to another listener, or the next. Of a stream
 * and a topic as many as there are go out together; of a queue one by one, so that listeners share
 * the work.
 *
 * A topic that overwrites is different: its talkers wait for whoever holds a message, and the
 * reader of our output may be slow. There a message is copied first, and nobody else would have got
 * it anyhow.
 */
#include "channel/channel_tool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/command.h"

static const struct option_row option_rows[] = {
	FLAG('r', "records",
	     "4 bytes with the length, big endian, before each message, in place of\n"
	     "a line end behind it"),
	FLAG('w', "whole", "one message as it is; several with --count"),
	VALUE('c', "count", "N", "end after N messages"),
	VALUE('t', "timeout", "SEC",
	      "end with 124 when none came for so long; 0: take what is there"),
	VALUE_OF('f', "from", "WHERE", "next oldest last",
	         "of a topic: next (default), oldest or last"),
	FLAG('s', "stats", "at the end say how many, how fast, how many missed and redelivered"),
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_OF_CHANNEL,
	OPTIONS_END,
};

enum { BATCH = 256, PARTS = 2 };

struct listen {
	struct channel_request request;
	struct channel channel;
	struct channel_stats stats;
	uint64_t left; /* messages to go */
	struct mdg_message messages[BATCH];
	unsigned char *copy; /* of a topic that overwrites */
	size_t copy_room;
};

/* ---- taking ----------------------------------------------------------- */

static bool copies(const struct listen *listen)
{
	return listen->channel.info.full == MDG_FULL_OVERWRITE;
}

/* As channel_peek, one message, held only while it is copied. */
static int take_copy(struct listen *listen)
{
	struct mdg_message *message = listen->messages;
	int rc = channel_peek(&listen->channel, message, 1, listen->request.timeout, STDOUT_FILENO);

	if (rc <= 0)
		return rc;
	if (message->size > listen->copy_room) {
		unsigned char *copy = realloc(listen->copy, message->size);
		if (copy == NULL)
			return -ENOMEM;
		listen->copy = copy;
		listen->copy_room = message->size;
	}
	if (message->size > 0)
		memcpy(listen->copy, message->data, message->size);
	message->data = listen->copy;
	rc = mdg_channel_release(listen->channel.handle);
	return rc == 0 ? 1 : rc;
}

static int take(struct listen *listen)
{
	unsigned most = listen->channel.info.kind == MDG_QUEUE ? 1 : BATCH;

	if (copies(listen))
		return take_copy(listen);
	if (most > listen->left)
		most = (unsigned)listen->left;
	return channel_peek(&listen->channel, listen->messages, most, listen->request.timeout,
	                    STDOUT_FILENO);
}

/* ---- writing ---------------------------------------------------------- */

static int put(struct listen *listen, unsigned count)
{
	static char line_end[] = "\n";
	static unsigned char lengths[BATCH][4];
	struct iovec parts[PARTS * BATCH];
	size_t used = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct mdg_message *message = &listen->messages[i];
		if (listen->request.format == CHANNEL_RECORDS) {
			for (int byte = 0; byte < 4; byte++)
				lengths[i][byte] =
					(unsigned char)(message->size >> (24 - 8 * byte));
			parts[used++] = (struct iovec){ lengths[i], 4 };
		}
		parts[used++] = (struct iovec){ message->data, message->size };
		if (listen->request.format == CHANNEL_LINES)
			parts[used++] = (struct iovec){ line_end, 1 };
	}
	return channel_write(STDOUT_FILENO, parts, used);
}

static int complain_output(int rc, bool held)
{
	/* A reader that has enough is no trouble. SIGPIPE tells the shell, unless ignored. */
	if (rc == -EINTR || (rc == -EPIPE && channel_caught() == SIGPIPE))
		return TOOL_TROUBLE;
	complain("cannot write the output: %s", strerror(-rc));
	if (held)
		advise("What could not be written has not been taken from the channel.");
	return TOOL_TROUBLE;
}

/* ---- the command ------------------------------------------------------ */

/* No message came. */
static int stop(struct listen *listen, int rc)
{
	char room[SHOW_ROOM];

	switch (rc) {
	case -EINTR:
		return TOOL_TROUBLE; /* and then by the signal */
	case -EIDRM:
		return TOOL_OK;
	case -EPIPE:
		(void)raise(SIGPIPE); /* as if we had written to it */
		return complain_output(rc, false);
	case -ETIMEDOUT:
		if (listen->request.timeout > 0) /* 0: there is no more, as was asked */
			complain("no message in \"%s\" for %s", listen->request.shown,
			         channel_show_seconds(room, listen->request.timeout));
		return TOOL_TIMEOUT;
	default:
		channel_complain(rc, &listen->request, "cannot listen to");
		return TOOL_TROUBLE;
	}
}

static int run(struct listen *listen)
{
	while (listen->left > 0) {
		int count = take(listen);
		if (count < 0)
			return stop(listen, count);
		int rc = put(listen, (unsigned)count);
		if (rc != 0)
			return complain_output(rc, !copies(listen));
		if (!copies(listen))
			rc = mdg_channel_release(listen->channel.handle);
		if (rc != 0) {
			channel_complain(rc, &listen->request, "cannot listen to");
			return TOOL_TROUBLE;
		}
		channel_count(&listen->stats, listen->messages, (unsigned)count);
		listen->left -= (unsigned)count;
	}
	return TOOL_OK;
}

static int listen_main(const struct command *command, int argc, char **argv)
{
	static struct listen listen;
	int status = channel_parse(command, argc, argv, &listen.request);

	if (status != TOOL_OK)
		return status;
	if (optind < argc)
		return usage_error("one channel at a time; '%s' is too much", argv[optind]);
	listen.left = listen.request.count;
	if (listen.request.format == CHANNEL_WHOLE && listen.left == UINT64_MAX)
		listen.left = 1;
	channel_catch(false);
	status = channel_enter(&listen.channel, &listen.request, MDG_LISTENER);
	if (status == TOOL_OK) {
		status = run(&listen);
		if (listen.request.stats)
			channel_print_stats(&listen.stats, true);
	}
	channel_leave(&listen.channel);
	free(listen.copy);
	return channel_end(status);
}

const struct command listen_command = {
	.name = "listen",
	.summary = "write the messages of a channel to standard output",
	.synonyms = "receive recv subscribe sub",
	.usage = "listen [OPTIONS] NAME",
	.about = "Writes the messages of a channel to standard output, a line each.\n"
		 "The channel is made if it is not there.\n",
	.options = option_rows,
	.notes = "Exit status: 0 --count was reached, or the channel was removed; 1 trouble;\n"
		 "2 usage; 124 --timeout.\n",
	.operands = "channels",
	.run = listen_main,
};
