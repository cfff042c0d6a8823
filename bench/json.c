/* SPDX-License-Identifier: MIT */
/*
 * json.c - the same results for programs.
 */
#include "bench/common/json.h"
#include "bench/report.h"

#include <string.h>

/* ---- what a run was ------------------------------------------------------ */

static void put_machine(struct json *json, const struct machine *machine)
{
	json_open(json, "machine", '{');
	json_text(json, "cpu", machine->cpu);
	json_number(json, "cpus", (double)machine->cpus);
	json_number(json, "load", machine->load);
	json_text(json, "kernel", machine->system);
	json_number(json, "pointer_bits", machine->pointer_bits);
	json_number(json, "page_size", (double)machine->page_size);
	json_text(json, "shmem_huge_pages", machine->huge_pages);
	json_bool(json, "kernel_ipc", machine->kernel_ipc);
	json_bool(json, "own_ipc_namespace", machine->own_ipc_namespace);
	json_number(json, "euid", (double)machine->euid);
	json_close(json, '}');
}

static void put_settings(struct json *json, const struct report *report)
{
	const struct settings *settings = report->settings;

	json_open(json, "settings", '{');
	if (settings->only != NULL)
		json_text(json, "case", settings->only);
	json_bool(json, "quick", settings->quick);
	json_bool(json, "control", settings->control);
	json_number(json, "seconds_per_case", settings->seconds);
	json_number(json, "seconds_per_block", settings->block);
	json_number(json, "rounds", settings->rounds);
	json_number(json, "others", settings->others);
	json_text(json, "namespace", report->machine->namespace_dir);
	json_close(json, '}');
}

/* ---- tables --------------------------------------------------------------- */

static void put_verdict(struct json *json, const char *name, const char *word)
{
	if (*word != '\0')
		json_text(json, name, word);
}

static void put_errors(struct json *json, const int error[SIDES])
{
	for (int side = 0; side < SIDES; side++)
		if (error[side] != 0)
			json_text(json, side == MADANG ? "madang_error" : "kernel_error",
			          strerror(error[side]));
}

static void put_case(struct json *json, const struct case_result *result, int others)
{
	const struct bench_case *what = result->what;

	json_open(json, NULL, '{');
	json_text(json, "case", what->name);
	json_text(json, "what", what->what);
	json_number(json, "others_madang", others ? result->others_made[MADANG] : 0);
	json_number(json, "others_kernel", others ? result->others_made[KERNEL] : 0);
	json_spread(json, "madang_ns", &result->ns[others][MADANG]);
	json_spread(json, "kernel_ns", &result->ns[others][KERNEL]);
	json_spread(json, "ratio", &result->ratio[others]);
	if (what->bar_low > 0)
		json_number(json, "bar_low", what->bar_low);
	if (what->bar > 0)
		json_number(json, "bar", what->bar);
	put_verdict(json, "verdict", verdict(&result->ratio[others], what->bar_low, what->bar));
	put_errors(json, result->error[others]);
	if (others) {
		json_spread(json, "growth_madang", &result->growth[MADANG]);
		json_spread(json, "growth_kernel", &result->growth[KERNEL]);
		json_number(json, "growth_bar", GROWTH_BAR);
		put_verdict(json, "growth_verdict",
		            verdict(&result->growth[MADANG], 0, GROWTH_BAR));
	}
	json_close(json, '}');
}

static void put_cases(struct json *json, const struct report *report)
{
	json_open(json, "cases", '[');
	for (unsigned i = 0; i < report->segment.case_count; i++)
		for (int others = 0; others < OTHERS_STATES; others++)
			if (report->segment.cases[i].measured[others])
				put_case(json, &report->segment.cases[i], others);
	json_close(json, ']');
}

static void put_parts(struct json *json, const struct report *report)
{
	json_open(json, "parts", '[');
	for (unsigned i = 0; i < report->segment.part_count; i++) {
		json_open(json, NULL, '{');
		json_text(json, "part", report->segment.parts[i].name);
		json_text(json, "what", report->segment.parts[i].what);
		json_spread(json, "ns", &report->segment.parts[i].ns);
		json_close(json, '}');
	}
	json_close(json, ']');
}

/* ---- synchronisation ----------------------------------------------------- */

