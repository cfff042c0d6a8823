/* SPDX-License-Identifier: MIT */
/*
 * top_processes.c - the table of processes, and the page about one: what it has attached, holds
 * and waits for.
 */
#include <stdio.h>
#include <string.h>

#include "base/kind.h"
#include "top/top.h"

enum { PID, COMMAND, USER, SEGMENTS, BYTES, HOLDS, WAITED, WAITS };

static const struct top_column columns[] = {
	[PID] = { "PID", 7, 0, true, 0 },       [COMMAND] = { "COMMAND", 10, 32, false, 0 },
	[USER] = { "USER", 8, 0, false, 3 },    [SEGMENTS] = { "SEGMENTS", 8, 0, true, 0 },
	[BYTES] = { "BYTES", 5, 0, true, 0 },   [HOLDS] = { "HOLDS", 5, 0, true, 2 },
	[WAITED] = { "WAITED", 6, 0, true, 1 }, [WAITS] = { "WAITS FOR", 20, 90, false, 1 },
};

static size_t rows(const struct top_look *look)
{
	return look->now.process_count;
}

static struct top_key key(const struct top_look *look, size_t row)
{
	const struct seen_process *process = &look->now.processes[row];
	return (struct top_key){ process->is_here ? 0 : 1 + (uint64_t)process->uid,
		                 (uint32_t)process->pid };
}

static bool is_its(const struct seen *seen, size_t thread, size_t process)
{
	const struct seen_process *one = &seen->processes[process];

	return thread != NOBODY && one->is_here && seen->locks.threads[thread].pid == one->pid;
}

/* Named locks that its threads have, to write or to read. */
static bool holds(const struct seen *seen, size_t process, const struct lock *lock)
{
	bool reads = false;

	for (size_t i = 0; lock->entry.state.kind == MDG_SYNC_RWLOCK && i < lock->reader_count; i++)
		reads = reads || is_its(seen, lock->reader[i], process);
	return reads || is_its(seen, lock->owner, process);
}

static uint64_t count_held(const struct seen *seen, size_t process)
{
	uint64_t count = 0;

	for (size_t i = 0; i < seen->locks.lock_count; i++)
		count += holds(seen, process, &seen->locks.locks[i]);
	return count;
}

/* The longest wait of its threads for a lock or in a set, in words. False: it waits for none. */
static bool longest_wait(const struct seen *seen, size_t process, char what[TABLE_CELL],
                         uint64_t *ret_waited)
{
	char name[4 * MDG_OBJECT_NAME_MAX + 1], place[TABLE_CELL];
	bool found = false;

	for (size_t i = 0; i < seen->locks.lock_count; i++) {
		const struct lock *lock = &seen->locks.locks[i];
		for (size_t w = 0; w < lock->waiter_count; w++) {
			const struct waiter *waiter = &lock->waiter[w];
			if (!is_its(seen, waiter->thread, process) ||
			    (found && waiter->waited <= *ret_waited))
				continue;
			found = true;
			*ret_waited = waiter->waited;
			snprintf(what, TABLE_CELL, "\"%s\" in %.*s",
			         show_text(name, sizeof name, lock->entry.name), 130,
			         top_show_segment(place, seen, lock->segment));
		}
	}
	for (size_t i = 0; i < seen->locks.wait_count; i++) {
		const struct set_wait *wait = &seen->locks.waits[i];
		if (!is_its(seen, wait->thread, process) || (found && wait->waited <= *ret_waited))
			continue;
		found = true;
		*ret_waited = wait->waited;
		snprintf(what, TABLE_CELL, "semaphore %u of set %d", wait->number, (int)wait->set);
	}
	return found;
}

static void fill_wait(const struct seen *seen, size_t row, int column, struct top_cell *cell)
{
	char what[TABLE_CELL];
	uint64_t waited = 0;
	int circle = top_process_circle(seen, row);

	if (!longest_wait(seen, row, what, &waited)) {
		top_none(cell, "-");
		return;
	}
	if (column == WAITED)
		top_wait(cell, waited);
	else
		top_text(cell, "%s%s",
		         circle == 1   ? "DEADLOCK "
		         : circle == 2 ? "(circle) "
		                       : "",
		         what);
}

