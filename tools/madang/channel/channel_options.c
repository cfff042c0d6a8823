/* SPDX-License-Identifier: MIT */
/*
 * channel_options.c - reads the command lines of listen, talk, call and serve.
 *
 * An option means the same in each of these commands. Which of them a command takes is in its own
 * table. --overwrite and --from are about topics: without --kind they ask for a topic.
 */
#include "channel/channel_tool.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/command.h"

static int parse_kind(const char *text, uint32_t *ret_kind)
{
	for (uint32_t kind = MDG_STREAM; kind <= MDG_TOPIC; kind++) {
		if (strcmp(text, channel_kind_name(kind)) == 0) {
			*ret_kind = kind;
			return TOOL_OK;
		}
	}
	if (strcmp(text, "call") == 0)
		return usage_error("calls are for 'madang call' and 'madang serve'");
	return usage_error("--kind takes stream, queue or topic, not '%s'", text);
}

static int parse_from(const char *text, struct channel_request *request)
{
	static const char *const words[] = { "next", "oldest", "last" };

	for (uint32_t from = MDG_FROM_NEXT; from <= MDG_FROM_LAST; from++) {
		if (strcmp(text, words[from]) == 0) {
			request->options.from = from;
			request->has_from = true;
			return TOOL_OK;
		}
	}
	return usage_error("--from takes next, oldest or last, not '%s'", text);
}

/* A number, or what is said of it. */
static int parse_bounded(const char *value, const char *option, uint64_t low, uint64_t high,
                         uint64_t *ret_number)
{
	if (parse_number(value, low, high, ret_number))
		return TOOL_OK;
	if (high == UINT64_MAX)
		return usage_error("%s takes a number from %llu, not '%s'", option,
		                   (unsigned long long)low, value);
	return usage_error("%s takes a number from %llu to %llu, not '%s'", option,
	                   (unsigned long long)low, (unsigned long long)high, value);
}

static int parse_capacity(const char *value, struct channel_request *request)
{
	uint64_t bytes;

	if (!parse_size(value, &bytes) || bytes == 0 || bytes > MDG_CAPACITY_MAX)
		return usage_error("--capacity takes 1 to %u bytes (or with K, M, G), not '%s'",
		                   MDG_CAPACITY_MAX, value);
	request->options.capacity = bytes;
	return TOOL_OK;
}

static int parse_mode_option(const char *value, struct channel_request *request)
{
	unsigned mode;

	if (!parse_mode(value, &mode) || mode == 0)
		return usage_error("'%s' is not a mode (octal, 0001 to 0777)", value);
	request->options.mode = mode;
	return TOOL_OK;
}

static int parse_format(struct channel_request *request, enum channel_format format)
{
	if (request->format != CHANNEL_LINES && request->format != format)
		return usage_error("--whole and --records go one at a time");
	request->format = format;
	return TOOL_OK;
}

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct channel_request *request = context;
	uint64_t number;
	int status = TOOL_OK;

	switch (option) {
	case 'w':
		return parse_format(request, CHANNEL_WHOLE);
	case 'r':
		return parse_format(request, CHANNEL_RECORDS);
	case 'k':
		return parse_kind(value, &request->options.kind);
	case OPTION_CAPACITY:
		return parse_capacity(value, request);
	case OPTION_PEERS:
		status = parse_bounded(value, "--peers", 2, MDG_PEERS_MAX, &number);
		if (status == TOOL_OK)
			request->options.peers = (uint32_t)number;
		return status;
	case OPTION_OVERWRITE:
		request->options.full = MDG_FULL_OVERWRITE;
		return TOOL_OK;
	case 'm':
		return parse_mode_option(value, request);
	case 'f':
		return parse_from(value, request);
	case 'c':
		return parse_bounded(value, "--count", 1, UINT64_MAX, &request->count);
	case 't':
		if (!parse_seconds(value, &request->timeout))
			return usage_error("--timeout takes seconds, such as 5 or 0.2, not '%s'",
			                   value);
		return TOOL_OK;
	case 's':
		request->stats = true;
		return TOOL_OK;
	default:
		request->dir = value;
		return TOOL_OK; /* 'n' */
	}
}

static int parse_name(int argc, char **argv, struct channel_request *request)
{
	if (optind >= argc)
		return usage_error("which channel?");
	request->name = argv[optind++];
	show_text(request->shown, sizeof request->shown, request->name);
	return usage_name(request->name);
}

/* What is only about topics. */
static int check_topic(struct channel_request *request)
{
	bool overwrite = request->options.full == MDG_FULL_OVERWRITE;

	if (!overwrite && !request->has_from)
		return TOOL_OK;
	if (request->options.kind == 0)
		request->options.kind = MDG_TOPIC;
	if (request->options.kind != MDG_TOPIC)
		return usage_error("%s is for --kind topic, not %s",
		                   overwrite ? "--overwrite" : "--from",
		                   channel_kind_name(request->options.kind));
	return TOOL_OK;
}

int channel_parse(const struct command *command, int argc, char **argv,
                  struct channel_request *request)
{
	memset(request, 0, sizeof *request);
	request->options.size = sizeof request->options;
	request->count = UINT64_MAX;
	request->timeout = MDG_FOREVER;
	int status = options_parse(command, argc, argv, take, request);
	if (status == TOOL_OK)
		status = parse_name(argc, argv, request);
	/* Options also stand directly behind NAME, where options end at the first operand. */
	if (status == TOOL_OK && command->stops)
		status = options_parse(command, argc, argv, take, request);
	return status == TOOL_OK ? check_topic(request) : status;
}
