/* SPDX-License-Identifier: MIT */
/*
 * report.c - the tables of `madang-bench --heap`, for people and for programs.
 *
 * Every ratio stands with its spread: the 10th and 90th percentile of all turns.
 */
#include "bench/heap/heap.h"

#include <string.h>

static const char *judged(const struct heap_case *what)
{
	return what->kind == HEAP_CHURN ? ">=" : "<=";
}

/* ---- text -------------------------------------------------------------------------------- */

static void put_value(const struct spread *value, FILE *out)
{
	if (value->count == 0)
		fprintf(out, " %10s", "-");
	else
		fprintf(out, value->median < 10 ? " %10.2f" : " %10.1f", value->median);
}

static void put_case(const struct heap_case_result *result, FILE *out)
{
	const struct heap_case *what = result->what;
	const struct spread *ratio = &result->ratio[HEAP_MADANG];

	fprintf(out, "%-10s", what->name);
	for (int side = 0; side < HEAP_SIDES; side++)
		put_value(&result->value[side], out);
	if (heap_reference(what) < 0)
		ratio = &result->value[HEAP_MADANG];
	if (ratio->count == 0)
		fprintf(out, "  %6s %-13s", "-", "");
	else
		fprintf(out, "  %6.2f (%5.2f-%5.2f)", ratio->median, ratio->low, ratio->high);
	fprintf(out, "  %s %4.2f %-4s  %s %4.2f %-4s  %s\n", judged(what), what->bar,
	        heap_verdict(result, what->bar), judged(what), what->moonshot,
	        heap_verdict(result, what->moonshot), what->what);
	if (result->line.count != 0)
		fprintf(out, "%-10s a cache line there and back: %.0f (%.0f-%.0f) ns\n", "",
		        result->line.median, result->line.low, result->line.high);
	for (int side = 0; side < HEAP_SIDES; side++)
		if (result->error[side] != 0)
			fprintf(out, "%-10s %s could not: %s\n", "", heap_side_name(side),
			        strerror(result->error[side]));
}

/* The other sides' ratios. */
static void put_others(const struct heap_case_result *result, FILE *out)
{
	fprintf(out, "%-10s", result->what->name);
	for (int side = HEAP_GLIBC; side < HEAP_GLIB; side++) {
		const struct spread *ratio = &result->ratio[side];

		if (ratio->count == 0)
			fprintf(out, "  %8s %-15s", "-", "");
		else
			fprintf(out, "  %8.2f (%6.2f-%6.2f)", ratio->median, ratio->low,
			        ratio->high);
	}
	fputc('\n', out);
}

static void put_cases(const struct heap_result *result, FILE *out)
{
	unsigned turns = 0, disturbed = 0, rough = 0;

	fprintf(out,
	        "The shared heap. Median nanoseconds of one operation; ratio = %s / %s "
	        "(maps: / %s), turn by turn.\n"
	        "Each is a median of its own: where times differ much from turn to turn, the "
	        "ratio is not the quotient of the times beside it.\n",
	        heap_side_name(HEAP_MADANG), heap_side_name(HEAP_MIMALLOC),
	        heap_side_name(HEAP_GLIB));
	fprintf(out, "%-10s", "case");
	for (int side = 0; side < HEAP_SIDES; side++)
		fprintf(out, " %10s", heap_side_name(side));
	fprintf(out, "  %-20s  bar           moonshot\n", "ratio (10%-90%)");
	for (unsigned i = 0; i < result->case_count; i++) {
		put_case(&result->cases[i], out);
		turns += result->cases[i].turns;
		disturbed += result->cases[i].disturbed;
		rough += result->cases[i].rough;
	}
	fprintf(out, "\nThe others / %s (10%%-90%%)\n%-10s", heap_side_name(HEAP_MIMALLOC), "case");
	for (int side = HEAP_GLIBC; side < HEAP_GLIB; side++)
		fprintf(out, "  %8s %-15s", heap_side_name(side), "");
	fputc('\n', out);
	for (unsigned i = 0; i < result->case_count; i++)
		if (heap_reference(result->cases[i].what) == HEAP_MIMALLOC)
			put_others(&result->cases[i], out);
	fprintf(out, "\n%u of %u turns were disturbed by other programs and left out.\n", disturbed,
	        turns);
	if (rough != 0)
		fprintf(out, "In %u cases all turns were disturbed: their numbers say nothing.\n",
		        rough);
}

