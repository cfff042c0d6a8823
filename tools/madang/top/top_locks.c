/* SPDX-License-Identifier: MIT */
/*
 * top_locks.c - the table of named locks, the page about one, and circles of waits.
 *
 * A thread that sleeps in a semaphore set stands in the table of sets. A circle may lead through
 * both.
 */
#include <stdio.h>
#include <string.h>

#include "base/kind.h"
#include "top/top.h"

enum { NAME, KIND, STATE, OWNER, WAITING, WAITED, FIRST, CIRCLE, SEGMENT, OFFSET };

static const struct top_column columns[] = {
	[NAME] = { "NAME", 14, 42, false, 0 },       [KIND] = { "KIND", 7, 0, false, 4 },
	[STATE] = { "STATE", 9, 0, false, 2 },       [OWNER] = { "OWNER", 12, 32, false, 0 },
	[WAITING] = { "WAITING", 7, 0, true, 0 },    [WAITED] = { "WAITED", 6, 0, true, 0 },
	[FIRST] = { "WHO WAITS", 12, 40, false, 5 }, [CIRCLE] = { "CIRCLE", 8, 0, false, 1 },
	[SEGMENT] = { "SEGMENT", 10, 40, false, 6 }, [OFFSET] = { "OFFSET", 8, 0, true, 7 },
};

/* ---- circles ----------------------------------------------------------- */

static bool is_in(const struct seen *seen, const struct cycle *cycle, size_t lock, size_t process)
{
	for (size_t i = 0; i < cycle->length; i++) {
		const struct edge *edge = &seen->locks.edges[cycle->edge[i]];
		if (lock != NOBODY && edge->lock == lock)
			return true;
		if (process != NOBODY &&
		    seen->locks.threads[edge->waiter].pid == seen->processes[process].pid &&
		    seen->processes[process].is_here)
			return true;
	}
	return lock == NOBODY && process == NOBODY;
}

static int circle_of(const struct seen *seen, size_t lock, size_t process)
{
	int found = 0;

	for (size_t i = 0; i < seen->locks.cycle_count; i++)
		if (is_in(seen, &seen->locks.cycles[i], lock, process)) {
			if (!seen->locks.cycles[i].timed)
				return 1;
			found = 2;
		}
	return found;
}

int top_lock_circle(const struct seen *seen, size_t lock)
{
	return circle_of(seen, lock, NOBODY);
}

int top_process_circle(const struct seen *seen, size_t process)
{
	return circle_of(seen, NOBODY, process);
}

static void add_circle(const struct seen *seen, const struct cycle *cycle, struct top_page *page)
{
	char sentence[LOCKS_SENTENCE];
	enum top_style style = cycle->timed ? TOP_WARN : TOP_BAD;

	top_line(page, TOP_PLAIN, "%s", "");
	top_line(page, style, "%s", locks_show_cycle(sentence, cycle));
	for (size_t i = 0; i < cycle->length; i++)
		top_line(page, style, "  %s",
		         locks_show_edge(sentence, &seen->locks,
		                         &seen->locks.edges[cycle->edge[i]]));
}

void top_circles(const struct seen *seen, size_t lock, size_t process, struct top_page *page)
{
	for (size_t i = 0; i < seen->locks.cycle_count; i++)
		if (is_in(seen, &seen->locks.cycles[i], lock, process))
			add_circle(seen, &seen->locks.cycles[i], page);
}

/* ---- the table --------------------------------------------------------- */

static size_t rows(const struct top_look *look)
{
	return look->now.locks.lock_count;
}

static const struct lock *lock_of(const struct top_look *look, size_t row)
{
	return &look->now.locks.locks[row];
}

static const struct mdg_segment_info *segment_of(const struct top_look *look, size_t row)
{
	return &look->now.locks.segments[lock_of(look, row)->segment];
}

static struct top_key key(const struct top_look *look, size_t row)
{
	return (struct top_key){ (uint32_t)segment_of(look, row)->id,
		                 lock_of(look, row)->entry.offset };
}

static const struct waiter *longest(const struct lock *lock)
{
	const struct waiter *found = NULL;

	for (size_t i = 0; i < lock->waiter_count; i++)
		if (found == NULL || lock->waiter[i].waited > found->waited)
			found = &lock->waiter[i];
	return found;
}

/* A condition, an event and the like are made for waiting. */
static bool is_for_waiting(const struct lock *lock)
{
	uint32_t kind = lock->entry.state.kind;

	return kind == MDG_SYNC_COND || kind == MDG_SYNC_EVENT || kind == MDG_SYNC_SEM ||
	       kind == MDG_SYNC_BARRIER;
}

static void fill_waiting(const struct lock *lock, struct top_cell *cell)
{
	uint32_t waiters = lock->entry.state.waiters;
	size_t known = lock->waiter_count;

	/* No more than these are noted. */
	top_number(cell, (double)known, "%zu%s", known, waiters >= MDG_WAITERS_SHOWN ? "+" : "");
	if (known == 0)
		cell->style = TOP_DIM;
	else if (!is_for_waiting(lock))
		cell->style = TOP_WARN;
}

static void set_thread(struct top_cell *cell, const struct seen *seen, size_t thread)
{
	char who[TABLE_CELL];

	top_text(cell, "%s", top_show_thread(who, seen, thread));
}

