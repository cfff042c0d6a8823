/* SPDX-License-Identifier: MIT */
/*
 * report.c - the table of starts, for a person and for programs.
 */
#include "bench/start/start.h"

static void print_us(const struct spread *spread, FILE *out)
{
	if (spread->count == 0)
		fprintf(out, "%22s", "");
	else
		fprintf(out, "%8.0f (%.0f to %.0f)", spread->median / 1e3, spread->low / 1e3,
		        spread->high / 1e3);
}

void start_report(const struct start_result *result, FILE *out)
{
	fprintf(out, "Start of a program, microseconds: median (10th to 90th percentile)\n\n");
	fprintf(out, "%-42s %s\n", "", "wall | more than plain | processor, user and kernel");
	for (int i = 0; i < START_WAYS; i++) {
		if (i == START_FORK)
			fprintf(out, "\nFork of a program that was started so, microseconds\n\n");
		fprintf(out, "%-42s", result->way[i].what);
		if (result->way[i].why_not[0] != '\0') {
			fprintf(out, " could not: %s\n", result->way[i].why_not);
			continue;
		}
		print_us(&result->way[i].wall, out);
		fputs(" |", out);
		print_us(&result->way[i].more, out);
		if (result->way[i].cpu.count != 0) {
			fputs(" |", out);
			print_us(&result->way[i].cpu, out);
		}
		fputc('\n', out);
	}
}

void start_json(struct json *json, const struct start_result *result)
{
	json_open(json, "start", '[');
	for (int i = 0; i < START_WAYS; i++) {
		json_open(json, NULL, '{');
		json_text(json, "case", result->way[i].name);
		json_text(json, "what", result->way[i].what);
		if (result->way[i].why_not[0] != '\0')
			json_text(json, "why_not", result->way[i].why_not);
		json_spread(json, "wall_ns", &result->way[i].wall);
		json_spread(json, "cpu_ns", &result->way[i].cpu);
		json_spread(json, "more_ns", &result->way[i].more);
		json_spread(json, "ratio", &result->way[i].ratio);
		json_close(json, '}');
	}
	json_close(json, ']');
}
