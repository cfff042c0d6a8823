/* SPDX-License-Identifier: MIT */
/*
 * talk.c - madang talk: sends standard input to a channel.
 *
 * What one read(2) has brought is cut into messages, which are sent before the next read: so
 * nothing waits here while the input is idle. A message longer than the channel takes ends it, as
 * soon as that is known; those before it have been sent.
 */
#include "channel/channel_tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/command.h"

static const struct option_row option_rows[] = {
	FLAG('r', "records", "not lines: before each message 4 bytes with its length, big endian"),
	FLAG('w', "whole", "all of the input is one message"),
	VALUE('c', "count", "N", "end after N messages"),
	VALUE('t', "timeout", "SEC", "end with 124 when a message finds no room for so long"),
	FLAG('s', "stats", "at the end say how many, and how fast"),
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_OF_CHANNEL,
	OPTIONS_END,
};

enum { BATCH = 256, LENGTH = 4 };

/* What cut() finds, beside 1: a message, and 0: not yet, there has to be more input. */
enum { CUT_END = -1, CUT_SIZE = -2, CUT_SHORT = -3 };

struct talk {
	struct channel_request request;
	struct channel channel;
	struct channel_stats stats;
	struct channel_input input;
	uint64_t left;   /* messages to go */
	uint64_t number; /* of the message that is being cut, from 1 */
	uint64_t size;   /* of one that cannot be sent */
	size_t searched; /* bytes of the input in which there is no line end */
	struct mdg_message messages[BATCH];
	unsigned count; /* that have been cut, and are to be sent */
};

/* ---- cutting ---------------------------------------------------------- */

static int cut_at(struct talk *talk, size_t head, size_t size, size_t tail)
{
	struct mdg_message *message = &talk->messages[talk->count];

	if (size > talk->channel.info.capacity) {
		talk->size = size;
		return CUT_SIZE;
	}
	memset(message, 0, sizeof *message);
	message->data = talk->input.data + talk->input.start + head;
	message->size = size;
	talk->input.start += head + size + tail;
	return 1;
}

static int cut_line(struct talk *talk)
{
	const unsigned char *start = talk->input.data + talk->input.start;
	size_t there = talk->input.end - talk->input.start;
	size_t searched = talk->searched;
	const unsigned char *end =
		there > searched ? memchr(start + searched, '\n', there - searched) : NULL;

	talk->searched = end != NULL ? 0 : there;
	if (end != NULL)
		return cut_at(talk, 0, (size_t)(end - start), 1);
	if (talk->input.at_end)
		return there == 0 ? CUT_END : cut_at(talk, 0, there, 0);
	return there > talk->channel.info.capacity ? CUT_SIZE : 0;
}

static int cut_record(struct talk *talk)
{
	const unsigned char *start = talk->input.data + talk->input.start;
	size_t there = talk->input.end - talk->input.start;
	size_t size = 0;

	if (there < LENGTH) {
		talk->size = LENGTH;
		if (talk->input.at_end)
			return there == 0 ? CUT_END : CUT_SHORT;
		return 0;
	}
	for (int byte = 0; byte < LENGTH; byte++)
		size = size << 8 | start[byte];
	/* Said before it is waited for. */
	if (size > talk->channel.info.capacity || there - LENGTH >= size)
		return cut_at(talk, LENGTH, size, 0);
	talk->size = LENGTH + size;
	return talk->input.at_end ? CUT_SHORT : 0;
}

static int cut_whole(struct talk *talk)
{
	size_t there = talk->input.end - talk->input.start;

	if (!talk->input.at_end)
		return there > talk->channel.info.capacity ? CUT_SIZE : 0;
	return talk->number > 1 ? CUT_END : cut_at(talk, 0, there, 0);
}

/* The next message of what has been read. */
static int cut(struct talk *talk)
{
	talk->size = 0;
	if (talk->left == talk->count)
		return CUT_END;
	switch (talk->request.format) {
	case CHANNEL_WHOLE:
		return cut_whole(talk);
	case CHANNEL_RECORDS:
		return cut_record(talk);
	default:
		return cut_line(talk);
	}
}

/* ---- sending ---------------------------------------------------------- */

