/* SPDX-License-Identifier: MIT */
/*
 * page_tables.c - the tables below the picture: everything that was seen, in words and numbers.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/kind.h"
#include "graph/picture.h"

enum { COLUMNS = 10 };

struct row {
	char cells[COLUMNS][TEXT_ROOM];
	const char *list[COLUMNS];
	size_t used;
};

/* The next cell. */
static void add(struct row *row, const char *format, ...) TOOL_PRINTF(2, 3);
static void add(struct row *row, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(row->cells[row->used], TEXT_ROOM, format, list);
	va_end(list);
	row->list[row->used] = row->cells[row->used];
	row->used++;
}

static void put(const struct table_sink *sink, struct row *row, bool mark)
{
	sink->row(sink->context, row->list, row->used, mark);
	row->used = 0;
}

static void add_label(struct row *row, int32_t key, const char *name)
{
	char text[TEXT_ROOM];

	if (name[0] == '\0' && key == 0)
		add(row, "-");
	else
		add(row, "%s", picture_label(text, "", 0, key, name, 0));
}

static void add_user(struct row *row, uint32_t uid)
{
	char room[SHOW_ROOM], text[TEXT_ROOM];

	if (uid == UINT32_MAX)
		add(row, "?");
	else
		add(row, "%s", picture_text(text, show_user(room, uid), 0));
}

static void add_waiting(struct row *row, bool is_known, unsigned count)
{
	if (is_known)
		add(row, "%u", count);
	else
		add(row, "?");
}

/* ---- one table each ---------------------------------------------------- */

static void processes(const struct seen *seen, const struct table_sink *sink, struct row *row)
{
	static const char *const titles[] = { "#Process",     "Command",       "User", "#Segments",
		                              "#Attachments", "#Their memory", "" };
	char text[TEXT_ROOM], size[SHOW_ROOM];

	if (seen->process_count == 0)
		return;
	sink->begin(sink->context, "Processes", titles, 7);
	for (size_t i = 0; i < seen->process_count; i++) {
		const struct seen_process *process = &seen->processes[i];
		add(row, "%d", (int)process->pid);
		add(row, "%s", picture_text(text, process->command, 0));
		add_user(row, process->uid);
		add(row, "%u", process->segments);
		add(row, "%u", process->attachments);
		add(row, "%s", show_size(size, process->bytes));
		add(row, "%s", process->is_here ? "" : "in another pid namespace");
		put(sink, row, false);
	}
	sink->end(sink->context);
}

static void segments(const struct seen *seen, const struct table_sink *sink, struct row *row)
{
	static const char *const titles[] = { "#Segment", "Name or key", "Owner",     "Mode",
		                              "#Size",    "#In memory",  "#Attached", "#Creator",
		                              "#Age",     "State" };
	char room[SHOW_ROOM];

	if (seen->segment_count == 0)
		return;
	sink->begin(sink->context, "Segments", titles, COLUMNS);
	for (size_t i = 0; i < seen->segment_count; i++) {
		const struct mdg_segment_info *info = seen->segments[i].info;
		bool is_orphan = seen->segments[i].is_orphan;
		add(row, "%d", (int)info->id);
		add_label(row, info->key, info->name);
		add_user(row, info->uid);
		add(row, "%04o", info->mode & 0777u);
		add(row, "%s", show_size(room, info->bytes));
		add(row, "%s", show_size(room, info->resident));
		add(row, "%u", info->attached);
		add(row, "%d%s", (int)info->cpid, info->creator_alive ? "" : " dead");
		add(row, "%s", show_age(room, seen->time, info->ctime));
		add(row, "%s%s%s%s",
		    info->kind == MDG_SEGMENT_CHANNEL ? "channel "
		    : info->kind == MDG_SEGMENT_HEAP  ? "heap "
		                                      : "",
		    info->mode & MDG_MODE_REMOVED ? "removed " : "",
		    info->mode & MDG_MODE_LOCKED ? "locked " : "", is_orphan ? "orphan" : "");
		put(sink, row, is_orphan);
	}
	sink->end(sink->context);
}

