/* SPDX-License-Identifier: MIT */
/*
 * top_paint.c - paints `madang top`: a head, the tabs, a table or a page, keys in the last line.
 *
 * Each frame is composed anew, and ncurses sends what has changed, so nothing flickers. Colours
 * only repeat what the text says.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "top/paint.h"

enum { LEAST_ROWS = 10, LEAST_COLUMNS = 40 };

/* ---- the table --------------------------------------------------------- */

/* How wide the text of the columns that grow is, over all rows, so that it does not jump. */
static void measure(const struct top_table *table, const struct top *top,
                    const struct top_list *list, int wanted[TOP_COLUMNS])
{
	struct top_cell cell;

	for (int c = 0; c < table->count; c++) {
		wanted[c] = table->columns[c].width;
		for (size_t i = 0; table->columns[c].most > 0 && i < list->count; i++) {
			table->cell(&top->look, list->order[i], c, &cell);
			int width = cell.part >= 0 ? table->columns[c].most
			                           : (int)show_width(cell.text);
			if (width > wanted[c])
				wanted[c] = width;
		}
	}
}

static void paint_titles(const struct top_table *table, const struct top_list *list,
                         const int layout[TOP_COLUMNS], int width)
{
	const char *arrow = terminal_is_utf8() ? list->descending ? "\xe2\x96\xbc" : "\xe2\x96\xb2"
	                    : list->descending ? "v"
	                                       : "^";
	int column = 1;

	paint_padded(TITLE_ROW, 0, width, TERMINAL_REVERSE, false, "");
	for (int c = 0; c < table->count; c++) {
		bool right = table->columns[c].right, sorted = c == list->sort;
		int wide = (int)strlen(table->columns[c].title);
		if (layout[c] == 0)
			continue;
		paint_padded(TITLE_ROW, column, layout[c],
		             sorted ? TOP_STRONG | TERMINAL_REVERSE : TERMINAL_REVERSE, right,
		             table->columns[c].title);
		/* In the gap, so that a title has all of its width. */
		if (sorted)
			terminal_put(TITLE_ROW,
			             right ? column + layout[c] - wide - 1 : column + wide, arrow,
			             TOP_STRONG | TERMINAL_REVERSE);
		column += layout[c] + TOP_GAP;
	}
}

static void paint_cell(const struct top_cell *cell, int row, int column, int width, bool right,
                       unsigned look)
{
	char bar[PAINT_LINE];
	enum { PERCENT = 5 }; /* " 100%" */

	if (cell->part < 0 || width < PERCENT + 4) {
		paint_padded(row, column, width, look, right, cell->text);
		return;
	}
	top_draw_bar(bar, sizeof bar, cell->part, width - PERCENT, terminal_is_utf8());
	terminal_put(row, column, bar, look);
	paint_padded(row, column + width - PERCENT, PERCENT, look, true, cell->text);
}

/* A selected row has one look from end to end: its cells' own colours would make it patchy. */
static void paint_row(const struct top_table *table, const struct top *top, size_t row, int line,
                      const int layout[TOP_COLUMNS], int width, bool selected)
{
	int circle = table->circle == NULL ? 0 : table->circle(&top->look.now, row);
	enum top_style all = circle == 1 ? TOP_BAD : circle == 2 ? TOP_WARN : TOP_PLAIN;
	unsigned whole = (unsigned)all | TERMINAL_REVERSE;
	int column = 1;

	if (selected)
		paint_padded(line, 0, width, whole, false, "");
	for (int c = 0; c < table->count; c++) {
		struct top_cell cell;
		if (layout[c] == 0)
			continue;
		table->cell(&top->look, row, c, &cell);
		paint_cell(&cell, line, column, layout[c], table->columns[c].right,
		           selected           ? whole
		           : all != TOP_PLAIN ? (unsigned)all
		                              : (unsigned)cell.style);
		column += layout[c] + TOP_GAP;
	}
}

