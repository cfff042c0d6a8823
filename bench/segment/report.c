/* SPDX-License-Identifier: MIT */
/*
 * report.c - the tables of the System V calls.
 *
 * Every ratio stands with its spread (10th to 90th percentile of all pairs),
 * its bar, and pass or miss. Where the kernel has no System V IPC, Madang's
 * times stand alone.
 */
#include "bench/segment/segment.h"

#include <string.h>

static void print_ns(const struct spread *ns, FILE *out)
{
	if (ns->count == 0)
		fprintf(out, " %12s", "-");
	else
		fprintf(out, ns->median < 100 ? " %12.1f" : " %12.0f", ns->median);
}

static void print_ratio(const struct spread *ratio, FILE *out)
{
	if (ratio->count == 0)
		fprintf(out, "  %6s %-14s", "-", "");
	else
		fprintf(out, "  %6.3f (%5.2f-%5.2f) ", ratio->median, ratio->low, ratio->high);
}

static void print_bar(const struct spread *ratio, double bar_low, double bar, FILE *out)
{
	char text[16] = "";

	if (bar_low > 0)
		snprintf(text, sizeof text, "%.2f-%.2f", bar_low, bar);
	else if (bar > 0)
		snprintf(text, sizeof text, "<= %.2f", bar);
	fprintf(out, " %-9s  %-4s", text, verdict(ratio, bar_low, bar));
}

/* ---- cases ------------------------------------------------------------- */

static void print_errors(const struct case_result *result, int others, FILE *out)
{
	for (int side = 0; side < SIDES; side++)
		if (result->error[others][side] != 0)
			fprintf(out, "%-14s %s could not: %s\n", "", bench_sides[side]->name,
			        strerror(result->error[others][side]));
}

static void print_case(const struct case_result *result, int others, FILE *out)
{
	const struct spread *ratio = &result->ratio[others];

	fprintf(out, "%-14s", result->what->name);
	print_ns(&result->ns[others][MADANG], out);
	print_ns(&result->ns[others][KERNEL], out);
	print_ratio(ratio, out);
	print_bar(ratio, result->what->bar_low, result->what->bar, out);
	if (others == 0) {
		fprintf(out, "  %s\n", result->what->what);
	} else {
		print_ratio(&result->growth[MADANG], out);
		print_bar(&result->growth[MADANG], 0, GROWTH_BAR, out);
		if (result->growth[KERNEL].count != 0)
			fprintf(out, "  %6.3f", result->growth[KERNEL].median);
		fputc('\n', out);
	}
	print_errors(result, others, out);
}

/* The fewest that any case found room for. */
static int others_present(const struct settings *settings, const struct segment_result *result,
                          int side)
{
	int fewest = settings->others;

	for (unsigned i = 0; i < result->case_count; i++)
		if (result->cases[i].measured[1] && result->cases[i].others_made[side] < fewest)
			fewest = result->cases[i].others_made[side];
	return fewest;
}

static void print_heading(const char *more, FILE *out)
{
	char name[16];

	snprintf(name, sizeof name, "%s ns", bench_sides[MADANG]->name);
	fprintf(out, "%-14s %12s %12s  %6s %-14s %-9s  %-4s%s\n", "case", name, "kernel ns",
	        "ratio", "(10%-90%)", "bar", "", more);
}

static void print_cases(const struct settings *settings, const struct segment_result *result,
                        FILE *out)
{
	bool crowded = false;

	fprintf(out, "No other segments. Medians; ratio = %s / kernel, pair by pair.\n",
	        bench_sides[MADANG]->name);
	print_heading("", out);
	for (unsigned i = 0; i < result->case_count; i++) {
		print_case(&result->cases[i], 0, out);
		crowded = crowded || result->cases[i].measured[1];
	}
	if (!crowded)
		return;
	fprintf(out,
	        "\nWith other segments present: %s %d, kernel %d. growth = with them / without.\n",
	        bench_sides[MADANG]->name, others_present(settings, result, MADANG),
	        others_present(settings, result, KERNEL));
	print_heading("  growth (10%-90%)     bar              kernel's", out);
	for (unsigned i = 0; i < result->case_count; i++)
		if (result->cases[i].measured[1])
			print_case(&result->cases[i], 1, out);
}

/* ---- the other table ----------------------------------------------------- */

static void print_parts(const struct segment_result *result, FILE *out)
{
	fprintf(out, "What the parts cost, in ns: median (10%%-90%%).\n");
	for (unsigned i = 0; i < result->part_count; i++) {
		const struct part_result *part = &result->parts[i];

		fprintf(out, "%-14s", part->name);
		print_ns(&part->ns, out);
		if (part->ns.count != 0)
			fprintf(out, "  (%.1f-%.1f)", part->ns.low, part->ns.high);
		fprintf(out, "  %s\n", part->what);
	}
}

void segment_report(const struct settings *settings, const struct segment_result *result, FILE *out)
{
	if (result->case_count != 0)
		print_cases(settings, result, out);
	if (result->part_count != 0)
		print_parts(result, out);
}
