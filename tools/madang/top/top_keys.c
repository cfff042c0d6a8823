/* SPDX-License-Identifier: MIT */
/*
 * top_keys.c - what each key of `madang top` does, and the help that says so.
 */
#include <stdio.h>
#include <string.h>

#include "top/terminal.h"

/* ---- help -------------------------------------------------------------- */

void top_help(struct top_page *page)
{
	static const char *const keys[][2] = {
		{ "1 to 6, Tab, left, right", "another table" },
		{ "up, down, j, k, Page Up, Page Down, Home, End", "move the selection" },
		{ "Enter", "details of what is selected; Esc goes back" },
		{ "/", "filter: only rows with this text; Enter keeps it, Esc clears it" },
		{ "<, >", "sort by the column to the left, to the right" },
		{ "r", "reverse the order" },
		{ "Space", "look again at once" },
		{ "p", "pause; again to go on" },
		{ "+, -", "look more often, less often" },
		{ "Ctrl-L", "paint the screen anew" },
		{ "q, Ctrl-C", "quit" },
	};
	static const char *const words[] = {
		"CHANGE/s   memory that the segment got or gave back in a second",
		"RESIDENT   how much of it is in memory",
		"WAITED     how long the longest wait for a lock lasts",
		"CIRCLE     DEADLOCK: threads wait for each other, and it does not end by itself",
		"FILL       how much of the ring, or of the queue's limit, is in use",
		"LAG        messages that the slowest listener has not received yet",
		"MISSED     messages of a topic that its present listeners have missed",
		"DROPS/s    how many they miss in a second",
		"removed    the segment goes with its last detach",
		"orphan     nobody has it attached and its creator is dead (madang rm --orphans)",
	};

	top_line(page, TOP_STRONG, "Keys");
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strlen(keys[i][0]) <= 26)
			top_line(page, TOP_PLAIN, "  %-26s %s", keys[i][0], keys[i][1]);
		else
			top_line(page, TOP_PLAIN, "  %s: %s", keys[i][0], keys[i][1]);
	top_line(page, TOP_PLAIN, "%s", "");
	top_line(page, TOP_STRONG, "What is shown");
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		top_line(page, TOP_PLAIN, "  %s", words[i]);
	top_line(page, TOP_PLAIN, "%s", "");
	top_line(page, TOP_PLAIN,
	         "Only objects with a name are in the table of locks. Looking "
	         "takes no lock.");
	top_line(page, TOP_PLAIN, "More: man madang-top");
}

/* ---- tables ------------------------------------------------------------ */

static void arrange(struct top *top)
{
	(void)top_list_arrange(&top->lists[top->tab], top_tables[top->tab], &top->look,
	                       top->filter);
}

void top_arrange_all(struct top *top)
{
	for (int i = 0; i < TOP_TABS; i++)
		(void)top_list_arrange(&top->lists[i], top_tables[i], &top->look, top->filter);
}

static void choose_tab(struct top *top, int tab)
{
	top->tab = (enum top_tab)((tab + TOP_TABS) % TOP_TABS);
	top->mode = TOP_LIST;
	arrange(top);
}

static void sort_by(struct top *top, int way)
{
	struct top_list *list = &top->lists[top->tab];
	int count = top_tables[top->tab]->count;

	list->sort = (list->sort + way + count) % count;
	arrange(top);
}

static void change_interval(struct top *top, bool longer)
{
	const uint64_t least = 100000000, most = UINT64_C(60000000000);
	uint64_t next = longer ? top->interval * 2 : top->interval / 2;

	top->interval = next < least ? least : next > most ? most : next;
	top->again = true;
}

static void move(struct top *top, long by)
{
	top_list_move(&top->lists[top->tab], top_tables[top->tab], &top->look, by);
}

static void open_page(struct top *top)
{
	const struct top_list *list = &top->lists[top->tab];

	if (list->count == 0)
		return;
	top->subject = top_tables[top->tab]->key(&top->look, list->order[list->at]);
	top->scroll = 0;
	top->mode = TOP_PAGE;
}

/* ---- modes ------------------------------------------------------------- */