static void paint_list(struct top *top, int rows, int width)
{
	const struct top_table *table = top_tables[top->tab];
	struct top_list *list = &top->lists[top->tab];
	int wanted[TOP_COLUMNS], layout[TOP_COLUMNS];

	top->height = (size_t)(rows - FIRST_ROW - 1);
	top_list_scroll(list, top->height);
	measure(table, top, list, wanted);
	top_layout(table, wanted, width - 2, layout);
	paint_titles(table, list, layout, width);
	for (size_t i = 0; i < top->height && list->first + i < list->count; i++)
		paint_row(table, top, list->order[list->first + i], FIRST_ROW + (int)i, layout,
		          width, list->first + i == list->at);
	if (list->count == 0)
		paint_text(FIRST_ROW + 1, 1, width - 2, TOP_DIM, "%s",
		           list->all > 0           ? "Nothing here fits the filter (Esc clears it)."
		           : top->tab == TOP_LOCKS ? "Nothing has a name (man mdg_names_set)."
		                                   : "There are none.");
}

/* ---- pages ------------------------------------------------------------- */

/* How many bytes of the text go into a line of so many columns: to the last blank that fits. */
static size_t line_length(const char *text, int width)
{
	size_t at = 0, blank = 0;
	int used = 0;

	while (text[at] != '\0') {
		char one[8] = "";
		size_t length = utf8_length(text + at);
		length = length > 0 ? length : 1;
		memcpy(one, text + at, length);
		used += (int)show_width(one);
		if (used > width)
			return blank > 0 ? blank : at > 0 ? at : length;
		if (text[at] == ' ' && at > 0 && text[at - 1] != ' ')
			blank = at;
		at += length;
	}
	return at;
}

/* The page with its long lines broken; what follows in a line stands further to the right. */
static void break_lines(const struct top_page *page, int width, struct top_page *ret)
{
	for (size_t i = 0; i < page->count; i++) {
		const char *text = page->lines[i].text;
		int indent = (int)strspn(text, " ") + 4;
		size_t length = line_length(text, width);
		top_line(ret, page->lines[i].style, "%.*s", (int)length, text);
		for (text += length; *text != '\0'; text += length) {
			text += strspn(text, " ");
			length = line_length(text, width - indent);
			if (length > 0)
				top_line(ret, page->lines[i].style, "%*s%.*s", indent, "",
				         (int)length, text);
		}
	}
}

static void paint_page(struct top *top, const struct top_page *whole, int rows, int width)
{
	struct top_page broken = { 0 }, *page = &broken;

	break_lines(whole, width - 2, page);
	top->height = (size_t)(rows - TITLE_ROW - 1);
	top->page_lines = page->count;
	if (top->scroll + top->height > page->count)
		top->scroll = page->count > top->height ? page->count - top->height : 0;
	for (size_t i = 0; i < top->height && top->scroll + i < page->count; i++)
		paint_text(TITLE_ROW + (int)i, 1, width - 2, page->lines[top->scroll + i].style,
		           "%s", page->lines[top->scroll + i].text);
	top_page_free(page);
}

/* The row that the page is about; NOBODY: it has gone. */
static size_t subject_row(const struct top *top)
{
	const struct top_table *table = top_tables[top->tab];
	size_t count = table->rows(&top->look);

	for (size_t i = 0; i < count; i++) {
		struct top_key key = table->key(&top->look, i);
		if (key.high == top->subject.high && key.low == top->subject.low)
			return i;
	}
	return NOBODY;
}

static void paint_subject(struct top *top, int rows, int width)
{
	struct top_page page = { 0 };
	size_t row = subject_row(top);

	if (row == NOBODY)
		top_line(&page, TOP_WARN, "It is no longer there.");
	else
		top_tables[top->tab]->page(&top->look, row, &page);
	paint_page(top, &page, rows, width);
	top_page_free(&page);
}

static void paint_help(struct top *top, int rows, int width)
{
	struct top_page page = { 0 };

	top_help(&page);
	paint_page(top, &page, rows, width);
	top_page_free(&page);
}

/* ---- the last line ----------------------------------------------------- */

