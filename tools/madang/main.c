/* SPDX-License-Identifier: MIT */
/*
 * main.c - finds the command and hands over to it; --help and --version of madang itself.
 *
 * A word that is no command is answered with the nearest one. Before anything else, descriptors 0
 * to 2 are opened if the caller left them closed. Otherwise a registry or a data file could get
 * descriptor 1, and a table would be written into it.
 */
#include "base/tool.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/command.h"

static int print_main_help(void)
{
	fputs("Usage: madang COMMAND [OPTIONS] [ARGUMENTS]\n"
	      "Shared memory for C programs, in user space: run programs on it, talk, look at it, "
	      "tidy it.\n"
	      "\n"
	      "Commands:\n",
	      stdout);
	commands_print();
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
	const struct command *nearest = command_nearest(word);

	show_text(room, sizeof room, word);
	if (word[0] == '-')
		return usage_error("unknown option '%s'", room);
	if (nearest != NULL)
		return usage_error("'%s' is not a command; did you mean 'madang %s'?", room,
		                   nearest->name);
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
	if (strcmp(word, "--dump-commands") == 0) { /* for the completion of bash, and for tests */
		commands_dump();
		return TOOL_OK;
	}
	if (strcmp(word, "help") == 0) {
		static char help[] = "--help";
		if (argc == 2)
			return print_main_help();
		argv[1] = argv[2]; /* "help ls" is "ls --help" */
		argv[2] = help;
		argc = 3;
		word = argv[1];
	}
	const struct command *command = command_find(word);
	if (command == NULL)
		return unknown_command(word);
	say_command(command->name);
	int status = command->run(command, argc - 1, argv + 1);
	return status == TOOL_DONE ? TOOL_OK : status;
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
