/* SPDX-License-Identifier: MIT */
/*
 * ls.c - madang ls: the segments, semaphore sets and queues of a namespace, as tables or as JSON.
 *
 * The objects are read first, in one walk that takes no lock, and printed then, so that a slow
 * reader of the output does not stretch the picture over time. It is still no snapshot: objects
 * come and go while the walk goes on. Only -l asks who is attached to a segment, and who waits in a
 * set or a queue.
 *
 * A namespace that has only segments is listed as it was before there were other kinds.
 *
 * ls never makes a namespace. One that is not there shares nothing: that is said on stderr, and is
 * no failure, because namespaces appear with their first use.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/command.h"
#include "core/ls.h"

enum { OPTION_KIND_ONLY = OPTION_LONG };

static const struct option_row option_rows[] = {
	FLAG('l', "long", "also list the attached processes, semaphores, and who waits"),
	OPTION_KIND(OPTION_KIND_ONLY,
	            "only these: segments, semaphores or queues; or shm, sem, msg"),
	OPTION_JSON,
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

/* ---- the command ------------------------------------------------------ */

static const struct lister *const listers[KINDS] = { &list_segments, &list_sets, &list_queues };

/* Segments are always listed, as they were before there was anything else. */
static bool is_shown(const struct listing *listing, enum kind kind)
{
	if (listing->has_kind)
		return kind == listing->kind;
	return kind == KIND_SEGMENTS || listing->count[kind] > 0;
}

static int read_all(struct listing *listing)
{
	int code = 0;

	for (int kind = 0; kind < KINDS; kind++) {
		if (listing->has_kind && (enum kind)kind != listing->kind)
			continue;
		int rc = listers[kind]->read(listing);
		if (code == 0)
			code = rc;
	}
	return code;
}

static int print_tables(struct listing *listing)
{
	int code = 0;
	bool is_first = true;

	for (int kind = 0; kind < KINDS; kind++) {
		if (!is_shown(listing, (enum kind)kind))
			continue;
		if (!is_first)
			putchar('\n');
		is_first = false;
		int rc = listers[kind]->print_table(listing);
		if (code == 0)
			code = rc;
	}
	return code;
}

static int print_json(struct listing *listing)
{
	struct json json;
	int code = 0;

	json_begin_listing(&json, listing->path, listing->ns != NULL);
	json_bool(&json, "shared", listing->shared);
	json_close(&json, '}');
	for (int kind = 0; kind < KINDS; kind++) {
		if (!is_shown(listing, (enum kind)kind))
			continue;
		int rc = listers[kind]->print_json(listing, &json);
		if (code == 0)
			code = rc;
	}
	json_close(&json, '}');
	json_end(&json);
	return code;
}

static int list(struct listing *listing)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	int read_code = 0, print_code;

	if (listing->ns != NULL) {
		if (mdg_namespace_info(listing->ns, 0, &info) == 0)
			listing->shared = (info.flags & MDG_NS_SHARED) != 0;
		read_code = read_all(listing);
	}
	if (listing->as_json)
		print_code = print_json(listing);
	else
		print_code = listing->ns != NULL ? print_tables(listing) : 0;
	/* What could be read has been printed; the rest is said. */
	if (read_code == 0)
		read_code = print_code;
	if (read_code != 0)
		complain_code(read_code, listing->dir, "cannot read all of %s", listing->path);
	return read_code == 0 ? TOOL_OK : TOOL_TROUBLE;
}

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct listing *listing = context;

	switch (option) {
	case 'l':
		listing->is_long = true;
		break;
	case OPTION_KIND_ONLY:
		listing->has_kind = true;
		return usage_kind(value, &listing->kind);
	case 'j':
		listing->as_json = true;
		break;
	case 'n':
		listing->dir = value;
		break;
	default:
		break;
	}
	return TOOL_OK;
}

static int ls_main(const struct command *command, int argc, char **argv)
{
	struct listing listing = { .ns = NULL };
	int rc = options_parse(command, argc, argv, take, &listing);

	if (rc != TOOL_OK)
		return rc;
	if (optind < argc)
		return usage_error(
			"unexpected argument '%s' (a namespace is given with --namespace)",
			argv[optind]);
	namespace_path(listing.path, listing.dir);
	rc = namespace_open_to_look(&listing.ns, listing.dir);
	if (rc == -ENOENT) {
		listing.ns = NULL;
		complain("no namespace at %s; nothing is shared", listing.path);
		remains_complain(listing.path);
	} else if (rc != 0) {
		return TOOL_TROUBLE;
	}
	rc = list(&listing);
	for (int kind = 0; kind < KINDS; kind++)
		free(listing.objects[kind]);
	mdg_namespace_close(listing.ns);
	return rc;
}

const struct command ls_command = {
	.name = "ls",
	.summary = "list segments, semaphores and queues, and who uses them",
	.synonyms = "list ps ipcs lsipc show status",
	.usage = "ls [-l] [--kind KIND] [--json] [--namespace DIR]",
	.about =
		"Lists the segments of a namespace; and its semaphore sets and message queues, if\n"
		"it has any.\n",
	.options = option_rows,
	.notes = "Columns:\n"
		 "  ID        the number that shmat(2), semop(2), msgsnd(2) and 'madang rm' take\n"
		 "  KEY       the System V key, or the name in quotes\n"
		 "  OWNER     the user who owns the segment, set or queue\n"
		 "  MODE      its permissions, in octal\n"
		 "  SIZE      bytes; K, M and G are powers of 1024\n"
		 "  ATTACHED  how often living processes have it attached\n"
		 "  CREATOR   the process that made it, and whether that process is dead\n"
		 "  AGE       time since it was made, or its owner or mode was changed\n"
		 "  STATE     channel, heap: what it is used for, see 'madang channels' and\n"
		 "            'madang heap'; removed: it goes with its last detach; locked;\n"
		 "            orphan: nobody has it attached and its creator is dead\n"
		 "            ('madang rm --orphans')\n"
		 "Of semaphore sets and queues:\n"
		 "  SEMAPHORES  how many the set has\n"
		 "  MESSAGES    how many wait in the queue; BYTES: how long they are together;\n"
		 "              LIMIT: how long they may be\n"
		 "  WAITING     how many threads sleep there; ?: you may not look\n"
		 "  USED        time since the last operation\n",
	.run = ls_main,
};
