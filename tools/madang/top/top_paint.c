/* SPDX-License-Identifier: MIT */
/*
 * top_paint.c - paints `madang top`: a head, the tabs, a table or a page, keys in the last line.
 *
 * Each frame is composed anew, and ncurses sends what has changed, so nothing flickers. Colours
 * only repeat what the text says.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "top/terminal.h"

enum { LEAST_ROWS = 10, LEAST_COLUMNS = 40, LINE = 8 * TABLE_CELL };
enum { HEAD_ROW, SUM_ROW, ALARM_ROW, TABS_ROW, TITLE_ROW, FIRST_ROW };

/* ---- pieces of text ---------------------------------------------------- */

/* From `column` on, in at most `width` columns. Returns the column behind it. */
static int put(int row, int column, int width, unsigned look, const char *format, ...)
	TOOL_PRINTF(5, 6);
static int put(int row, int column, int width, unsigned look, const char *format, ...)
{
	char text[LINE], shown[LINE];
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

/* The same, filled with blanks to the width. */
static void put_padded(int row, int column, int width, unsigned look, bool right, const char *text)
{
	char shown[LINE], line[2 * LINE];
	int used = top_clip(shown, sizeof shown, text, width, terminal_is_utf8());
	int pad = width > used ? width - used : 0;

	snprintf(line, sizeof line, "%*s%s%*s", right ? pad : 0, "", shown, right ? 0 : pad, "");
	terminal_put(row, column, line, look);
}

/* ---- the head ---------------------------------------------------------- */

static void paint_head(const struct top *top, int width)
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
	put_padded(HEAD_ROW, 0, width, TERMINAL_REVERSE, false, "");
	put(HEAD_ROW, 0, width - used - 1, TOP_STRONG | TERMINAL_REVERSE, " madang top  %s",
	    show_text(path, sizeof path, top->request->path));
	put(HEAD_ROW, width - used, used, TERMINAL_REVERSE, "%s", right);
}

static size_t count_waiting(const struct seen *seen)
{
	size_t count = seen->locks.wait_count;

	for (size_t i = 0; i < seen->locks.lock_count; i++)
		count += seen->locks.locks[i].waiter_count;
	return count;
}

/* Pieces with blanks between, as many as fit whole; the first ones are the most important. */
static void put_pieces(int row, int width, unsigned look, char pieces[][SHOW_ROOM], int count)
{
	int column = 1;

	for (int i = 0; i < count; i++) {
		int wide = (int)show_width(pieces[i]);
		if (wide == 0)
			continue;
		if (column + wide > width)
			return;
		column = 3 + put(row, column, wide, look, "%s", pieces[i]);
	}
}

static void paint_sum(const struct top *top, int width)
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
	put_pieces(SUM_ROW, width - 1, TOP_PLAIN, pieces, 6);
}

/* The threads of a circle. */
static void paint_circle(const struct seen *seen, const struct cycle *cycle, int width)
{
	char who[TABLE_CELL];
	unsigned look = cycle->timed ? TOP_WARN : TOP_BAD;
	int column = put(ALARM_ROW, 1, width - 2, look, "%s: %zu threads wait for each other:",
	                 cycle->timed ? "CIRCLE" : "DEADLOCK", cycle->length);

	for (size_t i = 0; i < cycle->length; i++) {
		const struct edge *edge = &seen->locks.edges[cycle->edge[i]];
		column = put(ALARM_ROW, column, width - 1 - column, look, " %s%s",
		             top_show_thread(who, seen, edge->waiter),
		             i + 1 < cycle->length ? "," : "");
	}
}

