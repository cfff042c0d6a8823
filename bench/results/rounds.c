/* SPDX-License-Identifier: MIT */
/*
 * rounds.c - the picture of `madang-bench --channel`: how long single rounds took, there and back,
 * on each side. The median, and what 1 and 0.1 percent of the rounds exceeded.
 */
#include "bench/results/plot.h"

#include <stdlib.h>
#include <string.h>

static void side_add(struct rows *rows, const char *name, const json_t *side)
{
	static const char *const members[] = { "p50", "p99", "p99.9" };
	struct spread line = { .median = results_number(side, "p50"),
		               .low = results_number(side, "p50"),
		               .high = results_number(side, "p99.9"),
		               .count = 1 };
	unsigned row;

	if (line.median <= 0)
		return;
	row = rows_row(rows, name, false);
	for (unsigned i = 0; i < sizeof members / sizeof *members; i++) {
		line.median = results_number(side, members[i]);
		rows_dot(rows, row, i, &line);
		line.count = 0; /* one bar is enough */
	}
}

static void case_add(struct rows *rows, json_t *row)
{
	char heading[80];
	unsigned before = rows->row_count, heads;

	snprintf(heading, sizeof heading, "%.30s: waits by %s, %s", results_text(row, "case"),
	         json_is_true(json_object_get(row, "sleeps")) ? "sleeping" : "spinning",
	         results_number(row, "processors") > 1 ? "two processors" : "one processor");
	if (before != 0)
		rows_row(rows, "", true); /* apart from the case before */
	heads = rows_row(rows, heading, true);
	for (void *side = json_object_iter(row); side != NULL;
	     side = json_object_iter_next(row, side))
		side_add(rows, json_object_iter_key(side), json_object_iter_value(side));
	if (rows->row_count == heads + 1)
		rows->row_count = before; /* no rounds here */
}

bool plot_rounds(const struct results *results, FILE *script)
{
	const json_t *cases = json_object_get(results->root, "channel");
	struct rows *rows = bench_alloc(sizeof *rows);
	bool something;

	rows->title = "Channels: 64 bytes there and back";
	rows->bars = "Of all rounds that were timed one by one: median, 99th and 99.9th percentile";
	rows->unit = "time of a single round, log scale";
	rows->times = true;
	rows->one_line = true;
	rows_series(rows, "median");
	rows_series(rows, "p99");
	rows_series(rows, "p99.9");
	for (size_t i = 0; i < json_array_size(cases); i++)
		case_add(rows, json_array_get(cases, i));
	something = rows->dot_count != 0;
	if (something)
		rows_draw(rows, results, script);
	free(rows);
	return something;
}
