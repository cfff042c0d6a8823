/* SPDX-License-Identifier: MIT */
/*
 * top_objects.c - the tables of semaphore sets and of message queues, and a page about one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/kind.h"
#include "top/top.h"

static void fill_waiting(bool is_known, unsigned waiting, struct top_cell *cell)
{
	if (is_known)
		top_count(cell, waiting);
	else
		top_none(cell, "?");
}

/* ---- semaphore sets ---------------------------------------------------- */

enum { SET_ID, SET_NAME, SEMAPHORES, SET_WAITING, SET_USED, SET_OWNER, SET_MODE, SET_AGE };

static const struct top_column set_columns[] = {
	[SET_ID] = { "ID", 10, 0, true, 0 },
	[SET_NAME] = { "NAME", 10, 60, false, 0 },
	[SEMAPHORES] = { "SEMAPHORES", 10, 0, true, 0 },
	[SET_WAITING] = { "WAITING", 7, 0, true, 0 },
	[SET_USED] = { "USED", 5, 0, true, 1 },
	[SET_OWNER] = { "OWNER", 8, 0, false, 2 },
	[SET_MODE] = { "MODE", 4, 0, false, 4 },
	[SET_AGE] = { "AGE", 4, 0, true, 3 },
};

static size_t set_rows(const struct top_look *look)
{
	return look->now.set_count;
}

static struct top_key set_key(const struct top_look *look, size_t row)
{
	return (struct top_key){ 0, (uint32_t)look->now.sets[row].info.id };
}

static void set_fill(const struct top_look *look, size_t row, int column, struct top_cell *cell)
{
	const struct seen_set *set = &look->now.sets[row];
	char room[SHOW_ROOM];

	top_cell_begin(cell);
	switch (column) {
	case SET_ID:
		top_number(cell, set->info.id, "%d", (int)set->info.id);
		break;
	case SET_NAME:
		show_label(cell->text, set->info.key, set->info.name);
		break;
	case SEMAPHORES:
		top_count(cell, set->info.count);
		break;
	case SET_WAITING:
		fill_waiting(set->has_waiting, set->waiting, cell);
		break;
	case SET_USED:
		top_age(cell, look->now.time, set->info.otime);
		break;
	case SET_OWNER:
		top_text(cell, "%s", show_user(room, set->info.uid));
		break;
	case SET_MODE:
		top_text(cell, "%04o", set->info.mode & 0777u);
		break;
	default:
		top_age(cell, look->now.time, set->info.ctime);
		break;
	}
}

static void list_waits(const struct seen *seen, mdg_id id, struct top_page *page)
{
	char who[TABLE_CELL], room[SHOW_ROOM], what[SHOW_ROOM];

	for (size_t i = 0; i < seen->locks.wait_count; i++) {
		const struct set_wait *wait = &seen->locks.waits[i];
		if (wait->set != id)
			continue;
		if (wait->change == 0)
			snprintf(what, sizeof what, "until semaphore %u is 0", wait->number);
		else
			snprintf(what, sizeof what, "to take %d of semaphore %u",
			         -(int)wait->change, wait->number);
		top_line(page, TOP_PLAIN, "  %6s  %-30s %s%s", locks_show_wait(room, wait->waited),
		         top_show_thread(who, seen, wait->thread), what,
		         wait->timed ? ", with a deadline" : "");
	}
}

static void list_holds(const struct seen *seen, mdg_id id, struct top_page *page)
{
	char who[TABLE_CELL];
	bool first = true;

	for (size_t i = 0; i < seen->locks.hold_count; i++) {
		const struct set_hold *hold = &seen->locks.holds[i];
		if (hold->set != id)
			continue;
		if (first) {
			top_line(page, TOP_PLAIN, "%s", "");
			top_line(page, TOP_STRONG, "What the end of a process gives back");
		}
		first = false;
		top_line(page, TOP_PLAIN, "  %-30s %+d to semaphore %u",
		         top_show_process(who, seen, seen_find_process(seen, hold->pid, true)),
		         (int)hold->sum, hold->number);
	}
}

static void set_page(const struct top_look *look, size_t row, struct top_page *ret)
{
	const struct seen_set *set = &look->now.sets[row];
	char label[TABLE_CELL], room[SHOW_ROOM];

	top_line(ret, TOP_STRONG, "Semaphore set %d  %.*s", (int)set->info.id, TABLE_CELL - 32,
	         show_label(label, set->info.key, set->info.name));
	top_fact(ret, "semaphores", "%u", set->info.count);
	top_fact(ret, "owner", "%s, mode %04o", show_user(room, set->info.uid),
	         set->info.mode & 0777u);
	if (set->info.otime == 0)
		top_fact(ret, "used", "never");
	else
		top_fact(ret, "used", "%s ago", show_age(room, look->now.time, set->info.otime));
	top_fact(ret, "age", "%s", show_age(room, look->now.time, set->info.ctime));
	if (set->info.stuck != 0)
		top_fact(ret, "state",
		         "a process keeps its lock and does not go on (madang doctor)");
	top_line(ret, TOP_PLAIN, "%s", "");
	if (set->has_waiting)
		top_line(ret, TOP_STRONG, set->waiting == 0 ? "Nobody waits" : "Who waits");
	else
		top_line(ret, TOP_WARN, "Who waits may not be seen by you");
	list_waits(&look->now, set->info.id, ret);
	list_holds(&look->now, set->info.id, ret);
}

