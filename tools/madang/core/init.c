/* SPDX-License-Identifier: MIT */
/*
 * init.c - madang init: makes a namespace on purpose.
 *
 * Programs make their user's default namespace by themselves; this is for one that several users
 * share, that is larger or smaller, or that has limits. An existing namespace is never changed.
 */
#include "base/tool.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/command.h"

enum { OPTION_SEGMENTS = OPTION_LONG, OPTION_PROCESSES, OPTION_SHMMAX, OPTION_SHMALL };

static const struct option_row option_rows[] = {
	FLAG('s', "shared", "for all users of the machine; System V permissions decide there"),
	VALUE(OPTION_SEGMENTS, "segments", "N", "most segments at once, 64 to 32768; default 4096"),
	VALUE(OPTION_PROCESSES, "processes", "N",
	      "most attached processes at once, 16 to 32767; default 4096"),
	VALUE(OPTION_SHMMAX, "shmmax", "BYTES",
	      "largest segment (K, M, G, T allowed); default: no limit"),
	VALUE(OPTION_SHMALL, "shmall", "PAGES", "most pages in all segments; default: no limit"),
	OPTION_HELP,
	OPTIONS_END,
};

static int take_number(const char *name, const char *text, uint64_t low, uint64_t high,
                       uint32_t *ret_number)
{
	uint64_t number;
	if (!parse_number(text, low, high, &number))
		return usage_error("--%s takes a number from %u to %u, not '%s'", name,
		                   (unsigned)low, (unsigned)high, text);
	*ret_number = (uint32_t)number;
	return TOOL_OK;
}

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct mdg_namespace_options *request = context;

	switch (option) {
	case 's':
		request->flags |= MDG_NS_SHARED;
		break;
	case OPTION_SEGMENTS:
		return take_number("segments", value, 64, 32768, &request->segments);
	case OPTION_PROCESSES:
		return take_number("processes", value, 16, 32767, &request->processes);
	case OPTION_SHMMAX:
		if (!parse_size(value, &request->shmmax) || request->shmmax == 0)
			return usage_error("--shmmax takes a number of bytes, not '%s'", value);
		break;
	case OPTION_SHMALL:
		if (!parse_number(value, 1, UINT64_MAX, &request->shmall))
			return usage_error("--shmall takes a number of pages, not '%s'", value);
		break;
	default:
		break;
	}
	return TOOL_OK;
}

static int parse_arguments(const struct command *command, int argc, char **argv,
                           struct mdg_namespace_options *request, const char **ret_dir)
{
	int status = options_parse(command, argc, argv, take, request);

	if (status != TOOL_OK)
		return status;
	if (optind < argc)
		*ret_dir = argv[optind++];
	if (optind < argc)
		return usage_error("one directory at a time; '%s' is too much", argv[optind]);
	return TOOL_OK;
}

static int init_main(const struct command *command, int argc, char **argv)
{
	struct mdg_namespace_options request = { .size = sizeof request, .flags = MDG_NS_EXCL };
	struct mdg_namespace_info info = { .size = sizeof info };
	char path[NAMESPACE_PATH_ROOM];
	const char *dir = NULL;
	mdg_namespace *ns;
	int rc = parse_arguments(command, argc, argv, &request, &dir);

	if (rc != TOOL_OK)
		return rc;
	if (dir != NULL && dir[0] == '\0')
		return usage_error("the directory's path is empty");
	rc = mdg_namespace_open(&ns, dir, &request);
	if (rc == -EEXIST) {
		complain("there is a namespace at %s already", namespace_path(path, dir));
		advise("It was left as it is. Look at it with 'madang doctor', or choose another "
		       "DIR.");
		return TOOL_TROUBLE;
	}
	if (rc != 0) {
		complain_open(rc, dir, "make");
		return TOOL_TROUBLE;
	}
	rc = mdg_namespace_info(ns, 0, &info);
	if (rc == 0)
		printf("made the %s namespace %s for %u segments and %u processes\n",
		       info.flags & MDG_NS_SHARED ? "shared" : "private", namespace_path(path, dir),
		       info.segments_max, info.processes_max);
	else
		complain_code(rc, dir, "cannot read back the namespace %s",
		              namespace_path(path, dir));
	mdg_namespace_close(ns);
	return rc == 0 ? TOOL_OK : TOOL_TROUBLE;
}

const struct command init_command = {
	.name = "init",
	.summary = "make a namespace on purpose: shared, larger, limited",
	.usage = "init [--shared] [--segments N] [--processes N] [--shmmax BYTES]\n"
		 "                   [--shmall PAGES] [DIR]",
	.about = "Makes the namespace DIR; default: $MADANG_NAMESPACE or your own.\n",
	.options = option_rows,
	.operands = "directories",
	.run = init_main,
};
