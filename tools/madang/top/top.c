/* SPDX-License-Identifier: MIT */
/*
 * top.c - madang top: a live view of a namespace, or its tables once for a script.
 *
 * The screen is painted after each key and after each look. A look takes no lock and no process
 * slot (top_look.c), so programs do not notice that somebody looks.
 *
 * It never makes a namespace. One that is not there, or goes while it is shown, is waited for.
 */
#include "top/top.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "top/terminal.h"

enum { OPTION_ONCE = OPTION_LONG, OPTION_TAB, OPTION_SORT, OPTION_FILTER };

static const struct option_row option_rows[] = {
	FLAG(OPTION_ONCE, "once", "print the tables once, as plain text; for scripts"),
	VALUE('i', "interval", "SEC",
	      "seconds between two looks, such as 0.5; default 2, and 0.1\n"
	      "with --once"),
	VALUE_OF(OPTION_TAB, "tab", "TABLE", "segments processes locks channels semaphores queues",
	         "begin with this table; with --once print only this one:\n"
	         "segments, processes, locks, channels, semaphores, queues"),
	VALUE(OPTION_SORT, "sort", "COLUMN",
	      "sort that table by this column, from the largest on;\n"
	      "+COLUMN: from the smallest on"),
	VALUE(OPTION_FILTER, "filter", "TEXT", "show only rows with this text"),
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

const struct top_table *const top_tables[TOP_TABS] = {
	[TOP_SEGMENTS] = &top_segments, [TOP_PROCESSES] = &top_processes,
	[TOP_LOCKS] = &top_locks,       [TOP_CHANNELS] = &top_channels,
	[TOP_SETS] = &top_sets,         [TOP_QUEUES] = &top_queues,
};

#define WATCH_NS UINT64_C(2000000000)
#define ONCE_NS  UINT64_C(100000000)

/* ---- the live view ------------------------------------------------------ */

static void look_again(struct top *top)
{
	uint64_t begun = mdg_deadline(0);

	top_look_again(&top->look, top->request->dir);
	top->took = mdg_deadline(0) - begun;
	top_arrange_all(top);
	top->again = false;
}

/* Until q, Ctrl-C or a signal. */
static void live(struct top *top)
{
	uint64_t next = mdg_deadline(0) + top->interval;

	while (!top->ended) {
		top_paint(top);
		int key = terminal_key(top->paused ? MDG_FOREVER : next);
		if (key == TERMINAL_END)
			return;
		if (key != TERMINAL_NONE)
			top_press(top, key);
		if (!top->again && (top->paused || mdg_deadline(0) < next))
			continue;
		look_again(top);
		next = mdg_deadline(0) + top->interval;
	}
}

/* What ended it, ends the process too, so that a shell sees what happened. */
static void die_of_signal(void)
{
	int number = terminal_signal();

	if (number != 0)
		(void)raise(number);
}

static int show(struct top *top)
{
	look_again(top);
	/* What will not mend itself is said before the screen is taken. */
	if (!top->look.is_there && top->look.code != -ENOENT && top->look.code != MDG_NS_GONE) {
		complain_open(top->look.code, top->request->dir, "use");
		return TOOL_TROUBLE;
	}
	int status = terminal_open();
	if (status != TOOL_OK)
		return status;
	live(top);
	terminal_close();
	die_of_signal();
	return TOOL_OK;
}

/* ---- the command -------------------------------------------------------- */

static int take_tab(struct top_request *request, const char *word)
{
	for (int i = 0; i < TOP_TABS; i++)
		if (strcmp(top_tables[i]->word, word) == 0) {
			request->tab = (enum top_tab)i;
			request->has_tab = true;
			return TOOL_OK;
		}
	return usage_error("--tab takes segments, processes, locks, channels, semaphores or "
	                   "queues, not '%s'",
	                   word);
}

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct top_request *request = context;

	switch (option) {
	case OPTION_ONCE:
		request->once = true;
		break;
	case 'i':
		if (!parse_seconds(value, &request->interval) || request->interval < 10000000)
			return usage_error("--interval takes seconds, 0.01 or more, not '%s'",
			                   value);
		break;
	case OPTION_TAB:
		return take_tab(request, value);
	case OPTION_SORT:
		request->sort = value;
		break;
	case OPTION_FILTER:
		if (strlen(value) >= TOP_FILTER_ROOM)
			return usage_error("a filter has at most %d bytes", TOP_FILTER_ROOM - 1);
		request->filter = value;
		break;
	case 'n':
		request->dir = value;
		break;
	default:
		break;
	}
	return TOOL_OK;
}

/* TOOL_OK, or there is no such column, and that has been said. */
static int apply_sort(const struct top_request *request, struct top *top)
{
	const struct top_table *table = top_tables[request->tab];
	struct top_list *list = &top->lists[request->tab];
	bool up = request->sort != NULL && request->sort[0] == '+';
	char names[TOP_COLUMNS * 16] = "";
	size_t used = 0;

	if (request->sort == NULL)
		return TOOL_OK;
	int column = top_column_find(table, request->sort + (up ? 1 : 0));
	if (column >= 0) {
		list->sort = column;
		list->descending = !up;
		return TOOL_OK;
	}
	for (int i = 0; i < table->count && used < sizeof names; i++)
		used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
		                         i > 0 ? ", " : "", table->columns[i].title);
	return usage_error("the table of %s has no column '%s', but %s", table->word, request->sort,
	                   names);
}

static int top_main(const struct command *command, int argc, char **argv)
{
	struct top_request request = { .tab = TOP_SEGMENTS };
	struct top top = { .request = &request };
	int status = options_parse(command, argc, argv, take, &request);

	if (status != TOOL_OK)
		return status;
	if (optind < argc)
		return usage_error(
			"unexpected argument '%s' (a namespace is given with --namespace)",
			argv[optind]);
	if (request.dir != NULL && request.dir[0] == '\0')
		return namespace_open_existing(&(mdg_namespace *){ NULL }, "") == 0 ? TOOL_OK
		                                                                    : TOOL_TROUBLE;
	namespace_path(request.path, request.dir);
	if (request.interval == 0)
		request.interval = request.once ? ONCE_NS : WATCH_NS;
	for (int i = 0; i < TOP_TABS; i++)
		top_list_begin(&top.lists[i], top_tables[i]);
	status = apply_sort(&request, &top);
	if (status != TOOL_OK)
		return status;
	top.tab = request.tab;
	top.interval = request.interval;
	if (request.filter != NULL)
		strcpy(top.filter, request.filter);
	status = request.once ? top_print(&request, &top) : show(&top);
	for (int i = 0; i < TOP_TABS; i++)
		top_list_free(&top.lists[i]);
	top_look_free(&top.look);
	return status;
}

const struct command top_command = {
	.name = "top",
	.summary = "watch segments, processes, locks and channels on the screen",
	.synonyms = "watch monitor live htop view",
	.usage = "top [--interval SEC] [--tab TABLE] [--sort COLUMN] [--filter TEXT]\n"
		 "                  [--once] [--namespace DIR]",
	.about = "Shows a namespace live: segments and their memory, the processes that share "
		 "them,\n"
		 "locks and who waits how long, deadlocks in red, channels with rates, fill and "
		 "lag.\n",
	.options = option_rows,
	.notes = "Keys: 1 to 6 or Tab choose a table, arrows a row, Enter shows its details;\n"
		 "/ filters, < and > sort, r reverses, p pauses, ? helps, q quits.\n",
	.run = top_main,
};
