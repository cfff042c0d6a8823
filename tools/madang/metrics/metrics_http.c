/* SPDX-License-Identifier: MIT */
/*
 * metrics_http.c - one request of HTTP and its answer, for inetd(8) and socat(1).
 *
 * That a connection carries one request and is closed makes this short. The request is read to its
 * empty line, at most 8 KiB of it and for at most five seconds. Of the header, only `Accept`
 * counts. An answer that is not read within ten seconds is given up: SIGALRM ends the process, so
 * that such clients cannot make many of them.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "metrics/metrics.h"

#define PATIENCE_NS UINT64_C(5000000000)
enum { REQUEST_ROOM = 8192, ANSWER_SECONDS = 10 };

/* Reads until `text` has an empty line. False: the other side was too slow, or said too much. */
static bool read_head(char text[REQUEST_ROOM])
{
	uint64_t deadline = mdg_deadline(PATIENCE_NS);
	size_t used = 0;

	while (used + 1 < REQUEST_ROOM) {
		struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
		uint64_t now = mdg_deadline(0);
		if (now >= deadline)
			return false;
		if (poll(&input, 1, (int)((deadline - now) / 1000000) + 1) < 0 && errno != EINTR)
			return false;
		if (input.revents == 0)
			continue;
		ssize_t got = read(STDIN_FILENO, text + used, REQUEST_ROOM - 1 - used);
		if (got <= 0)
			return false;
		used += (size_t)got;
		text[used] = '\0';
		if (strstr(text, "\r\n\r\n") != NULL || strstr(text, "\n\n") != NULL)
			return true;
	}
	return false;
}

/* Whether the header wants the newer format. */
static bool wants_openmetrics(const char *text)
{
	static const char name[] = "accept:";

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncasecmp(line, name, sizeof name - 1) != 0)
			continue;
		size_t length = strcspn(line, "\n");
		const char *found = strstr(line, "application/openmetrics-text");
		return found != NULL && found < line + length;
	}
	return false;
}

void metrics_read_request(struct metrics_request *ret_request)
{
	char text[REQUEST_ROOM] = "", method[16], path[128];

	*ret_request = (struct metrics_request){ .status = 400 };
	if (!read_head(text) || sscanf(text, "%15s %127s HTTP/", method, path) != 2)
		return;
	path[strcspn(path, "?")] = '\0';
	ret_request->head = strcmp(method, "HEAD") == 0;
	ret_request->format = wants_openmetrics(text) ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
	if (!ret_request->head && strcmp(method, "GET") != 0)
		ret_request->status = 405;
	else if (strcmp(path, "/metrics") != 0 && strcmp(path, "/") != 0)
		ret_request->status = 404;
	else
		ret_request->status = 200;
}

static const char *reason(int status)
{
	return status == 200   ? "OK"
	       : status == 400 ? "Bad Request"
	       : status == 404 ? "Not Found"
	       : status == 405 ? "Method Not Allowed"
	                       : "Internal Server Error";
}

/* Without a word: standard error may be the connection. What is left to write, is not written. */
static void end_soon(void)
{
	sigset_t alarm_only;

	signal(SIGALRM, SIG_DFL);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
	alarm(ANSWER_SECONDS);
}

void metrics_answer(const struct metrics_request *request, const char *body, size_t length)
{
	const char *type = request->status != 200 ? "text/plain"
	                   : request->format == METRICS_OPENMETRICS
	                           ? "application/openmetrics-text; version=1.0.0"
	                           : "text/plain; version=0.0.4";

	end_soon();
	printf("HTTP/1.1 %d %s\r\nContent-Type: %s; charset=utf-8\r\nContent-Length: %zu\r\n"
	       "%sConnection: close\r\n\r\n",
	       request->status, reason(request->status), type, length,
	       request->status == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (!request->head)
		fwrite(body, 1, length, stdout);
}
