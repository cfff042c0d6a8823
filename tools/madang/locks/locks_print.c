/* SPDX-License-Identifier: MIT */
/*
 * locks_print.c - prints what was found out about locks: as a table, or as JSON.
 *
 * The table tells of each object in one line, and below who reads and who waits; then the
 * deadlocks, a line for each thread in the circle.
 */
#include "locks/locks.h"

#include <stdio.h>

#include "base/json.h"

bool locks_is_asked(const struct locks_request *request, const struct survey *survey,
                    size_t segment)
{
	return request->all || survey->segments[segment].id == request->id;
}

bool locks_cycle_is_asked(const struct locks_request *request, const struct survey *survey,
                          const struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->length; i++) {
		const struct edge *edge = &survey->edges[cycle->edge[i]];
		if (edge->lock != NOBODY &&
		    locks_is_asked(request, survey, survey->locks[edge->lock].segment))
			return true;
	}
	return request->all;
}

/* ---- the table -------------------------------------------------------- */

enum { COLUMNS = 6 };
static const char *const titles[COLUMNS] = { "ID", "OFFSET", "KIND", "NAME", "STATE", "OWNER" };

static void fill_row(char cells[COLUMNS][TABLE_CELL], const struct survey *survey,
                     const struct lock *lock)
{
	char room[SHOW_ROOM], name[4 * MDG_OBJECT_NAME_MAX + 1];

	snprintf(cells[0], TABLE_CELL, "%d", (int)survey->segments[lock->segment].id);
	snprintf(cells[1], TABLE_CELL, "%llu", (unsigned long long)lock->entry.offset);
	snprintf(cells[2], TABLE_CELL, "%s", locks_kind_name(lock->entry.state.kind));
	snprintf(cells[3], TABLE_CELL, "\"%s\"", show_text(name, sizeof name, lock->entry.name));
	snprintf(cells[4], TABLE_CELL, "%s", locks_state_name(room, lock));
	if (lock->owner == NOBODY)
		snprintf(cells[5], TABLE_CELL, "-");
	else
		locks_show_thread(cells[5], &survey->threads[lock->owner]);
}

static void print_users(const struct survey *survey, const struct lock *lock)
{
	char who[TABLE_CELL], room[SHOW_ROOM];
	const char *verb = lock->entry.state.kind == MDG_SYNC_BARRIER ? "member " : "reads ";

	for (size_t i = 0; i < lock->reader_count; i++)
		printf("        %s %s\n", verb,
		       locks_show_thread(who, &survey->threads[lock->reader[i]]));
	for (size_t i = 0; i < lock->waiter_count; i++)
		printf("        waits %s  %s\n", locks_show_wait(room, lock->waiter[i].waited),
		       locks_show_thread(who, &survey->threads[lock->waiter[i].thread]));
}

static void print_cycle(const struct survey *survey, const struct cycle *cycle)
{
	char text[LOCKS_SENTENCE];

	printf("%s\n", locks_show_cycle(text, cycle));
	for (size_t i = 0; i < cycle->length; i++)
		printf("        %s\n",
		       locks_show_edge(text, survey, &survey->edges[cycle->edge[i]]));
}

void locks_print_text(const struct locks_request *request, const struct survey *survey)
{
	struct table table;

	table_begin(&table, titles, COLUMNS);
	for (size_t n = 0; n < survey->lock_count; n++) {
		if (!locks_is_asked(request, survey, survey->locks[n].segment))
			continue;
		fill_row(table.cells, survey, &survey->locks[n]);
		table_measure(&table);
	}
	table_print_titles(&table);
	for (size_t n = 0; n < survey->lock_count; n++) {
		if (!locks_is_asked(request, survey, survey->locks[n].segment))
			continue;
		fill_row(table.cells, survey, &survey->locks[n]);
		table_print_row(&table);
		print_users(survey, &survey->locks[n]);
	}
	for (size_t n = 0; n < survey->cycle_count; n++)
		if (locks_cycle_is_asked(request, survey, &survey->cycles[n]))
			print_cycle(survey, &survey->cycles[n]);
}

/* ---- JSON ------------------------------------------------------------- */

/* The members of a thread, in an object that is open. */
static void json_thread(struct json *json, const struct thread *thread)
{
	json_unsigned(json, "thread", thread->id);
	if (thread->pid != 0)
		json_signed(json, "pid", thread->pid);
	else
		json_null(json, "pid");
	if (thread->pid != 0)
		json_string(json, "command", thread->command);
	else
		json_null(json, "command");
	/* Of one that may be in another pid namespace nobody here can tell. */
	if (thread->foreign)
		json_null(json, "alive");
	else
		json_bool(json, "alive", thread->pid != 0);
}

