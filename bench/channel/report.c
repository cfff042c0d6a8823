/* SPDX-License-Identifier: MIT */
/*
 * report.c - the tables of `madang-bench --channel`, and its bars.
 */
#include "bench/channel/games.h"

#include <madang/segment.h>

#include <stdarg.h>
#include <string.h>

/* ---- bars --------------------------------------------------------------------------- */

struct bars {
	struct channel_bar *bar;
	unsigned count;
};

static void bar_add(struct bars *bars, bool met, const char *found, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void bar_add(struct bars *bars, bool met, const char *found, const char *format, ...)
{
	struct channel_bar *bar = &bars->bar[bars->count];
	va_list values;

	if (bars->count == CHANNEL_BARS_MAX)
		return;
	va_start(values, format);
	vsnprintf(bar->what, sizeof bar->what, format, values);
	va_end(values);
	snprintf(bar->found, sizeof bar->found, "%s", found);
	bar->met = met;
	bars->count++;
}

/* At most `most`, when it was measured. */
static void bar_spread(struct bars *bars, const struct spread *found, double most, const char *what)
{
	char text[64];

	if (found->count == 0)
		return;
	snprintf(text, sizeof text, "%.2f (%.2f-%.2f)", found->median, found->low, found->high);
	bar_add(bars, found->median <= most, text, "%s", what);
}

/* Messages in a second, at least; where the line takes twice as long it is half of them. */
static void bar_rate(struct bars *bars, const struct channel_side_result *side, double least,
                     const char *what)
{
	const struct spread *ns = &side->ns;
	char text[64];

	if (ns->count == 0 || ns->median <= 0)
		return;
	snprintf(text, sizeof text, "%.1f M/s (%.1f-%.1f)", 1e3 / ns->median, 1e3 / ns->high,
	         1e3 / ns->low);
	bar_add(bars, 1e3 / ns->median >= least, text, "%s; the line took %.0f ns", what,
	        side->line.median);
}

static const struct channel_case_result *case_of(const struct channel_result *result,
                                                 const char *name)
{
	for (unsigned i = 0; i < result->case_count; i++)
		if (strcmp(result->cases[i].what.name, name) == 0)
			return &result->cases[i];
	return NULL;
}

static void bars_round(struct bars *bars, const struct channel_case_result *round)
{
	bar_spread(bars, &round->side[CHANNEL_STREAM].lines, 3.0,
	           "stream, there and back, spinning: at most 3.0 of the line's");
	bar_spread(bars, &round->side[CHANNEL_CK].ratio, 1.0,
	           "and below Concurrency Kit's: stream / ck_ring at most 1.0");
	bar_spread(bars, &round->side[CHANNEL_STREAM].steep, 2.0,
	           "and its p99 at most 2 of its p50, block by block");
}

static void bars_kinds(struct bars *bars, const struct channel_case_result *result)
{
	static const int kinds[] = { CHANNEL_QUEUE, CHANNEL_TOPIC };
	char what[96];

	for (unsigned i = 0; i < 2; i++) {
		snprintf(what, sizeof what, "%s, %s: at most 1.5 of the stream's time",
		         kinds[i] == CHANNEL_QUEUE ? "queue" : "topic", result->what.name);
		bar_spread(bars, &result->side[kinds[i]].ratio, 1.5, what);
	}
}

static void bars_calls(struct bars *bars, const struct channel_result *result)
{
	const struct channel_calls *calls = &result->calls;
	static const int kinds[] = { CHANNEL_STREAM, CHANNEL_QUEUE, CHANNEL_TOPIC };
	char text[64];

	for (unsigned i = 0; i < 3; i++) {
		int kind = kinds[i];

		if (calls->asleep_most[kind] < 0 || calls->awake_most[kind] < 0)
			continue;
		snprintf(text, sizeof text, "%d and %d", calls->asleep_most[kind],
		         calls->awake_most[kind]);
		bar_add(bars, calls->asleep_most[kind] <= 1 && calls->awake_most[kind] == 0, text,
		        "%s: a talker's system calls, listener asleep and awake: 1 and 0",
		        result->side[kind].name);
	}
}

unsigned channel_bars(const struct channel_result *result, struct channel_bar bar[CHANNEL_BARS_MAX])
{
	static const char *const spins[CHANNEL_MEASURES] = { "round-spin", "one-spin", "batch-spin",
		                                             "large-spin" };
	const struct channel_case_result *of[CHANNEL_MEASURES], *sleep;
	const struct channel_restart *restart = &result->restart;
	struct bars bars = { bar, 0 };
	char text[64];

	for (int i = 0; i < CHANNEL_MEASURES; i++)
		of[i] = case_of(result, spins[i]);
	if (of[CHANNEL_ROUND] != NULL)
		bars_round(&bars, of[CHANNEL_ROUND]);
	if (of[CHANNEL_ONE] != NULL)
		bar_rate(&bars, &of[CHANNEL_ONE]->side[CHANNEL_STREAM], 25,
		         "stream, 64 bytes one by one: at least 25 M/s");
	if (of[CHANNEL_MANY] != NULL)
		bar_rate(&bars, &of[CHANNEL_MANY]->side[CHANNEL_STREAM], 55,
		         "stream, 64 bytes in batches: at least 55 M/s");
	if (of[CHANNEL_BIG] != NULL)
		bar_spread(&bars, &of[CHANNEL_BIG]->side[CHANNEL_QB].ratio, 1.0,
		           "stream, 64 KiB in place, spinning: stream / libqb's time at most 1.0");
	for (int i = 0; i < CHANNEL_MEASURES; i++)
		if (of[i] != NULL)
			bars_kinds(&bars, of[i]);
	sleep = case_of(result, "round-sleep-1cpu");
	if (sleep != NULL)
		bar_spread(&bars, &sleep->side[CHANNEL_PIPE].ratio, 1.1,
		           "stream, there and back, asleep, 1 processor: at most 1.1 of a pipe's");
	if (result->calls_counted)
		bars_calls(&bars, result);
	if (restart->played) {
		snprintf(text, sizeof text, "%u of %u", restart->resumed, restart->kills);
		bar_add(&bars, restart->kills == 100 && restart->resumed == 100, text,
		        "stream, killed and restarted in the middle: goes on 100 times of 100");
	}
	return bars.count;
}

static void put_bars(const struct channel_result *result, FILE *out)
{
	struct channel_bar bars[CHANNEL_BARS_MAX];
	unsigned count = channel_bars(result, bars);

	if (count == 0)
		return;
	fprintf(out, "\nBars: median (10%%-90%%).\n");
	for (unsigned i = 0; i < count; i++)
		fprintf(out, "%-4s  %-24s %s\n", bars[i].met ? "pass" : "miss", bars[i].found,
		        bars[i].what);
}

/* ---- cases -------------------------------------------------------------------------- */

static void put_number(double value, FILE *out)
{
	if (value <= 0)
		fprintf(out, " %9s", "-");
	else
		fprintf(out, value < 100 ? " %9.1f" : " %9.0f", value);
}

static void put_spread(const struct spread *spread, FILE *out)
{
	char text[32] = "-";

	if (spread->count != 0)
		snprintf(text, sizeof text, "%.2f (%.2f-%.2f)", spread->median, spread->low,
		         spread->high);
	fprintf(out, "  %-22s", text);
}

/* Time of one, and what that is in a second. */
static void put_rate(const struct channel_case *what, const struct spread *ns, FILE *out)
{
	char spread[32], rate[32] = "";

	put_number(ns->median, out);
	snprintf(spread, sizeof spread, "(%.*f-%.*f)", ns->low < 100, ns->low, ns->high < 100,
	         ns->high);
	if (what->measure == CHANNEL_BIG)
		snprintf(rate, sizeof rate, "%.2f GiB/s",
		         CHANNEL_LARGE / ns->median * 1e9 / (1 << 30));
	else if (what->measure != CHANNEL_ROUND)
		snprintf(rate, sizeof rate, "%.2f M/s", 1e3 / ns->median);
	fprintf(out, " %-18s %-12s", spread, rate);
}

static void put_side(const struct channel_result *result, const struct channel_case_result *played,
                     int number, FILE *out)
{
	const struct channel_side_result *side = &played->side[number];

	fprintf(out, "  %-16s", result->side[number].name);
	if (side->ns.count == 0) {
		fprintf(out, " %9s  %s%s\n", "-", side->failed ? "failed; " : "", side->why);
		return;
	}
	put_rate(&played->what, &side->ns, out);
	put_spread(&side->ratio, out);
	put_spread(&side->lines, out);
	if (played->what.measure == CHANNEL_ROUND) {
		put_number(side->tail.p50, out);
		put_number(side->tail.p99, out);
		put_number(side->tail.p999, out);
		put_spread(&side->steep, out);
	}
	fprintf(out, " %s\n", side->failed ? " failed later" : "");
}

/* What the line took around the stream's blocks. */
static void put_line(const struct channel_case_result *played, FILE *out)
{
	const struct spread *line = &played->side[played->reference].line;

	if (line->count != 0)
		fprintf(out, "  %-16s %9.1f (%.1f-%.1f)\n", "(the line)", line->median, line->low,
		        line->high);
}

static void put_case(const struct channel_result *result, const struct channel_case_result *played,
                     FILE *out)
{
	const struct channel_case *what = &played->what;
	const char *reference = result->side[played->reference].name;
	char ratio[48];

	fprintf(out, "\n%s: %s%s, %u talker%s; waits by %s, %s\n", what->name,
	        channel_measure_what(what->measure),
	        what->ahead != 0 ? ", written some messages before" : "", what->talkers,
	        what->talkers > 1 ? "s" : "", what->sleeps ? "sleeping" : "spinning",
	        what->one_processor ? "all on one processor"
	                            : "listener and talkers on two processors");
	snprintf(ratio, sizeof ratio, "/ %s, or %s /", reference, reference);
	fprintf(out, "  %-16s %9s%-32s  %-22s  %-22s", "", "ns", " (10%-90%)", ratio, "/ line");
	if (what->measure == CHANNEL_ROUND)
		fprintf(out, " %9s %9s %9s  %-22s", "p50", "p99", "p99.9", "p99/p50, by block");
	fputc('\n', out);
	put_line(played, out);
	for (int i = 0; i < CHANNEL_SIDES; i++)
		if (played->side[i].ns.count != 0 || played->side[i].why[0] != '\0' ||
		    played->side[i].failed)
			put_side(result, played, i, out);
}

/* ---- the rest ----------------------------------------------------------------------- */

static void put_absent(const struct channel_result *result, FILE *out)
{
	static const struct {
		int side;
		const char *name;
	} all[] = {
		{ CHANNEL_CK, "Concurrency Kit" }, { CHANNEL_QB, "libqb" },
		{ CHANNEL_ZMQ, "ZeroMQ" },         { CHANNEL_NNG, "nng" },
		{ CHANNEL_SPSC, "Boost" },
	};
	const char *between = "Left out, this was built without: ";

	for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
		if (result->side[all[i].side].name != NULL)
			continue;
		fprintf(out, "%s%s", between, all[i].name);
		between = ", ";
	}
	if (between[0] == ',')
		fputs(".\n", out);
}