static void fill_owner(const struct seen *seen, const struct lock *lock, struct top_cell *cell)
{
	if (lock->owner != NOBODY)
		set_thread(cell, seen, lock->owner);
	else if (lock->reader_count > 0 && lock->entry.state.kind == MDG_SYNC_RWLOCK)
		set_thread(cell, seen, lock->reader[0]);
	else
		top_text(cell, "-");
}

static void fill_circle(const struct seen *seen, size_t row, struct top_cell *cell)
{
	int circle = top_lock_circle(seen, row);

	top_number(cell,
	           circle == 1   ? 2
	           : circle == 2 ? 1
	                         : 0,
	           "%s",
	           circle == 1   ? "DEADLOCK"
	           : circle == 2 ? "timed"
	                         : "-");
	if (circle == 0)
		cell->style = TOP_DIM;
}

/* The waits of the longest waiter. */
static void fill_longest(const struct top_look *look, const struct lock *lock, int column,
                         struct top_cell *cell)
{
	const struct waiter *first = longest(lock);

	if (first == NULL) {
		if (column == WAITED)
			top_number(cell, -1, "-");
		else
			top_text(cell, "-");
		cell->style = TOP_DIM;
	} else if (column == WAITED) {
		top_wait(cell, first->waited);
	} else {
		set_thread(cell, &look->now, first->thread);
	}
}

static void fill(const struct top_look *look, size_t row, int column, struct top_cell *cell)
{
	const struct lock *lock = lock_of(look, row);
	char room[SHOW_ROOM], name[4 * MDG_OBJECT_NAME_MAX + 1], label[TABLE_CELL];

	top_cell_begin(cell);
	switch (column) {
	case NAME:
		top_text(cell, "\"%s\"", show_text(name, sizeof name, lock->entry.name));
		break;
	case KIND:
		top_text(cell, "%s", locks_kind_name(lock->entry.state.kind));
		break;
	case STATE:
		top_text(cell, "%s", locks_state_name(room, lock));
		break;
	case OWNER:
		fill_owner(&look->now, lock, cell);
		break;
	case WAITING:
		fill_waiting(lock, cell);
		break;
	case CIRCLE:
		fill_circle(&look->now, row, cell);
		break;
	case SEGMENT:
		top_text(
			cell, "%d %.*s", (int)segment_of(look, row)->id, TABLE_CELL - 16,
			show_label(label, segment_of(look, row)->key, segment_of(look, row)->name));
		break;
	case OFFSET:
		top_number(cell, (double)lock->entry.offset, "%llu",
		           (unsigned long long)lock->entry.offset);
		break;
	default:
		fill_longest(look, lock, column, cell);
		break;
	}
}

/* ---- the page ---------------------------------------------------------- */

static void list_users(const struct seen *seen, const struct lock *lock, struct top_page *page)
{
	char who[TABLE_CELL], room[SHOW_ROOM];
	bool barrier = lock->entry.state.kind == MDG_SYNC_BARRIER;

	if (lock->reader_count > 0) {
		top_line(page, TOP_PLAIN, "%s", "");
		top_line(page, TOP_STRONG, barrier ? "Members" : "Readers");
	}
	for (size_t i = 0; i < lock->reader_count; i++)
		top_line(page, TOP_PLAIN, "  %s", top_show_thread(who, seen, lock->reader[i]));
	top_line(page, TOP_PLAIN, "%s", "");
	top_line(page, TOP_STRONG,
	         lock->waiter_count == 0 ? "Nobody waits for it" : "Who waits, and how long");
	for (size_t i = 0; i < lock->waiter_count; i++)
		top_line(page, TOP_PLAIN, "  %6s  %s",
		         locks_show_wait(room, lock->waiter[i].waited),
		         top_show_thread(who, seen, lock->waiter[i].thread));
	if (lock->entry.state.waiters >= MDG_WAITERS_SHOWN)
		top_line(page, TOP_DIM, "  There may be more: an object notes no more than %u.",
		         (unsigned)MDG_WAITERS_SHOWN);
}

static void page(const struct top_look *look, size_t row, struct top_page *ret)
{
	const struct lock *lock = lock_of(look, row);
	char name[4 * MDG_OBJECT_NAME_MAX + 1], room[SHOW_ROOM], who[TABLE_CELL];

	top_line(ret, TOP_STRONG, "Lock \"%s\"", show_text(name, sizeof name, lock->entry.name));
	top_fact(ret, "kind", "%s", locks_kind_name(lock->entry.state.kind));
	top_fact(ret, "where", "%s, offset %llu", top_show_segment(who, &look->now, lock->segment),
	         (unsigned long long)lock->entry.offset);
	top_fact(ret, "state", "%s", locks_state_name(room, lock));
	top_fact(ret, "owner", "%s",
	         lock->owner == NOBODY ? "nobody" : top_show_thread(who, &look->now, lock->owner));
	top_circles(&look->now, row, NOBODY, ret);
	list_users(&look->now, lock, ret);
}

const struct top_table top_locks = {
	.title = "Locks",
	.word = "locks",
	.columns = columns,
	.count = sizeof columns / sizeof columns[0],
	.sort = WAITED,
	.descending = true,
	.rows = rows,
	.cell = fill,
	.key = key,
	.circle = top_lock_circle,
	.page = page,
};
