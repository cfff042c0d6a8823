/* SPDX-License-Identifier: MIT */
/*
 * ls_segments.c - the segments of a namespace, for madang ls.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/ls.h"

static int read_segments(struct listing *listing)
{
	uint32_t cursor = 0;

	for (;;) {
		struct mdg_segment_info *segment =
			listing_room(listing, KIND_SEGMENTS, sizeof *segment);
		if (segment == NULL)
			return -ENOMEM;
		segment->size = sizeof *segment;
		int rc = mdg_segment_next(listing->ns, &cursor, MDG_STAT_CREATOR, segment);
		if (rc <= 0)
			return rc;
		listing->count[KIND_SEGMENTS]++;
	}
}

/* ---- the table -------------------------------------------------------- */

enum { COLUMNS = 9 };
static const char *const titles[COLUMNS] = { "ID",       "KEY",     "OWNER", "MODE", "SIZE",
	                                     "ATTACHED", "CREATOR", "AGE",   "STATE" };

static void fill_state(char *cell, const struct mdg_segment_info *segment)
{
	snprintf(cell, TABLE_CELL, "%s%s%s%s",
	         segment->kind == MDG_SEGMENT_CHANNEL ? "channel "
	         : segment->kind == MDG_SEGMENT_HEAP  ? "heap "
	                                              : "",
	         segment->mode & MDG_MODE_REMOVED ? "removed " : "",
	         segment->mode & MDG_MODE_LOCKED ? "locked " : "",
	         segment_is_orphan(segment) ? "orphan " : "");
	if (cell[0] != '\0')
		cell[strlen(cell) - 1] = '\0';
}

static struct owned owned_of(const struct mdg_segment_info *segment)
{
	return (struct owned){ segment->id,  segment->key,  segment->name, segment->uid,
		               segment->gid, segment->cuid, segment->cgid, segment->mode };
}

static void fill_row(struct table *table, const struct mdg_segment_info *segment, int64_t now)
{
	char(*cells)[TABLE_CELL] = table->cells, room[SHOW_ROOM];
	struct owned owned = owned_of(segment);

	fill_owned(table, &owned);
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
	const struct mdg_segment_info *segments = listing->objects[KIND_SEGMENTS];
	size_t count = listing->count[KIND_SEGMENTS];
	struct table table;
	int64_t now = (int64_t)time(NULL);
	int rc = 0;

	table_begin(&table, titles, COLUMNS);
	for (size_t n = 0; n < count; n++) {
		fill_row(&table, &segments[n], now);
		table_measure(&table);
	}
	table_print_titles(&table);
	for (size_t n = 0; n < count && rc == 0; n++) {
		fill_row(&table, &segments[n], now);
		table_print_row(&table);
		if (listing->is_long && segments[n].attached > 0)
			rc = print_processes(listing, segments[n].id);
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
	struct owned owned = owned_of(segment);

	json_owned(json, &owned);
	json_string(json, "kind",
	            segment->kind == MDG_SEGMENT_CHANNEL ? "channel"
	            : segment->kind == MDG_SEGMENT_HEAP  ? "heap"
	                                                 : "plain");
	json_bool(json, "removed", (segment->mode & MDG_MODE_REMOVED) != 0);
	json_bool(json, "locked", (segment->mode & MDG_MODE_LOCKED) != 0);
	json_unsigned(json, "size", segment->bytes);
	json_unsigned(json, "attached", segment->attached);
	json_signed(json, "creator_pid", segment->cpid);
	json_bool(json, "creator_alive", segment->creator_alive != 0);
	json_bool(json, "orphan", segment_is_orphan(segment));
	json_signed(json, "last_pid", segment->lpid);
	json_signed(json, "attach_time", segment->atime);
	json_signed(json, "detach_time", segment->dtime);
	json_signed(json, "change_time", segment->ctime);
}

static int print_json(struct listing *listing, struct json *json)
{
	const struct mdg_segment_info *segments = listing->objects[KIND_SEGMENTS];
	int rc = 0;

	json_open(json, "segments", '[');
	for (size_t n = 0; n < listing->count[KIND_SEGMENTS]; n++) {
		json_open(json, NULL, '{');
		json_segment(json, &segments[n]);
		if (listing->is_long && rc == 0)
			rc = json_processes(json, listing, &segments[n]);
		json_close(json, '}');
	}
	json_close(json, ']');
	return rc;
}

const struct lister list_segments = { read_segments, print_table, print_json };
