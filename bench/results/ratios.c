/* SPDX-License-Identifier: MIT */
/*
 * ratios.c - the picture of a run whose results are ratios: a row for each case, a dot for each
 * side that Madang was compared with.
 */
#include "bench/results/plot.h"

#include <stdlib.h>
#include <string.h>

static const struct subject {
	const char *section, *title;
	const char *alone; /* the series without a name of its own */
} subjects[] = {
	{ "cases", "Shared memory of System V: Madang's time / the kernel's", "no other segments" },
	{ "sync", "Synchronisation: Madang's time / the other's", "Madang" },
	{ "ipc", "Semaphores and message queues of System V: Madang's time / the kernel's",
	  "System V names" },
	{ "heap", "The shared heap: Madang's time / mimalloc's (maps: GLib's)", "Madang" },
};

/* Nothing is lost: a case is in the same row as the figure before, or in a new one. */
static void add(struct rows *rows, const struct figure *figure, const struct figure *before,
                const struct subject *subject)
{
	const char *series = *figure->beside != '\0' ? figure->beside : subject->alone;

	if (before == NULL || strcmp(before->name, figure->name) != 0)
		rows_row(rows, *figure->what != '\0' ? figure->what : figure->name, false);
	rows_dot(rows, rows->row_count - 1, rows_series(rows, series), &figure->is);
}

static bool draw(const struct results *results, const struct subject *subject,
                 const struct figures *figures, FILE *script)
{
	struct rows *rows = bench_alloc(sizeof *rows);
	const struct figure *before = NULL;
	bool something;

	rows->title = subject->title;
	rows->bars = "Medians; bars from the 10th to the 90th percentile";
	rows->unit = "ratio of times, log scale; left of 1 Madang is faster";
	for (unsigned i = 0; i < figures->count; i++) {
		const struct figure *figure = &figures->figure[i];

		if (strcmp(figure->section, subject->section) != 0 || !figure->ratio)
			continue;
		add(rows, figure, before, subject);
		before = figure;
	}
	something = rows->dot_count != 0;
	if (something)
		rows_draw(rows, results, script);
	free(rows);
	return something;
}

bool plot_ratios(const struct results *results, FILE *script)
{
	struct figures figures = figures_of(results);
	bool something = false;

	for (unsigned i = 0; i < sizeof subjects / sizeof *subjects && !something; i++)
		something = draw(results, &subjects[i], &figures, script);
	figures_free(&figures);
	return something;
}
