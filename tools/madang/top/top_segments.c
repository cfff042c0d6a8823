/* SPDX-License-Identifier: MIT */
/*
 * top_segments.c - the table of segments, and the page about one: who has it attached, and what is
 * in it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/kind.h"
#include "top/top.h"

enum { ID, NAME, SIZE, RESIDENT, CHANGE, ATTACHED, STATE, OWNER, CREATOR, MODE, AGE, USED };

static const struct top_column columns[] = {
	[ID] = { "ID", 10, 0, true, 0 },
	[NAME] = { "NAME", 16, 60, false, 0 },
	[SIZE] = { "SIZE", 5, 0, true, 0 },
	[RESIDENT] = { "RESIDENT", 8, 0, true, 1 },
	[CHANGE] = { "CHANGE/s", 8, 0, true, 2 },
	[ATTACHED] = { "ATTACHED", 8, 0, true, 0 },
	[STATE] = { "STATE", 7, 23, false, 1 },
	[OWNER] = { "OWNER", 8, 0, false, 5 },
	[CREATOR] = { "CREATOR", 12, 28, false, 6 },
	[MODE] = { "MODE", 4, 0, false, 8 },
	[AGE] = { "AGE", 4, 0, true, 7 },
	[USED] = { "USED", 5, 0, true, 9 },
};

static size_t rows(const struct top_look *look)
{
	return look->now.segment_count;
}

static const struct mdg_segment_info *info_of(const struct top_look *look, size_t row)
{
	return look->now.segments[row].info;
}

static struct top_key key(const struct top_look *look, size_t row)
{
	return (struct top_key){ 0, (uint32_t)info_of(look, row)->id };
}

/* With a blank behind it; "": memory of programs. */
static const char *kind_of(const struct mdg_segment_info *info)
{
	return info->kind == MDG_SEGMENT_CHANNEL ? "channel "
	       : info->kind == MDG_SEGMENT_HEAP  ? "heap "
	                                         : "";
}

/* How fast its memory grows. An id is never given twice. */
static void fill_change(const struct top_look *look, size_t row, struct top_cell *cell)
{
	const struct mdg_segment_info *info = info_of(look, row);
	size_t before = look->has_before ? seen_find_segment(&look->before, info->id) : NOBODY;

	if (before == NOBODY || look->seconds <= 0) {
		top_number(cell, 0, "-");
		cell->style = TOP_DIM;
		return;
	}
	top_change(cell,
	           ((double)info->resident - (double)look->before.segments[before].info->resident) /
	                   look->seconds);
}

/* In the words of madang ls. */
static void fill_state(const struct seen_segment *segment, struct top_cell *cell)
{
	unsigned mode = segment->info->mode;
	size_t length;

	top_text(cell, "%s%s%s%s", kind_of(segment->info),
	         mode & MDG_MODE_REMOVED ? "removed " : "", mode & MDG_MODE_LOCKED ? "locked " : "",
	         segment->is_orphan ? "orphan " : "");
	length = strlen(cell->text);
	if (length > 0) {
		cell->text[length - 1] = '\0';
	} else {
		top_text(cell, "-");
		cell->style = TOP_DIM;
	}
	if (mode & MDG_MODE_REMOVED || segment->is_orphan)
		cell->style = TOP_WARN;
}

/* The process that made it; its command, if it has the segment attached. */
static void fill_creator(const struct top_look *look, size_t row, struct top_cell *cell)
{
	const struct mdg_segment_info *info = info_of(look, row);
	size_t process = seen_find_process(&look->now, info->cpid, true);
	char command[4 * SHOW_ROOM] = "";

	if (!info->creator_alive) {
		top_number(cell, info->cpid, "%d dead", (int)info->cpid);
		cell->style = TOP_DIM;
		return;
	}
	if (process != NOBODY)
		show_text(command, sizeof command, look->now.processes[process].command);
	top_number(cell, info->cpid, "%d%s%s", (int)info->cpid, command[0] != '\0' ? " " : "",
	           command);
}

static int64_t last_use(const struct mdg_segment_info *info)
{
	return info->atime > info->dtime ? info->atime : info->dtime;
}

static void fill_other(const struct top_look *look, size_t row, int column, struct top_cell *cell)
{
	const struct mdg_segment_info *info = info_of(look, row);
	char room[SHOW_ROOM];

	switch (column) {
	case STATE:
		fill_state(&look->now.segments[row], cell);
		break;
	case OWNER:
		top_text(cell, "%s", show_user(room, info->uid));
		break;
	case CREATOR:
		fill_creator(look, row, cell);
		break;
	case MODE:
		top_text(cell, "%04o", info->mode & 0777u);
		break;
	case AGE:
		top_age(cell, look->now.time, info->ctime);
		break;
	case USED:
		top_age(cell, look->now.time, last_use(info));
		break;
	default:
		break;
	}
}