static const char *growth_verdict(const struct heap_scale *scale)
{
	if (scale->growth[0] <= 0 || scale->growth[1] <= 0)
		return "";
	return scale->growth[0] / scale->growth[1] <= HEAP_GROWTH_BAR ? "pass" : "miss";
}

static void put_scales(const struct heap_result *result, FILE *out)
{
	fprintf(out,
	        "64 B: free one, allocate another. Median nanoseconds of an operation; growth "
	        "from the first row of each table.\n%9s %10s %10s %7s %10s %7s  %-20s  growth "
	        "of Madang's / mimalloc's\n",
	        "processes", "live each", heap_side_name(HEAP_MADANG), "growth",
	        heap_side_name(HEAP_MIMALLOC), "growth", "ratio (10%-90%)");
	for (unsigned i = 0; i < result->scale_count; i++) {
		const struct heap_scale *scale = &result->scales[i];

		fprintf(out, "%9u %10u", scale->members, scale->live);
		for (int side = 0; side < 2; side++) {
			put_value(&scale->ns[side], out);
			fprintf(out, " %7.2f", scale->growth[side]);
		}
		fprintf(out, "  %6.2f (%5.2f-%5.2f)  <= %4.2f %s\n", scale->ratio.median,
		        scale->ratio.low, scale->ratio.high, HEAP_GROWTH_BAR,
		        growth_verdict(scale));
	}
}

void heap_report(const struct heap_result *result, FILE *out)
{
	for (int side = 0; side < HEAP_SIDES; side++)
		if (!result->have[side])
			fprintf(out, "Without %s: it was not found.\n", heap_side_name(side));
	if (result->scale_count != 0)
		put_scales(result, out);
	else
		put_cases(result, out);
}

/* ---- JSON -------------------------------------------------------------------------------- */

static void put_word(struct json *json, const char *name, const char *word)
{
	if (*word != '\0')
		json_text(json, name, word);
}

static void json_case(struct json *json, const struct heap_case_result *result)
{
	const struct heap_case *what = result->what;

	json_open(json, NULL, '{');
	json_text(json, "case", what->name);
	json_text(json, "what", what->what);
	if (what->kind == HEAP_CHURN)
		json_bool(json, "more_is_better", true);
	json_number(json, "bar", what->bar);
	put_word(json, "verdict", heap_verdict(result, what->bar));
	json_number(json, "moonshot", what->moonshot);
	put_word(json, "moonshot_verdict", heap_verdict(result, what->moonshot));
	json_number(json, "turns", result->turns);
	json_number(json, "turns_left_out", result->disturbed);
	if (result->line.count != 0)
		json_spread(json, "line_ns", &result->line);
	for (int side = 0; side < HEAP_SIDES; side++) {
		if (result->value[side].count == 0 && result->error[side] == 0)
			continue;
		json_open(json, heap_side_name(side), '{');
		if (result->error[side] != 0)
			json_text(json, "error", strerror(result->error[side]));
		json_spread(json, "value", &result->value[side]);
		if (result->ratio[side].count != 0)
			json_spread(json, "ratio", &result->ratio[side]);
		json_close(json, '}');
	}
	json_close(json, '}');
}

static void json_scale(struct json *json, const struct heap_scale *scale)
{
	json_open(json, NULL, '{');
	json_number(json, "processes", scale->members);
	json_number(json, "live", scale->live);
	json_spread(json, "madang_ns", &scale->ns[0]);
	json_spread(json, "mimalloc_ns", &scale->ns[1]);
	json_spread(json, "ratio", &scale->ratio);
	json_number(json, "madang_growth", scale->growth[0]);
	json_number(json, "mimalloc_growth", scale->growth[1]);
	put_word(json, "verdict", growth_verdict(scale));
	json_close(json, '}');
}

void heap_json(struct json *json, const struct heap_result *result)
{
	json_open(json, "heap", '[');
	for (unsigned i = 0; i < result->case_count; i++)
		json_case(json, &result->cases[i]);
	json_close(json, ']');
	json_open(json, "heap_scale", '[');
	for (unsigned i = 0; i < result->scale_count; i++)
		json_scale(json, &result->scales[i]);
	json_close(json, ']');
}