static void put_calls(const struct channel_result *result, FILE *out)
{
	const struct channel_calls *calls = &result->calls;

	fprintf(out,
	        "\nSystem calls of a talker's thread for one message, of %d: to a listener "
	        "that sleeps, and one that is awake.\n",
	        CHANNEL_CALLS_TIMES);
	for (int i = 0; i < CHANNEL_SIDES; i++)
		if (calls->asleep_most[i] >= 0 || calls->awake_most[i] >= 0)
			fprintf(out, "  %-16s %d-%d  %d-%d\n", result->side[i].name,
			        calls->asleep_least[i], calls->asleep_most[i],
			        calls->awake_least[i], calls->awake_most[i]);
}

static void put_restart(const struct channel_restart *restart, FILE *out)
{
	fprintf(out,
	        "\nA stream whose talker or listener is killed in the middle and started "
	        "again: goes on %u times of %u\n",
	        restart->resumed, restart->kills);
	fprintf(out,
	        "  after %.2f ms (%.2f-%.2f, at most %.2f); %llu messages, %llu came again "
	        "marked, %llu unmarked, %llu missing, %llu strange\n",
	        restart->ms.median, restart->ms.low, restart->ms.high, restart->ms_most,
	        (unsigned long long)restart->messages, (unsigned long long)restart->redelivered,
	        (unsigned long long)restart->doubled, (unsigned long long)restart->missing,
	        (unsigned long long)restart->strange);
	if (restart->code != 0)
		fprintf(out, "  a call failed: %s\n", mdg_strerror(restart->code));
}

/* How busy the machine was. */
static void put_disturbed(const struct channel_result *result, FILE *out)
{
	unsigned disturbed = 0, blocks = 0;

	for (unsigned i = 0; i < result->case_count; i++)
		for (int side = 0; side < CHANNEL_SIDES; side++) {
			disturbed += result->cases[i].side[side].disturbed;
			blocks += result->cases[i].side[side].blocks;
		}
	if (blocks != 0)
		fprintf(out, "\n%u of %u blocks were disturbed by other programs and left out.\n",
		        disturbed, blocks);
}

void channel_report(const struct channel_result *result, FILE *out)
{
	fprintf(out,
	        "Channels. Median nanoseconds of a round or a message. Ratios are those of "
	        "blocks of the same turn:\nMadang's other sides / the reference, the reference / "
	        "those that are not Madang's. In brackets 10%%-90%%.\n");
	put_absent(result, out);
	for (unsigned i = 0; i < result->case_count; i++)
		put_case(result, &result->cases[i], out);
	put_disturbed(result, out);
	if (result->calls_counted)
		put_calls(result, out);
	if (result->restart.played)
		put_restart(&result->restart, out);
	put_bars(result, out);
}
