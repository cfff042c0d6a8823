/* SPDX-License-Identifier: MIT */
/*
 * init.c - madang init: makes a namespace on purpose.
 *
 * Programs make their user's default namespace by themselves; this is for one that several users
 * share, that is larger or smaller, or that has limits. An existing namespace is never changed.
 */
#include "base/tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

static const char help[] =
	"Usage: madang init [--shared] [--segments N] [--processes N] [--shmmax BYTES]\n"
	"                   [--shmall PAGES] [DIR]\n"
	"Makes the namespace DIR; default: $MADANG_NAMESPACE or your own.\n"
	"\n"
	"  -s, --shared         for all users of the machine; System V permissions decide there\n"
	"      --segments N     most segments at once, 64 to 32768; default 4096\n"
	"      --processes N    most attached processes at once, 16 to 32767; default 4096\n"
	"      --shmmax BYTES   largest segment (K, M, G, T allowed); default: no limit\n"
	"      --shmall PAGES   most pages in all segments; default: no limit\n"
	"  -h, --help           this text\n";

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

static int parse_arguments(int argc, char **argv, struct mdg_namespace_options *request,
                           const char **ret_dir, bool *ret_done)
{
	static const struct option options[] = { { "shared", no_argument, NULL, 's' },
		                                 { "segments", required_argument, NULL, 'S' },
		                                 { "processes", required_argument, NULL, 'P' },
		                                 { "shmmax", required_argument, NULL, 'm' },
		                                 { "shmall", required_argument, NULL, 'a' },
		                                 { "help", no_argument, NULL, 'h' },
		                                 { NULL, 0, NULL, 0 } };
	int c, rc = TOOL_OK;

	*ret_done = true;
	while ((c = getopt_long(argc, argv, ":sh", options, NULL)) != -1) {
		switch (c) {
		case 's':
			request->flags |= MDG_NS_SHARED;
			break;
		case 'S':
			rc = take_number("segments", optarg, 64, 32768, &request->segments);
			break;
		case 'P':
			rc = take_number("processes", optarg, 16, 32767, &request->processes);
			break;
		case 'm':
			if (!parse_size(optarg, &request->shmmax) || request->shmmax == 0)
				return usage_error("--shmmax takes a number of bytes, not '%s'",
				                   optarg);
			break;
		case 'a':
			if (!parse_number(optarg, 1, UINT64_MAX, &request->shmall))
				return usage_error("--shmall takes a number of pages, not '%s'",
				                   optarg);
			break;
		case 'h':
			return print_help(help);
		default:
			return usage_option(c, argv);
		}
		if (rc != TOOL_OK)
			return rc;
	}
	if (optind < argc)
		*ret_dir = argv[optind++];
	if (optind < argc)
		return usage_error("one directory at a time; '%s' is too much", argv[optind]);
	*ret_done = false;
	return TOOL_OK;
}

int init_main(int argc, char **argv)
{
	struct mdg_namespace_options request = { .size = sizeof request, .flags = MDG_NS_EXCL };
	struct mdg_namespace_info info;
	char path[NAMESPACE_PATH_ROOM];
	const char *dir = NULL;
	mdg_namespace *ns;
	bool done;
	int rc = parse_arguments(argc, argv, &request, &dir, &done);

	if (done)
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