static void put_sync_case(struct json *json, const struct sync_result *sync,
                          const struct sync_case_result *result)
{
	json_open(json, NULL, '{');
	json_text(json, "case", result->what->name);
	json_text(json, "what", result->what->what);
	json_text(json, "verdict", sync_verdict(result));
	json_number(json, "turns", result->turns);
	json_number(json, "turns_left_out", result->disturbed);
	for (int i = 0; i < SYNC_SIDES; i++) {
		if (sync->side[i].name == NULL)
			continue;
		json_open(json, sync->side[i].name, '{');
		json_spread(json, "ns", &result->ns[i]);
		if (i != SYNC_MADANG)
			json_spread(json, "ratio", &result->ratio[i]);
		json_spread(json, "share", &result->share[i]);
		json_spread(json, "fresh", &result->fresh[i]);
		json_close(json, '}');
	}
	json_close(json, '}');
}

static void put_sync_calls(struct json *json, const struct sync_result *sync)
{
	json_open(json, "system_calls", '[');
	for (int what = 0; what < SYNC_WAKES; what++)
		for (int i = 0; i < SYNC_SIDES; i++) {
			if (sync->calls.alone[i][what] < 0)
				continue;
			json_open(json, NULL, '{');
			json_text(json, "object", sync_wake_name((enum sync_wake)what));
			json_text(json, "side", sync->side[i].name);
			json_number(json, "waiter", sync->calls.waiter[i][what]);
			json_number(json, "waker", sync->calls.waker[i][what]);
			json_number(json, "waker_alone", sync->calls.alone[i][what]);
			json_close(json, '}');
		}
	json_close(json, ']');
}

static void put_sync(struct json *json, const struct sync_result *sync)
{
	json_open(json, "sync", '[');
	for (int i = 0; i < SYNC_CASES; i++)
		if (sync->cases[i].what != NULL)
			put_sync_case(json, sync, &sync->cases[i]);
	json_close(json, ']');
	if (sync->calls_counted)
		put_sync_calls(json, sync);
}

/* ---- channels ------------------------------------------------------------ */

static void put_channel_side(struct json *json, const char *name,
                             const struct channel_side_result *side)
{
	json_open(json, name, '{');
	if (side->why[0] != '\0')
		json_text(json, "why_not", side->why);
	json_spread(json, "ns", &side->ns);
	json_spread(json, "ratio", &side->ratio);
	json_number(json, "blocks", side->blocks);
	json_number(json, "blocks_left_out", side->disturbed);
	if (side->line.count != 0) {
		json_spread(json, "line_ns", &side->line);
		json_spread(json, "by_line", &side->lines);
	}
	if (side->tail.p50 > 0) {
		json_number(json, "p50", side->tail.p50);
		json_number(json, "p99", side->tail.p99);
		json_number(json, "p99.9", side->tail.p999);
		json_spread(json, "p99_by_p50", &side->steep);
	}
	json_close(json, '}');
}

static void put_channel_case(struct json *json, const struct channel_result *channel,
                             const struct channel_case_result *played)
{
	const struct channel_case *what = &played->what;

	json_open(json, NULL, '{');
	json_text(json, "case", what->name);
	json_text(json, "what", channel_measure_what(what->measure));
	json_bool(json, "sleeps", what->sleeps);
	json_number(json, "processors", what->one_processor ? 1 : 2);
	json_number(json, "talkers", what->talkers);
	json_text(json, "reference", channel->side[played->reference].name);
	for (int i = 0; i < CHANNEL_SIDES; i++)
		if (played->side[i].ns.count != 0 || played->side[i].why[0] != '\0')
			put_channel_side(json, channel->side[i].name, &played->side[i]);
	json_close(json, '}');
}

