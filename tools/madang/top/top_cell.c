/* SPDX-License-Identifier: MIT */
/*
 * top_cell.c - what the cells and pages of `madang top` are filled with: numbers for people, and
 * names that are safe for a terminal.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/kind.h"
#include "top/top.h"

void top_cell_begin(struct top_cell *cell)
{
	cell->text[0] = '\0';
	cell->has_number = false;
	cell->number = 0;
	cell->part = -1;
	cell->style = TOP_PLAIN;
}

void top_text(struct top_cell *cell, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(cell->text, sizeof cell->text, format, list);
	va_end(list);
}

void top_number(struct top_cell *cell, double number, const char *format, ...)
{
	va_list list;

	cell->has_number = true;
	cell->number = number;
	va_start(list, format);
	vsnprintf(cell->text, sizeof cell->text, format, list);
	va_end(list);
}

void top_none(struct top_cell *cell, const char *text)
{
	top_number(cell, -1, "%s", text);
	cell->style = TOP_DIM;
}

void top_count(struct top_cell *cell, uint64_t count)
{
	char room[SHOW_ROOM];

	top_number(cell, (double)count, "%s", top_show_count(room, (double)count));
	if (count == 0)
		cell->style = TOP_DIM;
}

void top_size(struct top_cell *cell, uint64_t bytes)
{
	char room[SHOW_ROOM];

	top_number(cell, (double)bytes, "%s", show_size(room, bytes));
}

void top_age(struct top_cell *cell, int64_t now, int64_t then)
{
	char room[SHOW_ROOM];

	/* What has never been is older than anything. */
	top_number(cell, then == 0 ? 1e18 : (double)(now - then), "%s", show_age(room, now, then));
}

void top_wait(struct top_cell *cell, uint64_t milliseconds)
{
	char room[SHOW_ROOM];

	top_number(cell, (double)milliseconds, "%s", locks_show_wait(room, milliseconds));
}

void top_rate(struct top_cell *cell, double rate)
{
	char room[SHOW_ROOM];

	top_number(cell, rate, "%s", top_show_count(room, rate));
	if (rate <= 0)
		cell->style = TOP_DIM;
}

void top_change(struct top_cell *cell, double bytes)
{
	char room[SHOW_ROOM];
	double size = bytes < 0 ? -bytes : bytes;

	top_number(cell, bytes, "%s%s",
	           bytes > 0   ? "+"
	           : bytes < 0 ? "-"
	                       : "",
	           show_size(room, size < 1e18 ? (uint64_t)size : UINT64_C(1) << 60));
	if (size < 1)
		cell->style = TOP_DIM;
}

void top_bar(struct top_cell *cell, uint64_t used, uint64_t room)
{
	double part = room == 0 ? 0 : (double)used / (double)room;
	unsigned percent = part < 0 ? 0 : part > 1 ? 100 : (unsigned)(part * 100);

	if (percent == 0 && used > 0) /* in use at all is at least one per cent */
		percent = 1;
	top_number(cell, part, "%u%%", percent);
	cell->part = part < 0 ? 0 : part > 1 ? 1 : part;
	cell->style = percent < 60 ? TOP_GOOD : percent < 85 ? TOP_WARN : TOP_BAD;
}

/* ---- for people -------------------------------------------------------- */

char *top_show_count(char room[SHOW_ROOM], double number)
{
	static const char units[] = "kMGTPE";
	int unit = -1;

	if (number < 0)
		number = 0;
	if (number < 10000) {
		if (number > 0 && number < 9.95 && number != (double)(unsigned)number)
			snprintf(room, SHOW_ROOM, "%.1f", number);
		else
			snprintf(room, SHOW_ROOM, "%.0f", number);
		return room;
	}
	do {
		number /= 1000;
		unit++;
	} while (number >= 1000 && unit < 5);
	/* Cut, not rounded: 999.9k does not become 1000k. */
	if (number < 100)
		snprintf(room, SHOW_ROOM, "%u.%u%c", (unsigned)number, (unsigned)(number * 10) % 10,
		         units[unit]);
	else
		snprintf(room, SHOW_ROOM, "%.0f%c", number < 1e9 ? (double)(unsigned)number : 1e9,
		         units[unit]);
	return room;
}

char *top_show_segment(char room[TABLE_CELL], const struct seen *seen, size_t segment)
{
	char label[TABLE_CELL];
	const struct mdg_segment_info *info;

	if (segment >= seen->segment_count) {
		snprintf(room, TABLE_CELL, "?");
		return room;
	}
	info = seen->segments[segment].info;
	if (info->name[0] == '\0' && info->key == 0)
		snprintf(room, TABLE_CELL, "segment %d", (int)info->id);
	else
		snprintf(room, TABLE_CELL, "segment %d %.*s", (int)info->id, TABLE_CELL - 24,
		         show_label(label, info->key, info->name));
	return room;
}

char *top_show_process(char room[TABLE_CELL], const struct seen *seen, size_t process)
{
	char command[4 * SHOW_ROOM];

	if (process >= seen->process_count) {
		snprintf(room, TABLE_CELL, "?");
		return room;
	}
	const struct seen_process *one = &seen->processes[process];
	snprintf(room, TABLE_CELL, "%d %s", (int)one->pid,
	         one->is_here ? show_text(command, sizeof command, one->command)
	                      : "(in another pid namespace)");
	return room;
}

const char *top_show_thread(char room[TABLE_CELL], const struct seen *seen, size_t thread)
{
	if (thread < seen->locks.thread_count)
		return locks_show_thread(room, &seen->locks.threads[thread]);
	snprintf(room, TABLE_CELL, "?");
	return room;
}

/* ---- pages ------------------------------------------------------------- */

__attribute__((format(printf, 3, 0))) static void
add_line(struct top_page *page, enum top_style style, const char *format, va_list list)
{
	char text[4 * TABLE_CELL];
	struct top_line *more = list_grow(page->lines, page->count, sizeof *more);

	if (more == NULL)
		return;
	page->lines = more;
	vsnprintf(text, sizeof text, format, list);
	more[page->count] = (struct top_line){ strdup(text), style };
	if (more[page->count].text != NULL)
		page->count++;
}

void top_line(struct top_page *page, enum top_style style, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	add_line(page, style, format, list);
	va_end(list);
}

void top_fact(struct top_page *page, const char *name, const char *format, ...)
{
	char text[2 * TABLE_CELL];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	top_line(page, TOP_PLAIN, "  %-14s %s", name, text);
}

void top_page_free(struct top_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		free(page->lines[i].text);
	free(page->lines);
	memset(page, 0, sizeof *page);
}
