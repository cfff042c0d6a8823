/* SPDX-License-Identifier: MIT */
/*
 * graph.c - madang graph: a picture of who shares what, who talks to whom, and who waits for whom.
 *
 * Rates need two looks. The first one is only at the channels, and if there are none, it is not
 * needed. With --watch each look is compared with the one before. A file is replaced as a whole, so
 * that a browser never loads a half, and stays as it was if anything goes wrong.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/command.h"
#include "graph/picture.h"

enum { OPTION_DOT = OPTION_LONG, OPTION_SVG, OPTION_HTML, OPTION_WATCH, OPTION_INTERVAL };

static const struct option_row option_rows[] = {
	HEADING("What is written:"),
	FLAG(OPTION_DOT, "dot", "the picture in the language of Graphviz; the default"),
	VALUE_OF(OPTION_SVG, "svg", "FILE", "@files", "one file of SVG; - is standard output"),
	VALUE_OF(OPTION_HTML, "html", "FILE", "@files", "one page for any browser"),
	HEADING("How:"),
	VALUE(OPTION_WATCH, "watch", "[=SEC]",
	      "write the files again and again, every 2 seconds or as\n"
	      "given; Ctrl-C ends it"),
	VALUE(OPTION_INTERVAL, "interval", "SEC",
	      "how long rates of channels are measured; default 0.5"),
	VALUE('l', "limit", "N", "most shapes in the picture; default 60, 0 for all"),
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

#define WATCH_NS    UINT64_C(2000000000)
#define INTERVAL_NS UINT64_C(500000000)

struct request {
	mdg_namespace *ns; /* NULL: there is no such namespace */
	const char *dir;
	char path[NAMESPACE_PATH_ROOM];
	bool dot;
	const char *svg, *html;
	bool watch;
	uint64_t period, interval; /* nanoseconds */
	uint64_t limit;
};

/* ---- looking ---------------------------------------------------------- */

static void pause_for(uint64_t nanoseconds)
{
	struct timespec moment = { (time_t)(nanoseconds / 1000000000),
		                   (long)(nanoseconds % 1000000000) };

	if (channel_caught() == 0)
		(void)nanosleep(&moment, NULL);
}

/* The namespace may come and go while it is watched. */
static int open_namespace(struct request *request)
{
	if (request->ns != NULL)
		return TOOL_OK;
	int rc = namespace_open_to_look(&request->ns, request->dir);
	if (rc != 0)
		request->ns = NULL;
	return rc == 0 || rc == -ENOENT ? TOOL_OK : TOOL_TROUBLE;
}

/* What could be read is there in any case. */
static int look(struct request *request, unsigned what, struct seen *ret, const struct seen *before)
{
	memset(ret, 0, sizeof *ret);
	ret->time = (int64_t)time(NULL);
	if (request->ns == NULL)
		return TOOL_OK;
	int rc = seen_take(ret, request->ns, what, before);
	if (rc == 0)
		return TOOL_OK;
	if (rc == MDG_NS_GONE && request->watch) {
		seen_free(ret);
		ret->time = (int64_t)time(NULL);
		mdg_namespace_close(request->ns);
		request->ns = NULL;
		return TOOL_OK;
	}
	complain_code(rc, request->dir, "cannot read all of %s", request->path);
	return TOOL_TROUBLE;
}

/* ---- writing ---------------------------------------------------------- */

static int write_page(const char *path, const struct page *page,
                      void (*write)(const struct page *page, FILE *out))
{
	struct output_file file;

	if (path == NULL)
		return TOOL_OK;
	int status = output_file_begin(&file, path);
	if (status != TOOL_OK)
		return status;
	write(page, file.stream);
	if (channel_caught() == 0)
		return output_file_keep(&file);
	output_file_drop(&file);
	return TOOL_TROUBLE;
}

static int write_all(const struct request *request, const struct picture *picture)
{
	struct drawing drawing;
	struct page page = { .picture = picture,
		             .drawing = &drawing,
		             .path = request->path,
		             .exists = request->ns != NULL };

	if (request->dot)
		picture_write_dot(picture, stdout, request->path);
	if (request->svg == NULL && request->html == NULL)
		return TOOL_OK;
	if (request->watch)
		page.refresh = (request->period + 999999999) / 1000000000;
	int status = picture_draw(&drawing, picture, request->path);
	if (status != TOOL_OK)
		return status;
	status = write_page(request->svg, &page, page_write_svg);
	int other = write_page(request->html, &page, page_write_html);
	drawing_free(&drawing);
	return status == TOOL_OK ? other : status;
}

