/* SPDX-License-Identifier: MIT */
/*
 * replicate.c - madang replicate: carries the generations of a segment, by madang-bridge; and shows
 * the replicas of a namespace.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/command.h"
#include "base/tool.h"
#include "bridge/become.h"
#include "channel/bridged.h"
#include "madang/replica.h"

enum { OPTION_WRITE = OPTION_LONG, OPTION_LIST };

static const char *role_word(uint32_t role)
{
	static const char *const words[] = { "alone", "writer", "reader", "deposed" };
	return role < sizeof words / sizeof *words ? words[role] : "?";
}

static const struct bridge_view_replica *find(const struct bridge_view *view, const char *name)
{
	for (size_t i = 0; i < view->replica_count; i++)
		if (strcmp(view->replicas[i].segment, name) == 0)
			return &view->replicas[i];
	return NULL;
}

/* What the bridge does with it; "-": no bridge does anything. */
static const char *state_word(const struct bridge_view *view, const struct bridge_view_replica *row)
{
	if (row == NULL)
		return "-";
	return view->alive && view->state == BRIDGE_CONNECTED ? bridge_replica_word(row->state)
	                                                      : bridge_state_word(view);
}

static void print_row(const char *name, const struct mdg_replica_info *info,
                      const struct bridge_view *view)
{
	const struct bridge_view_replica *row = find(view, name);
	char text[4 * BRIDGE_ERROR_ROOM], lag[48] = "-";

	if (info->lag_ns != 0)
		snprintf(lag, sizeof lag, "%.3fs", (double)info->lag_ns / 1e9);
	printf("%-8s %-9s %12llu %8llu %10s %8llu %12llu  %s\n",
	       row == NULL || info->name[0] != '\0' ? role_word(info->role) : bridge_role_word(row),
	       state_word(view, row), (unsigned long long)info->generation,
	       (unsigned long long)info->lag, lag, (unsigned long long)info->fence,
	       (unsigned long long)info->bytes, show_text(text, sizeof text, name));
	if (row != NULL && row->error[0] != '\0')
		printf("        %s\n", show_text(text, sizeof text, row->error));
}

static void print_titles(void)
{
	printf("%-8s %-9s %12s %8s %10s %8s %12s  %s\n", "ROLE", "STATE", "GENERATION", "LAG",
	       "LAG-TIME", "FENCE", "BYTES", "NAME");
}

/* Those that are here, and those that the bridge still waits for. */
static int print_all(mdg_namespace *ns, const struct bridge_view *view, unsigned *ret_count)
{
	struct mdg_replica_info info = { .size = sizeof info };
	bool seen[BRIDGE_REPLICAS_MAX] = { false };
	uint32_t cursor = 0;
	int rc;

	*ret_count = 0;
	while ((rc = mdg_replica_next(ns, &cursor, &info)) == 1) {
		const struct bridge_view_replica *row = find(view, info.name);

		if ((*ret_count)++ == 0)
			print_titles();
		print_row(info.name, &info, view);
		if (row != NULL)
			seen[row - view->replicas] = true;
	}
	memset(&info, 0, sizeof info);
	for (size_t i = 0; i < view->replica_count && rc == 0; i++) {
		if (seen[i])
			continue;
		if ((*ret_count)++ == 0)
			print_titles();
		print_row(view->replicas[i].segment, &info, view);
	}
	return rc;
}

static int list(const char *dir)
{
	struct bridge_view view;
	mdg_namespace *ns = NULL;
	unsigned count = 0;
	int rc = namespace_open_existing(&ns, dir);

	if (rc == -ENOENT) {
		complain("there are no replicas here");
		return TOOL_OK;
	}
	if (rc != 0) {
		complain_open(rc, dir, "open");
		return TOOL_TROUBLE;
	}
	(void)bridged_read(ns, &view); /* without it, there is no state to be shown */
	rc = print_all(ns, &view, &count);
	bridge_view_free(&view);
	if (rc == 0 && count == 0)
		complain("there are no replicas here");
	else if (rc < 0)
		complain_code(rc, dir, "cannot read all replicas");
	mdg_namespace_close(ns);
	return rc < 0 ? TOOL_TROUBLE : TOOL_OK;
}

/* --list, and perhaps -n DIR or --namespace=DIR before or behind it. */
static int list_main(int argc, char **argv)
{
	const char *dir = NULL;

	for (int i = 1; i < argc; i++) {
		if ((strcmp(argv[i], "-n") == 0 || strcmp(argv[i], "--namespace") == 0) &&
		    i + 1 < argc)
			dir = argv[++i];
		else if (strncmp(argv[i], "--namespace=", strlen("--namespace=")) == 0)
			dir = argv[i] + strlen("--namespace=");
		else if (strcmp(argv[i], "--list") != 0)
			return usage_error("this does not go with --list: %s", argv[i]);
	}
	return list(dir);
}

/* Whether an argument is this option, perhaps with =VALUE. */
static bool has(int argc, char **argv, const char *option)
{
	size_t length = strlen(option);

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], option, length) == 0 &&
		    (argv[i][length] == '\0' || argv[i][length] == '='))
			return true;
	return false;
}

/* Options come first: then one of them has to say what the bridge is to do. */
static bool says_what(int argc, char **argv)
{
	static const char *const options[] = { "--write", "--replicate", "--status", "--version" };

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (has(argc, argv, options[i]))
			return true;
	return false;
}

static int replicate_main(const struct command *command, int argc, char **argv)
{
	static char option[] = "--replicate";
	char **with;

	if (argc < 2)
		return usage_error("no segment is named; --list shows what is here");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		options_print_help(command);
		return TOOL_OK;
	}
	if (has(argc, argv, "--list"))
		return list_main(argc, argv);
	if (argv[1][0] == '-' && !says_what(argc, argv))
		return usage_error("the name of the segment comes first, before the options");
	if (argv[1][0] == '-')
		return bridge_become(command, argc, argv);
	with = calloc((size_t)argc + 2, sizeof *with);
	if (with == NULL) {
		complain("there is no memory");
		return TOOL_TROUBLE;
	}
	with[0] = argv[0];
	with[1] = option;
	memcpy(with + 2, argv + 1, (size_t)(argc - 1) * sizeof *with);
	int rc = bridge_become(command, argc + 1, with);
	free(with);
	return rc;
}

static const struct option_row option_rows[] = {
	FLAG(OPTION_WRITE, "write", "this host writes the segment: --write NAME"),
	FLAG(OPTION_LIST, "list", "show the replicas here: generation and lag"),
	OPTION_HELP,
	OPTIONS_END,
};

const struct command replicate_command = {
	.name = "replicate",
	.summary = "read a segment that another host writes (madang-bridge)",
	.synonyms = "replica copy network remote hosts segment commit",
	.usage = "replicate NAME | --write NAME | --list [OPTIONS OF madang-bridge]",
	.about = "Runs madang-bridge, so that the segment NAME, which a program of another\n"
		 "host writes, can be read here. With --write, what programs of this host\n"
		 "commit of it goes to the others.\n",
	.options = option_rows,
	.notes =
		"On the writer's host:  madang replicate --write weather --url nats://server:4222\n"
		"On the others:         madang replicate weather --url nats://server:4222\n"
		"One bridge runs in a namespace. If one runs for channels, give it --replicate and "
		"--write.\n"
		"'man madang-bridge' has all options; 'man mdg_replica_open' is for programs.\n",
	.operands = NULL,
	.stops = true,
	.run = replicate_main,
};
