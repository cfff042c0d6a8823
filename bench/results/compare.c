/* SPDX-License-Identifier: MIT */
/*
 * compare.c - `madang-bench --compare`: what has changed from one run to another.
 *
 * A ratio to another side carries less of the machine's state than a time does. So ratios are
 * compared, where a case has one. A case is "faster" or "slower" only if each of the two medians
 * lies outside of the other run's spread (10th to 90th percentile). Everything else is "same":
 * these runs cannot tell them apart. Nothing here fails because of what was measured.
 */
#include "bench/results/results.h"

#include <string.h>

enum verdict_word { BETTER, WORSE, SAME, UNKNOWN, WORDS };

struct counts {
	unsigned of[WORDS], faster, appeared, vanished;
};

/* ---- what the runs were ------------------------------------------------------------------ */

static void put_run(const char *what, const struct results *results, FILE *out)
{
	const json_t *machine = json_object_get(results->root, "machine");

	fprintf(out, "%s  %s, %s, load %.2f%s\n", what, results->name,
	        results_text(results->root, "date"), results_number(machine, "load"),
	        json_is_false(json_object_get(results->root, "complete")) ? ", stopped early" : "");
}

/* How a setting looks; JSON's own form. */
static void value_text(const json_t *value, char *ret_text, size_t room)
{
	if (value == NULL)
		snprintf(ret_text, room, "not said");
	else if (json_is_string(value))
		snprintf(ret_text, room, "%s", json_string_value(value));
	else if (json_is_number(value))
		snprintf(ret_text, room, "%.10g", json_number_value(value));
	else
		snprintf(ret_text, room, "%s", json_is_true(value) ? "yes" : "no");
}

/* One line, if the two differ. */
static unsigned put_difference(const struct results *old, const struct results *new,
                               const char *group, const char *name, FILE *out)
{
	char before[256], after[256];

	value_text(json_object_get(json_object_get(old->root, group), name), before, sizeof before);
	value_text(json_object_get(json_object_get(new->root, group), name), after, sizeof after);
	if (strcmp(before, after) == 0)
		return 0;
	fprintf(out, "  different %s, %s: %s -> %s\n", group, name, before, after);
	return 1;
}

static void put_differences(const struct results *old, const struct results *new, FILE *out)
{
	static const char *const machine[] = { "cpu",          "cpus",      "kernel",
		                               "pointer_bits", "page_size", "shmem_huge_pages" };
	static const char *const settings[] = {
		"quick", "control", "seconds_per_case", "seconds_per_block", "rounds", "others"
	};
	unsigned differences = 0;

	for (unsigned i = 0; i < sizeof machine / sizeof *machine; i++)
		differences += put_difference(old, new, "machine", machine[i], out);
	for (unsigned i = 0; i < sizeof settings / sizeof *settings; i++)
		differences += put_difference(old, new, "settings", settings[i], out);
	if (differences == 0)
		fprintf(out, "  the same machine and settings\n");
}

/* ---- rows -------------------------------------------------------------------------------- */

static const struct figure *counterpart(const struct figures *in, const struct figure *wanted)
{
	for (unsigned i = 0; i < in->count; i++)
		if (figure_same(&in->figure[i], wanted))
			return &in->figure[i];
	return NULL;
}

static enum verdict_word judge(const struct figure *old, const struct figure *new)
{
	const struct spread *before = &old->is, *after = &new->is;
	bool less, more;

	if (before->count == 0 || after->count == 0)
		return UNKNOWN;
	less = after->median < before->low && before->median > after->high;
	more = after->median > before->high && before->median < after->low;
	if (!less && !more)
		return SAME;
	return less != new->more_is_better ? BETTER : WORSE;
}

static const char *word_of(enum verdict_word word, const struct figure *figure)
{
	static const char *const words[WORDS][2] = { [BETTER] = { "better", "faster" },
		                                     [WORSE] = { "worse", "slower" },
		                                     [SAME] = { "same", "same" },
		                                     [UNKNOWN] = { "no spread", "no spread" } };

	return words[word][figure->time];
}

