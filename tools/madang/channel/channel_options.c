/* SPDX-License-Identifier: MIT */
/*
 * channel_options.c - the words of the command lines of listen, talk, call and serve.
 *
 * All options are known here, by their letters, and each command says which it takes. --overwrite
 * and --from are about topics, so they ask for a topic where --kind does not say anything.
 */
#include "channel/channel_tool.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct option all_options[] = {
	{ "whole", no_argument, NULL, 'w' },       { "records", no_argument, NULL, 'r' },
	{ "kind", required_argument, NULL, 'k' },  { "capacity", required_argument, NULL, 'C' },
	{ "peers", required_argument, NULL, 'P' }, { "overwrite", no_argument, NULL, 'O' },
	{ "mode", required_argument, NULL, 'm' },  { "from", required_argument, NULL, 'f' },
	{ "count", required_argument, NULL, 'c' }, { "timeout", required_argument, NULL, 't' },
	{ "stats", no_argument, NULL, 's' },       { "namespace", required_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' },
};
enum { OPTIONS = sizeof all_options / sizeof all_options[0] };

const char *channel_kind_name(uint32_t kind)
{
	switch (kind) {
	case MDG_STREAM:
		return "stream";
	case MDG_QUEUE:
		return "queue";
	case MDG_TOPIC:
		return "topic";
	case MDG_CALL:
		return "call";
	default:
		return "?";
	}
}

/* The command's own options: for getopt_long, which wants the letters once more. */
static void choose(const char *letters, struct option chosen[OPTIONS + 1],
                   char words[2 * OPTIONS + 3])
{
	size_t count = 0, used = 0;

	if (letters[0] == '+')
		words[used++] = '+';
	words[used++] = ':';
	for (size_t i = 0; i < OPTIONS; i++) {
		if (strchr(letters, all_options[i].val) == NULL)
			continue;
		chosen[count++] = all_options[i];
		words[used++] = (char)all_options[i].val;
		if (all_options[i].has_arg == required_argument)
			words[used++] = ':';
	}
	memset(&chosen[count], 0, sizeof chosen[count]);
	words[used] = '\0';
}

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
static int parse_bounded(const char *option, uint64_t low, uint64_t high, uint64_t *ret_number)
{
	if (parse_number(optarg, low, high, ret_number))
		return TOOL_OK;
	if (high == UINT64_MAX)
		return usage_error("%s takes a number from %llu, not '%s'", option,
		                   (unsigned long long)low, optarg);
	return usage_error("%s takes a number from %llu to %llu, not '%s'", option,
	                   (unsigned long long)low, (unsigned long long)high, optarg);
}

static int parse_capacity(struct channel_request *request)
{
	uint64_t bytes;

	if (!parse_size(optarg, &bytes) || bytes == 0 || bytes > MDG_CAPACITY_MAX)
		return usage_error("--capacity takes 1 to %u bytes (or with K, M, G), not '%s'",
		                   MDG_CAPACITY_MAX, optarg);
	request->options.capacity = bytes;
	return TOOL_OK;
}

static int parse_mode_option(struct channel_request *request)
{
	unsigned mode;

	if (!parse_mode(optarg, &mode) || mode == 0)
		return usage_error("'%s' is not a mode (octal, 0001 to 0777)", optarg);
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

static int parse_option(int c, struct channel_request *request)
{
	uint64_t number;
	int status = TOOL_OK;

	switch (c) {
	case 'w':
		return parse_format(request, CHANNEL_WHOLE);
	case 'r':
		return parse_format(request, CHANNEL_RECORDS);
	case 'k':
		return parse_kind(optarg, &request->options.kind);
	case 'C':
		return parse_capacity(request);
	case 'P':
		status = parse_bounded("--peers", 2, MDG_PEERS_MAX, &number);
		if (status == TOOL_OK)
			request->options.peers = (uint32_t)number;
		return status;
	case 'O':
		request->options.full = MDG_FULL_OVERWRITE;
		return TOOL_OK;
	case 'm':
		return parse_mode_option(request);
	case 'f':
		return parse_from(optarg, request);
	case 'c':
		return parse_bounded("--count", 1, UINT64_MAX, &request->count);
	case 't':
		if (!parse_seconds(optarg, &request->timeout))
			return usage_error("--timeout takes seconds, such as 5 or 0.2, not '%s'",
			                   optarg);
		return TOOL_OK;
	case 's':
		request->stats = true;
		return TOOL_OK;
	default:
		request->dir = optarg;
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

/* The next options; TOOL_OK at the first word that is none. */
static int parse_options(int argc, char **argv, const char *words, const struct option *chosen,
                         struct channel_request *request, bool *ret_help)
{
	int c, status = TOOL_OK;

	while (status == TOOL_OK && (c = getopt_long(argc, argv, words, chosen, NULL)) != -1) {
		*ret_help = c == 'h';
		if (*ret_help)
			return TOOL_OK;
		status = c == '?' || c == ':' ? usage_option(c, argv) : parse_option(c, request);
	}
	return status;
}

bool channel_parse(int argc, char **argv, const char *letters, const char *help,
                   struct channel_request *request, int *ret_status)
{
	struct option chosen[OPTIONS + 1];
	char words[2 * OPTIONS + 3];
	bool wants_help = false;
	int status;

	memset(request, 0, sizeof *request);
	request->options.size = sizeof request->options;
	request->count = UINT64_MAX;
	request->timeout = MDG_FOREVER;
	choose(letters, chosen, words);
	status = parse_options(argc, argv, words, chosen, request, &wants_help);
	if (status == TOOL_OK && !wants_help)
		status = parse_name(argc, argv, request);
	if (status == TOOL_OK && !wants_help && letters[0] == '+')
		status = parse_options(argc, argv, words, chosen, request, &wants_help);
	if (wants_help) {
		*ret_status = print_help(help);
		return false;
	}
	if (status == TOOL_OK)
		status = check_topic(request);
	*ret_status = status;
	return status == TOOL_OK;
}
