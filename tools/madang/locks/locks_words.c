/* SPDX-License-Identifier: MIT */
/*
 * locks_words.c - the words for locks, threads, waits and circles, for whoever shows them.
 */
#include "locks/locks.h"

#include <stdio.h>

const char *locks_kind_name(uint32_t kind)
{
	switch (kind) {
	case MDG_SYNC_MUTEX:
		return "mutex";
	case MDG_SYNC_RWLOCK:
		return "rwlock";
	case MDG_SYNC_COND:
		return "cond";
	case MDG_SYNC_SEM:
		return "sem";
	case MDG_SYNC_EVENT:
		return "event";
	case MDG_SYNC_BARRIER:
		return "barrier";
	case MDG_SYNC_ONCE:
		return "once";
	case MDG_SYNC_CELL:
		return "cell";
	case MDG_SYNC_TXN:
		return "txn";
	default:
		return "?";
	}
}

const char *locks_state_name(char room[SHOW_ROOM], const struct lock *lock)
{
	const struct mdg_sync_state *state = &lock->entry.state;
	bool held = state->owner != 0;

	if (state->state & MDG_STATE_BROKEN)
		return "broken";
	if (state->state & MDG_STATE_OWNER_DIED)
		return "owner died";
	if (held && state->state & MDG_STATE_UNREPAIRED)
		return "in repair";
	switch (state->kind) {
	case MDG_SYNC_RWLOCK:
		if (state->readers == 0)
			return held ? "written" : "free";
		snprintf(room, SHOW_ROOM, "%u reader%s", state->readers,
		         state->readers == 1 ? "" : "s");
		return room;
	case MDG_SYNC_COND:
		return "-";
	case MDG_SYNC_SEM:
		snprintf(room, SHOW_ROOM, "%u", state->value);
		return room;
	case MDG_SYNC_EVENT:
		return state->value != 0 ? "set" : "not set";
	case MDG_SYNC_BARRIER:
		snprintf(room, SHOW_ROOM, "%u of %u", state->readers, state->value);
		return room;
	case MDG_SYNC_ONCE:
		return held ? "under way" : state->value != 0 ? "done" : "to do";
	case MDG_SYNC_CELL:
		snprintf(room, SHOW_ROOM, "%sversion %u", held ? "written, " : "", state->value);
		return room;
	default:
		return held ? "held" : "free";
	}
}

const char *locks_show_wait(char room[SHOW_ROOM], uint64_t milliseconds)
{
	if (milliseconds < 10000)
		snprintf(room, SHOW_ROOM, "%u.%us", (unsigned)(milliseconds / 1000),
		         (unsigned)(milliseconds % 1000 / 100));
	else
		show_age(room, 1 + (int64_t)(milliseconds / 1000), 1);
	return room;
}

const char *locks_show_thread(char room[TABLE_CELL], const struct thread *thread)
{
	char command[4 * SHOW_ROOM];

	if (thread->pid == 0)
		snprintf(room, TABLE_CELL, "%u %s", thread->id,
		         thread->foreign ? "(in another pid namespace)" : "(gone)");
	else if ((uint32_t)thread->pid == thread->id)
		snprintf(room, TABLE_CELL, "%d %s", (int)thread->pid,
		         show_text(command, sizeof command, thread->command));
	else
		snprintf(room, TABLE_CELL, "%d/%u %s", (int)thread->pid, thread->id,
		         show_text(command, sizeof command, thread->command));
	return room;
}

/* ---- who waits for whom ------------------------------------------------ */

static void show_set_edge(char room[LOCKS_SENTENCE], const struct survey *survey,
                          const struct edge *edge)
{
	char who[TABLE_CELL], whom[TABLE_CELL], time[SHOW_ROOM];
	const struct set_wait *wait = &survey->waits[edge->wait];
	const char *end = wait->timed ? " (its time ends)" : "";

	locks_show_thread(who, &survey->threads[edge->waiter]);
	locks_show_thread(whom, &survey->threads[edge->holder]);
	locks_show_wait(time, edge->waited);
	if (wait->change == 0)
		snprintf(room, LOCKS_SENTENCE,
		         "%s waits %s%s until semaphore %u of set %d is 0, to which %s has added "
		         "%d with undo",
		         who, time, end, wait->number, (int)wait->set, whom, -(int)edge->has);
	else
		snprintf(room, LOCKS_SENTENCE,
		         "%s waits %s%s to take %d of semaphore %u of set %d, of which %s has "
		         "taken %d with undo",
		         who, time, end, -(int)wait->change, wait->number, (int)wait->set, whom,
		         (int)edge->has);
}

const char *locks_show_edge(char room[LOCKS_SENTENCE], const struct survey *survey,
                            const struct edge *edge)
{
	char who[TABLE_CELL], whom[TABLE_CELL], time[SHOW_ROOM], name[4 * MDG_OBJECT_NAME_MAX + 1];

	if (edge->lock == NOBODY) {
		show_set_edge(room, survey, edge);
		return room;
	}
	const struct lock *lock = &survey->locks[edge->lock];
	snprintf(room, LOCKS_SENTENCE,
	         "%s waits %s for \"%s\" (segment %d, offset %llu), which %s has",
	         locks_show_thread(who, &survey->threads[edge->waiter]),
	         locks_show_wait(time, edge->waited),
	         show_text(name, sizeof name, lock->entry.name),
	         (int)survey->segments[lock->segment].id, (unsigned long long)lock->entry.offset,
	         locks_show_thread(whom, &survey->threads[edge->holder]));
	return room;
}

const char *locks_show_cycle(char room[LOCKS_SENTENCE], const struct cycle *cycle)
{
	snprintf(room, LOCKS_SENTENCE, "%s: %u threads wait for each other%s",
	         cycle->timed ? "circle" : "deadlock", (unsigned)cycle->length,
	         cycle->timed ? ", one of them until its time is over" : "");
	return room;
}
