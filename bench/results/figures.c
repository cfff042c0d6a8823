/* SPDX-License-Identifier: MIT */
/*
 * figures.c - takes out of a run's results the numbers that say how Madang does, in the order of
 * the file.
 *
 * These are the ratios to the other sides. A case that is compared with nobody counts by its own
 * value. What the other sides take beside each other is not Madang's, and is left out.
 */
#include "bench/results/results.h"

#include <stdlib.h>
#include <string.h>

static struct figure *figure_add(struct figures *figures, const char *name, const char *beside)
{
	struct figure *figure;

	if (figures->count == figures->room) {
		figures->room = figures->room != 0 ? figures->room * 2 : 64;
		figures->figure = realloc(figures->figure, figures->room * sizeof *figures->figure);
		if (figures->figure == NULL) {
			fprintf(stderr, "madang-bench: out of memory\n");
			exit(1);
		}
	}
	figure = &figures->figure[figures->count++];
	*figure = (struct figure){ .ratio = true, .time = true };
	snprintf(figure->name, sizeof figure->name, "%s", name);
	snprintf(figure->beside, sizeof figure->beside, "%s", beside);
	return figure;
}

/* With the spread of that name, if there is one. */
static struct figure *figure_take(struct figures *figures, const char *name, const char *beside,
                                  const json_t *object, const char *member)
{
	struct spread spread;
	struct figure *figure;

	if (!results_spread(object, member, &spread))
		return NULL;
	figure = figure_add(figures, name, beside);
	figure->is = spread;
	return figure;
}

static void case_add(struct figures *figures, json_t *row)
{
	double others = results_number(row, "others_madang");
	char beside[32] = "";

	if (others > 0)
		snprintf(beside, sizeof beside, "%.0f others", others);
	figure_take(figures, results_text(row, "case"), beside, row, "ratio");
}

/* Older files have only the two rates. */
static void scale_add(struct figures *figures, json_t *row)
{
	const char *call = results_text(row, "call");
	double kernel = results_number(row, "kernel_per_second");
	struct figure *figure;
	char beside[40];

	snprintf(beside, sizeof beside, "%.0f processes", results_number(row, "processes"));
	figure = figure_take(figures, call, beside, row, "ratio");
	if (figure == NULL) {
		if (kernel <= 0)
			return;
		figure = figure_add(figures, call, beside);
		figure->is.median = results_number(row, "madang_per_second") / kernel;
	}
	figure->more_is_better = true;
}

static void part_add(struct figures *figures, json_t *row)
{
	struct figure *figure = figure_take(figures, results_text(row, "part"), "", row, "ns");

	if (figure != NULL)
		figure->ratio = false;
}

/* Each member that is a side and has a ratio. */
static void sides_add(struct figures *figures, json_t *row)
{
	for (void *side = json_object_iter(row); side != NULL;
	     side = json_object_iter_next(row, side))
		figure_take(figures, results_text(row, "case"), json_object_iter_key(side),
		            json_object_iter_value(side), "ratio");
}

/* The side that is the others' reference has a ratio to the line. */
static void channel_add(struct figures *figures, json_t *row)
{
	const json_t *reference = json_object_get(row, results_text(row, "reference"));

	figure_take(figures, results_text(row, "case"), "the line", reference, "by_line");
	sides_add(figures, row);
}

static void ipc_add(struct figures *figures, json_t *row)
{
	static const char *const sides[] = { "madang", "native" };
	char beside[32];

	for (unsigned i = 0; i < 2; i++) {
		const json_t *side = json_object_get(row, sides[i]);
		const char *name = i == 0 ? "" : "native";

		figure_take(figures, results_text(row, "case"), name, side, "ratio");
		snprintf(beside, sizeof beside, "%s%swith others", name, i == 0 ? "" : ", ");
		figure_take(figures, results_text(row, "case"), beside, side, "ratio_with_others");
	}
}

static void heap_add(struct figures *figures, json_t *row)
{
	const json_t *side = json_object_get(row, "madang");
	const char *name = results_text(row, "case");
	struct figure *figure;

	if (figure_take(figures, name, "", side, "ratio") != NULL)
		return;
	figure = figure_take(figures, name, "", side, "value");
	if (figure == NULL)
		return;
	figure->ratio = false;
	figure->more_is_better = json_is_true(json_object_get(row, "more_is_better"));
	figure->time = !figure->more_is_better;
}

/* Both of its tables have a row for one process with as many blocks. */
static void heap_scale_add(struct figures *figures, json_t *row)
{
	char name[48], beside[40];

	snprintf(name, sizeof name, "%.0f processes", results_number(row, "processes"));
	snprintf(beside, sizeof beside, "%.0f blocks", results_number(row, "live"));
	figure_take(figures, name, beside, row, "ratio");
}

/* Madang's numbers, each in a row of its own. */
static void memory_add(struct figures *figures, json_t *row)
{
	static const char *const numbers[] = { "resident", "share", "private", "mappings",
		                               "descriptors" };
	char name[48];

	if (strcmp(results_text(row, "side"), "madang") != 0)
		return;
	snprintf(name, sizeof name, "%.20s, %.20s", results_text(row, "subject"),
	         results_text(row, "object"));
	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct figure *figure = figure_take(figures, name, numbers[i], row, numbers[i]);

		if (figure != NULL)
			figure->ratio = figure->time = false;
	}
}

static const struct {
	const char *section;
	void (*add)(struct figures *figures, json_t *row);
} sections[] = {
	{ "cases", case_add },       { "scale", scale_add },
	{ "parts", part_add },       { "sync", sides_add },
	{ "channel", channel_add },  { "ipc", ipc_add },
	{ "heap", heap_add },        { "heap_scale", heap_scale_add },
	{ "memory", memory_add },    { "start", case_add },
	{ "sync_scale", scale_add }, { "channel_scale", scale_add },
	{ "ipc_scale", scale_add },
};

bool figure_same(const struct figure *left, const struct figure *right)
{
	return left->place == right->place && strcmp(left->section, right->section) == 0 &&
	       strcmp(left->name, right->name) == 0 && strcmp(left->beside, right->beside) == 0;
}

/* Of the figures from number `first` on. */
static void section_set(struct figures *figures, unsigned first, const char *section)
{
	for (unsigned i = first; i < figures->count; i++) {
		struct figure *figure = &figures->figure[i];

		snprintf(figure->section, sizeof figure->section, "%s", section);
		for (unsigned before = first; before < i; before++)
			if (figure_same(&figures->figure[before], figure))
				figure->place++;
	}
}

static void row_add(struct figures *figures, unsigned section, json_t *row)
{
	unsigned first = figures->count;

	sections[section].add(figures, row);
	for (unsigned i = first; i < figures->count; i++)
		snprintf(figures->figure[i].what, sizeof figures->figure->what, "%s",
		         results_text(row, "what"));
}

struct figures figures_of(const struct results *results)
{
	struct figures figures = { 0 };

	for (unsigned i = 0; i < sizeof sections / sizeof *sections; i++) {
		const json_t *rows = json_object_get(results->root, sections[i].section);
		unsigned first = figures.count;

		for (size_t row = 0; row < json_array_size(rows); row++)
			row_add(&figures, i, json_array_get(rows, row));
		section_set(&figures, first, sections[i].section);
	}
	return figures;
}

void figures_free(struct figures *figures)
{
	free(figures->figure);
	*figures = (struct figures){ 0 };
}