static void fill(const struct top_look *look, size_t row, int column, struct top_cell *cell)
{
	const struct seen_process *process = &look->now.processes[row];
	char room[SHOW_ROOM];

	top_cell_begin(cell);
	switch (column) {
	case PID:
		top_number(cell, process->pid, "%d", (int)process->pid);
		break;
	case COMMAND:
		if (process->is_here)
			show_text(cell->text, sizeof cell->text, process->command);
		else
			top_text(cell, "(another pid namespace)");
		break;
	case USER:
		if (process->uid == UINT32_MAX)
			top_text(cell, "?");
		else
			top_text(cell, "%s", show_user(room, process->uid));
		break;
	case SEGMENTS:
		top_count(cell, process->segments);
		break;
	case BYTES:
		top_size(cell, process->bytes);
		break;
	case HOLDS:
		top_count(cell, count_held(&look->now, row));
		break;
	default:
		fill_wait(&look->now, row, column, cell);
		break;
	}
}

/* ---- the page ---------------------------------------------------------- */

static void list_segments(const struct seen *seen, size_t row, struct top_page *page)
{
	char place[TABLE_CELL], room[SHOW_ROOM];

	top_line(page, TOP_PLAIN, "%s", "");
	top_line(page, TOP_STRONG, "Attached segments: %u", seen->processes[row].segments);
	for (size_t i = 0; i < seen->attachment_count; i++) {
		const struct seen_attachment *one = &seen->attachments[i];
		if (one->process != row)
			continue;
		top_show_segment(place, seen, one->segment);
		show_size(room, seen->segments[one->segment].info->bytes);
		if (one->count == 1)
			top_line(page, TOP_PLAIN, "  %6s  %s", room, place);
		else
			top_line(page, TOP_PLAIN, "  %6s  %s, %u times", room, place, one->count);
	}
}

static void list_locks(const struct seen *seen, size_t row, struct top_page *page)
{
	char name[4 * MDG_OBJECT_NAME_MAX + 1], place[TABLE_CELL];
	bool first = true;

	for (size_t i = 0; i < seen->locks.lock_count; i++) {
		const struct lock *lock = &seen->locks.locks[i];
		if (!holds(seen, row, lock))
			continue;
		if (first) {
			top_line(page, TOP_PLAIN, "%s", "");
			top_line(page, TOP_STRONG, "Named locks that it holds");
		}
		first = false;
		top_line(page, TOP_PLAIN, "  \"%s\" in %s, %zu waiting",
		         show_text(name, sizeof name, lock->entry.name),
		         top_show_segment(place, seen, lock->segment), lock->waiter_count);
	}
}

static void list_peers(const struct seen *seen, size_t row, struct top_page *page)
{
	const struct seen_process *process = &seen->processes[row];
	char name[4 * MDG_NAME_MAX + 1];
	bool first = true;

	for (size_t i = 0; i < seen->channels.count && process->is_here; i++) {
		const struct channels_entry *entry = &seen->channels.entries[i];
		for (size_t p = 0; p < entry->peer_count; p++) {
			const struct mdg_peer *peer = &entry->peers[p].peer;
			if (peer->pid != process->pid)
				continue;
			if (first) {
				top_line(page, TOP_PLAIN, "%s", "");
				top_line(page, TOP_STRONG, "Channels");
			}
			first = false;
			top_line(page, TOP_PLAIN, "  %s \"%s\"",
			         peer->role == MDG_TALKER ? "talks to" : "listens to",
			         show_text(name, sizeof name, entry->info.name));
		}
	}
}

static void page(const struct top_look *look, size_t row, struct top_page *ret)
{
	const struct seen *seen = &look->now;
	const struct seen_process *process = &seen->processes[row];
	char who[TABLE_CELL], room[SHOW_ROOM], what[TABLE_CELL];
	uint64_t waited = 0;

	top_line(ret, TOP_STRONG, "Process %s", top_show_process(who, seen, row));
	top_fact(ret, "user", "%s",
	         process->uid == UINT32_MAX ? "?" : show_user(room, process->uid));
	top_fact(ret, "attached", "%s in %u segment%s", show_bytes(room, process->bytes),
	         process->segments, process->segments == 1 ? "" : "s");
	if (longest_wait(seen, row, what, &waited))
		top_fact(ret, "waits", "%s for %s", locks_show_wait(room, waited), what);
	top_circles(seen, NOBODY, row, ret);
	list_locks(seen, row, ret);
	list_peers(seen, row, ret);
	list_segments(seen, row, ret);
}

const struct top_table top_processes = {
	.title = "Processes",
	.word = "processes",
	.columns = columns,
	.count = sizeof columns / sizeof columns[0],
	.sort = BYTES,
	.descending = true,
	.rows = rows,
	.cell = fill,
	.key = key,
	.circle = top_process_circle,
	.page = page,
};
