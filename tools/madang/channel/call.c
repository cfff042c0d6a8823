/* SPDX-License-Identifier: MIT */
/*
 * call.c - madang call: sends a request to whoever serves a channel, and prints the reply.
 *
 * The channel is the server's to make, with the capacity that it wants; so a call waits until it is
 * there, looking again every 20 ms.
 */
#include "channel/channel_tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/command.h"

static const struct option_row option_rows[] = {
	VALUE('t', "timeout", "SEC", "end with 124 when there was no reply for so long"),
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

#define LOOK_NS 20000000

struct call {
	struct channel_request request;
	struct channel channel;
	uint64_t deadline;
	struct channel_input input; /* what is asked */
};

/* ---- the request ------------------------------------------------------ */

static int join(struct channel_input *input, int count, char **words)
{
	size_t size = 1;

	for (int i = 0; i < count; i++)
		size += strlen(words[i]) + 1;
	input->data = malloc(size);
	if (input->data == NULL)
		return -ENOMEM;
	for (int i = 0; i < count; i++) {
		size_t length = strlen(words[i]);
		if (i > 0)
			input->data[input->end++] = ' ';
		memcpy(input->data + input->end, words[i], length);
		input->end += length;
	}
	return 0;
}

/* No channel takes more than MDG_CAPACITY_MAX. */
static int read_request(struct channel_input *input)
{
	int rc = 0;

	while (rc == 0 && !input->at_end && input->end <= MDG_CAPACITY_MAX)
		rc = channel_input_more(input, STDIN_FILENO);
	if (rc != 0 && rc != -EINTR)
		complain("cannot read the input: %s", strerror(-rc));
	return rc;
}

/* ---- the call --------------------------------------------------------- */

/* 0, or a code of a wait that is over. */
static int go_on(struct call *call)
{
	if (channel_caught() != 0)
		return -EINTR;
	return mdg_deadline(0) >= call->deadline ? -ETIMEDOUT : 0;
}

static int enter(struct call *call)
{
	const struct timespec moment = { 0, LOOK_NS };

	for (;;) {
		int rc = mdg_channel_open(&call->channel.handle, call->channel.ns,
		                          call->request.name, MDG_TALKER, &call->request.options);
		if (rc != -ENOENT) {
			if (rc != 0)
				call->channel.handle = NULL;
			return rc;
		}
		rc = go_on(call);
		if (rc != 0)
			return rc;
		nanosleep(&moment, NULL);
	}
}

static int ask(struct call *call)
{
	for (;;) {
		int rc = mdg_channel_send(call->channel.handle, call->input.data, call->input.end,
		                          channel_slice(call->deadline));
		if (!channel_is_waiting(rc))
			return rc;
		rc = go_on(call);
		if (rc != 0)
			return rc;
	}
}

static int await_reply(struct call *call, struct mdg_message *reply)
{
	for (;;) {
		int rc = mdg_channel_peek(call->channel.handle, reply,
		                          channel_slice(call->deadline));
		if (!channel_is_waiting(rc))
			return rc;
		rc = go_on(call);
		if (rc != 0)
			return rc;
	}
}

/* ---- what is said ----------------------------------------------------- */

static int print_reply(const struct mdg_message *reply)
{
	static char line_end[] = "\n";
	struct iovec parts[2] = { { reply->data, reply->size }, { line_end, 1 } };
	const unsigned char *bytes = reply->data;
	bool ended = reply->size == 0 || bytes[reply->size - 1] == '\n';
	int rc = channel_write(STDOUT_FILENO, parts, !ended && isatty(STDOUT_FILENO) ? 2 : 1);

	if (rc == 0)
		return TOOL_OK;
	if (channel_caught() == 0)
		complain("cannot write the reply: %s", strerror(-rc));
	return TOOL_TROUBLE;
}

static bool is_served(struct call *call)
{
	struct mdg_channel_info info = { .size = sizeof info };
	return call->channel.handle != NULL && mdg_channel_look(call->channel.handle, &info) == 0 &&
	       info.listeners > 0;
}

static int complain_call(struct call *call, int rc)
{
	const char *shown = call->request.shown;
	char time[SHOW_ROOM];

	switch (rc) {
	case -EINTR:
		break; /* and then by the signal */
	case -ETIMEDOUT:
		complain("no reply from \"%s\" for %s", shown,
		         channel_show_seconds(time, call->request.timeout));
		advise(is_served(call) ? "It is served, and the servers are busy."
		                       : "Nobody serves it; 'madang serve' does.");
		return TOOL_TIMEOUT;
	case MDG_PEER_DIED:
		complain("the server of \"%s\" died before it replied", shown);
		advise("It may have done the work, or a part. If doing it twice is no harm, call "
		       "again.");
		break;
	case -ECANCELED:
		complain("the server of \"%s\" refused the request", shown);
		advise("It says why on its own standard error.");
		break;
	case -EMSGSIZE:
		channel_complain_size(&call->channel, &call->request, "the request",
		                      call->input.end, false);
		break;
	default:
		channel_complain(rc, &call->request, "cannot call");
		break;
	}
	return TOOL_TROUBLE;
}

/* ---- the command ------------------------------------------------------ */

static int run(struct call *call)
{
	struct mdg_message reply;
	int rc;

	if (namespace_open(&call->channel.ns, call->request.dir, NULL) != 0)
		return TOOL_TROUBLE;
	call->deadline = channel_deadline(call->request.timeout);
	rc = enter(call);
	if (rc != 0 && !channel_is_waiting(rc)) {
		channel_complain_open(rc, call->channel.ns, &call->request, MDG_TALKER);
		return TOOL_TROUBLE;
	}
	call->channel.info.size = sizeof call->channel.info;
	if (rc == 0)
		rc = mdg_channel_look(call->channel.handle, &call->channel.info);
	if (rc == 0)
		rc = ask(call);
	if (rc == 0)
		rc = await_reply(call, &reply);
	return rc == 0 ? print_reply(&reply) : complain_call(call, rc);
}

static int call_main(const struct command *command, int argc, char **argv)
{
	static struct call call;
	int status = channel_parse(command, argc, argv, &call.request), rc;

	if (status != TOOL_OK)
		return status;
	call.request.options.kind = MDG_CALL;
	call.request.options.flags = MDG_CHANNEL_EXISTING;
	channel_catch(false);
	if (optind < argc) {
		rc = join(&call.input, argc - optind, argv + optind);
		if (rc != 0)
			complain("%s", strerror(-rc));
	} else {
		rc = read_request(&call.input);
	}
	status = rc == 0 ? run(&call) : TOOL_TROUBLE;
	channel_leave(&call.channel);
	free(call.input.data);
	return channel_end(status);
}

const struct command call_command = {
	.name = "call",
	.summary = "send a request to who serves a channel, and print the reply",
	.synonyms = "request ask",
	.usage = "call [OPTIONS] NAME [TEXT...]",
	.about = "Sends a request to a server of the channel ('madang serve'), and prints the\n"
		 "reply. The request is TEXT, or standard input where there is no TEXT.\n",
	.options = option_rows,
	.notes = "The words of TEXT are joined by blanks. Words that begin with '-' must follow\n"
		 "'--'. The reply is printed as it is. On a terminal, a line end is added if it\n"
		 "has none.\n"
		 "Exit status: 0 there was a reply; 1 there was none: the request was refused, or\n"
		 "the server died; 2 usage; 124 --timeout.\n",
	.operands = "channels",
	.run = call_main,
};