/* By how much a key moves, in rows; 0: it is none that moves. */
static long distance(const struct top *top, int key)
{
	const long far = 1L << 30;
	long height = top->height > 1 ? (long)top->height - 1 : 1;

	switch (key) {
	case TERMINAL_UP:
	case 'k':
		return -1;
	case TERMINAL_DOWN:
	case 'j':
		return 1;
	case TERMINAL_PAGE_UP:
		return -height;
	case TERMINAL_PAGE_DOWN:
		return height;
	case TERMINAL_HOME:
	case 'g':
		return -far;
	case TERMINAL_LAST:
	case 'G':
		return far;
	default:
		return 0;
	}
}

static void scroll_page(struct top *top, long by)
{
	long last = top->page_lines > top->height ? (long)(top->page_lines - top->height) : 0;
	long at = (long)top->scroll;

	at = by > last - at ? last : by < -at ? 0 : at + by;
	top->scroll = (size_t)at;
}

static void press_in_page(struct top *top, int key)
{
	long by = distance(top, key);

	if (by != 0)
		scroll_page(top, by);
	else if (key == TERMINAL_ESCAPE || key == TERMINAL_ERASE || key == 'q' ||
	         key == TERMINAL_LEFT || key == TERMINAL_ENTER ||
	         (top->mode == TOP_HELP && (key == '?' || key == 'h')))
		top->mode = TOP_LIST;
	else if (key == '?' || key == 'h') {
		top->scroll = 0;
		top->mode = TOP_HELP;
	}
}

/* The last character, which may be of several bytes. */
static void erase_last(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && ((unsigned char)text[length - 1] & 0xC0) == 0x80)
		length--;
	text[length > 0 ? length - 1 : 0] = '\0';
}

static void press_in_filter(struct top *top, int key)
{
	size_t length = strlen(top->filter);

	if (key == TERMINAL_ENTER) {
		top->mode = TOP_LIST;
	} else if (key == TERMINAL_ESCAPE) {
		top->filter[0] = '\0';
		top->mode = TOP_LIST;
	} else if (key == TERMINAL_ERASE) {
		erase_last(top->filter);
	} else if (key >= ' ' && key < 256 && key != 127 && length + 1 < sizeof top->filter) {
		top->filter[length] = (char)key;
		top->filter[length + 1] = '\0';
	} else if (distance(top, key) != 0) {
		move(top, distance(top, key));
		return;
	}
	arrange(top);
}

static void press_in_list(struct top *top, int key)
{
	long by = distance(top, key);

	if (by != 0) {
		move(top, by);
		return;
	}
	switch (key) {
	case 'q':
		top->ended = true;
		break;
	case TERMINAL_ENTER:
		open_page(top);
		break;
	case '/':
		top->mode = TOP_FILTER;
		break;
	case TERMINAL_ESCAPE:
		top->filter[0] = '\0';
		arrange(top);
		break;
	case '\t':
	case TERMINAL_RIGHT:
		choose_tab(top, (int)top->tab + 1);
		break;
	case TERMINAL_BACK_TAB:
	case TERMINAL_LEFT:
		choose_tab(top, (int)top->tab - 1);
		break;
	case '<':
		sort_by(top, -1);
		break;
	case '>':
	case 's':
		sort_by(top, 1);
		break;
	case 'r':
		top->lists[top->tab].descending = !top->lists[top->tab].descending;
		arrange(top);
		break;
	default:
		if (key >= '1' && key < '1' + TOP_TABS)
			choose_tab(top, key - '1');
		break;
	}
}

void top_press(struct top *top, int key)
{
	if (key == 12 || key == TERMINAL_SIZE) { /* Ctrl-L */
		terminal_redraw();
	} else if (top->mode == TOP_FILTER) {
		press_in_filter(top, key);
	} else if (key == 'p') {
		top->paused = !top->paused;
		top->again = !top->paused;
	} else if (key == ' ') {
		top->again = true;
	} else if (key == '+' || key == '-') {
		change_interval(top, key == '-');
	} else if (top->mode != TOP_LIST) {
		press_in_page(top, key);
	} else if (key == '?' || key == 'h') {
		top->scroll = 0;
		top->mode = TOP_HELP;
	} else if (!top->look.is_there && key == 'q') {
		top->ended = true;
	} else {
		press_in_list(top, key);
	}
}
