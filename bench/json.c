/* SPDX-License-Identifier: MIT */
/*
 * json.c - the same results for programs.
 *
 * A small emitter: it knows where commas go, quotes what has to be quoted, and
 * writes numbers that do not exist as null. Nothing is read back. Like the
 * rest of the program it never calls setlocale, so that a decimal point is one.
 */
#include "bench.h"
#include "sync_games.h"

#include <errno.h>
#include <string.h>

struct json {
	FILE *out;
	int depth;
	bool first; /* nothing stands yet in the innermost object or array */
};

static void put_text(struct json *json, const char *text)
{
	fputc('"', json->out);
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '"' || byte == '\\')
			fprintf(json->out, "\\%c", byte);
		else if (byte < 0x20 || byte >= 0x7f)
			fprintf(json->out, "\\u%04x", byte);
		else
			fputc(byte, json->out);
	}
	fputc('"', json->out);
}

/* Comma, new line, and the name when it is a member of an object. */
static void next(struct json *json, const char *name)
{
	if (!json->first)
		fputc(',', json->out);
	if (json->depth > 0)
		fprintf(json->out, "\n%*s", json->depth * 2, "");
	json->first = false;
	if (name != NULL) {
		put_text(json, name);
		fputs(": ", json->out);
	}
}

static void open_level(struct json *json, const char *name, char bracket)
{
	next(json, name);
	fputc(bracket, json->out);
	json->depth++;
	json->first = true;
}

static void close_level(struct json *json, char bracket)
{
	json->depth--;
	fprintf(json->out, "\n%*s%c", json->depth * 2, "", bracket);
	json->first = false;
}

static void member_text(struct json *json, const char *name, const char *value)
{
	next(json, name);
	put_text(json, value);
}

static void member_number(struct json *json, const char *name, double value)
{
	next(json, name);
	fprintf(json->out, "%.10g", value);
}

static void member_bool(struct json *json, const char *name, bool value)
{
	next(json, name);
	fputs(value ? "true" : "false", json->out);
}

/* On one line: there are many. */
static void member_spread(struct json *json, const char *name, const struct spread *spread)
{
	next(json, name);
	if (spread->count == 0)
		fputs("null", json->out);
	else
		fprintf(json->out, "{\"median\": %.10g, \"p10\": %.10g, \"p90\": %.10g, \"samples\": %u}",
		        spread->median, spread->low, spread->high, spread->count);
}

/* ---- what a run was ------------------------------------------------------ */

static void put_machine(struct json *json, const struct machine *machine)
{
	open_level(json, "machine", '{');
	member_text(json, "cpu", machine->cpu);
	member_number(json, "cpus", (double)machine->cpus);
	member_number(json, "load", machine->load);
	member_text(json, "kernel", machine->system);
	member_number(json, "pointer_bits", machine->pointer_bits);
	member_number(json, "page_size", (double)machine->page_size);
	member_text(json, "shmem_huge_pages", machine->huge_pages);
	member_bool(json, "kernel_ipc", machine->kernel_ipc);
	member_bool(json, "own_ipc_namespace", machine->own_ipc_namespace);
	member_number(json, "euid", (double)machine->euid);
	close_level(json, '}');
}

static void put_settings(struct json *json, const struct report *report)
{
	const struct settings *settings = report->settings;

	open_level(json, "settings", '{');
	member_bool(json, "quick", settings->quick);
	member_bool(json, "control", settings->control);
	member_number(json, "seconds_per_case", settings->seconds);
	member_number(json, "seconds_per_block", settings->block);
	member_number(json, "rounds", settings->rounds);
	member_number(json, "others", settings->others);
	member_text(json, "namespace", report->machine->namespace_dir);
	close_level(json, '}');
}

/* ---- tables --------------------------------------------------------------- */

static void put_verdict(struct json *json, const char *name, const char *word)
{
	if (*word != '\0')
		member_text(json, name, word);
}

static void put_errors(struct json *json, const int error[SIDES])
{
	for (int side = 0; side < SIDES; side++)
		if (error[side] != 0)
			member_text(json, side == MADANG ? "madang_error" : "kernel_error",
			            strerror(error[side]));
}

static void put_case(struct json *json, const struct case_result *result, int others)
{
	const struct bench_case *what = result->what;

	open_level(json, NULL, '{');
	member_text(json, "case", what->name);
	member_text(json, "what", what->what);
	member_number(json, "others_madang", others ? result->others_made[MADANG] : 0);
	member_number(json, "others_kernel", others ? result->others_made[KERNEL] : 0);
	member_spread(json, "madang_ns", &result->ns[others][MADANG]);
	member_spread(json, "kernel_ns", &result->ns[others][KERNEL]);
	member_spread(json, "ratio", &result->ratio[others]);
	if (what->bar_low > 0)
		member_number(json, "bar_low", what->bar_low);
	if (what->bar > 0)
		member_number(json, "bar", what->bar);
	put_verdict(json, "verdict", verdict(&result->ratio[others], what->bar_low, what->bar));
	put_errors(json, result->error[others]);
	if (others) {
		member_spread(json, "growth_madang", &result->growth[MADANG]);
		member_spread(json, "growth_kernel", &result->growth[KERNEL]);
		member_number(json, "growth_bar", GROWTH_BAR);
		put_verdict(json, "growth_verdict",
		            verdict(&result->growth[MADANG], 0, GROWTH_BAR));
	}
	close_level(json, '}');
}

