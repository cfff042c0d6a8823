/* SPDX-License-Identifier: MIT */
/*
 * metrics_write.c - writes figures in the text format of OpenMetrics, or of Prometheus, or in what
 * both understand.
 *
 * Values of labels are what others have chosen. First show_text makes them safe for a terminal, in
 * a way that keeps different names different. What is left to escape then is the backslash and the
 * quotation mark.
 */
#include <inttypes.h>

#include "metrics/metrics.h"

void metrics_declare(const struct metrics *metrics, const struct family *family)
{
	const char *suffix =
		family->is_counter && metrics->format != METRICS_OPENMETRICS ? "_total" : "";

	fprintf(metrics->out, "# HELP %s%s %s\n", family->name, suffix, family->help);
	if (!family->is_counter || metrics->format != METRICS_BOTH)
		fprintf(metrics->out, "# TYPE %s%s %s\n", family->name, suffix,
		        family->is_counter ? "counter" : "gauge");
}

static void put_label(FILE *out, const char *name, const char *value)
{
	char room[4 * NAMESPACE_PATH_ROOM];

	fprintf(out, "%s=\"", name);
	for (const char *at = show_text(room, sizeof room, value); *at != '\0'; at++) {
		if (*at == '\\' || *at == '"')
			fputc('\\', out);
		fputc(*at, out);
	}
	fputc('"', out);
}

static void put_name(const struct metrics *metrics, const struct family *family,
                     const char *const *labels)
{
	FILE *out = metrics->out;

	fprintf(out, "%s%s{", family->name, family->is_counter ? "_total" : "");
	put_label(out, "namespace", metrics->path);
	for (; *labels != NULL; labels += 2) {
		fputc(',', out);
		put_label(out, labels[0], labels[1]);
	}
	fputs("} ", out);
}

void metrics_put(const struct metrics *metrics, const struct family *family, uint64_t value,
                 const char *const *labels)
{
	put_name(metrics, family, labels);
	fprintf(metrics->out, "%" PRIu64 "\n", value);
}

void metrics_put_seconds(const struct metrics *metrics, const struct family *family,
                         uint64_t milliseconds, const char *const *labels)
{
	put_name(metrics, family, labels);
	fprintf(metrics->out, "%" PRIu64 ".%03u\n", milliseconds / 1000,
	        (unsigned)(milliseconds % 1000));
}
