/* SPDX-License-Identifier: MIT */
/*
 * locks.c - madang locks: the named objects of synchronisation, who has them and who waits.
 *
 * All segments are read, also when one is asked for: a deadlock can go through several.
 */
#include "locks/locks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/command.h"

static const struct option_row option_rows[] = {
	OPERAND("ID", "a segment by its id: a number"),
	OPERAND("KEY", "by its System V key: 0x..."),
	OPERAND("NAME", "by its name: anything else"),
	VALUE('k', "key", "KEY", "the one with this System V key (decimal, 0x..., 0...)"),
	VALUE('N', "name", "NAME", "the one with this name"),
	OPTION_JSON,
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

/* ---- the command ------------------------------------------------------ */

/* Says which segments could not be read, and returns whether there are any. */
static bool complain_refused(const struct locks_request *request, const struct survey *survey)
{
	bool any = false;

	for (size_t i = 0; i < survey->segment_count; i++) {
		char owner[SHOW_ROOM];
		const struct mdg_segment_info *segment = &survey->segments[i];
		if (survey->refused == NULL || survey->refused[i] == 0 ||
		    !locks_is_asked(request, survey, i))
			continue;
		any = true;
		if (survey->refused[i] != -EACCES) {
			complain("cannot read the names in segment %d: %s", (int)segment->id,
			         mdg_strerror(survey->refused[i]));
			if (survey->refused[i] == MDG_DAMAGED)
				advise("Something else was written behind its last page. Its "
				       "programs can "
				       "use it all the same; making the segment anew helps.");
			continue;
		}
		complain("segment %d may not be read by you: it belongs to %s", (int)segment->id,
		         show_user(owner, segment->uid));
		advise("Its owner or root can look.");
	}
	return any;
}

static int show(struct locks_request *request, bool as_json)
{
	struct survey survey;
	int rc = 0;

	memset(&survey, 0, sizeof survey);
	if (request->ns != NULL)
		rc = survey_make(&survey, request->ns, 0);
	if (as_json)
		locks_print_json(request, &survey);
	else if (request->ns != NULL)
		locks_print_text(request, &survey);
	/* What could be read has been printed; the rest is said. */
	if (rc != 0)
		complain_code(rc, request->dir, "cannot read all of %s", request->path);
	bool refused = complain_refused(request, &survey);
	if (request->ns != NULL && rc == 0 && !refused && survey.lock_count == 0 &&
	    survey.cycle_count == 0) {
		complain("nothing here has a name");
		advise("Programs name what they want to be seen: man mdg_names_set");
	}
	survey_free(&survey);
	return rc == 0 && !refused ? TOOL_OK : TOOL_TROUBLE;
}

/* What the command line asks for. */
struct wanted {
	bool has_id, has_key, as_json;
	int ways; /* options that name a segment */
	const char *dir;
	mdg_id id;
	int32_t key;
	const char *name;
};

/* Which segment that is: TOOL_OK, or it has been said. */
static int find(struct locks_request *request, const struct wanted *wanted)
{
	char name[4 * MDG_NAME_MAX + 1];
	struct mdg_segment_info info = { .size = sizeof info };
	int rc;

	request->id = wanted->id;
	if (wanted->has_id)
		rc = mdg_segment_stat(request->ns, wanted->id, MDG_STAT_ANY, &info);
	else if (wanted->has_key)
		rc = mdg_segment_get(request->ns, wanted->key, 0, 0, &request->id);
	else
		rc = mdg_segment_open(request->ns, wanted->name, 0, 0, &request->id);
	if (rc == 0)
		return TOOL_OK;
	if (wanted->has_id && rc == -EINVAL)
		complain("there is no segment %d", (int)wanted->id);
	else if (wanted->has_key && rc == -ENOENT)
		complain("there is no segment with the key 0x%08x", (unsigned)wanted->key);
	else if (rc == -ENOENT)
		complain("there is no segment with the name \"%s\"",
		         show_text(name, sizeof name, wanted->name));
	else {
		complain_code(rc, request->dir, "cannot look the segment up");
		return TOOL_TROUBLE;
	}
	advise(wanted->has_id
	               ? "See the ids with 'madang ls'. An id of another user's private namespace "
	                 "is nothing here: madang init --shared makes one for several users."
	               : "See keys and names with 'madang ls'.");
	return TOOL_TROUBLE;
}

static int parse_word(const char *word, struct wanted *wanted)
{
	if (strncmp(word, "0x", 2) == 0 || strncmp(word, "0X", 2) == 0) {
		wanted->has_key = parse_key(word, &wanted->key) && wanted->key != 0;
		return wanted->has_key
		               ? TOOL_OK
		               : usage_error("'%s' is not a key (a number of 32 bits but 0)", word);
	}
	if (word[0] != '\0' && word[strspn(word, "0123456789")] == '\0') {
		wanted->has_id = parse_id(word, &wanted->id);
		return wanted->has_id ? TOOL_OK : usage_error("'%s' is not an id", word);
	}
	wanted->name = word;
	return usage_name(word);
}

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct wanted *wanted = context;

	switch (option) {
	case 'k':
		if (!parse_key(value, &wanted->key) || wanted->key == 0)
			return usage_error("'%s' is not a key (a number of 32 bits but 0)", value);
		wanted->has_key = true;
		wanted->ways++;
		break;
	case 'N':
		if (usage_name(value) != TOOL_OK)
			return TOOL_USAGE;
		wanted->name = value;
		wanted->ways++;
		break;
	case 'j':
		wanted->as_json = true;
		break;
	case 'n':
		wanted->dir = value;
		break;
	default:
		break;
	}
	return TOOL_OK;
}

