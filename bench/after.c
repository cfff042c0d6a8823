/* SPDX-License-Identifier: MIT */
/*
 * after.c - what is done with the results of a run once they are shown: written as JSON,
 * compared with an older run, drawn.
 */
#include "bench/report.h"
#include "bench/results/results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int complain(const char *path)
{
	fprintf(stderr, "madang-bench: %s: %s\n", path, strerror(errno));
	return 1;
}

static int write_file(const char *path, const char *text, size_t length)
{
	FILE *file = fopen(path, "we");
	bool written;

	if (file == NULL)
		return complain(path);
	written = fwrite(text, 1, length, file) == length;
	if (fclose(file) != 0 || !written)
		return complain(path);
	return 0;
}

static int compare(const struct settings *settings, const struct results *new)
{
	struct results *old = results_load(settings->old_file);
	int status;

	if (old == NULL)
		return 1;
	status = results_compare(old, new, stdout);
	fflush(stdout);
	results_free(old);
	return status;
}

static int use(const struct settings *settings, const struct results *results)
{
	int status = 0;

	if (results == NULL)
		return 1;
	if (settings->old_file != NULL)
		status = compare(settings, results);
	if (settings->plot != NULL)
		status |= results_plot(results, settings->plot);
	return status;
}

static bool wanted(const struct settings *settings)
{
	return settings->old_file != NULL || settings->plot != NULL;
}

int report_use(const struct report *report)
{
	const struct settings *settings = report->settings;
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	int status = 0;

	if (out == NULL)
		return complain("the results as JSON");
	report_json(report, out);
	if (fclose(out) != 0)
		return complain("the results as JSON");
	if (settings->json != NULL)
		status = write_file(settings->json, text, length);
	if (wanted(settings)) {
		struct results *results = results_parse(text, length);

		if (settings->old_file != NULL)
			fputc('\n', stdout);
		status |= use(settings, results);
		results_free(results);
	}
	free(text);
	return status;
}

int report_use_check(const struct settings *settings)
{
	struct results *old;
	bool possible;

	if (!wanted(settings))
		return 0;
	if (!results_readable() || (settings->plot != NULL && !plot_possible()))
		return 1;
	if (settings->old_file == NULL)
		return 0;
	old = results_load(settings->old_file);
	possible = old != NULL && results_have(old, results_section(settings));
	results_free(old);
	return possible ? 0 : 1;
}

int files_use(const struct settings *settings)
{
	struct results *new;
	int status;

	if (!results_readable() || (settings->plot != NULL && !plot_possible()))
		return 1;
	new = results_load(settings->new_file);
	status = use(settings, new);
	results_free(new);
	return status;
}