static void put_cases(struct json *json, const struct report *report)
{
	open_level(json, "cases", '[');
	for (unsigned i = 0; i < report->case_count; i++)
		for (int others = 0; others < OTHERS_STATES; others++)
			if (report->cases[i].measured[others])
				put_case(json, &report->cases[i], others);
	close_level(json, ']');
}

static void put_scale(struct json *json, const struct scale_result *scale)
{
	open_level(json, "scale", '[');
	for (int call = 0; call < SCALE_CALLS; call++)
		for (int step = 0; step < SCALE_STEPS; step++) {
			open_level(json, NULL, '{');
			member_text(json, "call", scale->call[call]);
			member_number(json, "processes", scale->processes[step]);
			member_number(json, "madang_per_second", scale->per_second[call][step][MADANG]);
			member_number(json, "kernel_per_second", scale->per_second[call][step][KERNEL]);
			close_level(json, '}');
		}
	close_level(json, ']');
}

static void put_parts(struct json *json, const struct report *report)
{
	open_level(json, "parts", '[');
	for (unsigned i = 0; i < report->part_count; i++) {
		open_level(json, NULL, '{');
		member_text(json, "part", report->parts[i].name);
		member_text(json, "what", report->parts[i].what);
		member_spread(json, "ns", &report->parts[i].ns);
		close_level(json, '}');
	}
	close_level(json, ']');
}

/* ---- synchronisation ----------------------------------------------------- */

static void put_sync_case(struct json *json, const struct sync_result *sync,
                          const struct sync_case_result *result)
{
	open_level(json, NULL, '{');
	member_text(json, "case", result->what->name);
	member_text(json, "what", result->what->what);
	member_text(json, "verdict", sync_verdict(result));
	member_number(json, "turns", result->turns);
	member_number(json, "turns_left_out", result->disturbed);
	for (int i = 0; i < SYNC_SIDES; i++) {
		if (sync->side[i].name == NULL)
			continue;
		open_level(json, sync->side[i].name, '{');
		member_spread(json, "ns", &result->ns[i]);
		if (i != SYNC_MADANG)
			member_spread(json, "ratio", &result->ratio[i]);
		member_spread(json, "share", &result->share[i]);
		member_spread(json, "fresh", &result->fresh[i]);
		close_level(json, '}');
	}
	close_level(json, '}');
}

static void put_sync_calls(struct json *json, const struct sync_result *sync)
{
	open_level(json, "system_calls", '[');
	for (int what = 0; what < SYNC_WAKES; what++)
		for (int i = 0; i < SYNC_SIDES; i++) {
			if (sync->calls.alone[i][what] < 0)
				continue;
			open_level(json, NULL, '{');
			member_text(json, "object", sync_wake_name((enum sync_wake)what));
			member_text(json, "side", sync->side[i].name);
			member_number(json, "waiter", sync->calls.waiter[i][what]);
			member_number(json, "waker", sync->calls.waker[i][what]);
			member_number(json, "waker_alone", sync->calls.alone[i][what]);
			close_level(json, '}');
		}
	close_level(json, ']');
}

static void put_sync(struct json *json, const struct sync_result *sync)
{
	open_level(json, "sync", '[');
	for (int i = 0; i < SYNC_CASES; i++)
		if (sync->cases[i].what != NULL)
			put_sync_case(json, sync, &sync->cases[i]);
	close_level(json, ']');
	if (sync->calls_counted)
		put_sync_calls(json, sync);
}

int report_json(const struct report *report, const char *path)
{
	struct json json = {.out = fopen(path, "we"), .first = true};
	bool written;

	if (json.out == NULL)
		return -1;
	open_level(&json, NULL, '{');
	member_text(&json, "program", "madang-bench");
	member_text(&json, "date", report->machine->date);
	member_bool(&json, "complete", !stop_asked());
	put_machine(&json, report->machine);
	put_settings(&json, report);
	if (report->case_count != 0)
		put_cases(&json, report);
	if (report->scale != NULL)
		put_scale(&json, report->scale);
	if (report->part_count != 0)
		put_parts(&json, report);
	if (report->sync != NULL)
		put_sync(&json, report->sync);
	close_level(&json, '}');
	fputc('\n', json.out);
	written = !ferror(json.out);
	if (fclose(json.out) != 0 || !written) {
		errno = errno ? errno : EIO;
		return -1;
	}
	return 0;
}