static void channels(const struct seen *seen, const struct table_sink *sink, struct row *row)
{
	static const char *const titles[] = { "Channel",  "Kind",       "#Full", "#Waiting",
		                              "#Talkers", "#Listeners", "#Sent", "#Rate",
		                              "#Lag",     "#Missed" };
	char room[SHOW_ROOM], text[TEXT_ROOM];

	if (seen->channels.count == 0)
		return;
	sink->begin(sink->context, "Channels", titles, COLUMNS);
	for (size_t i = 0; i < seen->channels.count; i++) {
		const struct channels_entry *entry = &seen->channels.entries[i];
		const struct mdg_channel_info *info = &entry->info;
		add(row, "%s", picture_label(text, "channel", info->id, 0, info->name, 0));
		add(row, "%s", channel_kind_name(info->kind));
		add(row, "%u%%",
		    info->room == 0 ? 0
		                    : (unsigned)(100.0 * (double)info->used / (double)info->room));
		add(row, "%" PRIu64, info->waiting);
		add(row, "%u", info->talkers);
		add(row, "%u", info->listeners);
		add(row, "%" PRIu64, info->sequence);
		add(row, "%s", entry->has_rate ? show_rate(room, entry->rate) : "-");
		if (entry->refused != 0)
			add(row, "?");
		else
			add(row, "%" PRIu64, channels_largest_lag(entry));
		if (info->kind == MDG_TOPIC)
			add(row, "%" PRIu64, info->missed);
		else
			add(row, "-");
		put(sink, row, info->missed > 0);
	}
	sink->end(sink->context);
}

static bool is_in_circle(const struct seen *seen, size_t lock)
{
	for (size_t e = 0; e < seen->locks.edge_count; e++)
		if (seen->locks.edges[e].lock == lock && seen_in_circle(seen, e) != 0)
			return true;
	return false;
}

static void locks(const struct seen *seen, const struct table_sink *sink, struct row *row)
{
	static const char *const titles[] = { "Lock",  "#Segment", "#Offset",  "Kind",
		                              "State", "Owner",    "#Waiting", "#Longest wait" };
	char room[SHOW_ROOM], who[TABLE_CELL], text[TEXT_ROOM];

	if (seen->locks.lock_count == 0)
		return;
	sink->begin(sink->context, "Locks and other named objects", titles, 8);
	for (size_t i = 0; i < seen->locks.lock_count; i++) {
		const struct lock *lock = &seen->locks.locks[i];
		uint64_t longest = 0;
		for (size_t w = 0; w < lock->waiter_count; w++)
			if (lock->waiter[w].waited > longest)
				longest = lock->waiter[w].waited;
		add(row, "%s", picture_label(text, "", 0, 0, lock->entry.name, 0));
		add(row, "%d", (int)seen->locks.segments[lock->segment].id);
		add(row, "%" PRIu64, lock->entry.offset);
		add(row, "%s", locks_kind_name(lock->entry.state.kind));
		add(row, "%s", locks_state_name(room, lock));
		if (lock->owner == NOBODY)
			strcpy(who, "-");
		else
			locks_show_thread(who, &seen->locks.threads[lock->owner]);
		add(row, "%s", picture_fit_text(text, who));
		add(row, "%zu", lock->waiter_count);
		add(row, "%s", lock->waiter_count > 0 ? locks_show_wait(room, longest) : "-");
		put(sink, row, is_in_circle(seen, i));
	}
	sink->end(sink->context);
}

