/* SPDX-License-Identifier: MIT */
/*
 * ls_sets.c - the semaphore sets of a namespace, for madang ls.
 *
 * With -l the text shows the semaphores that somebody has used; JSON has all of them. Below them
 * come the threads that wait, and what is undone when a process ends.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "core/ls.h"
#include "semset/view.h"

static int read_sets(struct listing *listing)
{
	uint32_t cursor = 0;

	for (;;) {
		struct mdg_semset_info *set = listing_room(listing, KIND_SETS, sizeof *set);
		if (set == NULL)
			return -ENOMEM;
		set->size = sizeof *set;
		int rc = mdg_semset_next(listing->ns, &cursor, set);
		if (rc <= 0)
			return rc;
		listing->count[KIND_SETS]++;
	}
}

static struct owned owned_of(const struct mdg_semset_info *set)
{
	return (struct owned){ set->id,  set->key,  set->name, set->uid,
		               set->gid, set->cuid, set->cgid, set->mode };
}

/* -EINVAL: the set went away between the walk and now. -EACCES: it belongs to somebody else. */
static int bearable(int rc)
{
	return rc == -EINVAL || rc == -EACCES ? 0 : rc;
}

static void count_sleeper(void *context, const struct mdg__set_sleeper *sleeper)
{
	(void)sleeper;
	++*(unsigned *)context;
}

bool count_set_waiting(mdg_namespace *ns, mdg_id id, unsigned *ret_count)
{
	*ret_count = 0;
	const struct mdg__set_viewer viewer = { .sleeper = count_sleeper, .context = ret_count };
	return mdg__semset_view(ns, id, &viewer) == 0;
}

/* ---- the table -------------------------------------------------------- */

static const char *const titles[] = { "ID",         "KEY",     "OWNER", "MODE",
	                              "SEMAPHORES", "WAITING", "USED",  "AGE" };
enum { COLUMNS = sizeof titles / sizeof titles[0] };

static void fill_row(struct table *table, struct listing *listing,
                     const struct mdg_semset_info *set, int64_t now)
{
	char(*cells)[TABLE_CELL] = table->cells, room[SHOW_ROOM];
	struct owned owned = owned_of(set);
	unsigned waiting;

	fill_owned(table, &owned);
	snprintf(cells[4], TABLE_CELL, "%u", set->count);
	if (count_set_waiting(listing->ns, set->id, &waiting))
		snprintf(cells[5], TABLE_CELL, "%u", waiting);
	else
		snprintf(cells[5], TABLE_CELL, "?");
	snprintf(cells[6], TABLE_CELL, "%s",
	         set->otime == 0 ? "never" : show_age(room, now, set->otime));
	snprintf(cells[7], TABLE_CELL, "%s", show_age(room, now, set->ctime));
}

static void print_stuck(const struct mdg_semset_info *set)
{
	if (set->stuck != 0)
		printf("        a process keeps its lock and does not go on: what is shown may be "
		       "old (madang doctor)\n");
}

static void print_semaphore(void *context, uint32_t number, int32_t value, int32_t last_pid)
{
	(void)context;
	if (value == 0 && last_pid == 0)
		return;
	printf("        semaphore %u  value %d", number, (int)value);
	if (last_pid != 0)
		printf("  last process %d", (int)last_pid);
	putchar('\n');
}

static const char *end_of(const struct mdg__set_process *process)
{
	return process->is_dead ? " dead" : "";
}

static void print_sleeper(void *context, const struct mdg__set_sleeper *sleeper)
{
	char room[4 * SHOW_ROOM];

	(void)context;
	printf("        process %d%s  %s  waits ", (int)sleeper->process.pid,
	       end_of(&sleeper->process),
	       show_sleeper(room, sleeper->process.pid, sleeper->process.is_seen));
	if (sleeper->change == 0)
		printf("until semaphore %u is 0", sleeper->number);
	else
		printf("to take %d of semaphore %u", -(int)sleeper->change, sleeper->number);
	if (sleeper->count > 1)
		printf(", with %u operations", sleeper->count);
	putchar('\n');
}

static void print_undo(void *context, const struct mdg__set_undo *undo)
{
	char room[4 * SHOW_ROOM];

	(void)context;
	printf("        process %d%s  %s  its end adds %+d to semaphore %u\n",
	       (int)undo->process.pid, end_of(&undo->process),
	       show_sleeper(room, undo->process.pid, undo->process.is_seen), (int)undo->sum,
	       undo->number);
}

