/* SPDX-License-Identifier: MIT */
/*
 * report.c - the tables of `madang-bench --ipc`.
 *
 * Every ratio stands with its spread: the 10th and 90th percentile of all turns, and the least and
 * the greatest median of a round. Where the kernel has no System V IPC, Madang's times stand alone.
 */
#include "bench/ipc/ipc.h"

#include <string.h>

static void put_ns(const struct spread *ns, FILE *out)
{
	if (ns->count == 0)
		fprintf(out, " %9s", "-");
	else
		fprintf(out, ns->median < 100 ? " %9.1f" : " %9.0f", ns->median);
}

static void put_ratio(const struct ipc_ratio *ratio, FILE *out)
{
	if (ratio->all.count == 0)
		fprintf(out, "  %6s %-27s", "-", "");
	else
		fprintf(out, "  %6.3f (%5.2f-%5.2f) [%5.2f-%5.2f]", ratio->all.median,
		        ratio->all.low, ratio->all.high, ratio->least, ratio->most);
}

static void put_errors(const struct ipc_case_result *result, FILE *out)
{
	for (int side = 0; side < IPC_SIDES; side++)
		if (result->error[side] != 0)
			fprintf(out, "%-14s %s could not: %s\n", "", ipc_side_name(side),
			        strerror(result->error[side]));
}

static void put_calls(const struct ipc_case_result *result, FILE *out)
{
	if (result->calls[IPC_MADANG] < 0)
		fprintf(out, " %5s", "");
	else
		fprintf(out, " %5d", result->calls[IPC_MADANG]);
}

static void put_case(const struct ipc_case_result *result, int crowd, FILE *out)
{
	const struct ipc_case *what = result->what;
	const struct ipc_ratio *ratio = result->ratio[crowd];

	fprintf(out, "%-14s", what->name);
	for (int side = 0; side < IPC_SIDES; side++)
		put_ns(&result->ns[crowd][side], out);
	put_ratio(&ratio[IPC_MADANG], out);
	fprintf(out, "  <= %4.2f %-4s  <= %4.2f %-4s", what->bar,
	        verdict(&ratio[IPC_MADANG].all, 0, what->bar), what->moonshot,
	        verdict(&ratio[IPC_MADANG].all, 0, what->moonshot));
	if (ratio[IPC_NATIVE].all.count == 0)
		fprintf(out, "  %6s", "-");
	else
		fprintf(out, "  %6.3f", ratio[IPC_NATIVE].all.median);
	put_calls(result, out);
	fprintf(out, "  %s\n", what->what);
	if (crowd == 0 && result->line.count != 0)
		fprintf(out, "%-14s a cache line there and back: %.0f (%.0f-%.0f) ns\n", "",
		        result->line.median, result->line.low, result->line.high);
}

const char *ipc_growth_verdict(const struct ipc_ratio *growth)
{
	return verdict(&growth->all, 0, IPC_GROWTH_BAR);
}

static void put_growth(const struct ipc_case_result *result, FILE *out)
{
	fprintf(out, "%-14s", result->what->name);
	for (int side = 0; side < IPC_SIDES; side++)
		put_ns(&result->ns[1][side], out);
	put_ratio(&result->ratio[1][IPC_MADANG], out);
	put_ratio(&result->growth[IPC_MADANG], out);
	fprintf(out, "  <= %4.2f %-4s", IPC_GROWTH_BAR,
	        ipc_growth_verdict(&result->growth[IPC_MADANG]));
	for (int side = IPC_NATIVE; side < IPC_SIDES; side++)
		if (result->growth[side].all.count == 0)
			fprintf(out, "  %6s", "-");
		else
			fprintf(out, "  %6.3f", result->growth[side].all.median);
	fputc('\n', out);
}

static void put_heading(const char *more, FILE *out)
{
	fprintf(out, "%-14s", "case");
	for (int side = 0; side < IPC_SIDES; side++)
		fprintf(out, " %9s", ipc_side_name(side));
	fprintf(out, "  %-34s%s\n", "ratio (10%-90%) [rounds]", more);
}

void ipc_report(const struct ipc_result *result, FILE *out)
{
	unsigned disturbed = 0, turns = 0, rough = 0;

	fprintf(out,
	        "Semaphores and message queues. Median nanoseconds; ratio = %s / kernel, turn "
	        "by turn.\n",
	        ipc_side_name(IPC_MADANG));
	put_heading("  bar           moonshot      native calls", out);
	for (unsigned i = 0; i < result->case_count; i++) {
		put_case(&result->cases[i], 0, out);
		put_errors(&result->cases[i], out);
		disturbed += result->cases[i].disturbed;
		turns += result->cases[i].turns;
		rough += result->cases[i].rough_rounds;
	}
	if (result->crowded) {
		fprintf(out,
		        "\nWith as many other sets, and other queues, present: %s %d, kernel %d. "
		        "growth = with them / without, by rounds.\n",
		        ipc_side_name(IPC_MADANG), result->others_made[IPC_MADANG],
		        result->others_made[IPC_KERNEL]);
		put_heading("  growth                             bar           native  kernel's",
		            out);
		for (unsigned i = 0; i < result->case_count; i++)
			put_growth(&result->cases[i], out);
	}
	fprintf(out,
	        "native: ratio of Madang's native functions; calls: system calls of one run of "
	        "%s's.\n%u of %u turns were disturbed by other programs and left out.\n",
	        ipc_side_name(IPC_MADANG), disturbed, turns);
	if (rough != 0)
		fprintf(out,
		        "%u rounds had disturbed turns only: their numbers say little. Try chrt -f "
		        "10 "
		        "or nice -n -10.\n",
		        rough);
}