static void fill(const struct top_look *look, size_t row, int column, struct top_cell *cell)
{
	const struct mdg_segment_info *info = info_of(look, row);

	top_cell_begin(cell);
	switch (column) {
	case ID:
		top_number(cell, info->id, "%d", (int)info->id);
		break;
	case NAME:
		show_label(cell->text, info->key, info->name);
		break;
	case SIZE:
		top_size(cell, info->bytes);
		break;
	case RESIDENT:
		top_size(cell, info->resident);
		break;
	case CHANGE:
		fill_change(look, row, cell);
		break;
	case ATTACHED:
		top_count(cell, info->attached);
		break;
	default:
		fill_other(look, row, column, cell);
		break;
	}
}

/* ---- the page ---------------------------------------------------------- */

static void list_processes(const struct seen *seen, const struct seen_segment *segment,
                           struct top_page *page)
{
	char who[TABLE_CELL], user[SHOW_ROOM];

	top_line(page, TOP_PLAIN, "%s", "");
	top_line(page, TOP_STRONG, "Processes that have it attached: %zu", segment->users);
	for (size_t i = 0; i < segment->users; i++) {
		const struct seen_attachment *one = &seen->attachments[segment->first + i];
		top_line(page, TOP_PLAIN, "  %-30s %-10s %u attachment%s",
		         top_show_process(who, seen, one->process),
		         show_user(user, seen->processes[one->process].uid), one->count,
		         one->count == 1 ? "" : "s");
	}
}

static void list_locks(const struct seen *seen, size_t row, struct top_page *page)
{
	char name[4 * MDG_OBJECT_NAME_MAX + 1], who[TABLE_CELL];
	bool first = true;

	for (size_t i = 0; i < seen->locks.lock_count; i++) {
		const struct lock *lock = &seen->locks.locks[i];
		if (lock->segment != row)
			continue;
		if (first) {
			top_line(page, TOP_PLAIN, "%s", "");
			top_line(page, TOP_STRONG, "Named locks in it");
		}
		first = false;
		show_text(name, sizeof name, lock->entry.name);
		top_line(page, top_lock_circle(seen, i) == 1 ? TOP_BAD : TOP_PLAIN,
		         "  \"%s\"  %s%s  %zu waiting", name,
		         lock->owner == NOBODY ? "held by nobody" : "held by ",
		         lock->owner == NOBODY ? "" : top_show_thread(who, seen, lock->owner),
		         lock->waiter_count);
	}
}

static void page(const struct top_look *look, size_t row, struct top_page *ret)
{
	const struct seen_segment *segment = &look->now.segments[row];
	const struct mdg_segment_info *info = segment->info;
	char room[SHOW_ROOM], other[SHOW_ROOM], label[TABLE_CELL];

	top_line(ret, TOP_STRONG, "Segment %d  %.*s", (int)info->id, TABLE_CELL - 32,
	         show_label(label, info->key, info->name));
	top_fact(ret, "size", "%s (%" PRIu64 " bytes), %s in memory", show_bytes(room, info->bytes),
	         info->bytes, show_size(other, info->resident));
	top_fact(ret, "kind", "%s",
	         info->kind == MDG_SEGMENT_PLAIN ? "memory of programs" : kind_of(info));
	top_fact(ret, "owner", "%s, mode %04o", show_user(room, info->uid), info->mode & 0777u);
	top_fact(ret, "creator", "process %d%s", (int)info->cpid,
	         info->creator_alive ? "" : ", which is dead");
	top_fact(ret, "age", "%s, last attached or detached %s%s",
	         show_age(room, look->now.time, info->ctime),
	         last_use(info) == 0 ? "never" : show_age(other, look->now.time, last_use(info)),
	         last_use(info) == 0 ? "" : " ago");
	if (info->mode & MDG_MODE_REMOVED)
		top_fact(ret, "state", "removed: it goes with its last detach");
	if (segment->is_orphan)
		top_fact(ret, "state",
		         "orphan: nobody has it attached, and its creator is dead "
		         "(madang rm --orphans)");
	if (segment->refused != 0)
		top_fact(ret, "locks", "cannot be read: %s", mdg_strerror(segment->refused));
	list_processes(&look->now, segment, ret);
	list_locks(&look->now, row, ret);
}

const struct top_table top_segments = {
	.title = "Segments",
	.word = "segments",
	.columns = columns,
	.count = sizeof columns / sizeof columns[0],
	.sort = SIZE,
	.descending = true,
	.rows = rows,
	.cell = fill,
	.key = key,
	.page = page,
};
