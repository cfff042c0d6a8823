/* SPDX-License-Identifier: MIT */
/*
 * channels.c - madang channels: the channels of a namespace, how full they are, and who is there.
 *
 * Rates need two looks: they are a tenth of a second apart, and with --watch each look is compared
 * with the one before.
 */
#include "channel/channels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/command.h"

enum { OPTION_WATCH = OPTION_LONG };

static const struct option_row option_rows[] = {
	FLAG('p', "peers", "also list the talkers and listeners of all channels"),
	OPTION_JSON,
	VALUE(OPTION_WATCH, "watch", "[=SEC]",
	      "again and again, every 2 seconds or as given; Ctrl-C ends it"),
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

#define LOOK_NS  100000000u
#define WATCH_NS UINT64_C(2000000000)

/* The namespace may come while it is watched for. */
static int open_namespace(struct channels_request *request)
{
	int rc;

	if (request->ns != NULL)
		return 0;
	rc = namespace_open_to_look(&request->ns, request->dir);
	if (rc != 0)
		request->ns = NULL;
	return rc == -ENOENT ? 0 : rc;
}

static int look(const struct channels_request *request, struct channels_view *view)
{
	int rc;

	memset(view, 0, sizeof *view);
	if (request->ns == NULL)
		return 0;
	rc = channels_read(request->ns, request->name, view);
	for (size_t i = 0; request->peers && i < view->count; i++)
		view->entries[i].refused = channels_read_peers(request->ns, &view->entries[i]);
	return rc;
}

static void pause_for(uint64_t nanoseconds)
{
	struct timespec moment = { (time_t)(nanoseconds / 1000000000),
		                   (long)(nanoseconds % 1000000000) };
	(void)nanosleep(&moment, NULL);
}

/* ---- what is said ----------------------------------------------------- */

static int complain_none(const struct channels_request *request)
{
	char name[4 * MDG_NAME_MAX + 1];
	uint64_t seconds;

	complain("there is no channel \"%s\" that you may read",
	         show_text(name, sizeof name, request->name));
	advise(request->watch && parse_seconds(request->name, &seconds)
	               ? "If you meant seconds, write them as --watch=SECONDS."
	               : "See them all with 'madang channels'; 'madang listen' and 'madang talk' "
	                 "make one.");
	return TOOL_TROUBLE;
}

/* Whether the peers of some could not be read. Who has gone since is no trouble. */
static bool complain_refused(const struct channels_request *request,
                             const struct channels_view *view)
{
	bool any = false;

	for (size_t i = 0; i < view->count; i++) {
		char name[4 * MDG_NAME_MAX + 1];
		int rc = view->entries[i].refused;
		if (rc == 0 || rc == -ENOENT)
			continue;
		any = true;
		show_text(name, sizeof name, view->entries[i].info.name);
		if (rc == -EACCES) {
			complain("who is in the channel \"%s\" may not be seen by you", name);
			advise("That needs permission to read it.");
		} else {
			complain_code(rc, request->dir, "cannot see who is in the channel \"%s\"",
			              name);
		}
	}
	return any;
}

static int print(const struct channels_request *request, const struct channels_view *view, int rc)
{
	if (request->json)
		channels_print_json(request, view);
	else if (request->ns != NULL && (request->name == NULL || view->count > 0))
		channels_print_text(request, view);
	if (request->ns == NULL) {
		complain("no namespace at %s; nothing is shared", request->path);
		return request->name == NULL ? TOOL_OK : TOOL_TROUBLE;
	}
	if (view->bridge_refused != 0)
		complain_code(view->bridge_refused, request->dir,
		              "cannot read what the bridge of %s says", request->path);
	if (rc != 0)
		complain_code(rc, request->dir, "cannot read all of %s", request->path);
	else if (request->name != NULL && view->count == 0)
		return complain_none(request);
	return complain_refused(request, view) || rc != 0 ? TOOL_TROUBLE : TOOL_OK;
}

/* ---- the command ------------------------------------------------------ */

/* A terminal shows one look at a time, a file all of them. */
static void separate(const struct channels_request *request, bool first)
{
	if (!request->watch)
		return;
	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	else if (!first)
		putchar('\n');
}

static int show(struct channels_request *request)
{
	struct channels_view before, view;
	int status = TOOL_OK;

	if (open_namespace(request) != 0)
		return TOOL_TROUBLE;
	(void)look(request, &before);
	if (before.count > 0)
		pause_for(LOOK_NS);
	for (bool first = true;; first = false) {
		if (!first)
			pause_for(request->interval);
		if (open_namespace(request) != 0) {
			status = TOOL_TROUBLE;
			break;
		}
		int rc = look(request, &view);
		channels_find_rates(&view, &before);
		separate(request, first);
		status = print(request, &view, rc);
		channels_free(&before);
		before = view;
		if (status != TOOL_OK || !request->watch || fflush(stdout) != 0)
			break;
	}
	channels_free(&before);
	return status;
}

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct channels_request *request = context;

	switch (option) {
	case 'p':
		request->peers = true;
		break;
	case 'j':
		request->json = true;
		break;
	case OPTION_WATCH:
		request->watch = true;
		return option_watch(value, &request->interval);
	case 'n':
		request->dir = value;
		break;
	default:
		break;
	}
	return TOOL_OK;
}

static int parse_arguments(const struct command *command, int argc, char **argv,
                           struct channels_request *request)
{
	int status = options_parse(command, argc, argv, take, request);

	if (status != TOOL_OK)
		return status;
	if (argc - optind > 1)
		return usage_error("one channel at a time, or none for all");
	if (optind < argc) {
		request->name = argv[optind];
		request->peers = true;
		if (usage_name(request->name) != TOOL_OK)
			return TOOL_USAGE;
	}
	return TOOL_OK;
}

static int channels_main(const struct command *command, int argc, char **argv)
{
	struct channels_request request = { .interval = WATCH_NS };
	int status = parse_arguments(command, argc, argv, &request);

	if (status != TOOL_OK)
		return status;
	namespace_path(request.path, request.dir);
	status = show(&request);
	mdg_namespace_close(request.ns);
	return status;
}

const struct command channels_command = {
	.name = "channels",
	.summary = "show the channels, how full they are, and who is there",
	.synonyms = "peers queues topics",
	.usage = "channels [--peers] [--json] [--watch[=SECONDS]] [--namespace DIR] [NAME]",
	.about = "Shows the channels of a namespace, or one of them with its talkers and "
		 "listeners.\n",
	.options = option_rows,
	.notes = "Columns:\n"
		 "  NAME       the channel\n"
		 "  KIND       stream, queue, topic or call\n"
		 "  CAPACITY   bytes of the largest message\n"
		 "  FILL       how much of the ring is in use\n"
		 "  WAITING    messages that nobody has taken; of a topic, messages that it keeps\n"
		 "  TALKERS    who sends; of a call channel, the callers\n"
		 "  LISTENERS  who receives; of a call channel, the servers\n"
		 "  SENT       messages since the channel was made\n"
		 "  RATE       messages per second at present\n"
		 "  MISSED     messages of a topic that its present listeners have missed\n"
		 "  BRIDGE     if there is a bridge to other hosts: the direction, what lags, "
		 "trouble\n"
		 "'madang rm --name NAME' removes a channel.\n",
	.operands = "channels",
	.run = channels_main,
};
