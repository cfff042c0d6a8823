/* SPDX-License-Identifier: MIT */
/*
 * read.c - reads what a bridge says of itself: head and rows, each of one moment, each checked.
 *
 * A row that a writer was in when it was killed keeps an odd number for ever. So a reader tries a
 * few times, and then leaves that row out, or takes the head as it is.
 */
#include "status/read.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "madang/channel.h"
#include "madang/replica.h"

enum { TRIES = 100 };

/* Copies a head or a row. 1: of one moment. 0: it is being written all the time, or its writer
 * died. -1: the bytes are not there. See layout.h for R0 and R1. */
static int copy_whole(bridge_bytes *bytes, void *context, void *to, size_t size, uint64_t at,
                      size_t sequence_at)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t before, after;
		if (!bytes(context, &before, sizeof before, at + sequence_at))
			return -1;
		atomic_thread_fence(memory_order_acquire); /* R0, to W1 */
		if (!bytes(context, to, size, at))
			return -1;
		atomic_thread_fence(memory_order_acquire); /* R1, to W0 */
		if (!bytes(context, &after, sizeof after, at + sequence_at))
			return -1;
		if (before == after && before % 2 == 0)
			return 1;
		sched_yield();
	}
	return 0;
}

/* Both have room for `size` bytes; the copy ends. */
static void copy_text(char *to, const char *from, size_t size)
{
	size_t length = strnlen(from, size - 1);

	memcpy(to, from, length);
	to[length] = '\0';
}

static void take_head(struct bridge_view *view, const struct bridge_head *head)
{
	view->is_there = true;
	view->pid = head->pid;
	view->state = head->state < BRIDGE_STATES ? (enum bridge_state)head->state : BRIDGE_CUT_OFF;
	view->since = head->since;
	view->changed = head->changed;
	view->reconnects = head->reconnects;
	view->rows_left_out = head->rows_left_out;
	copy_text(view->host, head->host, sizeof view->host);
	copy_text(view->group, head->group, sizeof view->group);
	copy_text(view->url, head->url, sizeof view->url);
	copy_text(view->error, head->error, sizeof view->error);
}

/* False: an empty row, or one that cannot be. */
static bool take_row(struct bridge_view_row *ret, const struct bridge_row *row)
{
	if (row->used == 0 || row->direction >= BRIDGE_DIRECTIONS ||
	    row->state >= BRIDGE_ROW_STATES || row->channel[0] == '\0')
		return false;
	ret->kind = row->kind;
	ret->direction = (enum bridge_direction)row->direction;
	ret->state = (enum bridge_row_state)row->state;
	ret->sent = row->sent;
	ret->received = row->received;
	ret->repeats = row->repeats;
	ret->in_flight = row->in_flight;
	ret->lag = row->lag;
	ret->bytes = row->bytes;
	ret->retries = row->retries;
	ret->next = row->next;
	ret->dropped = row->dropped;
	ret->missed = row->missed;
	ret->moved = row->moved;
	copy_text(ret->channel, row->channel, sizeof ret->channel);
	copy_text(ret->error, row->error, sizeof ret->error);
	return true;
}

static int by_channel(const void *a, const void *b)
{
	const struct bridge_view_row *one = a, *other = b;
	int order = strcmp(one->channel, other->channel);

	return order != 0 ? order : (int)one->direction - (int)other->direction;
}

static int by_segment(const void *a, const void *b)
{
	const struct bridge_view_replica *one = a, *other = b;

	return strcmp(one->segment, other->segment);
}

static void read_replicas(struct bridge_view *view, bridge_bytes *bytes, void *context)
{
	struct bridge_replica_row row;

	for (uint32_t i = 0; i < BRIDGE_REPLICAS_MAX; i++) {
		struct bridge_view_replica *ret = &view->replicas[view->replica_count];
		uint64_t at = BRIDGE_REPLICAS_AT + (uint64_t)i * sizeof row;

		if (copy_whole(bytes, context, &row, sizeof row, at,
		               offsetof(struct bridge_replica_row, sequence)) <= 0 ||
		    row.used == 0 || row.state >= BRIDGE_REPLICA_STATES || row.segment[0] == '\0')
			continue;
		ret->writes = row.writes != 0;
		ret->state = (enum bridge_replica_state)row.state;
		ret->generation = row.generation;
		ret->fence = row.fence;
		ret->crossed = row.crossed;
		ret->moved = row.moved;
		copy_text(ret->segment, row.segment, sizeof ret->segment);
		copy_text(ret->error, row.error, sizeof ret->error);
		view->replica_count++;
	}
	qsort(view->replicas, view->replica_count, sizeof *view->replicas, by_segment);
}