static void paint_alarm(const struct top *top, int width)
{
	const struct seen *seen = &top->look.now;
	const struct cycle *found = NULL;

	if (top->look.code != 0) {
		put(ALARM_ROW, 1, width - 2, TOP_BAD, "Not all could be read: %s",
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
static void paint_tabs(const struct top *top, int width)
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
		column = put(TABS_ROW, column, width - column,
		             chosen ? TOP_STRONG | TERMINAL_REVERSE : TOP_PLAIN, "%s", text[i]);
	}
}

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

	put_padded(TITLE_ROW, 0, width, TERMINAL_REVERSE, false, "");
	for (int c = 0; c < table->count; c++) {
		bool right = table->columns[c].right, sorted = c == list->sort;
		int wide = (int)strlen(table->columns[c].title);
		if (layout[c] == 0)
			continue;
		put_padded(TITLE_ROW, column, layout[c],
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
	char bar[LINE];
	enum { PERCENT = 5 }; /* " 100%" */

	if (cell->part < 0 || width < PERCENT + 4) {
		put_padded(row, column, width, look, right, cell->text);
		return;
	}
	top_draw_bar(bar, sizeof bar, cell->part, width - PERCENT, terminal_is_utf8());
	terminal_put(row, column, bar, look);
	put_padded(row, column + width - PERCENT, PERCENT, look, true, cell->text);
}

/* A selected row has one look from end to end: its cells' own colours would make it patchy. */
static void paint_row(const struct top_table *table, const struct top *top, size_t row, int line,
                      const int layout[TOP_COLUMNS], int width, bool selected)
{
	enum top_style all = table->style(&top->look, row);
	unsigned whole = (unsigned)all | TERMINAL_REVERSE;
	int column = 1;

	if (selected)
		put_padded(line, 0, width, whole, false, "");
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
		put(FIRST_ROW + 1, 1, width - 2, TOP_DIM, "%s",
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
		put(TITLE_ROW + (int)i, 1, width - 2, page->lines[top->scroll + i].style, "%s",
		    page->lines[top->scroll + i].text);
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
		put(rows - 1, 1, left - 4, TOP_STRONG, "Filter: %s_", top->filter);
	else if (top->mode == TOP_LIST && top->filter[0] != '\0')
		put(rows - 1, 1, left - 4, TOP_WARN, "Filter: %s   (/ changes it, Esc clears it)",
		    top->filter);
	else if (top->mode == TOP_LIST)
		put_pieces(rows - 1, left - 2, TOP_DIM, of_list,
		           (int)(sizeof of_list / sizeof of_list[0]));
	else
		put_pieces(rows - 1, left - 2, TOP_DIM, of_page, 2);
	put(rows - 1, left, width - left, TOP_PLAIN, "%s", place);
}

/* ---- all of it --------------------------------------------------------- */

static void paint_gone(const struct top *top, int rows, int width)
{
	char path[4 * NAMESPACE_PATH_ROOM], advice[ADVICE_ROOM];
	int code = top->look.code, row = rows / 2 - 2;
	bool is_missing = code == -ENOENT || code == MDG_NS_GONE;

	show_text(path, sizeof path, top->request->path);
	if (is_missing) {
		put(row, 2, width - 4, TOP_WARN, "There is no namespace at %s", path);
		put(row + 2, 2, width - 4, TOP_PLAIN,
		    "It was deleted, or no program has made it yet.");
	} else {
		put(row, 2, width - 4, TOP_BAD, "%s cannot be read: %s", path, mdg_strerror(code));
		put(row + 2, 2, width - 4, TOP_PLAIN, "%s",
		    namespace_advice(advice, code, top->request->path));
	}
	put(row + 3, 2, width - 4, TOP_PLAIN, "It will be shown here as soon as it %s.  q quits.",
	    is_missing ? "is there" : "can be read");
}

static void paint_small(int rows, int width)
{
	put(0, 0, width, TOP_STRONG, "Too small: %dx%d", width, rows);
	if (rows > 1)
		put(1, 0, width, TOP_PLAIN, "needs %dx%d", LEAST_COLUMNS, LEAST_ROWS);
	if (rows > 2)
		put(2, 0, width, TOP_PLAIN, "q quits");
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
