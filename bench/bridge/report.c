/* SPDX-License-Identifier: MIT */
/*
 * report.c - the tables of madang-bench-bridge, and the same as JSON.
 */
#include "bench/bridge/bridge.h"
#include "bench/common/json.h"

static bool is_rate(const struct case_result *result)
{
	return result->what->measure == RATE;
}

static const char *bar_met(const struct case_result *result, const struct spread *compared)
{
	double bar = result->what->bar;

	if (bar == 0 || compared->count == 0)
		return "";
	return (is_rate(result) ? compared->median >= bar : compared->median <= bar) ? "pass"
	                                                                             : "miss";
}

static void side_text(const struct case_result *result, unsigned i, FILE *out)
{
	const struct side_result *found = &result->sides[i];
	const struct side *side = result->what->sides[i];
	struct spread median = samples_spread(&found->median);
	struct spread tail = samples_spread(&found->tail);
	struct spread compared = samples_spread(&found->compared);
	double unit = is_rate(result) ? 1 : 1e3; /* ns to us */

	fprintf(out, "  %-16s", side->name);
	if (median.count == 0) {
		fprintf(out, "  %s\n", found->error != NULL ? found->error : "not measured");
		return;
	}
	fprintf(out, "%11.*f (%.*f to %.*f)", is_rate(result) ? 0 : 1, median.median / unit,
	        is_rate(result) ? 0 : 1, median.low / unit, is_rate(result) ? 0 : 1,
	        median.high / unit);
	if (tail.count != 0)
		fprintf(out, "  99 %%: %.1f", tail.median / unit);
	if (compared.count != 0 && is_rate(result))
		fprintf(out, "  %.2f of plain (%.2f to %.2f)", compared.median, compared.low,
		        compared.high);
	else if (compared.count != 0)
		fprintf(out, "  %+.1f beside plain (%+.1f to %+.1f)", compared.median / unit,
		        compared.low / unit, compared.high / unit);
	if (side->bridged)
		fprintf(out, "  %s", bar_met(result, &compared));
	fprintf(out, "  [%s]%s%s\n", side->what, found->error != NULL ? "; once: " : "",
	        found->error != NULL ? found->error : "");
}

void bridge_text(const struct case_result *results, unsigned count, FILE *out)
{
	for (unsigned i = 0; i < count; i++) {
		const struct case_result *result = &results[i];

		fprintf(out, "%s: %s%s\n", result->what->name, result->what->what,
		        is_rate(result) ? "" : "; microseconds");
		for (unsigned s = 0; s < SIDES_MAX && result->what->sides[s] != NULL; s++)
			side_text(result, s, out);
	}
	fputs("Median of the rounds (10th to 90th percentile). Plain is the first line of each.\n",
	      out);
}

static void side_json(struct json *json, const struct case_result *result, unsigned i)
{
	const struct side_result *found = &result->sides[i];
	const struct side *side = result->what->sides[i];
	struct spread median = samples_spread(&found->median);
	struct spread tail = samples_spread(&found->tail);
	struct spread compared = samples_spread(&found->compared);

	json_open(json, NULL, '{');
	json_text(json, "side", side->name);
	json_text(json, "what", side->what);
	json_bool(json, "bridged", side->bridged);
	json_spread(json, is_rate(result) ? "messages_a_second" : "ns", &median);
	if (!is_rate(result))
		json_spread(json, "ns_99", &tail);
	json_spread(json, is_rate(result) ? "of_plain" : "ns_more_than_plain", &compared);
	if (found->error != NULL)
		json_text(json, "error", found->error);
	json_close(json, '}');
}

int bridge_json(const struct case_result *results, unsigned count, const struct machine *machine,
                const char *path)
{
	struct json json = { .out = fopen(path, "we"), .first = true };

	if (json.out == NULL) {
		fprintf(stderr, "madang-bench-bridge: cannot write ");
		perror(path);
		return 1;
	}
	json_open(&json, NULL, '{');
	json_text(&json, "program", "madang-bench-bridge");
	json_text(&json, "date", machine->date);
	json_text(&json, "cpu", machine->cpu);
	json_text(&json, "system", machine->system);
	json_number(&json, "cpus", (double)machine->cpus);
	json_number(&json, "load", machine->load);
	json_open(&json, "cases", '[');
	for (unsigned i = 0; i < count; i++) {
		json_open(&json, NULL, '{');
		json_text(&json, "case", results[i].what->name);
		json_text(&json, "what", results[i].what->what);
		json_open(&json, "sides", '[');
		for (unsigned s = 0; s < SIDES_MAX && results[i].what->sides[s] != NULL; s++)
			side_json(&json, &results[i], s);
		json_close(&json, ']');
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	fputc('\n', json.out);
	if (fclose(json.out) == 0)
		return 0;
	fprintf(stderr, "madang-bench-bridge: cannot write ");
	perror(path);
	return 1;
}