static int check_head(const struct bridge_head *head)
{
	if (head->magic != BRIDGE_STATUS_MAGIC)
		return MDG_DAMAGED;
	if (head->version != BRIDGE_STATUS_VERSION || head->row_size != sizeof(struct bridge_row) ||
	    head->rows_max != BRIDGE_ROWS_MAX)
		return MDG_VERSION_UNLIKE;
	return 0;
}

int bridge_view_read(struct bridge_view *ret, bridge_bytes *bytes, void *context)
{
	struct bridge_head head;
	struct bridge_row row;

	memset(ret, 0, sizeof *ret);
	if (copy_whole(bytes, context, &head, sizeof head, 0,
	               offsetof(struct bridge_head, sequence)) < 0)
		return MDG_DAMAGED;
	int rc = check_head(&head);
	if (rc != 0)
		return rc;
	uint32_t rows = head.rows < BRIDGE_ROWS_MAX ? head.rows : BRIDGE_ROWS_MAX;
	ret->rows = calloc((size_t)rows + 1, sizeof *ret->rows);
	if (ret->rows == NULL)
		return -ENOMEM;
	take_head(ret, &head);
	for (uint32_t i = 0; i < rows; i++) {
		uint64_t at = BRIDGE_ROWS_AT + (uint64_t)i * sizeof row;
		if (copy_whole(bytes, context, &row, sizeof row, at,
		               offsetof(struct bridge_row, sequence)) > 0 &&
		    take_row(&ret->rows[ret->count], &row))
			ret->count++;
	}
	qsort(ret->rows, ret->count, sizeof *ret->rows, by_channel);
	read_replicas(ret, bytes, context);
	return 0;
}

void bridge_view_find_lag(struct bridge_view *view, const char *channel, uint64_t sequence)
{
	for (size_t i = 0; i < view->count; i++) {
		struct bridge_view_row *row = &view->rows[i];
		if (row->direction == BRIDGE_OUT && row->next != 0 &&
		    strcmp(row->channel, channel) == 0)
			row->lag = sequence > row->next ? sequence - row->next : 0;
	}
}

void bridge_view_find_replicas(struct bridge_view *view, mdg_namespace *ns)
{
	struct mdg_replica_info info = { .size = sizeof info };
	uint32_t cursor = 0;

	while (view->replica_count > 0 && mdg_replica_next(ns, &cursor, &info) > 0)
		for (size_t i = 0; i < view->replica_count; i++) {
			struct bridge_view_replica *replica = &view->replicas[i];
			if (strcmp(replica->segment, info.name) != 0)
				continue;
			replica->generation = info.generation;
			replica->lag = info.lag;
			replica->lag_ns = info.lag_ns;
			replica->bytes = info.bytes;
		}
}

bool bridge_view_lives(mdg_namespace *ns, mdg_id id, int32_t pid)
{
	struct mdg_process_info info = { .size = sizeof info };
	uint32_t cursor = 0;

	while (mdg_segment_next_process(ns, id, &cursor, &info) > 0)
		if (info.pid == pid)
			return true;
	return false;
}

void bridge_view_free(struct bridge_view *view)
{
	free(view->rows);
	memset(view, 0, sizeof *view);
}

/* ---- words ------------------------------------------------------------ */

const char *bridge_state_word(const struct bridge_view *view)
{
	static const char *const words[BRIDGE_STATES] = { "starting", "connected", "cut off",
		                                          "ending" };

	return view->alive ? words[view->state] : "dead";
}

const char *bridge_direction_word(enum bridge_direction direction)
{
	return direction == BRIDGE_OUT ? "out" : "in";
}

const char *bridge_row_word(enum bridge_row_state state)
{
	static const char *const words[BRIDGE_ROW_STATES] = { "idle", "moving", "held", "failed" };

	return words[state];
}

const char *bridge_role_word(const struct bridge_view_replica *replica)
{
	return replica->writes ? "writer" : "reader";
}

const char *bridge_replica_word(enum bridge_replica_state state)
{
	static const char *const words[BRIDGE_REPLICA_STATES] = { "waiting", "moving", "held",
		                                                  "deposed" };

	return words[state];
}
