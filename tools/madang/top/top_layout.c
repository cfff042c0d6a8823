/* SPDX-License-Identifier: MIT */
/*
 * top_layout.c - fits columns into the width of a screen, and text into the width of a column.
 *
 * On a narrow screen the columns of the highest rank go first. What is left over goes to the
 * columns that grow, as far as their text needs it.
 */
#include <stdio.h>
#include <string.h>

#include "top/top.h"

enum { NARROWEST = 6 };

/* ---- columns ----------------------------------------------------------- */

/* The sum of all widths, with the gaps between. */
static int total(const struct top_table *table, const int width[TOP_COLUMNS])
{
	int sum = 0, columns = 0;

	for (int i = 0; i < table->count; i++) {
		sum += width[i];
		columns += width[i] > 0;
	}
	return sum + (columns > 1 ? (columns - 1) * TOP_GAP : 0);
}

/* The column that goes next; -1: all that are left stay. */
static int least_needed(const struct top_table *table, const int width[TOP_COLUMNS])
{
	int found = -1;

	for (int i = 0; i < table->count; i++)
		if (width[i] > 0 && table->columns[i].rank > 0 &&
		    (found < 0 || table->columns[i].rank >= table->columns[found].rank))
			found = i;
	return found;
}

/* Gives one column of the screen to each that wants more. False: nobody does, or none is left. */
static bool grow(const struct top_table *table, const int wanted[TOP_COLUMNS], int *left,
                 int width[TOP_COLUMNS])
{
	bool any = false;

	for (int i = 0; i<table->count && * left> 0; i++) {
		int most = table->columns[i].most;
		if (width[i] == 0 || width[i] >= most || width[i] >= wanted[i])
			continue;
		width[i]++;
		(*left)--;
		any = true;
	}
	return any;
}

/* Takes a column of the screen from the widest of those that grow. False: all are narrow. */
static bool shrink(const struct top_table *table, int width[TOP_COLUMNS])
{
	int widest = -1;

	for (int i = 0; i < table->count; i++)
		if (table->columns[i].most > 0 && width[i] > NARROWEST &&
		    (widest < 0 || width[i] > width[widest]))
			widest = i;
	if (widest >= 0)
		width[widest]--;
	return widest >= 0;
}

void top_layout(const struct top_table *table, const int wanted[TOP_COLUMNS], int width,
                int ret_width[TOP_COLUMNS])
{
	int column, left;

	for (int i = 0; i < table->count; i++)
		ret_width[i] = table->columns[i].width;
	while (total(table, ret_width) > width && (column = least_needed(table, ret_width)) >= 0)
		ret_width[column] = 0;
	while (total(table, ret_width) > width && shrink(table, ret_width))
		;
	for (int i = table->count - 1; i > 0 && total(table, ret_width) > width; i--)
		ret_width[i] = 0;
	left = width - total(table, ret_width);
	while (grow(table, wanted, &left, ret_width))
		;
}

/* ---- text -------------------------------------------------------------- */

/* One character, as the terminal can show it. */
static size_t put_character(char *room, size_t size, const char *text, size_t length, int width,
                            bool utf8)
{
	if (length > 1 && !utf8) {
		size_t count = width > 0 ? (size_t)width : 0;
		if (count >= size)
			return 0;
		memset(room, '?', count);
		return count;
	}
	if (length >= size)
		return 0;
	memcpy(room, text, length);
	return length;
}

static int width_of(const char *text, size_t length)
{
	char one[8] = { 0 };

	memcpy(one, text, length < sizeof one - 1 ? length : sizeof one - 1);
	return (int)show_width(one);
}

int top_clip(char *room, size_t size, const char *text, int width, bool utf8)
{
	const char *mark = utf8 ? "\xe2\x80\xa6" : "~";
	bool cut = (int)show_width(text) > width;
	int end = cut ? width - 1 : width, used = 0;
	size_t at = 0;

	while (*text != '\0' && width > 0) {
		size_t length = utf8_length(text);
		length = length > 0 ? length : 1;
		int wide = width_of(text, length);
		if (used + wide > end)
			break;
		at += put_character(room + at, size - at, text, length, wide, utf8);
		used += wide;
		text += length;
	}
	if (cut && width > 0 && at + strlen(mark) < size) {
		memcpy(room + at, mark, strlen(mark));
		at += strlen(mark);
		used++;
	}
	room[at] = '\0';
	return used;
}

/* Eighths of a block, from the left. */
static const char *const eighths[] = { "",
	                               "\xe2\x96\x8f",
	                               "\xe2\x96\x8e",
	                               "\xe2\x96\x8d",
	                               "\xe2\x96\x8c",
	                               "\xe2\x96\x8b",
	                               "\xe2\x96\x8a",
	                               "\xe2\x96\x89",
	                               "\xe2\x96\x88" };

void top_draw_bar(char *room, size_t size, double part, int width, bool utf8)
{
	int units = (int)(part * (double)width * 8 + 0.5);
	size_t at = 0;

	if (units == 0 && part > 0) /* a little is seen */
		units = 1;
	room[0] = '\0';
	for (int i = 0; i < width && at + 4 < size; i++) {
		int eighth = units - i * 8;
		const char *one = eighth >= 8  ? utf8 ? eighths[8] : "#"
		                  : eighth > 0 ? utf8          ? eighths[eighth]
		                                 : eighth >= 4 ? "#"
		                                               : "."
		                  : utf8       ? "\xe2\x94\x80"
		                               : ".";
		at += (size_t)snprintf(room + at, size - at, "%s", one);
	}
}
