/* SPDX-License-Identifier: MIT */
/*
 * metrics.h - figures of a namespace for Prometheus: metrics.c is the command, metrics_list.c says
 * which figures there are, metrics_write.c how they are written, metrics_http.c answers a request.
 */
#ifndef MADANG_TOOL_METRICS_H
#define MADANG_TOOL_METRICS_H

#include <stdio.h>

#include "seen/seen.h"

/*
 * The two formats differ in one thing: how a counter is declared. OpenMetrics declares `messages`
 * as a counter, whose sample is `messages_total`. The older Prometheus text format declares
 * `messages_total`. What is not declared is valid in both, and has no type.
 */
enum metrics_format {
	METRICS_BOTH, /* no type for counters */
	METRICS_OPENMETRICS,
	METRICS_PROMETHEUS
};

struct metrics {
	FILE *out;
	enum metrics_format format;
	const struct seen *seen;
	const char *path; /* of the namespace */
	bool exists;      /* else there is no such namespace */
	size_t limit;     /* most objects of a kind that have figures of their own */
};

/* A figure. */
struct family {
	const char *name; /* without "_total" */
	const char *help;
	bool is_counter;
};

/* ---- metrics_list.c --------------------------------------------------- */

/* Everything, with the end mark. */
void metrics_list(const struct metrics *metrics);

/* metrics_bridge.c: those of the bridge to other hosts. */
void metrics_list_bridge(const struct metrics *metrics);

/* ---- metrics_write.c -------------------------------------------------- */

void metrics_declare(const struct metrics *metrics, const struct family *family);
/* Labels: names and values in turn, which are raw bytes, to NULL. That of the namespace comes by
 * itself. */
void metrics_put(const struct metrics *metrics, const struct family *family, uint64_t value,
                 const char *const *labels);
void metrics_put_seconds(const struct metrics *metrics, const struct family *family,
                         uint64_t milliseconds, const char *const *labels);

/* ---- metrics_http.c --------------------------------------------------- */

struct metrics_request {
	int status; /* 200: the figures are wanted */
	bool head;  /* without them */
	enum metrics_format format;
};
/* Reads a request of HTTP from standard input. */
void metrics_read_request(struct metrics_request *ret_request);
/* Writes the answer to standard output. `body` is text for a status other than 200. */
void metrics_answer(const struct metrics_request *request, const char *body, size_t length);

#endif
