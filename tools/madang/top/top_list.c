/* SPDX-License-Identifier: MIT */
/*
 * top_list.c - the rows of a table that are shown: filtered, sorted, and one of them selected.
 *
 * Until somebody moves the selection it stays on the first row. From then on it stays with its
 * object, wherever that is sorted to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "top/top.h"

void top_list_begin(struct top_list *list, const struct top_table *table)
{
	memset(list, 0, sizeof *list);
	list->sort = table->sort;
	list->descending = table->descending;
}

void top_list_free(struct top_list *list)
{
	free(list->order);
	list->order = NULL;
	list->count = 0;
}

int top_column_find(const struct top_table *table, const char *title)
{
	size_t length = strlen(title);

	for (int i = 0; i < table->count; i++)
		if (strcasecmp(table->columns[i].title, title) == 0)
			return i;
	for (int i = 0; i < table->count && length > 0; i++)
		if (strncasecmp(table->columns[i].title, title, length) == 0)
			return i;
	return -1;
}

/* ---- filter ------------------------------------------------------------ */

static bool passes(const struct top_table *table, const struct top_look *look, size_t row,
                   const char *filter)
{
	struct top_cell cell;

	if (filter == NULL || filter[0] == '\0')
		return true;
	for (int i = 0; i < table->count; i++) {
		table->cell(look, row, i, &cell);
		if (strcasestr(cell.text, filter) != NULL)
			return true;
	}
	return false;
}

/* ---- order ------------------------------------------------------------- */

/* What a row is sorted by. */
struct sorted {
	size_t row;
	double number;
	char *text; /* NULL: by the number */
};

/* Rows that are alike stay in the order in which they were read. */
static int by_value(const void *a, const void *b)
{
	const struct sorted *one = a, *other = b;

	if (one->text != NULL && other->text != NULL) {
		int way = strcmp(one->text, other->text);
		if (way != 0)
			return way;
	} else if (one->number < other->number || one->number > other->number) {
		return one->number < other->number ? -1 : 1;
	}
	return one->row < other->row ? -1 : one->row > other->row;
}

static int by_value_down(const void *a, const void *b)
{
	const struct sorted *one = a, *other = b;

	if (one->text != NULL && other->text != NULL) {
		int way = strcmp(other->text, one->text);
		if (way != 0)
			return way;
	} else if (one->number < other->number || one->number > other->number) {
		return one->number < other->number ? 1 : -1;
	}
	return one->row < other->row ? -1 : one->row > other->row;
}

static size_t collect(struct sorted *sorted, const struct top_list *list,
                      const struct top_table *table, const struct top_look *look,
                      const char *filter)
{
	size_t count = 0;

	for (size_t row = 0; row < list->all; row++) {
		struct top_cell cell;
		if (!passes(table, look, row, filter))
			continue;
		table->cell(look, row, list->sort, &cell);
		sorted[count++] = (struct sorted){ row, cell.number,
			                           cell.has_number ? NULL : strdup(cell.text) };
	}
	return count;
}

static bool is_same(struct top_key one, struct top_key other)
{
	return one.high == other.high && one.low == other.low;
}

/* The selection is where its object is now, or else on the same line. */
static void find_selected(struct top_list *list, const struct top_table *table,
                          const struct top_look *look)
{
	if (list->follows)
		for (size_t i = 0; i < list->count; i++)
			if (is_same(table->key(look, list->order[i]), list->selected)) {
				list->at = i;
				return;
			}
	if (list->at >= list->count)
		list->at = list->count > 0 ? list->count - 1 : 0;
	if (list->count > 0)
		list->selected = table->key(look, list->order[list->at]);
}

bool top_list_arrange(struct top_list *list, const struct top_table *table,
                      const struct top_look *look, const char *filter)
{
	list->all = table->rows(look);
	struct sorted *sorted = calloc(list->all + 1, sizeof *sorted);
	size_t *order = calloc(list->all + 1, sizeof *order);

	top_list_free(list);
	if (sorted == NULL || order == NULL) {
		free(sorted);
		free(order);
		return false;
	}
	list->order = order;
	list->count = collect(sorted, list, table, look, filter);
	qsort(sorted, list->count, sizeof *sorted, list->descending ? by_value_down : by_value);
	for (size_t i = 0; i < list->count; i++) {
		order[i] = sorted[i].row;
		free(sorted[i].text);
	}
	free(sorted);
	find_selected(list, table, look);
	return true;
}

/* ---- selection --------------------------------------------------------- */

void top_list_move(struct top_list *list, const struct top_table *table,
                   const struct top_look *look, long by)
{
	long last = list->count > 0 ? (long)list->count - 1 : 0, at = (long)list->at;

	/* Far beyond an end is that end. */
	at = by > last - at ? last : by < -at ? 0 : at + by;
	list->at = (size_t)at;
	list->follows = at > 0;
	if (list->count > 0)
		list->selected = table->key(look, list->order[list->at]);
}

void top_list_scroll(struct top_list *list, size_t height)
{
	if (height == 0)
		return;
	if (list->at < list->first)
		list->first = list->at;
	if (list->at >= list->first + height)
		list->first = list->at - height + 1;
	if (list->first + height > list->count)
		list->first = list->count > height ? list->count - height : 0;
}