static void put_channel_calls(struct json *json, const struct channel_result *channel)
{
	const struct channel_calls *calls = &channel->calls;

	json_open(json, "talker_calls", '[');
	for (int i = 0; i < CHANNEL_SIDES; i++) {
		if (calls->asleep_most[i] < 0 && calls->awake_most[i] < 0)
			continue;
		json_open(json, NULL, '{');
		json_text(json, "side", channel->side[i].name);
		json_number(json, "asleep_least", calls->asleep_least[i]);
		json_number(json, "asleep_most", calls->asleep_most[i]);
		json_number(json, "awake_least", calls->awake_least[i]);
		json_number(json, "awake_most", calls->awake_most[i]);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void put_channel_restart(struct json *json, const struct channel_restart *restart)
{
	json_open(json, "restart", '{');
	json_number(json, "kills", restart->kills);
	json_number(json, "resumed", restart->resumed);
	json_spread(json, "ms", &restart->ms);
	json_number(json, "ms_most", restart->ms_most);
	json_number(json, "messages", (double)restart->messages);
	json_number(json, "redelivered", (double)restart->redelivered);
	json_number(json, "doubled", (double)restart->doubled);
	json_number(json, "missing", (double)restart->missing);
	json_number(json, "strange", (double)restart->strange);
	json_number(json, "code", restart->code);
	json_close(json, '}');
}

static void put_channel(struct json *json, const struct channel_result *channel)
{
	struct channel_bar bars[CHANNEL_BARS_MAX];
	unsigned count = channel_bars(channel, bars);

	json_open(json, "channel", '[');
	for (unsigned i = 0; i < channel->case_count; i++)
		put_channel_case(json, channel, &channel->cases[i]);
	json_close(json, ']');
	if (channel->calls_counted)
		put_channel_calls(json, channel);
	if (channel->restart.played)
		put_channel_restart(json, &channel->restart);
	json_open(json, "bars", '[');
	for (unsigned i = 0; i < count; i++) {
		json_open(json, NULL, '{');
		json_text(json, "what", bars[i].what);
		json_text(json, "found", bars[i].found);
		json_text(json, "verdict", bars[i].met ? "pass" : "miss");
		json_close(json, '}');
	}
	json_close(json, ']');
}

/* ---- semaphores and message queues --------------------------------------- */

static void put_ipc_ratio(struct json *json, const char *name, const struct ipc_ratio *ratio)
{
	if (ratio->all.count == 0)
		return;
	json_next(json, name);
	fprintf(json->out,
	        "{\"median\": %.10g, \"p10\": %.10g, \"p90\": %.10g, \"least_round\": %.10g, "
	        "\"most_round\": %.10g, \"samples\": %u}",
	        ratio->all.median, ratio->all.low, ratio->all.high, ratio->least, ratio->most,
	        ratio->all.count);
}

static void put_ipc_side(struct json *json, const struct ipc_case_result *result, int side)
{
	json_open(json, ipc_side_name(side), '{');
	if (result->error[side] != 0)
		json_text(json, "error", strerror(result->error[side]));
	json_spread(json, "ns", &result->ns[0][side]);
	json_spread(json, "ns_with_others", &result->ns[1][side]);
	put_ipc_ratio(json, "ratio", &result->ratio[0][side]);
	put_ipc_ratio(json, "ratio_with_others", &result->ratio[1][side]);
	put_ipc_ratio(json, "growth", &result->growth[side]);
	if (result->calls[side] >= 0)
		json_number(json, "system_calls", result->calls[side]);
	json_close(json, '}');
}

static void put_ipc(struct json *json, const struct ipc_result *ipc)
{
	json_open(json, "ipc", '[');
	for (unsigned i = 0; i < ipc->case_count; i++) {
		const struct ipc_case_result *result = &ipc->cases[i];
		const struct spread *ratio = &result->ratio[0][IPC_MADANG].all;

		json_open(json, NULL, '{');
		json_text(json, "case", result->what->name);
		json_text(json, "what", result->what->what);
		json_number(json, "bar", result->what->bar);
		put_verdict(json, "verdict", verdict(ratio, 0, result->what->bar));
		json_number(json, "moonshot", result->what->moonshot);
		put_verdict(json, "moonshot_verdict", verdict(ratio, 0, result->what->moonshot));
		put_verdict(json, "growth_verdict",
		            ipc_growth_verdict(&result->growth[IPC_MADANG]));
		json_number(json, "turns", result->turns);
		json_number(json, "turns_left_out", result->disturbed);
		json_number(json, "rough_rounds", result->rough_rounds);
		if (result->line.count != 0)
			json_spread(json, "line_ns", &result->line);
		for (int side = 0; side < IPC_SIDES; side++)
			put_ipc_side(json, result, side);
		json_close(json, '}');
	}
	json_close(json, ']');
}

void report_json(const struct report *report, FILE *out)
{
	struct json json = { .out = out, .first = true };

	json_open(&json, NULL, '{');
	json_text(&json, "program", "madang-bench");
	json_text(&json, "date", report->machine->date);
	json_bool(&json, "complete", !stop_asked());
	put_machine(&json, report->machine);
	put_settings(&json, report);
	if (report->segment.case_count != 0)
		put_cases(&json, report);
	if (report->scale != NULL)
		scale_json(&json, report->scale);
	if (report->segment.part_count != 0)
		put_parts(&json, report);
	if (report->sync != NULL)
		put_sync(&json, report->sync);
	if (report->channel != NULL)
		put_channel(&json, report->channel);
	if (report->ipc != NULL)
		put_ipc(&json, report->ipc);
	if (report->heap != NULL)
		heap_json(&json, report->heap);
	if (report->memory != NULL)
		memory_json(&json, report->memory);
	if (report->start != NULL)
		start_json(&json, report->start);
	json_close(&json, '}');
	fputc('\n', json.out);
}