static void sets(const struct seen *seen, const struct table_sink *sink, struct row *row)
{
	static const char *const titles[] = { "#Semaphore set", "Name or key", "Owner", "Mode",
		                              "#Semaphores",    "#Waiting",    "#Used", "State" };
	char room[SHOW_ROOM];

	if (seen->set_count == 0)
		return;
	sink->begin(sink->context, "Semaphore sets", titles, 8);
	for (size_t i = 0; i < seen->set_count; i++) {
		const struct mdg_semset_info *info = &seen->sets[i].info;
		add(row, "%d", (int)info->id);
		add_label(row, info->key, info->name);
		add_user(row, info->uid);
		add(row, "%04o", info->mode & 0777u);
		add(row, "%u", info->count);
		add_waiting(row, seen->sets[i].has_waiting, seen->sets[i].waiting);
		add(row, "%s",
		    info->otime == 0 ? "never" : show_age(room, seen->time, info->otime));
		add(row, "%s", info->stuck ? "stuck: see madang doctor" : "");
		put(sink, row, info->stuck != 0);
	}
	sink->end(sink->context);
}

static void queues(const struct seen *seen, const struct table_sink *sink, struct row *row)
{
	static const char *const titles[] = { "#Queue", "Name or key", "Owner",
		                              "Mode",   "#Messages",   "#Bytes",
		                              "#Limit", "#Receivers",  "#Senders wait" };
	char room[SHOW_ROOM];

	if (seen->queue_count == 0)
		return;
	sink->begin(sink->context, "Message queues", titles, 9);
	for (size_t i = 0; i < seen->queue_count; i++) {
		const struct seen_queue *queue = &seen->queues[i];
		add(row, "%d", (int)queue->info.id);
		add_label(row, queue->info.key, queue->info.name);
		add_user(row, queue->info.uid);
		add(row, "%04o", queue->info.mode & 0777u);
		add(row, "%" PRIu64, queue->info.messages);
		add(row, "%s", show_size(room, queue->info.bytes));
		add(row, "%s", show_size(room, queue->info.bytes_max));
		add_waiting(row, queue->has_waiting, queue->receivers);
		add_waiting(row, queue->has_waiting, queue->senders);
		put(sink, row, false);
	}
	sink->end(sink->context);
}

void page_tables(const struct seen *seen, const struct table_sink *sink)
{
	static struct row row;

	row.used = 0;
	channels(seen, sink, &row);
	locks(seen, sink, &row);
	processes(seen, sink, &row);
	segments(seen, sink, &row);
	sets(seen, sink, &row);
	queues(seen, sink, &row);
}

/* ---- the heading ------------------------------------------------------- */

static const char *counted(char room[SHOW_ROOM], size_t count, const char *what)
{
	snprintf(room, SHOW_ROOM, "%zu %s%s", count, what, count == 1 ? "" : "s");
	return room;
}

const char *page_figure(const struct seen *seen, size_t number, char room[SHOW_ROOM])
{
	char size[SHOW_ROOM];

	switch (number) {
	case 0:
		snprintf(room, SHOW_ROOM, "%zu process%s", seen->process_count,
		         seen->process_count == 1 ? "" : "es");
		return room;
	case 1:
		return counted(room, seen->segment_count, "segment");
	case 2:
		snprintf(room, SHOW_ROOM, "%.20s shared", show_bytes(size, seen->bytes));
		return room;
	case 3:
		snprintf(room, SHOW_ROOM, "%.20s in memory", show_bytes(size, seen->resident));
		return room;
	case 4:
		return counted(room, seen->channels.count, "channel");
	case 5:
		return counted(room, seen->locks.lock_count, "lock");
	case 6:
		return counted(room, seen->set_count, "semaphore set");
	case 7:
		return counted(room, seen->queue_count, "queue");
	case 8:
		return counted(room, seen->orphans, "orphan");
	default:
		return NULL;
	}
}

void page_circles(const struct seen *seen, void (*line)(void *, const char *, bool head),
                  void *context)
{
	char text[LOCKS_SENTENCE], fit[TEXT_ROOM];

	for (size_t c = 0; c < seen->locks.cycle_count; c++) {
		const struct cycle *cycle = &seen->locks.cycles[c];
		line(context, locks_show_cycle(text, cycle), true);
		for (size_t i = 0; i < cycle->length; i++) {
			locks_show_edge(text, &seen->locks, &seen->locks.edges[cycle->edge[i]]);
			line(context, picture_fit_text(fit, text), false);
		}
	}
}