const struct top_table top_sets = {
	.title = "Semaphores",
	.word = "semaphores",
	.columns = set_columns,
	.count = sizeof set_columns / sizeof set_columns[0],
	.sort = SET_WAITING,
	.descending = true,
	.rows = set_rows,
	.cell = set_fill,
	.key = set_key,
	.page = set_page,
};

/* ---- message queues ---------------------------------------------------- */

enum { ID, NAME, MESSAGES, FILL, BYTES, LIMIT, WAITING, USED, OWNER, MODE, AGE };

static const struct top_column queue_columns[] = {
	[ID] = { "ID", 10, 0, true, 0 },
	[NAME] = { "NAME", 10, 60, false, 0 },
	[MESSAGES] = { "MESSAGES", 8, 0, true, 0 },
	[FILL] = { "FILL", 13, 30, false, 0 },
	[BYTES] = { "BYTES", 5, 0, true, 2 },
	[LIMIT] = { "LIMIT", 5, 0, true, 5 },
	[WAITING] = { "WAITING", 7, 0, true, 0 },
	[USED] = { "USED", 5, 0, true, 1 },
	[OWNER] = { "OWNER", 8, 0, false, 3 },
	[MODE] = { "MODE", 4, 0, false, 6 },
	[AGE] = { "AGE", 4, 0, true, 4 },
};

static size_t rows(const struct top_look *look)
{
	return look->now.queue_count;
}

static struct top_key key(const struct top_look *look, size_t row)
{
	return (struct top_key){ 0, (uint32_t)look->now.queues[row].info.id };
}

static int64_t last_use(const struct mdg_msgqueue_info *info)
{
	return info->stime > info->rtime ? info->stime : info->rtime;
}

static void fill_other(const struct top_look *look, const struct seen_queue *queue, int column,
                       struct top_cell *cell)
{
	char room[SHOW_ROOM];

	switch (column) {
	case WAITING:
		fill_waiting(queue->has_waiting, queue->receivers + queue->senders, cell);
		break;
	case USED:
		top_age(cell, look->now.time, last_use(&queue->info));
		break;
	case OWNER:
		top_text(cell, "%s", show_user(room, queue->info.uid));
		break;
	case MODE:
		top_text(cell, "%04o", queue->info.mode & 0777u);
		break;
	default:
		top_age(cell, look->now.time, queue->info.ctime);
		break;
	}
}

static void fill(const struct top_look *look, size_t row, int column, struct top_cell *cell)
{
	const struct seen_queue *queue = &look->now.queues[row];

	top_cell_begin(cell);
	switch (column) {
	case ID:
		top_number(cell, queue->info.id, "%d", (int)queue->info.id);
		break;
	case NAME:
		show_label(cell->text, queue->info.key, queue->info.name);
		break;
	case MESSAGES:
		top_count(cell, queue->info.messages);
		break;
	case FILL:
		top_bar(cell, queue->info.bytes, queue->info.bytes_max);
		break;
	case BYTES:
		top_size(cell, queue->info.bytes);
		break;
	case LIMIT:
		top_size(cell, queue->info.bytes_max);
		break;
	default:
		fill_other(look, queue, column, cell);
		break;
	}
}

static void page(const struct top_look *look, size_t row, struct top_page *ret)
{
	const struct seen_queue *queue = &look->now.queues[row];
	const struct mdg_msgqueue_info *info = &queue->info;
	char label[TABLE_CELL], room[SHOW_ROOM], other[SHOW_ROOM], who[TABLE_CELL];

	top_line(ret, TOP_STRONG, "Message queue %d  %.*s", (int)info->id, TABLE_CELL - 32,
	         show_label(label, info->key, info->name));
	top_fact(ret, "messages", "%" PRIu64 ", %s of %s", info->messages,
	         show_bytes(room, info->bytes), show_size(other, info->bytes_max));
	top_fact(ret, "owner", "%s, mode %04o", show_user(room, info->uid), info->mode & 0777u);
	top_fact(ret, "last sender", "%d, %s", (int)info->lspid,
	         info->stime == 0 ? "never" : show_age(room, look->now.time, info->stime));
	top_fact(ret, "last receiver", "%d, %s", (int)info->lrpid,
	         info->rtime == 0 ? "never" : show_age(room, look->now.time, info->rtime));
	top_fact(ret, "age", "%s", show_age(room, look->now.time, info->ctime));
	top_line(ret, TOP_PLAIN, "%s", "");
	if (!queue->has_waiting) {
		top_line(ret, TOP_WARN, "Who waits may not be seen by you");
		return;
	}
	top_line(ret, TOP_STRONG, "%u wait to receive, %u wait to send", queue->receivers,
	         queue->senders);
	for (size_t i = 0; i < look->now.sleeper_count; i++)
		if (look->now.sleepers[i].queue == row)
			top_line(ret, TOP_PLAIN, "  %-30s %s",
			         top_show_process(who, &look->now, look->now.sleepers[i].process),
			         look->now.sleepers[i].sends ? "sends" : "receives");
}

const struct top_table top_queues = {
	.title = "Queues",
	.word = "queues",
	.columns = queue_columns,
	.count = sizeof queue_columns / sizeof queue_columns[0],
	.sort = FILL,
	.descending = true,
	.rows = rows,
	.cell = fill,
	.key = key,
	.page = page,
};