static void json_place(struct json *json, const struct survey *survey, const struct lock *lock)
{
	json_signed(json, "segment", survey->segments[lock->segment].id);
	json_unsigned(json, "offset", lock->entry.offset);
	json_string(json, "kind", locks_kind_name(lock->entry.state.kind));
	json_string(json, "name", lock->entry.name);
}

static void json_users(struct json *json, const struct survey *survey, const struct lock *lock)
{
	if (lock->owner == NOBODY) {
		json_null(json, "owner");
	} else {
		json_open(json, "owner", '{');
		json_thread(json, &survey->threads[lock->owner]);
		json_close(json, '}');
	}
	json_open(json, lock->entry.state.kind == MDG_SYNC_BARRIER ? "members" : "readers", '[');
	for (size_t i = 0; i < lock->reader_count; i++) {
		json_open(json, NULL, '{');
		json_thread(json, &survey->threads[lock->reader[i]]);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_open(json, "waiters", '[');
	for (size_t i = 0; i < lock->waiter_count; i++) {
		json_open(json, NULL, '{');
		json_thread(json, &survey->threads[lock->waiter[i].thread]);
		json_unsigned(json, "waited_ms", lock->waiter[i].waited);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_lock(struct json *json, const struct survey *survey, const struct lock *lock)
{
	const struct mdg_sync_state *state = &lock->entry.state;
	char room[SHOW_ROOM];

	json_open(json, NULL, '{');
	json_place(json, survey, lock);
	json_string(json, "state", locks_state_name(room, lock));
	json_bool(json, "owner_died", (state->state & MDG_STATE_OWNER_DIED) != 0);
	json_bool(json, "unrepaired", (state->state & MDG_STATE_UNREPAIRED) != 0);
	json_bool(json, "broken", (state->state & MDG_STATE_BROKEN) != 0);
	json_unsigned(json, "value", state->value);
	json_users(json, survey, lock);
	json_close(json, '}');
}

static void json_semaphore(struct json *json, const struct set_wait *wait)
{
	json_signed(json, "semaphore_set", wait->set);
	json_unsigned(json, "number", wait->number);
	json_string(json, "kind", "semaphore");
	json_signed(json, "change", wait->change);
	json_bool(json, "timed", wait->timed);
}

static void json_cycle(struct json *json, const struct survey *survey, const struct cycle *cycle)
{
	json_open(json, NULL, '[');
	for (size_t i = 0; i < cycle->length; i++) {
		const struct edge *edge = &survey->edges[cycle->edge[i]];
		json_open(json, NULL, '{');
		json_thread(json, &survey->threads[edge->waiter]);
		json_unsigned(json, "waited_ms", edge->waited);
		json_open(json, "waits_for", '{');
		if (edge->lock == NOBODY)
			json_semaphore(json, &survey->waits[edge->wait]);
		else
			json_place(json, survey, &survey->locks[edge->lock]);
		json_close(json, '}');
		json_open(json, "held_by", '{');
		json_thread(json, &survey->threads[edge->holder]);
		if (edge->lock == NOBODY)
			json_signed(json, "undo", edge->has);
		json_close(json, '}');
		json_close(json, '}');
	}
	json_close(json, ']');
}

/* The circles that end by themselves, or the others. */
static void json_cycles(struct json *json, const struct locks_request *request,
                        const struct survey *survey, const char *key, bool timed)
{
	json_open(json, key, '[');
	for (size_t n = 0; n < survey->cycle_count; n++)
		if (survey->cycles[n].timed == timed &&
		    locks_cycle_is_asked(request, survey, &survey->cycles[n]))
			json_cycle(json, survey, &survey->cycles[n]);
	json_close(json, ']');
}

void locks_print_json(const struct locks_request *request, const struct survey *survey)
{
	struct json json;

	json_begin_listing(&json, request->path, request->ns != NULL);
	json_close(&json, '}');
	json_open(&json, "locks", '[');
	for (size_t n = 0; n < survey->lock_count; n++)
		if (locks_is_asked(request, survey, survey->locks[n].segment))
			json_lock(&json, survey, &survey->locks[n]);
	json_close(&json, ']');
	json_cycles(&json, request, survey, "deadlocks", false);
	json_cycles(&json, request, survey, "timed_circles", true);
	json_open(&json, "unreadable", '[');
	for (size_t i = 0; survey->refused != NULL && i < survey->segment_count; i++) {
		if (survey->refused[i] == 0 || !locks_is_asked(request, survey, i))
			continue;
		json_open(&json, NULL, '{');
		json_signed(&json, "segment", survey->segments[i].id);
		json_string(&json, "reason", mdg_strerror(survey->refused[i]));
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	json_end(&json);
}
