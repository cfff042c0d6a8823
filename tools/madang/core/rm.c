/* SPDX-License-Identifier: MIT */
/*
 * rm.c - madang rm: removes segments, semaphore sets or queues, and says which.
 *
 * Each kind has ids, keys and names of its own. So --kind says which kind is meant; without it,
 * segments are. A set or a queue is gone at once, and whoever sleeps in it is told.
 *
 * A segment that is still attached is only hidden, as by IPC_RMID; its memory goes with the last
 * detach. Orphans are looked at twice, when they are found and right before they are removed: a
 * program that attaches an old segment by id or key in between keeps it. A process that attaches
 * within that last moment finds its segment marked as removed, and loses no byte of it.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/command.h"
#include "core/rm.h"

enum { OPTION_DRY_RUN = OPTION_LONG, OPTION_KIND_OF };

static const struct option_row option_rows[] = {
	OPTION_KIND(OPTION_KIND_OF,
	            "of this kind: segments (default), semaphores or queues; or shm, sem, msg"),
	VALUE('k', "key", "KEY", "the one with this System V key (decimal, 0x..., 0...)"),
	VALUE('N', "name", "NAME", "the one with this name"),
	FLAG('o', "orphans",
	     "all segments that nobody has attached and whose creator is dead:\n"
	     "yours, or everybody's when root asks"),
	FLAG(OPTION_DRY_RUN, "dry-run", "only say what would be removed"),
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

struct request {
	const char *dir;
	const char *name;
	enum kind kind;
	bool has_key, orphans, dry_run;
	int32_t key;
	char **ids; /* checked to be ids */
	int id_count;
};

/* An id of one kind may well be that of an object of another kind. */
static void complain_missing(mdg_namespace *ns, const struct request *request, mdg_id id)
{
	complain("there is no %s %d", kind_name(request->kind), (int)id);
	for (int kind = 0; kind < KINDS; kind++) {
		struct rm_object other = { .uid = 0 };
		char advice[RM_ROOM + SHOW_ROOM];
		if (rm_kinds[kind].look(ns, id, &other) != 0)
			continue;
		snprintf(advice, sizeof advice, "There is %s: madang rm --kind %s %d", other.what,
		         kind_word((enum kind)kind), (int)id);
		advise(advice);
		return;
	}
	advise(request->kind != KIND_SEGMENTS
	               ? "See the ids with 'madang ls'."
	               : "See the ids with 'madang ls'. A removed segment's id never comes back, "
	                 "and an id of another user's private namespace is nothing here: madang "
	                 "init --shared makes one for several users.");
}

static void say_removed(const struct request *request, const struct rm_object *object)
{
	printf("%s %s", request->dry_run ? "would remove" : "removed", object->what);
	if (object->attached > 0)
		printf("; its memory stays until %u attachment%s end%s", object->attached,
		       object->attached == 1 ? "" : "s", object->attached == 1 ? "s" : "");
	if (object->waiting > 0)
		printf("; %u thread%s slept in it", object->waiting,
		       object->waiting == 1 ? "" : "s");
	putchar('\n');
}

static int remove_one(mdg_namespace *ns, const struct request *request, mdg_id id)
{
	const struct rm_kind *kind = &rm_kinds[request->kind];
	struct rm_object object = { .uid = 0 };
	int rc = kind->look(ns, id, &object);
	bool known = rc == 0;

	if (rc == -EINVAL) {
		complain_missing(ns, request, id);
		return TOOL_TROUBLE;
	}
	if (known && !request->dry_run)
		rc = kind->remove(ns, id);
	if (!known)
		snprintf(object.what, sizeof object.what, "%s %d", kind_name(request->kind),
		         (int)id);
	if (known && (rc == -EPERM || rc == -EACCES)) {
		char owner[SHOW_ROOM];
		complain("%s belongs to %s", object.what, show_user(owner, object.uid));
		advise("Its owner, its creator or root can remove it.");
		return TOOL_TROUBLE;
	}
	if (rc != 0) {
		complain_code(rc, request->dir, "cannot remove %s", object.what);
		return TOOL_TROUBLE;
	}
	say_removed(request, &object);
	return TOOL_OK;
}

static int remove_listed(mdg_namespace *ns, const struct request *request)
{
	int status = TOOL_OK;

	for (int i = 0; i < request->id_count; i++) {
		mdg_id id = -1;
		parse_id(request->ids[i], &id);
		if (remove_one(ns, request, id) != TOOL_OK)
			status = TOOL_TROUBLE;
	}
	return status;
}

static int remove_found(mdg_namespace *ns, const struct request *request)
{
	const struct rm_kind *kind = &rm_kinds[request->kind];
	char name[4 * MDG_NAME_MAX + 1];
	mdg_id id;
	int rc = request->has_key ? kind->by_key(ns, request->key, &id)
	                          : kind->by_name(ns, request->name, &id);

	if (rc == 0)
		return remove_one(ns, request, id);
	if (rc == -ENOENT && request->has_key)
		complain("there is no %s with the key 0x%08x", kind_name(request->kind),
		         (unsigned)request->key);
	else if (rc == -ENOENT)
		complain("there is no %s with the name \"%s\"", kind_name(request->kind),
		         show_text(name, sizeof name, request->name));
	else
		complain_code(rc, request->dir, "cannot look the %s up", kind_name(request->kind));
	if (rc == -ENOENT)
		advise("See keys and names with 'madang ls'.");
	return TOOL_TROUBLE;
}