/* Three digits that count, and no more than the column holds. */
static void put_figure(const struct figure *figure, FILE *out)
{
	char text[64] = "-";

	if (figure != NULL) {
		int digits = figure->is.median >= 100  ? 0
		             : figure->is.median >= 10 ? 1
		             : figure->is.median < 0.1 ? 3
		                                       : 2;
		int length = snprintf(text, sizeof text, "%.*f", digits, figure->is.median);

		if (figure->is.count != 0)
			snprintf(text + length, sizeof text - (size_t)length, " (%.*f-%.*f)",
			         digits, figure->is.low, digits, figure->is.high);
	}
	fprintf(out, "  %-24s", text);
}

/* The row of `figure`, which is the new one or, where there is none, the old one. */
static void put_row(const struct figure *figure, const struct figure *old, const struct figure *new,
                    struct counts *counts, FILE *out)
{
	fprintf(out, "%-18s %-16s", figure->name, figure->beside);
	put_figure(old, out);
	put_figure(new, out);
	if (old == NULL) {
		counts->appeared++;
		fprintf(out, "  %7s  appeared\n", "");
	} else if (new == NULL) {
		counts->vanished++;
		fprintf(out, "  %7s  vanished\n", "");
	} else {
		enum verdict_word word = judge(old, new);

		counts->of[word]++;
		if (old->is.median > 0)
			fprintf(out, "  %7.2f", new->is.median / old->is.median);
		else
			fprintf(out, "  %7s", "-");
		fprintf(out, "  %s\n", word_of(word, new));
	}
}

/* A new run that was asked for one case lacks the others: that is no news. */
static void put_rows(const struct figures *old, const struct figures *new, bool partly, FILE *out)
{
	struct counts counts = { 0 };

	fprintf(out, "%-18s %-16s  %-24s  %-24s  %7s\n", "case", "", "old (10%-90%)",
	        "new (10%-90%)", "new/old");
	for (unsigned i = 0; i < new->count; i++)
		put_row(&new->figure[i], counterpart(old, &new->figure[i]), &new->figure[i],
		        &counts, out);
	for (unsigned i = 0; i < old->count && !partly; i++)
		if (counterpart(new, &old->figure[i]) == NULL)
			put_row(&old->figure[i], &old->figure[i], NULL, &counts, out);
	fprintf(out, "\n%u faster or better, %u slower or worse, %u same", counts.of[BETTER],
	        counts.of[WORSE], counts.of[SAME]);
	if (counts.of[UNKNOWN] != 0)
		fprintf(out, ", %u without a spread", counts.of[UNKNOWN]);
	fprintf(out, "; %u appeared, %u vanished\n", counts.appeared, counts.vanished);
}

static bool in_common(const struct figures *old, const struct figures *new)
{
	for (unsigned i = 0; i < new->count; i++)
		for (unsigned j = 0; j < old->count; j++)
			if (strcmp(old->figure[j].section, new->figure[i].section) == 0)
				return true;
	return false;
}

int results_compare(const struct results *old, const struct results *new, FILE *out)
{
	struct figures before = figures_of(old), after = figures_of(new);
	const json_t *settings = json_object_get(new->root, "settings");
	bool common = in_common(&before, &after);

	if (common) {
		fprintf(out, "Ratios of Madang to the others, compared with an older run.\n");
		put_run("old", old, out);
		put_run("new", new, out);
		put_differences(old, new, out);
		fprintf(out, "faster, slower: each median lies outside of the other's spread\n\n");
		put_rows(&before, &after, *results_text(settings, "case") != '\0', out);
	} else {
		fprintf(stderr, "madang-bench: %s and %s have no subject in common\n", old->name,
		        new->name);
	}
	figures_free(&before);
	figures_free(&after);
	return common ? 0 : 1;
}
