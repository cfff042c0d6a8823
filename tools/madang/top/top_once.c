/* SPDX-License-Identifier: MIT */
/*
 * top_once.c - the tables of `madang top --once`, on standard output.
 *
 * Nothing is cut and no column is left out, however wide the terminal is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "top/top.h"

static void measure(const struct top_table *table, const struct top_look *look,
                    const struct top_list *list, size_t width[TOP_COLUMNS])
{
	struct top_cell cell;

	for (int c = 0; c < table->count; c++) {
		width[c] = show_width(table->columns[c].title);
		for (size_t i = 0; i < list->count; i++) {
			table->cell(look, list->order[i], c, &cell);
			size_t wide = show_width(cell.text);
			if (wide > width[c])
				width[c] = wide;
		}
	}
}

/* Blanks at the end of a line are left out. */
static void print_cell(const struct top_table *table, int column, size_t width, const char *text,
                       size_t *pending)
{
	size_t pad = width - show_width(text);

	if (table->columns[column].right)
		*pending += pad;
	if (text[0] != '\0') {
		printf("%*s%s", (int)*pending, "", text);
		*pending = 0;
	}
	*pending += (table->columns[column].right ? 0 : pad) + TOP_GAP;
}

static void print_table(const struct top_table *table, const struct top_look *look,
                        const struct top_list *list)
{
	size_t width[TOP_COLUMNS], pending = 0;

	measure(table, look, list, width);
	for (int c = 0; c < table->count; c++)
		print_cell(table, c, width[c], table->columns[c].title, &pending);
	putchar('\n');
	for (size_t i = 0; i < list->count; i++) {
		pending = 0;
		for (int c = 0; c < table->count; c++) {
			struct top_cell cell;
			table->cell(look, list->order[i], c, &cell);
			print_cell(table, c, width[c], cell.text, &pending);
		}
		putchar('\n');
	}
}

static void print_circles(const struct top_look *look)
{
	struct top_page page = { 0 };

	top_circles(&look->now, NOBODY, NOBODY, &page);
	for (size_t i = 0; i < page.count; i++)
		puts(page.lines[i].text);
	top_page_free(&page);
}

static void pause_for(uint64_t nanoseconds)
{
	struct timespec moment = { (time_t)(nanoseconds / 1000000000),
		                   (long)(nanoseconds % 1000000000) };
	(void)nanosleep(&moment, NULL);
}

static void print_all(const struct top_request *request, struct top *top)
{
	bool first = true;

	for (int tab = 0; tab < TOP_TABS; tab++) {
		const struct top_table *table = top_tables[tab];
		struct top_list *list = &top->lists[tab];
		if (request->has_tab && (enum top_tab)tab != request->tab)
			continue;
		/* A title is there for each kind: a script finds it also where there is none. */
		printf("%s%s: %zu\n", first ? "" : "\n", table->title, list->count);
		first = false;
		if (list->count > 0)
			print_table(table, &top->look, list);
		if (tab == TOP_LOCKS)
			print_circles(&top->look);
	}
}

int top_print(const struct top_request *request, struct top *top)
{
	struct top_look *look = &top->look;

	top_look_again(look, request->dir);
	/* A rate needs two looks. */
	if (look->is_there) {
		pause_for(request->interval);
		top_look_again(look, request->dir);
	}
	if (!look->is_there) {
		if (look->code != -ENOENT) {
			complain_open(look->code, request->dir, "use");
			return TOOL_TROUBLE;
		}
		complain("no namespace at %s; nothing is shared", request->path);
		remains_complain(request->path);
		return TOOL_OK;
	}
	top_arrange_all(top);
	print_all(request, top);
	if (look->code == 0)
		return TOOL_OK;
	complain_code(look->code, request->dir, "cannot read all of %s", request->path);
	return TOOL_TROUBLE;
}