/* What the system shows for whoever has no number in this user namespace. */
#define NO_NUMBER 65534u

/* Who is 0 in a user namespace may remove what belongs to those who have a number in it. The real
 * root owns /proc/sys: where that is 0, everybody has. */
static bool is_ruled(const struct mdg_segment_info *info)
{
	struct stat status;
	if (stat("/proc/sys", &status) == 0 && status.st_uid == 0)
		return true;
	return info->uid != NO_NUMBER && info->cuid != NO_NUMBER;
}

static bool is_ours(const struct mdg_segment_info *info)
{
	uid_t user = geteuid();
	return info->uid == user || info->cuid == user || (user == 0 && is_ruled(info));
}

static int remove_orphans(mdg_namespace *ns, const struct request *request)
{
	struct mdg_segment_info info = { .size = sizeof info }, again = info;
	unsigned others = 0, done = 0;
	uint32_t cursor = 0;
	int rc, status = TOOL_OK;

	while ((rc = mdg_segment_next(ns, &cursor, MDG_STAT_CREATOR, &info)) > 0) {
		if (!segment_is_orphan(&info))
			continue;
		if (!is_ours(&info)) {
			others++;
			continue;
		}
		if (mdg_segment_stat(ns, info.id, MDG_STAT_ANY | MDG_STAT_CREATOR, &again) != 0 ||
		    !segment_is_orphan(&again))
			continue; /* somebody was quicker, or needs it after all */
		if (remove_one(ns, request, info.id) == TOOL_OK)
			done++;
		else
			status = TOOL_TROUBLE;
	}
	if (rc < 0) {
		complain_code(rc, request->dir, "cannot read all segments");
		return TOOL_TROUBLE;
	}
	if (done == 0 && status == TOOL_OK)
		puts("no orphans to remove");
	if (others > 0)
		complain("left %u orphan%s of other users", others, others == 1 ? "" : "s");
	return status;
}

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct request *request = context;

	switch (option) {
	case OPTION_KIND_OF:
		return usage_kind(value, &request->kind);
	case 'k':
		if (!parse_key(value, &request->key) || request->key == 0)
			return usage_error("'%s' is not a key (a number of 32 bits but 0; segments "
			                   "without a key go by their id)",
			                   value);
		request->has_key = true;
		break;
	case 'N':
		if (usage_name(value) != TOOL_OK)
			return TOOL_USAGE;
		request->name = value;
		break;
	case 'o':
		request->orphans = true;
		break;
	case OPTION_DRY_RUN:
		request->dry_run = true;
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
	mdg_id id;
	int status = options_parse(command, argc, argv, take, request);

	if (status != TOOL_OK)
		return status;
	request->ids = argv + optind;
	request->id_count = argc - optind;
	int ways = (request->id_count > 0) + request->has_key + (request->name != NULL) +
	           request->orphans;
	if (ways == 0 && request->kind != KIND_SEGMENTS)
		return usage_error("which %s? give ids, --key or --name", kind_name(request->kind));
	if (ways == 0)
		return usage_error("which segment? give ids, --key, --name or --orphans");
	if (request->orphans && request->kind != KIND_SEGMENTS)
		return usage_error("--orphans is for segments: who needs a %s cannot be seen",
		                   kind_name(request->kind));
	if (ways > 1)
		return usage_error("ids, --key, --name and --orphans go one at a time");
	/* All are checked before the first is removed: a typing error removes nothing. */
	for (int i = 0; i < request->id_count; i++)
		if (!parse_id(request->ids[i], &id))
			return usage_error(
				"'%s' is not an id (a number from 0; for a key or a name see "
				"--key and --name)",
				request->ids[i]);
	return TOOL_OK;
}

static int rm_main(const struct command *command, int argc, char **argv)
{
	struct request request = { .dir = NULL };
	char path[NAMESPACE_PATH_ROOM];
	mdg_namespace *ns;
	int rc = parse_arguments(command, argc, argv, &request);

	if (rc != TOOL_OK)
		return rc;
	rc = namespace_open_existing(&ns, request.dir);
	if (rc == -ENOENT) {
		complain("no namespace at %s; there is nothing to remove",
		         namespace_path(path, request.dir));
		remains_complain(path);
		return request.orphans ? TOOL_OK : TOOL_TROUBLE;
	}
	if (rc != 0)
		return TOOL_TROUBLE;
	if (request.orphans)
		rc = remove_orphans(ns, &request);
	else if (request.id_count > 0)
		rc = remove_listed(ns, &request);
	else
		rc = remove_found(ns, &request);
	mdg_namespace_close(ns);
	return rc;
}

const struct command rm_command = {
	.name = "rm",
	.summary = "remove segments, semaphores or queues, or what nobody needs",
	.synonyms = "remove delete del ipcrm",
	.usage = "rm [--kind KIND] [--dry-run] [--namespace DIR]\n"
		 "                 ID... | --key KEY | --name NAME | --orphans",
	.about = "Removes segments. One that is attached disappears for new users at once; its "
		 "memory is\n"
		 "freed when the last attached process ends. With --kind, removes semaphore sets "
		 "or\n"
		 "message queues. They are gone at once, and whoever waits there gets an error.\n",
	.options = option_rows,
	.operands = "ids",
	.run = rm_main,
};
