/* SPDX-License-Identifier: MIT */
/*
 * paint_head.c - the rows above the table of `madang top`: the namespace, sums, an alarm, the tabs.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "top/paint.h"

void paint_head(const struct top *top, int width)
{
	char right[2 * SHOW_ROOM], clock[SHOW_ROOM] = "", path[4 * NAMESPACE_PATH_ROOM];
	time_t now = time(NULL);
	struct tm local;
	int used;

	if (localtime_r(&now, &local) != NULL)
		(void)strftime(clock, sizeof clock, "%H:%M:%S", &local);
	snprintf(right, sizeof right, "%s  %s ", top->paused ? "PAUSED" : "", clock);
	if (!top->paused)
		snprintf(right, sizeof right, "every %gs  %s ", (double)top->interval / 1e9, clock);
	used = (int)strlen(right);
	paint_padded(HEAD_ROW, 0, width, TERMINAL_REVERSE, false, "");
	paint_text(HEAD_ROW, 0, width - used - 1, TOP_STRONG | TERMINAL_REVERSE, " madang top  %s",
	           show_text(path, sizeof path, top->request->path));
	paint_text(HEAD_ROW, width - used, used, TERMINAL_REVERSE, "%s", right);
}

static size_t count_waiting(const struct seen *seen)
{
	size_t count = seen->locks.wait_count;

	for (size_t i = 0; i < seen->locks.lock_count; i++)
		count += seen->locks.locks[i].waiter_count;
	return count;
}

void paint_sum(const struct top *top, int width)
{
	const struct seen *seen = &top->look.now;
	char size[SHOW_ROOM], pieces[6][SHOW_ROOM] = { "" };
	double messages = 0;

	for (size_t i = 0; i < seen->channels.count; i++)
		messages += seen->channels.entries[i].has_rate ? seen->channels.entries[i].rate : 0;
	snprintf(pieces[0], SHOW_ROOM, "%.12s in segments", show_size(size, seen->bytes));
	snprintf(pieces[1], SHOW_ROOM, "%.12s in memory", show_size(size, seen->resident));
	if (seen->orphans > 0)
		snprintf(pieces[2], SHOW_ROOM, "%zu orphan%s", seen->orphans,
		         seen->orphans == 1 ? "" : "s");
	snprintf(pieces[3], SHOW_ROOM, "%zu waiting", count_waiting(seen));
	snprintf(pieces[4], SHOW_ROOM, "%.12s messages/s", top_show_count(size, messages));
	snprintf(pieces[5], SHOW_ROOM, "read in %.1f ms", (double)top->took / 1e6);
	paint_pieces(SUM_ROW, width - 1, TOP_PLAIN, pieces, 6);
}

/* The threads of a circle. */
static void paint_circle(const struct seen *seen, const struct cycle *cycle, int width)
{
	char who[TABLE_CELL];
	unsigned look = cycle->timed ? TOP_WARN : TOP_BAD;
	int column =
		paint_text(ALARM_ROW, 1, width - 2, look, "%s: %zu threads wait for each other:",
	                   cycle->timed ? "CIRCLE" : "DEADLOCK", cycle->length);

	for (size_t i = 0; i < cycle->length; i++) {
		const struct edge *edge = &seen->locks.edges[cycle->edge[i]];
		column = paint_text(ALARM_ROW, column, width - 1 - column, look, " %s%s",
		                    top_show_thread(who, seen, edge->waiter),
		                    i + 1 < cycle->length ? "," : "");
	}
}

void paint_alarm(const struct top *top, int width)
{
	const struct seen *seen = &top->look.now;
	const struct cycle *found = NULL;

	if (top->look.code != 0) {
		paint_text(ALARM_ROW, 1, width - 2, TOP_BAD, "Not all could be read: %s",
		           mdg_strerror(top->look.code));
		return;
	}
	for (size_t i = 0; i < seen->locks.cycle_count; i++)
		if (found == NULL || (found->timed && !seen->locks.cycles[i].timed))
			found = &seen->locks.cycles[i];
	if (found != NULL)
		paint_circle(seen, found, width);
}

/* With the number of rows behind each title, and with whole titles, if that fits. */
void paint_tabs(const struct top *top, int width)
{
	static const char *const titles[][TOP_TABS] = {
		{ "Segments", "Processes", "Locks", "Channels", "Semaphores", "Queues" },
		{ "Segments", "Processes", "Locks", "Channels", "Sets", "Queues" },
		{ "Seg", "Proc", "Lock", "Chan", "Set", "Que" },
		{ "S", "P", "L", "C", "Se", "Q" },
	};
	enum { FORMS = sizeof titles / sizeof titles[0] };
	char text[TOP_TABS][2 * SHOW_ROOM], count[SHOW_ROOM];
	int sum = width + 1, column = 0;

	for (int form = 0; form < FORMS && sum > width; form++) {
		sum = 0;
		for (int i = 0; i < TOP_TABS; i++) {
			top_show_count(count, (double)top_tables[i]->rows(&top->look));
			sum += snprintf(text[i], sizeof text[i], " %d %s %s ", i + 1,
			                titles[form][i], count);
		}
	}
	for (int i = 0; i < TOP_TABS; i++) {
		bool chosen = (enum top_tab)i == top->tab;
		column = paint_text(TABS_ROW, column, width - column,
		                    chosen ? TOP_STRONG | TERMINAL_REVERSE : TOP_PLAIN, "%s",
		                    text[i]);
	}
}