static int show(const struct request *request, const struct seen *seen)
{
	struct picture picture;
	int rc = picture_make(&picture, seen, (size_t)request->limit);
	int status = TOOL_TROUBLE;

	if (rc != 0)
		complain("cannot make the picture: %s", mdg_strerror(rc));
	else
		status = write_all(request, &picture);
	picture_free(&picture);
	return status;
}

/* ---- the command ------------------------------------------------------ */

/* What a person should know who sees nothing else. */
static void say_state(const struct request *request, const struct seen *seen)
{
	if (request->ns == NULL)
		complain("no namespace at %s; nothing is shared", request->path);
	if (seen->unreadable > 0)
		complain("the named objects of %zu segment%s could not be read: see 'madang locks'",
		         seen->unreadable, seen->unreadable == 1 ? "" : "s");
	if (request->watch && isatty(STDERR_FILENO))
		complain("writing every %.3g s; Ctrl-C ends it", (double)request->period / 1e9);
}

static int run(struct request *request)
{
	struct seen before, seen;
	int status = open_namespace(request);

	if (status != TOOL_OK)
		return status;
	status = look(request, SEEN_CHANNELS | SEEN_PEERS, &before, NULL);
	if (before.channels.count > 0)
		pause_for(request->interval);
	for (bool first = true;; first = false) {
		if (!first)
			pause_for(request->period);
		if (channel_caught() != 0)
			break;
		status = open_namespace(request);
		if (status != TOOL_OK)
			break;
		status = look(request, SEEN_ALL, &seen, &before);
		seen_free(&before);
		if (first)
			say_state(request, &seen);
		int written = show(request, &seen);
		status = status == TOOL_OK ? written : status;
		before = seen;
		if (status != TOOL_OK || !request->watch)
			break;
	}
	seen_free(&before);
	return status;
}

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct request *request = context;

	switch (option) {
	case OPTION_DOT:
		request->dot = true;
		break;
	case OPTION_SVG:
		request->svg = value;
		break;
	case OPTION_HTML:
		request->html = value;
		break;
	case OPTION_WATCH:
		request->watch = true;
		return option_watch(value, &request->period);
	case OPTION_INTERVAL:
		if (!parse_seconds(value, &request->interval) || request->interval == 0)
			return usage_error("--interval takes seconds, such as 1 or 0.2, not '%s'",
			                   value);
		break;
	case 'l':
		return option_limit(value, &request->limit);
	case 'n':
		request->dir = value;
		break;
	default:
		break;
	}
	return TOOL_OK;
}

static bool is_standard_output(const char *path)
{
	return path != NULL && strcmp(path, "-") == 0;
}

static int parse_arguments(const struct command *command, int argc, char **argv,
                           struct request *request)
{
	int status = options_parse(command, argc, argv, take, request);

	if (status != TOOL_OK)
		return status;
	if (optind < argc)
		return usage_error("what is '%s'? a file follows --svg or --html", argv[optind]);
	if (request->svg == NULL && request->html == NULL) {
		if (request->watch)
			return usage_error("--watch needs --svg FILE or --html FILE");
		request->dot = true;
	}
	if (request->dot + is_standard_output(request->svg) + is_standard_output(request->html) > 1)
		return usage_error("only one thing can go to standard output");
	if (request->watch &&
	    (request->dot || is_standard_output(request->svg) || is_standard_output(request->html)))
		return usage_error("--watch writes files, and nothing to standard output");
	if (request->svg != NULL && request->html != NULL &&
	    strcmp(request->svg, request->html) == 0)
		return usage_error("--svg and --html need two files");
	return TOOL_OK;
}

static int graph_main(const struct command *command, int argc, char **argv)
{
	struct request request = { .period = WATCH_NS, .interval = INTERVAL_NS, .limit = 60 };
	int status = parse_arguments(command, argc, argv, &request);

	if (status != TOOL_OK)
		return status;
	channel_catch(false);
	namespace_path(request.path, request.dir);
	status = run(&request);
	mdg_namespace_close(request.ns);
	return channel_end(status);
}

const struct command graph_command = {
	.name = "graph",
	.summary = "draw who shares what, who talks to whom, who waits for whom",
	.synonyms = "draw picture plot dot svg html",
	.usage = "graph [--dot | --svg FILE | --html FILE] [--watch[=SEC]]\n"
		 "                    [--interval SEC] [--limit N] [--namespace DIR]",
	.about = "Draws the processes, segments, channels, locks, semaphores and queues of a "
		 "namespace.\n"
		 "SVG and HTML are one file each, with tables below the picture. They need "
		 "Graphviz.\n",
	.options = option_rows,
	.notes = "Try: madang graph --html shared.html\n",
	.run = graph_main,
};