static int complain_send(struct talk *talk, int rc)
{
	char time[SHOW_ROOM];
	struct mdg_channel_info info = { .size = sizeof info };

	switch (rc) {
	case -EINTR:
		return TOOL_TROUBLE; /* and then by the signal */
	case -ETIMEDOUT:
		complain("no room in \"%s\" for %s", talk->request.shown,
		         channel_show_seconds(time, talk->request.timeout));
		if (mdg_channel_look(talk->channel.handle, &info) == 0)
			advise(info.listeners == 0
			               ? "Nobody listens; 'madang listen' does."
			               : "See who is slow with 'madang channels --peers'.");
		return TOOL_TIMEOUT;
	default:
		channel_complain(rc, &talk->request, "cannot talk to");
		return TOOL_TROUBLE;
	}
}

/* Sends all that has been cut. */
static int send_all(struct talk *talk)
{
	const struct mdg_message *next = talk->messages;
	uint64_t deadline = channel_deadline(talk->request.timeout);

	while (talk->count > 0) {
		uint64_t slice = channel_slice(deadline);
		int sent = channel_caught() != 0 ? -EINTR
		                                 : mdg_channel_send_many(talk->channel.handle, next,
		                                                         talk->count, slice);
		if (sent > 0) {
			channel_count(&talk->stats, next, (unsigned)sent);
			next += sent;
			talk->count -= (unsigned)sent;
			talk->left -= (unsigned)sent;
			deadline = channel_deadline(talk->request.timeout);
		} else if (channel_caught() != 0) {
			return complain_send(talk, -EINTR);
		} else if (!channel_is_waiting(sent)) {
			return complain_send(talk, sent);
		} else if (sent != -EINTR && slice == deadline) {
			return complain_send(talk, -ETIMEDOUT);
		}
	}
	return TOOL_OK;
}

/* ---- the command ------------------------------------------------------ */

static int complain_message(struct talk *talk, int found)
{
	bool records = talk->request.format == CHANNEL_RECORDS;
	char what[SHOW_ROOM] = "the input";

	if (talk->request.format != CHANNEL_WHOLE)
		snprintf(what, sizeof what, "%s %" PRIu64, records ? "record" : "line",
		         talk->number);
	if (found == CUT_SIZE) {
		channel_complain_size(&talk->channel, &talk->request, what,
		                      talk->size != 0 ? talk->size : talk->channel.info.capacity,
		                      talk->size == 0);
	} else {
		complain("the input ends within %s: %zu of %" PRIu64 " bytes are there", what,
		         talk->input.end - talk->input.start, talk->size);
		advise("Each record is 4 bytes with its length, big endian, and as many bytes.");
	}
	return TOOL_TROUBLE;
}

static int run(struct talk *talk)
{
	talk->number = 1;
	for (;;) {
		int found = 0;
		while (talk->count < BATCH && (found = cut(talk)) > 0) {
			talk->count++;
			talk->number++;
		}
		bool full = talk->count == BATCH;
		int status = send_all(talk);
		if (status != TOOL_OK)
			return status;
		if (full)
			continue;
		if (found == CUT_END)
			return TOOL_OK;
		if (found < 0)
			return complain_message(talk, found);
		int rc = channel_input_more(&talk->input, STDIN_FILENO);
		if (rc != 0) {
			if (rc != -EINTR)
				complain("cannot read the input: %s", strerror(-rc));
			return TOOL_TROUBLE;
		}
	}
}

static int talk_main(const struct command *command, int argc, char **argv)
{
	static struct talk talk;
	int status = channel_parse(command, argc, argv, &talk.request);

	if (status != TOOL_OK)
		return status;
	if (optind < argc)
		return usage_error(
			"one channel at a time; '%s' is too much (messages are read from "
			"standard input)",
			argv[optind]);
	talk.left = talk.request.count;
	channel_catch(false);
	status = channel_enter(&talk.channel, &talk.request, MDG_TALKER);
	if (status == TOOL_OK) {
		status = run(&talk);
		if (talk.request.stats)
			channel_print_stats(&talk.stats, false);
	}
	channel_leave(&talk.channel);
	free(talk.input.data);
	return channel_end(status);
}

const struct command talk_command = {
	.name = "talk",
	.summary = "send standard input to a channel",
	.synonyms = "send publish pub",
	.usage = "talk [OPTIONS] NAME",
	.about = "Sends standard input to a channel, each line as a message.\n"
		 "The channel is made if it is not there.\n",
	.options = option_rows,
	.notes = "Exit status: 0 all was sent; 1 trouble; 2 usage; 124 --timeout.\n",
	.operands = "channels",
	.run = talk_main,
};
