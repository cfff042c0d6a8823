/* SPDX-License-Identifier: MIT */
/*
 * commands.c - the table of commands: finding one by its name, or the one that was meant.
 *
 * The table itself is commands.def.
 */
#include <stdio.h>
#include <string.h>

#include "base/command.h"

#define COMMAND(group, name) extern const struct command name##_command;
#include "commands.def"
#undef COMMAND

static const struct command *const commands[] = {
#define COMMAND(group, name) &name##_command,
#include "commands.def"
#undef COMMAND
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

#define WORD_MAX 24u

/* ---- finding ---------------------------------------------------------- */

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i]->name) == 0)
			return commands[i];
	return NULL;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edits between two short words: insert, delete, change, swap of neighbours. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned cost[WORD_MAX + 1][WORD_MAX + 1];
	unsigned n = (unsigned)strlen(a), m = (unsigned)strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	for (unsigned i = 0; i <= n; i++)
		cost[i][0] = i;
	for (unsigned j = 0; j <= m; j++)
		cost[0][j] = j;
	for (unsigned i = 1; i <= n; i++) {
		for (unsigned j = 1; j <= m; j++) {
			unsigned change = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			unsigned best = least(change, least(cost[i - 1][j], cost[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = least(best, cost[i - 2][j - 2] + 1);
			cost[i][j] = best;
		}
	}
	return cost[n][m];
}

/* Whether one of the words in the list, with blanks between, is this word. */
static bool list_holds(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (list != NULL && *list != '\0') {
		size_t entry = strcspn(list, " ");
		if (entry == length && memcmp(list, word, length) == 0)
			return true;
		list += entry;
		list += strspn(list, " ");
	}
	return false;
}

const struct command *command_nearest(const char *word)
{
	const struct command *nearest = NULL;
	unsigned nearest_distance = WORD_MAX;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (list_holds(commands[i]->synonyms, word))
			return commands[i];
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		unsigned length = (unsigned)strlen(commands[i]->name);
		unsigned distance = edit_distance(word, commands[i]->name);
		/* A third of the letters may be wrong; in a short word, a single one. */
		unsigned bearable = length < 4 ? 1 : length / 3;
		if (distance <= bearable && distance < nearest_distance) {
			nearest = commands[i];
			nearest_distance = distance;
		}
	}
	return nearest;
}

/* ---- printing --------------------------------------------------------- */

void commands_print(void)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
}

static const char *or_none(const char *text)
{
	return text != NULL ? text : "-";
}

void commands_dump(void)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		const struct command *command = commands[i];
		printf("command\t%s\t%s\n", command->name, or_none(command->operands));
		for (const struct option_row *row = command->options; row->help != NULL; row++) {
			char letter[] = { '-', (char)row->id, '\0' };
			if (row->name == NULL)
				continue;
			if (row->id >= OPTION_LONG)
				letter[1] = '\0';
			printf("option\t%s\t--%s\t%s\t%s\t%s\n", command->name, row->name, letter,
			       or_none(row->value), or_none(row->words));
		}
	}
}
