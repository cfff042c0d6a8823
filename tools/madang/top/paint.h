/* SPDX-License-Identifier: MIT */
/*
 * paint.h - the frame of `madang top`: where its parts stand, and text that is cut to fit.
 */
#ifndef MADANG_TOOL_PAINT_H
#define MADANG_TOOL_PAINT_H

#include "top/terminal.h"

enum { PAINT_LINE = 8 * TABLE_CELL }; /* bytes of a line of the screen */
enum { HEAD_ROW, SUM_ROW, ALARM_ROW, TABS_ROW, TITLE_ROW, FIRST_ROW };

/* ---- paint_text.c ------------------------------------------------------ */

/* From `column` on, in at most `width` columns. Returns the column behind it. */
int paint_text(int row, int column, int width, unsigned look, const char *format, ...)
	TOOL_PRINTF(5, 6);
/* The same, filled with blanks to the width. */
void paint_padded(int row, int column, int width, unsigned look, bool right, const char *text);
/* Pieces with blanks between, as many as fit whole; the first ones are the most important. */
void paint_pieces(int row, int width, unsigned look, char pieces[][SHOW_ROOM], int count);

/* ---- paint_head.c: the rows above the table ----------------------------- */

void paint_head(const struct top *top, int width);
void paint_sum(const struct top *top, int width);
/* A circle of waits, or why not all could be read. */
void paint_alarm(const struct top *top, int width);
void paint_tabs(const struct top *top, int width);

#endif
