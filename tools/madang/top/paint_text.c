/* SPDX-License-Identifier: MIT */
/*
 * paint_text.c - text on the screen of `madang top`, cut where it does not fit.
 */
#include <stdarg.h>
#include <stdio.h>

#include "top/paint.h"

int paint_text(int row, int column, int width, unsigned look, const char *format, ...)
{
	char text[PAINT_LINE], shown[PAINT_LINE];
	va_list list;

	if (width <= 0)
		return column;
	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	int used = top_clip(shown, sizeof shown, text, width, terminal_is_utf8());
	terminal_put(row, column, shown, look);
	return column + used;
}

void paint_padded(int row, int column, int width, unsigned look, bool right, const char *text)
{
	char shown[PAINT_LINE], line[2 * PAINT_LINE];
	int used = top_clip(shown, sizeof shown, text, width, terminal_is_utf8());
	int pad = width > used ? width - used : 0;

	snprintf(line, sizeof line, "%*s%s%*s", right ? pad : 0, "", shown, right ? 0 : pad, "");
	terminal_put(row, column, line, look);
}

void paint_pieces(int row, int width, unsigned look, char pieces[][SHOW_ROOM], int count)
{
	int column = 1;

	for (int i = 0; i < count; i++) {
		int wide = (int)show_width(pieces[i]);
		if (wide == 0)
			continue;
		if (column + wide > width)
			return;
		column = 3 + paint_text(row, column, wide, look, "%s", pieces[i]);
	}
}
