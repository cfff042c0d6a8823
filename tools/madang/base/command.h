/* SPDX-License-Identifier: MIT */
/*
 * command.h - what a command of the tool is: a line of commands.def, and one description.
 *
 *     static const struct option_row options[] = {
 *             FLAG('l', "long", "also list the attached processes"),
 *             OPTION_NAMESPACE,
 *             OPTION_HELP,
 *             OPTIONS_END,
 *     };
 *     const struct command ls_command = { .name = "ls", .options = options, .run = ls_main, ... };
 *
 * Everything that speaks about options reads this description: the parser and the help text
 * (options.c), `madang help` and the search for the nearest command (commands.c), the completion of
 * bash, and the test that compares each manual page with it (`madang --dump-commands`).
 */
#ifndef MADANG_TOOL_COMMAND_H
#define MADANG_TOOL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line of a command's options: an option, an operand, or a heading. */
struct option_row {
	int id;            /* of an option; below OPTION_LONG it is also its letter */
	const char *name;  /* the long option, without "--"; NULL: no option */
	const char *value; /* what its value is called; NULL: none; "[=N]": may be left out */
	const char *help;  /* one line or several; NULL: the end of the table */
	const char
		*words; /* for completion: the values; "@directories", "@files"; NULL: anything */
};

/* Options that have no letter count from here. */
enum { OPTION_LONG = 256, OPTIONS_MAX = 24 };

#define FLAG(id, name, help)                                                                       \
	{                                                                                          \
		(id), (name), NULL, (help), NULL                                                   \
	}
#define VALUE(id, name, value, help)                                                               \
	{                                                                                          \
		(id), (name), (value), (help), NULL                                                \
	}
#define VALUE_OF(id, name, value, words, help)                                                     \
	{                                                                                          \
		(id), (name), (value), (help), (words)                                             \
	}
#define OPERAND(value, help)                                                                       \
	{                                                                                          \
		0, NULL, (value), (help), NULL                                                     \
	}
#define HEADING(text)                                                                              \
	{                                                                                          \
		0, NULL, NULL, (text), NULL                                                        \
	}
#define OPTIONS_END                                                                                \
	{                                                                                          \
		0, NULL, NULL, NULL, NULL                                                          \
	}

/* Options that many commands have, in the same words. */
#define OPTION_NAMESPACE                                                                           \
	VALUE_OF('n', "namespace", "DIR", "@directories",                                          \
	         "the namespace; default $MADANG_NAMESPACE or your own")
#define OPTION_JSON FLAG('j', "json", "as JSON, with exact numbers; for programs")
#define OPTION_HELP FLAG('h', "help", "this text")

struct command {
	const char *name;
	const char *summary;  /* one line for `madang help` */
	const char *synonyms; /* words that people try first, with blanks between; or NULL */
	const char *usage;    /* what follows "Usage: madang " */
	const char *about;    /* what it does */
	const struct option_row *options;
	const char *notes; /* what follows the options; or NULL */
	/* For completion: ids, channels, heaps, directories, program, server; or NULL. */
	const char *operands;
	/* Options end at the first operand: what follows belongs to another program. */
	bool stops;
	int (*run)(const struct command *command, int argc, char **argv);
};

/* ---- commands.c ------------------------------------------------------- */

/* NULL: there is no such command. */
const struct command *command_find(const char *name);
/* The command that somebody may have meant; NULL: none is near. */
const struct command *command_nearest(const char *word);
/* For `madang help`: a line for each command. */
void commands_print(void);
/* The whole table, for programs: fields with tabs between, "-" for what is not there.
 *     command NAME OPERANDS
 *     option  NAME --LONG -LETTER VALUE WORDS */
void commands_dump(void);

/* ---- options.c -------------------------------------------------------- */

/* Takes one option; `value` is NULL if it has none. TOOL_OK, or what to exit with. */
typedef int option_taker(int id, const char *value, void *request);

/* Reads the options from `optind` on; optind is then at the first operand. TOOL_OK: go on. Else it
 * is what the command returns: TOOL_DONE after the help was printed, or the error has been said. */
int options_parse(const struct command *command, int argc, char **argv, option_taker *take,
                  void *request);
/* The values of options that several commands have: TOOL_OK, or what is wrong has been said.
 * --watch[=SECONDS]; without a value the result is left alone. */
int option_watch(const char *value, uint64_t *ret_nanoseconds);
int option_limit(const char *value, uint64_t *ret_limit);
/* The help text of a command. */
void options_print_help(const struct command *command);

#endif
