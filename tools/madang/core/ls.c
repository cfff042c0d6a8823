/* SPDX-License-Identifier: MIT */
/*
 * ls.c - madang ls: the segments of a namespace, as a table or as JSON.
 *
 * The segments are read first, in one walk that takes no lock, and printed then, so that a slow
 * reader of the output does not stretch the picture over time. It is still no snapshot: segments
 * come and go while the walk goes on. Only -l asks, for each attached segment, who is attached.
 *
 * ls never makes a namespace. One that is not there shares nothing: that is said on stderr, and is
 * no failure, because namespaces appear with their first use.
 */
#include "base/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/command.h"
#include "base/json.h"

static const struct option_row option_rows[] = {
	FLAG('l', "long", "also list the attached processes"),
	OPTION_JSON,
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

struct listing {
	mdg_namespace *ns; /* NULL: there is no such namespace */
	const char *dir;
	char path[NAMESPACE_PATH_ROOM];
	bool is_long;
	bool as_json;
	bool shared;
	struct mdg_segment_info *segments;
	size_t count;
};

/* ---- reading ---------------------------------------------------------- */

/* Reads all segments: 0, or a negative code with what was readable in the list. */
static int read_segments(struct listing *listing)
{
	uint32_t cursor = 0;
	size_t room = 0;

	for (;;) {
		if (listing->count == room) {
			size_t wanted = room == 0 ? 64 : room * 2;
			struct mdg_segment_info *more =
				realloc(listing->segments, wanted * sizeof *more);
			if (more == NULL)
				return -ENOMEM;
			listing->segments = more;
			room = wanted;
		}
		listing->segments[listing->count].size = sizeof listing->segments[0];
		int rc = mdg_segment_next(listing->ns, &cursor, MDG_STAT_CREATOR,
		                          &listing->segments[listing->count]);
		if (rc <= 0)
			return rc;
		listing->count++;
	}
}

static bool is_orphan(const struct mdg_segment_info *segment)
{
	return segment->attached == 0 && !segment->creator_alive;
}

/* ---- the table -------------------------------------------------------- */

enum { COLUMNS = 9 };
static const char *const titles[COLUMNS] = { "ID",       "KEY",     "OWNER", "MODE", "SIZE",
	                                     "ATTACHED", "CREATOR", "AGE",   "STATE" };

static void fill_state(char *cell, const struct mdg_segment_info *segment)
{
	snprintf(cell, TABLE_CELL, "%s%s%s", segment->mode & MDG_MODE_REMOVED ? "removed " : "",
	         segment->mode & MDG_MODE_LOCKED ? "locked " : "",
	         is_orphan(segment) ? "orphan " : "");
	if (cell[0] != '\0')
		cell[strlen(cell) - 1] = '\0';
}

static void fill_row(char cells[COLUMNS][TABLE_CELL], const struct mdg_segment_info *segment,
                     int64_t now)
{
	char room[SHOW_ROOM], name[4 * MDG_NAME_MAX + 1];

	snprintf(cells[0], TABLE_CELL, "%d", (int)segment->id);
	if (segment->name[0] != '\0')
		snprintf(cells[1], TABLE_CELL, "\"%s\"",
		         show_text(name, sizeof name, segment->name));
	else
		snprintf(cells[1], TABLE_CELL, "0x%08x", (unsigned)segment->key);
	snprintf(cells[2], TABLE_CELL, "%s", show_user(room, segment->uid));
	snprintf(cells[3], TABLE_CELL, "%04o", segment->mode & 0777u);
	snprintf(cells[4], TABLE_CELL, "%s", show_size(room, segment->bytes));
	snprintf(cells[5], TABLE_CELL, "%u", segment->attached);
	snprintf(cells[6], TABLE_CELL, "%d%s", (int)segment->cpid,
	         segment->creator_alive ? "" : " dead");
	snprintf(cells[7], TABLE_CELL, "%s", show_age(room, now, segment->ctime));
	fill_state(cells[8], segment);
}

static int print_processes(struct listing *listing, mdg_id id)
{
	struct mdg_process_info process = { .size = sizeof process };
	uint32_t cursor = 0;
	int rc;

	while ((rc = mdg_segment_next_process(listing->ns, id, &cursor, &process)) > 0) {
		char user[SHOW_ROOM], comm[SHOW_ROOM], name[4 * SHOW_ROOM];
		bool visible = process.same_pid_namespace && process.pid > 0;
		printf("        process %d  %s  %s  %u attachment%s%s\n", (int)process.pid,
		       show_user(user, process.uid),
		       show_text(name, sizeof name, show_command(comm, visible ? process.pid : 0)),
		       process.attached, process.attached == 1 ? "" : "s",
		       process.same_pid_namespace ? "" : "  (another pid namespace)");
	}
	/* -EINVAL: the segment went away between the walk and now. */
	return rc == -EINVAL ? 0 : rc;
}

static int print_table(struct listing *listing)
{
	struct table table;
	int64_t now = (int64_t)time(NULL);
	int rc = 0;

	table_begin(&table, titles, COLUMNS);
	for (size_t n = 0; n < listing->count; n++) {
		fill_row(table.cells, &listing->segments[n], now);
		table_measure(&table);
	}
	table_print_titles(&table);
	for (size_t n = 0; n < listing->count && rc == 0; n++) {
		fill_row(table.cells, &listing->segments[n], now);
		table_print_row(&table);
		if (listing->is_long && listing->segments[n].attached > 0)
			rc = print_processes(listing, listing->segments[n].id);
	}
	return rc;
}

/* ---- JSON ------------------------------------------------------------- */

static int json_processes(struct json *json, struct listing *listing,
                          const struct mdg_segment_info *segment)
{
	struct mdg_process_info process = { .size = sizeof process };
	uint32_t cursor = 0;
	int rc = 0;

	json_open(json, "processes", '[');
	while (segment->attached > 0 &&
	       (rc = mdg_segment_next_process(listing->ns, segment->id, &cursor, &process)) > 0) {
		char room[SHOW_ROOM];
		bool visible = process.same_pid_namespace && process.pid > 0;
		json_open(json, NULL, '{');
		json_signed(json, "pid", process.pid);
		json_unsigned(json, "uid", process.uid);
		json_string(json, "user", show_user(room, process.uid));
		json_string(json, "command", show_command(room, visible ? process.pid : 0));
		json_unsigned(json, "attached", process.attached);
		json_bool(json, "same_pid_namespace", process.same_pid_namespace != 0);
		json_close(json, '}');
	}
	json_close(json, ']');
	return rc == -EINVAL ? 0 : rc;
}

static void json_segment(struct json *json, const struct mdg_segment_info *segment)
{
	char room[SHOW_ROOM];

	json_signed(json, "id", segment->id);
	json_signed(json, "key", segment->key);
	if (segment->name[0] != '\0')
		json_string(json, "name", segment->name);
	else
		json_null(json, "name");
	json_unsigned(json, "uid", segment->uid);
	json_unsigned(json, "gid", segment->gid);
	json_string(json, "owner", show_user(room, segment->uid));
	json_unsigned(json, "creator_uid", segment->cuid);
	json_unsigned(json, "creator_gid", segment->cgid);
	snprintf(room, sizeof room, "%04o", segment->mode & 0777u);
	json_string(json, "mode", room);
	json_bool(json, "removed", (segment->mode & MDG_MODE_REMOVED) != 0);
	json_bool(json, "locked", (segment->mode & MDG_MODE_LOCKED) != 0);
	json_unsigned(json, "size", segment->bytes);
	json_unsigned(json, "attached", segment->attached);
	json_signed(json, "creator_pid", segment->cpid);
	json_bool(json, "creator_alive", segment->creator_alive != 0);
	json_bool(json, "orphan", is_orphan(segment));
	json_signed(json, "last_pid", segment->lpid);
	json_signed(json, "attach_time", segment->atime);
	json_signed(json, "detach_time", segment->dtime);
	json_signed(json, "change_time", segment->ctime);
}

static int print_json(struct listing *listing)
{
	struct json json;
	int rc = 0;

	json_begin_listing(&json, listing->path, listing->ns != NULL);
	json_bool(&json, "shared", listing->shared);
	json_close(&json, '}');
	json_open(&json, "segments", '[');
	for (size_t n = 0; n < listing->count; n++) {
		json_open(&json, NULL, '{');
		json_segment(&json, &listing->segments[n]);
		if (listing->is_long && rc == 0)
			rc = json_processes(&json, listing, &listing->segments[n]);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	json_end(&json);
	return rc;
}

/* ---- the command ------------------------------------------------------ */

static int list(struct listing *listing)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	int read_code = 0, print_code;

	if (listing->ns != NULL) {
		if (mdg_namespace_info(listing->ns, 0, &info) == 0)
			listing->shared = (info.flags & MDG_NS_SHARED) != 0;
		read_code = read_segments(listing);
	}
	if (listing->as_json)
		print_code = print_json(listing);
	else
		print_code = listing->ns != NULL ? print_table(listing) : 0;
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
	free(listing.segments);
	mdg_namespace_close(listing.ns);
	return rc;
}

const struct command ls_command = {
	.name = "ls",
	.summary = "list the segments, and who is attached",
	.synonyms = "list ps ipcs show status",
	.usage = "ls [-l] [--json] [--namespace DIR]",
	.about = "Lists the segments of a namespace.\n",
	.options = option_rows,
	.notes = "Columns:\n"
		 "  ID        the number that shmat(2) and 'madang rm' take\n"
		 "  KEY       the System V key, or the name in quotes\n"
		 "  OWNER     the user who owns the segment\n"
		 "  MODE      its permissions, in octal\n"
		 "  SIZE      bytes; K, M and G are powers of 1024\n"
		 "  ATTACHED  how often living processes have it attached\n"
		 "  CREATOR   the process that made it, and whether that process is dead\n"
		 "  AGE       time since it was made, or its owner or mode was changed\n"
		 "  STATE     removed: it goes with its last detach; locked; orphan: nobody has\n"
		 "            it attached and its creator is dead ('madang rm --orphans')\n",
	.run = ls_main,
};
