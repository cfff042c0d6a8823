/* SPDX-License-Identifier: MIT */
/*
 * ls_queues.c - the message queues of a namespace, for madang ls. With -l: who sleeps in them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "core/ls.h"
#include "msgqueue/view.h"

static int read_queues(struct listing *listing)
{
	uint32_t cursor = 0;

	for (;;) {
		struct mdg_msgqueue_info *queue = listing_room(listing, KIND_QUEUES, sizeof *queue);
		if (queue == NULL)
			return -ENOMEM;
		queue->size = sizeof *queue;
		int rc = mdg_msgqueue_next(listing->ns, &cursor, queue);
		if (rc <= 0)
			return rc;
		listing->count[KIND_QUEUES]++;
	}
}

static struct owned owned_of(const struct mdg_msgqueue_info *queue)
{
	return (struct owned){ queue->id,  queue->key,  queue->name, queue->uid,
		               queue->gid, queue->cuid, queue->cgid, queue->mode };
}

/* -EINVAL: the queue went away between the walk and now. -EACCES: it belongs to somebody else. */
static int bearable(int rc)
{
	return rc == -EINVAL || rc == -EACCES ? 0 : rc;
}

static void count_sleeper(void *context, const struct mdg__queue_sleeper *sleeper, bool except)
{
	(void)sleeper;
	(void)except;
	++*(unsigned *)context;
}

bool count_queue_waiting(mdg_namespace *ns, mdg_id id, unsigned *ret_count)
{
	*ret_count = 0;
	const struct mdg__queue_viewer viewer = { count_sleeper, ret_count };
	return mdg__msgqueue_view(ns, id, &viewer) == 0;
}

/* ---- the table -------------------------------------------------------- */

static const char *const titles[] = { "ID",    "KEY",   "OWNER",   "MODE", "MESSAGES",
	                              "BYTES", "LIMIT", "WAITING", "USED", "AGE" };
enum { COLUMNS = sizeof titles / sizeof titles[0] };

static void fill_row(struct table *table, struct listing *listing,
                     const struct mdg_msgqueue_info *queue, int64_t now)
{
	char(*cells)[TABLE_CELL] = table->cells, room[SHOW_ROOM];
	struct owned owned = owned_of(queue);
	int64_t used = queue->stime > queue->rtime ? queue->stime : queue->rtime;
	unsigned waiting;

	fill_owned(table, &owned);
	snprintf(cells[4], TABLE_CELL, "%" PRIu64, queue->messages);
	snprintf(cells[5], TABLE_CELL, "%s", show_size(room, queue->bytes));
	snprintf(cells[6], TABLE_CELL, "%s", show_size(room, queue->bytes_max));
	if (count_queue_waiting(listing->ns, queue->id, &waiting))
		snprintf(cells[7], TABLE_CELL, "%u", waiting);
	else
		snprintf(cells[7], TABLE_CELL, "?");
	snprintf(cells[8], TABLE_CELL, "%s", used == 0 ? "never" : show_age(room, now, used));
	snprintf(cells[9], TABLE_CELL, "%s", show_age(room, now, queue->ctime));
}

static void print_wish(int64_t type, bool except)
{
	if (except)
		printf("waits for a message of another type than %" PRId64, type);
	else if (type == 0)
		printf("waits for any message");
	else if (type > 0)
		printf("waits for a message of type %" PRId64, type);
	else
		printf("waits for a message of a type up to %" PRIu64,
		       (uint64_t)0 - (uint64_t)type);
}

static void print_sleeper(void *context, const struct mdg__queue_sleeper *sleeper, bool except)
{
	char room[4 * SHOW_ROOM];

	(void)context;
	printf("        process %d  %s  ", (int)sleeper->pid,
	       show_sleeper(room, sleeper->pid, true));
	if (sleeper->sends)
		printf("waits for room for a message of %" PRIu64 " byte%s", sleeper->size,
		       sleeper->size == 1 ? "" : "s");
	else
		print_wish(sleeper->type, except);
	putchar('\n');
}

static void print_last(const struct mdg_msgqueue_info *queue)
{
	if (queue->lspid != 0)
		printf("        last sender %d\n", (int)queue->lspid);
	if (queue->lrpid != 0)
		printf("        last receiver %d\n", (int)queue->lrpid);
}

static int print_table(struct listing *listing)
{
	static const struct mdg__queue_viewer viewer = { print_sleeper, NULL };
	const struct mdg_msgqueue_info *queues = listing->objects[KIND_QUEUES];
	size_t count = listing->count[KIND_QUEUES];
	int64_t now = (int64_t)time(NULL);
	struct table table;
	int rc = 0;

	table_begin(&table, titles, COLUMNS);
	for (size_t n = 0; n < count; n++) {
		fill_row(&table, listing, &queues[n], now);
		table_measure(&table);
	}
	table_print_titles(&table);
	for (size_t n = 0; n < count && rc == 0; n++) {
		fill_row(&table, listing, &queues[n], now);
		table_print_row(&table);
		if (!listing->is_long)
			continue;
		print_last(&queues[n]);
		rc = bearable(mdg__msgqueue_view(listing->ns, queues[n].id, &viewer));
	}
	return rc;
}

/* ---- JSON ------------------------------------------------------------- */

static void json_sleeper(void *context, const struct mdg__queue_sleeper *sleeper, bool except)
{
	struct json *json = context;
	char room[SHOW_ROOM];

	json_open(json, NULL, '{');
	json_signed(json, "pid", sleeper->pid);
	json_signed(json, "thread", sleeper->tid);
	json_string(json, "command", show_command(room, sleeper->pid));
	json_bool(json, "sends", sleeper->sends);
	json_signed(json, "type", sleeper->type);
	json_bool(json, "except", except && !sleeper->sends);
	json_unsigned(json, "size", sleeper->size);
	json_close(json, '}');
}

static void json_queue(struct json *json, struct listing *listing,
                       const struct mdg_msgqueue_info *queue)
{
	struct owned owned = owned_of(queue);
	unsigned waiting;

	json_owned(json, &owned);
	json_unsigned(json, "messages", queue->messages);
	json_unsigned(json, "bytes", queue->bytes);
	json_unsigned(json, "bytes_max", queue->bytes_max);
	if (count_queue_waiting(listing->ns, queue->id, &waiting))
		json_unsigned(json, "waiting", waiting);
	else
		json_null(json, "waiting");
	json_signed(json, "send_pid", queue->lspid);
	json_signed(json, "receive_pid", queue->lrpid);
	json_signed(json, "send_time", queue->stime);
	json_signed(json, "receive_time", queue->rtime);
	json_signed(json, "change_time", queue->ctime);
}

static int print_json(struct listing *listing, struct json *json)
{
	const struct mdg_msgqueue_info *queues = listing->objects[KIND_QUEUES];
	const struct mdg__queue_viewer viewer = { json_sleeper, json };
	int rc = 0;

	json_open(json, "queues", '[');
	for (size_t n = 0; n < listing->count[KIND_QUEUES]; n++) {
		json_open(json, NULL, '{');
		json_queue(json, listing, &queues[n]);
		if (listing->is_long) {
			json_open(json, "waiters", '[');
			if (rc == 0)
				rc = bearable(
					mdg__msgqueue_view(listing->ns, queues[n].id, &viewer));
			json_close(json, ']');
		}
		json_close(json, '}');
	}
	json_close(json, ']');
	return rc;
}

const struct lister list_queues = { read_queues, print_table, print_json };
