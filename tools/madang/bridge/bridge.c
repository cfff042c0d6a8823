/* SPDX-License-Identifier: MIT */
/*
 * bridge.c - madang bridge: becomes madang-bridge, which is a program and a package of its own.
 *
 * The tool needs nothing but a C library, the bridge needs libnats. So they are two programs. This
 * one knows none of the other's options: all arguments are handed on as they are. The bridge is
 * looked for beside the tool first, so that a build tree and an installation that was moved work,
 * and then in PATH. $MADANG_BRIDGE says where it is, if that is set.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/command.h"
#include "base/tool.h"
#include "bridge/become.h"

#define PROGRAM "madang-bridge"

/* The one beside the tool's own file. False: the tool does not know where it is. */
static bool beside(char *room, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", room, size - 1);

	if (length <= 0)
		return false;
	room[length] = '\0';
	char *slash = strrchr(room, '/');
	if (slash == NULL || (size_t)(slash - room) + sizeof "/" PROGRAM > size)
		return false;
	strcpy(slash, "/" PROGRAM);
	return access(room, X_OK) == 0;
}

static bool find(char *room, size_t size)
{
	static struct program program;
	const char *given = getenv("MADANG_BRIDGE");

	if (given != NULL && given[0] != '\0') {
		snprintf(room, size, "%s", given);
		return true;
	}
	if (beside(room, size))
		return true;
	if (program_find(PROGRAM, &program) != 0)
		return false;
	snprintf(room, size, "%s", program.path);
	return true;
}

static bool asks_for_help(int argc, char **argv)
{
	return argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

int bridge_become(const struct command *command, int argc, char **argv)
{
	static char name[] = PROGRAM, path[4096];

	if (!find(path, sizeof path)) {
		if (asks_for_help(argc, argv)) {
			options_print_help(command);
			return TOOL_OK;
		}
		complain(PROGRAM " is not installed");
		advise("Install the package 'madang-bridge', or build Madang where the headers of "
		       "libnats are (apt install libnats-dev).");
		return TOOL_NOT_FOUND;
	}
	argv[0] = name;
	execv(path, argv);
	char room[4 * sizeof path];
	complain("cannot execute %s: %s", show_text(room, sizeof room, path), strerror(errno));
	return errno == ENOENT ? TOOL_NOT_FOUND : TOOL_NOT_EXECUTABLE;
}

static const struct option_row option_rows[] = {
	OPTION_HELP,
	OPTIONS_END,
};

const struct command bridge_command = {
	.name = "bridge",
	.summary = "carry channels and segments between hosts (madang-bridge)",
	.synonyms = "nats network remote hosts connect",
	.usage = "bridge [OPTIONS OF madang-bridge]",
	.about = "Runs madang-bridge, a program of its own, with the same arguments. It carries "
		 "messages of the\n"
		 "channels that its rules allow to other hosts, through a server of NATS.\n",
	.options = option_rows,
	.notes = "To begin with, where the package nats-server is installed:\n"
		 "  madang bridge --with-server --channel '*'\n"
		 "'madang bridge --status' shows what it does; 'man madang-bridge' has all "
		 "options.\n"
		 "$MADANG_BRIDGE names another madang-bridge to run.\n"
		 "Exit status: that of madang-bridge; 127 it is not installed.\n",
	.operands = NULL,
	.stops = true,
	.run = bridge_become,
};