static int print_table(struct listing *listing)
{
	static const struct mdg__set_viewer viewer = { print_semaphore, print_sleeper, print_undo,
		                                       NULL };
	const struct mdg_semset_info *sets = listing->objects[KIND_SETS];
	size_t count = listing->count[KIND_SETS];
	int64_t now = (int64_t)time(NULL);
	struct table table;
	int rc = 0;

	table_begin(&table, titles, COLUMNS);
	for (size_t n = 0; n < count; n++) {
		fill_row(&table, listing, &sets[n], now);
		table_measure(&table);
	}
	table_print_titles(&table);
	for (size_t n = 0; n < count && rc == 0; n++) {
		fill_row(&table, listing, &sets[n], now);
		table_print_row(&table);
		print_stuck(&sets[n]);
		if (listing->is_long)
			rc = bearable(mdg__semset_view(listing->ns, sets[n].id, &viewer));
	}
	return rc;
}

/* ---- JSON ------------------------------------------------------------- */

static void json_semaphore(void *context, uint32_t number, int32_t value, int32_t last_pid)
{
	struct json *json = context;

	json_open(json, NULL, '{');
	json_unsigned(json, "number", number);
	json_signed(json, "value", value);
	json_signed(json, "last_pid", last_pid);
	json_close(json, '}');
}

static void json_process(struct json *json, const struct mdg__set_process *process)
{
	char room[SHOW_ROOM];

	json_signed(json, "pid", process->pid);
	json_string(json, "command", show_command(room, process->is_seen ? process->pid : 0));
	json_bool(json, "dead", process->is_dead);
}

static void json_sleeper(void *context, const struct mdg__set_sleeper *sleeper)
{
	struct json *json = context;

	json_open(json, NULL, '{');
	json_process(json, &sleeper->process);
	json_unsigned(json, "number", sleeper->number);
	json_signed(json, "change", sleeper->change);
	json_unsigned(json, "operations", sleeper->count);
	json_close(json, '}');
}

static void json_undo(void *context, const struct mdg__set_undo *undo)
{
	struct json *json = context;

	json_open(json, NULL, '{');
	json_process(json, &undo->process);
	json_unsigned(json, "number", undo->number);
	json_signed(json, "sum", undo->sum);
	json_close(json, '}');
}

/* Each array is a view of its own. */
static int json_inside(struct json *json, struct listing *listing, mdg_id id)
{
	const struct {
		const char *key;
		struct mdg__set_viewer viewer;
	} arrays[] = {
		{ "semaphores", { .semaphore = json_semaphore, .context = json } },
		{ "waiters", { .sleeper = json_sleeper, .context = json } },
		{ "undo", { .undo = json_undo, .context = json } },
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
		json_open(json, arrays[i].key, '[');
		if (rc == 0)
			rc = bearable(mdg__semset_view(listing->ns, id, &arrays[i].viewer));
		json_close(json, ']');
	}
	return rc;
}

static void json_set(struct json *json, struct listing *listing, const struct mdg_semset_info *set)
{
	struct owned owned = owned_of(set);
	unsigned waiting;

	json_owned(json, &owned);
	json_unsigned(json, "count", set->count);
	if (count_set_waiting(listing->ns, set->id, &waiting))
		json_unsigned(json, "waiting", waiting);
	else
		json_null(json, "waiting");
	json_signed(json, "operation_time", set->otime);
	json_signed(json, "change_time", set->ctime);
	json_bool(json, "stuck", set->stuck != 0);
}

static int print_json(struct listing *listing, struct json *json)
{
	const struct mdg_semset_info *sets = listing->objects[KIND_SETS];
	int rc = 0;

	json_open(json, "semaphore_sets", '[');
	for (size_t n = 0; n < listing->count[KIND_SETS]; n++) {
		json_open(json, NULL, '{');
		json_set(json, listing, &sets[n]);
		if (listing->is_long && rc == 0)
			rc = json_inside(json, listing, sets[n].id);
		json_close(json, '}');
	}
	json_close(json, ']');
	return rc;
}

const struct lister list_sets = { read_sets, print_table, print_json };
