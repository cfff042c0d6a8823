/* SPDX-License-Identifier: MIT */
/*
 * mk.c - madang mk: makes a segment and prints its id.
 *
 * With a key the segment is what shmget(2) with IPC_CREAT | IPC_EXCL makes; with a name, or with
 * neither, it belongs to the native interface. Nothing is attached, and the creator is this
 * process, which ends at once: until a program attaches it, `madang rm --orphans` takes the segment
 * for an orphan.
 */
#include "base/tool.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/command.h"

enum { OPTION_NORESERVE = OPTION_LONG };

static const struct option_row option_rows[] = {
	VALUE('k', "key", "KEY", "give it this System V key (decimal, 0x..., 0...); must be new"),
	VALUE('N', "name", "NAME", "give it this name, 1 to 63 bytes; must be new"),
	VALUE('m', "mode", "MODE", "permissions in octal; default 0600"),
	FLAG(OPTION_NORESERVE, "noreserve",
	     "do not reserve the memory: a full file system then kills the\n"
	     "program that touches it first"),
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

struct request {
	const char *dir;
	const char *name;
	bool has_key;
	int32_t key;
	uint64_t size;
	unsigned mode;
	unsigned flags;
};

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct request *request = context;

	switch (option) {
	case 'k':
		if (!parse_key(value, &request->key) || request->key == 0)
			return usage_error(
				"'%s' is not a key (a number of 32 bits but 0, which asks "
				"for a segment without one: leave --key out)",
				value);
		request->has_key = true;
		break;
	case 'N':
		if (usage_name(value) != TOOL_OK)
			return TOOL_USAGE;
		request->name = value;
		break;
	case 'm':
		if (!parse_mode(value, &request->mode))
			return usage_error("'%s' is not a mode (octal, 0 to 0777)", value);
		break;
	case OPTION_NORESERVE:
		request->flags |= MDG_NORESERVE;
		break;
	case 'n':
		request->dir = value;
		break;
	default:
		break;
	}
	return TOOL_OK;
}

static int parse_arguments(const struct command *command, int argc, char **argv,
                           struct request *request)
{
	int status = options_parse(command, argc, argv, take, request);

	if (status != TOOL_OK)
		return status;
	if (request->has_key && request->name != NULL)
		return usage_error("a segment has a key or a name, not both");
	if (optind == argc)
		return usage_error("which size?");
	if (optind + 1 < argc)
		return usage_error("one size at a time; '%s' is too much", argv[optind + 1]);
	if (!parse_size(argv[optind], &request->size) || request->size == 0)
		return usage_error("'%s' is not a size (bytes, 1 or more, or with K, M, G or T)",
		                   argv[optind]);
	return TOOL_OK;
}

static void explain_failure(int rc, const struct request *request)
{
	char room[4 * MDG_NAME_MAX + 1];
	unsigned long long size = request->size;

	if (rc == -EEXIST && request->name != NULL) {
		complain("the name \"%s\" is taken", show_text(room, sizeof room, request->name));
		advise("See who has it with 'madang ls -l', or choose another.");
	} else if (rc == -EEXIST) {
		complain("the key 0x%08x is taken", (unsigned)request->key);
		advise("See who has it with 'madang ls -l', or choose another.");
	} else if (rc == -ENOMEM) {
		complain("no memory for %llu bytes", size);
		advise("See what is free with 'madang doctor'; remove segments with 'madang rm', "
		       "or add "
		       "--noreserve when the program will touch only a part.");
	} else if (rc == -ENOSPC) {
		complain("the namespace has no segment or page left for %llu bytes", size);
		advise("See limits and use with 'madang doctor'; remove segments with 'madang rm', "
		       "or make "
		       "a larger namespace with 'madang init'.");
	} else if (rc == -EINVAL) {
		complain("the namespace does not allow a segment of %llu bytes", size);
		advise("See the largest size it allows (shmmax) with 'madang doctor'.");
	} else {
		complain_code(rc, request->dir, "cannot make the segment");
	}
}

static int mk_main(const struct command *command, int argc, char **argv)
{
	struct request request = { .mode = 0600 };
	mdg_namespace *ns;
	mdg_id id = -1;
	int rc = parse_arguments(command, argc, argv, &request);

	if (rc != TOOL_OK)
		return rc;
	if (namespace_open(&ns, request.dir, NULL) != 0)
		return TOOL_TROUBLE;
	if (request.has_key)
		rc = mdg_segment_get(ns, request.key, request.size,
		                     request.mode | request.flags | MDG_CREATE | MDG_EXCL, &id);
	else
		rc = mdg_segment_create(ns, request.name, request.size, request.mode, request.flags,
		                        &id);
	if (rc == 0)
		printf("%d\n", (int)id);
	else
		explain_failure(rc, &request);
	mdg_namespace_close(ns);
	return rc == 0 ? TOOL_OK : TOOL_TROUBLE;
}

const struct command mk_command = {
	.name = "mk",
	.summary = "make a segment",
	.synonyms = "create make new ipcmk",
	.usage = "mk SIZE [--key KEY | --name NAME] [--mode MODE] [--noreserve]\n"
		 "                 [--namespace DIR]",
	.about = "Makes a segment of SIZE bytes (or with K, M, G, T: powers of 1024) and prints "
		 "its id.\n",
	.options = option_rows,
	.run = mk_main,
};
