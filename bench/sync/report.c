/* SPDX-License-Identifier: MIT */
/*
 * report.c - the table of `madang-bench --sync`.
 */
#include "bench/sync/games.h"

static void put_ns(const struct spread *ns, bool failed, FILE *out)
{
	if (ns->count == 0)
		fprintf(out, " %9s", failed ? "failed" : "-");
	else
		fprintf(out, ns->median < 1000 ? " %9.1f" : " %9.0f", ns->median);
}

static void put_ratio(const struct spread *ratio, FILE *out)
{
	if (ratio->count == 0)
		fprintf(out, "  %6s %-13s", "-", "");
	else
		fprintf(out, "  %6.3f (%4.2f-%4.2f) ", ratio->median, ratio->low, ratio->high);
}

/* The bar is the ratio to the C library, or nanoseconds. */
static void put_bar(const struct sync_case_result *result, FILE *out)
{
	const struct sync_case *what = result->what;
	char text[16] = "";

	if (what->bar > 0)
		snprintf(text, sizeof text, "<= %.2f", what->bar);
	else if (what->bar_ns > 0)
		snprintf(text, sizeof text, "<= %.0f ns", what->bar_ns);
	fprintf(out, " %-8s %-4s", text, sync_verdict(result));
}

const char *sync_verdict(const struct sync_case_result *result)
{
	if (result->what->bar > 0)
		return verdict(&result->ratio[SYNC_LIBC], 0, result->what->bar);
	return verdict(&result->ns[SYNC_MADANG], 0, result->what->bar_ns);
}

/* Who got how much of a contended object; what readers saw. */
static void put_notes(const struct sync_result *sync, const struct sync_case_result *result,
                      FILE *out)
{
	for (int i = 0; i < SYNC_SIDES; i++) {
		if (result->share[i].count == 0 || sync->side[i].name == NULL)
			continue;
		fprintf(out, "%-12s %s: the other process did %.2f (%.2f-%.2f) for one here", "",
		        sync->side[i].name, result->share[i].median, result->share[i].low,
		        result->share[i].high);
		if (result->fresh[i].count != 0)
			fprintf(out, "; %.1f %% of the reads were of a new value",
			        result->fresh[i].median * 100);
		fputc('\n', out);
	}
}

static void put_cases(const struct sync_result *sync, FILE *out)
{
	const char *boost = sync->side[SYNC_BOOST].name;

	fprintf(out, "Synchronisation. Median nanoseconds of an operation; ratio = madang / other, "
	             "pair by pair (10%%-90%%).\n");
	if (boost == NULL)
		fprintf(out, "Boost.Interprocess is left out: this was built without it.\n");
	fprintf(out, "%-12s %9s %9s %9s  %-21s %-13s  %-21s\n", "case",
	        sync->side[SYNC_MADANG].name, sync->side[SYNC_LIBC].name, "boost",
	        "ratio to the C library", "bar", "ratio to boost");
	for (int i = 0; i < SYNC_CASES; i++) {
		const struct sync_case_result *result = &sync->cases[i];

		if (result->what == NULL || sync->side[SYNC_MADANG].play[i].run == NULL)
			continue;
		fprintf(out, "%-12s", result->what->name);
		for (int side = 0; side < SYNC_SIDES; side++)
			put_ns(&result->ns[side], result->failed[side], out);
		put_ratio(&result->ratio[SYNC_LIBC], out);
		put_bar(result, out);
		put_ratio(&result->ratio[SYNC_BOOST], out);
		fprintf(out, "  %s\n", result->what->what);
		put_notes(sync, result, out);
	}
}

static void put_call(int calls, FILE *out)
{
	if (calls < 0)
		fputs(" -", out);
	else
		fprintf(out, " %d", calls);
}

static void put_calls(const struct sync_result *sync, FILE *out)
{
	const struct sync_calls *calls = &sync->calls;

	fprintf(out, "\nSystem calls, counted: of a waiter that sleeps, of its waker, of a waker "
	             "when nobody waits.\n");
	for (int what = 0; what < SYNC_WAKES; what++) {
		fprintf(out, "%-12s", sync_wake_name((enum sync_wake)what));
		for (int i = 0; i < SYNC_SIDES; i++) {
			if (sync->side[i].name == NULL)
				continue;
			fprintf(out, "  %s", sync->side[i].name);
			put_call(calls->waiter[i][what], out);
			put_call(calls->waker[i][what], out);
			put_call(calls->alone[i][what], out);
		}
		fputc('\n', out);
	}
}

/* How busy the machine was. */
static void put_disturbed(const struct sync_result *sync, FILE *out)
{
	unsigned disturbed = 0, turns = 0;

	for (int i = 0; i < SYNC_CASES; i++) {
		disturbed += sync->cases[i].disturbed;
		turns += sync->cases[i].turns;
	}
	fprintf(out, "%u of %u turns were disturbed by other programs and left out.\n", disturbed,
	        turns);
}

void sync_report(const struct sync_result *sync, FILE *out)
{
	put_cases(sync, out);
	put_disturbed(sync, out);
	if (sync->calls_counted)
		put_calls(sync, out);
}
