/* SPDX-License-Identifier: MIT */
/*
 * main.c - finds the subcommand and hands over; --help and --version of madang itself.
 *
 * A word that is no subcommand is answered with the nearest one. Standard descriptors that the
 * caller left closed are filled first, so that neither a registry nor a data file can come to lie
 * on descriptor 1 and have a table written into it.
 */
#include "base/tool.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "run", run_main, "run a program whose System V shared memory is Madang's" },
	{ "init", init_main, "make a namespace on purpose: shared, larger, limited" },
	{ "ls", ls_main, "list the segments, and who is attached" },
	{ "rm", rm_main, "remove segments by id, key or name, or what nobody needs" },
	{ "mk", mk_main, "make a segment" },
	{ "locks", locks_main, "show who holds what, who waits for whom, and deadlocks" },
	{ "listen", listen_main, "write the messages of a channel to standard output" },
	{ "talk", talk_main, "send standard input to a channel" },
	{ "call", call_main, "send a request to who serves a channel, and print the reply" },
	{ "serve", serve_main, "run a command for each request" },
	{ "channels", channels_main, "show the channels, how full they are, and who is there" },
	{ "doctor", doctor_main, "say whether the namespace is healthy, and mend it" },
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

/* Words that people try first, from tools they know. */
static const struct {
	const char *word, *name;
} synonyms[] = {
	{ "list", "ls" },          { "ps", "ls" },           { "ipcs", "ls" },
	{ "show", "ls" },          { "status", "ls" },       { "remove", "rm" },
	{ "delete", "rm" },        { "del", "rm" },          { "ipcrm", "rm" },
	{ "create", "mk" },        { "make", "mk" },         { "new", "mk" },
	{ "ipcmk", "mk" },         { "check", "doctor" },    { "fsck", "doctor" },
	{ "repair", "doctor" },    { "info", "doctor" },     { "lock", "locks" },
	{ "mutex", "locks" },      { "waits", "locks" },     { "deadlock", "locks" },
	{ "deadlocks", "locks" },  { "receive", "listen" },  { "recv", "listen" },
	{ "subscribe", "listen" }, { "sub", "listen" },      { "send", "talk" },
	{ "publish", "talk" },     { "pub", "talk" },        { "request", "call" },
	{ "ask", "call" },         { "reply", "serve" },     { "server", "serve" },
	{ "peers", "channels" },   { "queues", "channels" }, { "topics", "channels" },
	{ "exec", "run" },         { "start", "run" },
};

#define WORD_MAX 24u

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

/* The subcommand somebody may have meant, or NULL. */
static const char *nearest_command(const char *word)
{
	const char *nearest = NULL;
	unsigned nearest_distance = WORD_MAX;

	for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++)
		if (strcmp(word, synonyms[i].word) == 0)
			return synonyms[i].name;
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		unsigned length = (unsigned)strlen(commands[i].name);
		unsigned distance = edit_distance(word, commands[i].name);
		/* A third of the word may be wrong, in a short one a single letter. */
		unsigned bearable = length < 4 ? 1 : length / 3;
		if (distance <= bearable && distance < nearest_distance) {
			nearest = commands[i].name;
			nearest_distance = distance;
		}
	}
	return nearest;
}

static int print_main_help(void)
{
	fputs("Usage: madang COMMAND [OPTIONS] [ARGUMENTS]\n"
	      "Shared memory for C programs, in user space: run programs on it, talk, look at it, "
	      "tidy it.\n"
	      "\n"
	      "Commands:\n",
	      stdout);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-9s %s\n", commands[i].name, commands[i].summary);
	fputs("\n"
	      "Options:\n"
	      "  -h, --help     this text; 'madang COMMAND --help' explains a command\n"
	      "  -V, --version  the version of the tool and of the library in it\n"
	      "\n"
	      "The namespace is --namespace DIR, else $MADANG_NAMESPACE, else "
	      "/dev/shm/madang-UID.\n"
	      "Exit status: 0 done, 1 it could not be done, 2 the command line makes no sense,\n"
	      "124 nothing came for as long as --timeout says.\n"
	      "Full documentation: man madang\n",
	      stdout);
	return TOOL_OK;
}

static int print_version(void)
{
	printf("madang %d.%d.%d (library %s)\n", MDG_VERSION_MAJOR, MDG_VERSION_MINOR,
	       MDG_VERSION_PATCH, mdg_version());
	return TOOL_OK;
}

static int unknown_command(const char *word)
{
	char room[4 * 64 + 1];
	const char *nearest = nearest_command(word);

	show_text(room, sizeof room, word);
	if (word[0] == '-')
		return usage_error("unknown option '%s'", room);
	if (nearest != NULL)
		return usage_error("'%s' is not a command; did you mean 'madang %s'?", room,
		                   nearest);
	return usage_error("'%s' is not a command", room);
}

static int dispatch(int argc, char **argv)
{
	if (argc < 2)
		return usage_error("which command?");
	const char *word = argv[1];
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return print_main_help();
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
		return print_version();
	if (strcmp(word, "help") == 0) {
		static char help[] = "--help";
		if (argc == 2)
			return print_main_help();
		argv[1] = argv[2]; /* "help ls" is "ls --help" */
		argv[2] = help;
		argc = 3;
		word = argv[1];
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(word, commands[i].name) == 0) {
			say_command(commands[i].name);
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	return unknown_command(word);
}

/* Opened the wrong way round on purpose: a write to stdout then fails and is said. The program
 * that `run` starts finds them closed, as its caller wanted. */
static void fill_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", (fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	fill_standard_descriptors();
	output_begin();
	return output_finish(dispatch(argc, argv));
}