static int parse_arguments(const struct command *command, int argc, char **argv,
                           struct locks_request *request, struct wanted *wanted)
{
	int rc = options_parse(command, argc, argv, take, wanted), words;

	if (rc != TOOL_OK)
		return rc;
	words = wanted->ways + argc - optind;
	if (words > 1)
		return usage_error("one segment at a time, or none for all");
	if (optind < argc)
		rc = parse_word(argv[optind], wanted);
	request->dir = wanted->dir;
	request->all = words == 0;
	return rc;
}

static int locks_main(const struct command *command, int argc, char **argv)
{
	struct locks_request request = { .id = -1 };
	struct wanted wanted = { .id = -1 };
	int rc = parse_arguments(command, argc, argv, &request, &wanted);

	if (rc != TOOL_OK)
		return rc;
	namespace_path(request.path, request.dir);
	rc = namespace_open_to_look(&request.ns, request.dir);
	if (rc == -ENOENT) {
		request.ns = NULL;
		complain("no namespace at %s; nothing is shared", request.path);
		if (!request.all)
			return TOOL_TROUBLE;
	} else if (rc != 0) {
		return TOOL_TROUBLE;
	}
	rc = request.all ? TOOL_OK : find(&request, &wanted);
	if (rc == TOOL_OK)
		rc = show(&request, wanted.as_json);
	mdg_namespace_close(request.ns);
	return rc;
}

const struct command locks_command = {
	.name = "locks",
	.summary = "show who holds what, who waits for whom, and deadlocks",
	.synonyms = "lock mutex waits deadlock deadlocks",
	.usage = "locks [--json] [--namespace DIR] [ID | KEY | NAME]",
	.about =
		"Shows the locks and other objects of synchronisation in all segments, or in one.\n"
		"It shows who holds each object, who waits for it and for how long, and which\n"
		"threads wait for each other. Only objects with a name are seen (mdg_names_set).\n",
	.options = option_rows,
	.notes = "Columns:\n"
		 "  ID      the segment\n"
		 "  OFFSET  where the object lies in the segment\n"
		 "  KIND    mutex, rwlock, cond, sem, event, barrier, once, cell or txn\n"
		 "  NAME    the name that a program gave it\n"
		 "  STATE   whether it is held, how many readers it has, or what its value is\n"
		 "  OWNER   the process that holds it, and the command. PID/TID: the thread TID,\n"
		 "          where that is not the first thread of the process\n"
		 "Below an object stand its readers and those who wait for it.\n",
	.operands = "ids",
	.run = locks_main,
};