/* Which of so many are seen. */
static int show_place(const struct top *top, char room[2 * SHOW_ROOM])
{
	const struct top_list *list = &top->lists[top->tab];
	bool rows = top->mode == TOP_LIST || top->mode == TOP_FILTER;
	size_t count = rows ? list->count : top->page_lines;
	size_t first = rows ? list->first : top->scroll, last = first + top->height;

	room[0] = '\0';
	if (count > 0 && (rows || count > top->height))
		snprintf(room, (size_t)2 * SHOW_ROOM, "%zu-%zu of %zu", first + 1,
		         last < count ? last : count, count);
	return (int)strlen(room);
}

static void paint_keys(const struct top *top, int rows, int width)
{
	static char of_list[][SHOW_ROOM] = { "q quit",  "? help",    "Enter details", "/ filter",
		                             "<> sort", "r reverse", "p pause" };
	static char of_page[][SHOW_ROOM] = { "Esc back", "up, down scroll" };
	char place[2 * SHOW_ROOM];
	int left = width - show_place(top, place) - 1;

	if (top->mode == TOP_FILTER)
		paint_text(rows - 1, 1, left - 4, TOP_STRONG, "Filter: %s_", top->filter);
	else if (top->mode == TOP_LIST && top->filter[0] != '\0')
		paint_text(rows - 1, 1, left - 4, TOP_WARN,
		           "Filter: %s   (/ changes it, Esc clears it)", top->filter);
	else if (top->mode == TOP_LIST)
		paint_pieces(rows - 1, left - 2, TOP_DIM, of_list,
		             (int)(sizeof of_list / sizeof of_list[0]));
	else
		paint_pieces(rows - 1, left - 2, TOP_DIM, of_page, 2);
	paint_text(rows - 1, left, width - left, TOP_PLAIN, "%s", place);
}

/* ---- all of it --------------------------------------------------------- */

static void paint_gone(const struct top *top, int rows, int width)
{
	char path[4 * NAMESPACE_PATH_ROOM], advice[ADVICE_ROOM];
	int code = top->look.code, row = rows / 2 - 2;
	bool is_missing = code == -ENOENT || code == MDG_NS_GONE;

	show_text(path, sizeof path, top->request->path);
	if (is_missing) {
		paint_text(row, 2, width - 4, TOP_WARN, "There is no namespace at %s", path);
		paint_text(row + 2, 2, width - 4, TOP_PLAIN,
		           "It was deleted, or no program has made it yet.");
	} else {
		paint_text(row, 2, width - 4, TOP_BAD, "%s cannot be read: %s", path,
		           mdg_strerror(code));
		paint_text(row + 2, 2, width - 4, TOP_PLAIN, "%s",
		           namespace_advice(advice, code, top->request->path));
	}
	paint_text(row + 3, 2, width - 4, TOP_PLAIN,
	           "It will be shown here as soon as it %s.  q quits.",
	           is_missing ? "is there" : "can be read");
}

static void paint_small(int rows, int width)
{
	paint_text(0, 0, width, TOP_STRONG, "Too small: %dx%d", width, rows);
	if (rows > 1)
		paint_text(1, 0, width, TOP_PLAIN, "needs %dx%d", LEAST_COLUMNS, LEAST_ROWS);
	if (rows > 2)
		paint_text(2, 0, width, TOP_PLAIN, "q quits");
}

void top_paint(struct top *top)
{
	int rows, width;

	terminal_size(&rows, &width);
	terminal_clear();
	if (rows < LEAST_ROWS || width < LEAST_COLUMNS) {
		paint_small(rows, width);
		terminal_show();
		return;
	}
	paint_head(top, width);
	if (top->mode == TOP_HELP) {
		paint_help(top, rows, width);
		paint_keys(top, rows, width);
	} else if (!top->look.is_there) {
		paint_gone(top, rows, width);
	} else {
		paint_sum(top, width);
		paint_alarm(top, width);
		paint_tabs(top, width);
		if (top->mode == TOP_PAGE)
			paint_subject(top, rows, width);
		else
			paint_list(top, rows, width);
		paint_keys(top, rows, width);
	}
	terminal_show();
}
