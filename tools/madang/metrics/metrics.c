/* SPDX-License-Identifier: MIT */
/*
 * metrics.c - madang metrics: figures of a namespace for Prometheus and what understands its text.
 *
 * With --output a file is replaced as a whole, as the textfile collector of node_exporter wants it.
 * With --http one request is answered, for inetd and socat. If the namespace cannot be read, the
 * file stays as it was, so that its age shows the trouble.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/command.h"
#include "metrics/metrics.h"

enum { OPTION_HTTP = OPTION_LONG, OPTION_FORMAT };

static const struct option_row option_rows[] = {
	VALUE_OF('o', "output", "FILE", "@files",
	         "write this file, which readers see whole or not at all"),
	FLAG(OPTION_HTTP, "http", "answer one request of HTTP, for inetd and socat"),
	VALUE_OF(OPTION_FORMAT, "format", "FORMAT", "both openmetrics prometheus",
	         "both (default): what both formats understand; or one\n"
	         "of openmetrics and prometheus, where counters have a type"),
	VALUE('l', "limit", "N",
	      "most objects of a kind with figures of their own; default\n"
	      "100. The totals always count all"),
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

struct request {
	const char *dir;
	char path[NAMESPACE_PATH_ROOM];
	const char *output;
	bool http, has_format;
	enum metrics_format format;
	uint64_t limit;
};

static void write_figures(const struct request *request, const struct seen *seen, bool exists,
                          FILE *out)
{
	const struct metrics metrics = { .out = out,
		                         .format = request->format,
		                         .seen = seen,
		                         .path = request->path,
		                         .exists = exists,
		                         .limit = (size_t)request->limit };
	metrics_list(&metrics);
}

static int write_file(const struct request *request, const struct seen *seen, bool exists)
{
	struct output_file file;
	int status = output_file_begin(&file, request->output != NULL ? request->output : "-");

	if (status != TOOL_OK)
		return status;
	write_figures(request, seen, exists, file.stream);
	if (channel_caught() == 0)
		return output_file_keep(&file);
	output_file_drop(&file);
	return TOOL_TROUBLE;
}

static int answer(const struct request *request, const struct metrics_request *http,
                  const struct seen *seen, bool exists)
{
	char *body = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&body, &length);

	if (out == NULL) {
		complain("cannot answer: %s", strerror(errno));
		return TOOL_TROUBLE;
	}
	write_figures(request, seen, exists, out);
	if (fclose(out) == 0)
		metrics_answer(http, body, length);
	free(body);
	return TOOL_OK;
}

/* TOOL_OK, or it has been said. */
static int look(const struct request *request, struct seen *ret, bool *ret_exists)
{
	mdg_namespace *ns;
	int rc = namespace_open_to_look(&ns, request->dir);

	memset(ret, 0, sizeof *ret);
	*ret_exists = rc == 0;
	if (rc == -ENOENT) {
		complain("no namespace at %s; nothing is shared", request->path);
		return TOOL_OK;
	}
	if (rc != 0)
		return TOOL_TROUBLE;
	rc = seen_take(ret, ns, SEEN_ALL, NULL);
	mdg_namespace_close(ns);
	if (rc == 0)
		return TOOL_OK;
	complain_code(rc, request->dir, "cannot read all of %s", request->path);
	return TOOL_TROUBLE;
}

static int run(struct request *request)
{
	static const char sorry[] = "This cannot be had here. Ask for /metrics.\n";
	static const char failed[] = "The namespace cannot be read.\n";
	struct metrics_request http = { .status = 200 };
	struct seen seen;
	bool exists;

	if (request->http) {
		metrics_read_request(&http);
		if (http.status != 200) {
			metrics_answer(&http, sorry, sizeof sorry - 1);
			return TOOL_OK;
		}
		if (!request->has_format)
			request->format = http.format;
		http.format = request->format;
	}
	int status = look(request, &seen, &exists);
	if (status == TOOL_OK) {
		status = request->http ? answer(request, &http, &seen, exists)
		                       : write_file(request, &seen, exists);
	} else if (request->http) {
		http.status = 500;
		metrics_answer(&http, failed, sizeof failed - 1);
	}
	seen_free(&seen);
	return status;
}

/* ---- the command ------------------------------------------------------ */

static int take_format(const char *value, struct request *request)
{
	static const char *const names[] = { "both", "openmetrics", "prometheus" };

	for (int i = 0; i < 3; i++)
		if (strcmp(value, names[i]) == 0) {
			request->format = (enum metrics_format)i;
			request->has_format = true;
			return TOOL_OK;
		}
	return usage_error("'%s' is not a format (both, openmetrics or prometheus)", value);
}

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct request *request = context;

	switch (option) {
	case 'o':
		request->output = value;
		break;
	case OPTION_HTTP:
		request->http = true;
		break;
	case OPTION_FORMAT:
		return take_format(value, request);
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

static int metrics_main(const struct command *command, int argc, char **argv)
{
	struct request request = { .limit = 100 };
	int status = options_parse(command, argc, argv, take, &request);

	if (status != TOOL_OK)
		return status;
	if (optind < argc)
		return usage_error("what is '%s'? a file follows --output", argv[optind]);
	if (request.http && request.output != NULL)
		return usage_error("--http answers on standard output, without --output");
	if (request.output != NULL)
		channel_catch(false);
	namespace_path(request.path, request.dir);
	return channel_end(run(&request));
}

const struct command metrics_command = {
	.name = "metrics",
	.summary = "print figures for Prometheus and node_exporter",
	.synonyms = "prometheus openmetrics exporter stats",
	.usage = "metrics [--output FILE | --http] [--format FORMAT] [--limit N]\n"
		 "                      [--namespace DIR]",
	.about = "Prints figures of a namespace in the text format of OpenMetrics and Prometheus: "
		 "segments,\n"
		 "memory, attachments, orphans, locks and who waits, channels, semaphore sets, "
		 "queues.\n",
	.options = option_rows,
	.notes = "For node_exporter's textfile collector, each minute from cron:\n"
		 "  madang metrics --output /var/lib/prometheus/node-exporter/madang.prom\n"
		 "As a server of its own:\n"
		 "  socat TCP-LISTEN:9810,bind=127.0.0.1,reuseaddr,fork EXEC:'madang metrics "
		 "--http'\n",
	.run = metrics_main,
};
