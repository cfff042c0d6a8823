/* SPDX-License-Identifier: MIT */
/*
 * options.c - reads the options of a command from its table, and writes its help from the same.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/command.h"
#include "base/tool.h"

#define HELP_COLUMN 23 /* where the explanations begin */

/* ---- reading ---------------------------------------------------------- */

/* What getopt_long wants: the long options, and the letters once more as one text. */
struct getopt_table {
	struct option options[OPTIONS_MAX + 1];
	char letters[2 * OPTIONS_MAX + 3];
};

static void fill_table(struct getopt_table *table, const struct command *command)
{
	size_t count = 0, used = 0;

	memset(table, 0, sizeof *table);
	if (command->stops)
		table->letters[used++] = '+';
	table->letters[used++] = ':';
	for (const struct option_row *row = command->options; row->help != NULL; row++) {
		if (row->name == NULL || count == OPTIONS_MAX)
			continue;
		int has_value = row->value == NULL     ? no_argument
		                : row->value[0] == '[' ? optional_argument
		                                       : required_argument;
		table->options[count++] = (struct option){ row->name, has_value, NULL, row->id };
		if (row->id >= OPTION_LONG)
			continue;
		table->letters[used++] = (char)row->id;
		if (has_value == required_argument)
			table->letters[used++] = ':';
	}
}

int options_parse(const struct command *command, int argc, char **argv, option_taker *take,
                  void *request)
{
	struct getopt_table table;
	int id, status = TOOL_OK;

	fill_table(&table, command);
	while (status == TOOL_OK &&
	       (id = getopt_long(argc, argv, table.letters, table.options, NULL)) != -1) {
		if (id == 'h') {
			options_print_help(command);
			return TOOL_DONE;
		}
		status =
			id == '?' || id == ':' ? usage_option(id, argv) : take(id, optarg, request);
	}
	return status;
}

int option_watch(const char *value, uint64_t *ret_nanoseconds)
{
	uint64_t period;

	if (value == NULL)
		return TOOL_OK;
	if (!parse_seconds(value, &period) || period == 0)
		return usage_error("--watch takes seconds, such as 5 or 0.2, not '%s'", value);
	*ret_nanoseconds = period;
	return TOOL_OK;
}

int option_limit(const char *value, uint64_t *ret_limit)
{
	if (!parse_number(value, 0, 1000000, ret_limit))
		return usage_error("--limit takes a number, not '%s'", value);
	return TOOL_OK;
}

/* ---- help ------------------------------------------------------------- */

/* "  -n, --namespace DIR", "      --watch[=SEC]", or "  ID"; returns the columns it took. */
static int print_left(const struct option_row *row)
{
	if (row->name == NULL)
		return printf("  %s", row->value);
	int width = row->id < OPTION_LONG ? printf("  -%c, --%s", row->id, row->name)
	                                  : printf("      --%s", row->name);
	if (row->value != NULL)
		width += printf("%s%s", row->value[0] == '[' ? "" : " ", row->value);
	return width;
}

static void print_row(const struct option_row *row)
{
	const char *line = row->help;
	int width;

	if (row->name == NULL && row->value == NULL) {
		printf("\n%s\n", line);
		return;
	}
	width = print_left(row);
	for (;;) {
		int length = (int)strcspn(line, "\n");
		printf("%*s%.*s\n", HELP_COLUMN > width ? HELP_COLUMN - width : 1, "", length,
		       line);
		if (line[length] == '\0')
			return;
		line += length + 1;
		width = 0;
	}
}

void options_print_help(const struct command *command)
{
	printf("Usage: madang %s\n%s\n", command->usage, command->about);
	for (const struct option_row *row = command->options; row->help != NULL; row++)
		print_row(row);
	if (command->notes != NULL)
		printf("\n%s", command->notes);
}
