/* SPDX-License-Identifier: MIT */
/*
 * json.c - the same results for programs.
 *
 * The first part is a small emitter. It puts the commas, quotes what has to be
 * quoted, and writes a number that does not exist as null. Nothing is read
 * back. The program never calls setlocale, so the decimal point is a point.
 *
 * A library such as json-c would save some forty lines here. But Debian does not
 * have it for musl, and not for 32-bit programs unless the system is set up for
 * their packages. Those builds of the program could then write no JSON.
 */
#include "bench/report.h"

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
		fprintf(json->out,
		        "{\"median\": %.10g, \"p10\": %.10g, \"p90\": %.10g, \"samples\": %u}",
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
	for (unsigned i = 0; i < report->segment.case_count; i++)
		for (int others = 0; others < OTHERS_STATES; others++)
			if (report->segment.cases[i].measured[others])
				put_case(json, &report->segment.cases[i], others);
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
			member_number(json, "madang_per_second",
			              scale->per_second[call][step][MADANG]);
			member_number(json, "kernel_per_second",
			              scale->per_second[call][step][KERNEL]);
			close_level(json, '}');
		}
	close_level(json, ']');
}

static void put_parts(struct json *json, const struct report *report)
{
	open_level(json, "parts", '[');
	for (unsigned i = 0; i < report->segment.part_count; i++) {
		open_level(json, NULL, '{');
		member_text(json, "part", report->segment.parts[i].name);
		member_text(json, "what", report->segment.parts[i].what);
		member_spread(json, "ns", &report->segment.parts[i].ns);
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

/* ---- channels ------------------------------------------------------------ */

static void put_channel_side(struct json *json, const char *name,
                             const struct channel_side_result *side)
{
	open_level(json, name, '{');
	if (side->why[0] != '\0')
		member_text(json, "why_not", side->why);
	member_spread(json, "ns", &side->ns);
	member_spread(json, "ratio", &side->ratio);
	member_number(json, "blocks", side->blocks);
	member_number(json, "blocks_left_out", side->disturbed);
	if (side->line.count != 0) {
		member_spread(json, "line_ns", &side->line);
		member_spread(json, "by_line", &side->lines);
	}
	if (side->tail.p50 > 0) {
		member_number(json, "p50", side->tail.p50);
		member_number(json, "p99", side->tail.p99);
		member_number(json, "p99.9", side->tail.p999);
		member_spread(json, "p99_by_p50", &side->steep);
	}
	close_level(json, '}');
}

static void put_channel_case(struct json *json, const struct channel_result *channel,
                             const struct channel_case_result *played)
{
	const struct channel_case *what = &played->what;

	open_level(json, NULL, '{');
	member_text(json, "case", what->name);
	member_text(json, "what", channel_measure_what(what->measure));
	member_bool(json, "sleeps", what->sleeps);
	member_number(json, "processors", what->one_processor ? 1 : 2);
	member_number(json, "talkers", what->talkers);
	member_text(json, "reference", channel->side[played->reference].name);
	for (int i = 0; i < CHANNEL_SIDES; i++)
		if (played->side[i].ns.count != 0 || played->side[i].why[0] != '\0')
			put_channel_side(json, channel->side[i].name, &played->side[i]);
	close_level(json, '}');
}

static void put_channel_calls(struct json *json, const struct channel_result *channel)
{
	const struct channel_calls *calls = &channel->calls;

	open_level(json, "talker_calls", '[');
	for (int i = 0; i < CHANNEL_SIDES; i++) {
		if (calls->asleep_most[i] < 0 && calls->awake_most[i] < 0)
			continue;
		open_level(json, NULL, '{');
		member_text(json, "side", channel->side[i].name);
		member_number(json, "asleep_least", calls->asleep_least[i]);
		member_number(json, "asleep_most", calls->asleep_most[i]);
		member_number(json, "awake_least", calls->awake_least[i]);
		member_number(json, "awake_most", calls->awake_most[i]);
		close_level(json, '}');
	}
	close_level(json, ']');
}

static void put_channel_restart(struct json *json, const struct channel_restart *restart)
{
	open_level(json, "restart", '{');
	member_number(json, "kills", restart->kills);
	member_number(json, "resumed", restart->resumed);
	member_spread(json, "ms", &restart->ms);
	member_number(json, "ms_most", restart->ms_most);
	member_number(json, "messages", (double)restart->messages);
	member_number(json, "redelivered", (double)restart->redelivered);
	member_number(json, "doubled", (double)restart->doubled);
	member_number(json, "missing", (double)restart->missing);
	member_number(json, "strange", (double)restart->strange);
	member_number(json, "code", restart->code);
	close_level(json, '}');
}

static void put_channel(struct json *json, const struct channel_result *channel)
{
	struct channel_bar bars[CHANNEL_BARS_MAX];
	unsigned count = channel_bars(channel, bars);

	open_level(json, "channel", '[');
	for (unsigned i = 0; i < channel->case_count; i++)
		put_channel_case(json, channel, &channel->cases[i]);
	close_level(json, ']');
	if (channel->calls_counted)
		put_channel_calls(json, channel);
	if (channel->restart.played)
		put_channel_restart(json, &channel->restart);
	open_level(json, "bars", '[');
	for (unsigned i = 0; i < count; i++) {
		open_level(json, NULL, '{');
		member_text(json, "what", bars[i].what);
		member_text(json, "found", bars[i].found);
		member_text(json, "verdict", bars[i].met ? "pass" : "miss");
		close_level(json, '}');
	}
	close_level(json, ']');
}

/* ---- semaphores and message queues --------------------------------------- */

static void put_ipc_ratio(struct json *json, const char *name, const struct ipc_ratio *ratio)
{
	if (ratio->all.count == 0)
		return;
	next(json, name);
	fprintf(json->out,
	        "{\"median\": %.10g, \"p10\": %.10g, \"p90\": %.10g, \"least_round\": %.10g, "
	        "\"most_round\": %.10g, \"samples\": %u}",
	        ratio->all.median, ratio->all.low, ratio->all.high, ratio->least, ratio->most,
	        ratio->all.count);
}

static void put_ipc_side(struct json *json, const struct ipc_case_result *result, int side)
{
	open_level(json, ipc_side_name(side), '{');
	if (result->error[side] != 0)
		member_text(json, "error", strerror(result->error[side]));
	member_spread(json, "ns", &result->ns[0][side]);
	member_spread(json, "ns_with_others", &result->ns[1][side]);
	put_ipc_ratio(json, "ratio", &result->ratio[0][side]);
	put_ipc_ratio(json, "ratio_with_others", &result->ratio[1][side]);
	put_ipc_ratio(json, "growth", &result->growth[side]);
	if (result->calls[side] >= 0)
		member_number(json, "system_calls", result->calls[side]);
	close_level(json, '}');
}

static void put_ipc(struct json *json, const struct ipc_result *ipc)
{
	open_level(json, "ipc", '[');
	for (unsigned i = 0; i < ipc->case_count; i++) {
		const struct ipc_case_result *result = &ipc->cases[i];
		const struct spread *ratio = &result->ratio[0][IPC_MADANG].all;

		open_level(json, NULL, '{');
		member_text(json, "case", result->what->name);
		member_text(json, "what", result->what->what);
		member_number(json, "bar", result->what->bar);
		put_verdict(json, "verdict", verdict(ratio, 0, result->what->bar));
		member_number(json, "moonshot", result->what->moonshot);
		put_verdict(json, "moonshot_verdict", verdict(ratio, 0, result->what->moonshot));
		put_verdict(json, "growth_verdict",
		            ipc_growth_verdict(&result->growth[IPC_MADANG]));
		member_number(json, "turns", result->turns);
		member_number(json, "turns_left_out", result->disturbed);
		for (int side = 0; side < IPC_SIDES; side++)
			put_ipc_side(json, result, side);
		close_level(json, '}');
	}
	close_level(json, ']');
}

int report_json(const struct report *report, const char *path)
{
	struct json json = { .out = fopen(path, "we"), .first = true };
	bool written;

	if (json.out == NULL)
		return -1;
	open_level(&json, NULL, '{');
	member_text(&json, "program", "madang-bench");
	member_text(&json, "date", report->machine->date);
	member_bool(&json, "complete", !stop_asked());
	put_machine(&json, report->machine);
	put_settings(&json, report);
	if (report->segment.case_count != 0)
		put_cases(&json, report);
	if (report->segment.scale != NULL)
		put_scale(&json, report->segment.scale);
	if (report->segment.part_count != 0)
		put_parts(&json, report);
	if (report->sync != NULL)
		put_sync(&json, report->sync);
	if (report->channel != NULL)
		put_channel(&json, report->channel);
	if (report->ipc != NULL)
		put_ipc(&json, report->ipc);
	close_level(&json, '}');
	fputc('\n', json.out);
	written = !ferror(json.out);
	if (fclose(json.out) != 0 || !written) {
		errno = errno ? errno : EIO;
		return -1;
	}
	return 0;
}
