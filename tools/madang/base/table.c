/* SPDX-License-Identifier: MIT */
/*
 * table.c - tables with aligned columns, and how wide text is on a terminal.
 *
 * libsmartcols of util-linux was tried for this, and left. It measures all rows again for each
 * piece of a table that is printed, and lines of another shape stand below the rows of ls -l, locks
 * and channels: 4,096 such rows took it two minutes, against a twentieth of a second. In the C
 * locale it also prints other characters than ASCII as \xNN.
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/text.h"

/* ---- the width of text ------------------------------------------------ */

/* Names are UTF-8 whatever the locale says, so they are measured in a UTF-8 locale. */
static int point_width(wchar_t point)
{
	static locale_t utf8;
	locale_t before;
	int width;

	if (utf8 == (locale_t)0)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (utf8 == (locale_t)0)
		return 1;
	before = uselocale(utf8);
	width = wcwidth(point);
	uselocale(before);
	return width < 0 ? 1 : width;
}

size_t show_width(const char *text)
{
	size_t width = 0;

	while (*text != '\0') {
		size_t length = utf8_length(text);
		width += length > 1 ? (size_t)point_width((wchar_t)utf8_point(text, length)) : 1;
		text += length > 0 ? length : 1;
	}
	return width;
}

/* ---- the table -------------------------------------------------------- */

void table_begin(struct table *table, const char *const *titles, int columns)
{
	table->titles = titles;
	table->columns = columns;
	for (int i = 0; i < columns; i++)
		table->width[i] = show_width(titles[i]);
}

void table_measure(struct table *table)
{
	for (int i = 0; i < table->columns; i++) {
		size_t width = show_width(table->cells[i]);
		if (width > table->width[i])
			table->width[i] = width;
	}
}

void table_print_titles(struct table *table)
{
	for (int i = 0; i < table->columns; i++)
		snprintf(table->cells[i], TABLE_CELL, "%s", table->titles[i]);
	table_print_row(table);
}

void table_print_row(const struct table *table)
{
	int last = table->columns - 1;

	while (last > 0 && table->cells[last][0] == '\0')
		last--;
	for (int i = 0; i <= last; i++) {
		size_t pad = i < last ? table->width[i] - show_width(table->cells[i]) + 2 : 0;
		printf("%s%*s", table->cells[i], (int)pad, "");
	}
	putchar('\n');
}
