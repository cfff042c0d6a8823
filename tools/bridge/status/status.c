/* SPDX-License-Identifier: MIT */
/*
 * status.c - what this bridge does, written into the segment that others read.
 */
#include "status/status.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct status {
	mdg_namespace *ns;
	mdg_id id;
	struct bridge_head *head;
	struct bridge_row *rows;
	struct bridge_replica_row *replicas;
	pthread_mutex_t mutex; /* of the head, and of which rows are taken */
};

struct status_replica {
	struct status *status;
	struct bridge_replica_row *row;
	uint64_t crossed; /* at the last status_replica_written */
};

struct status_row {
	struct status *status;
	struct bridge_row *row; /* in the segment; or `unseen` */
	uint64_t moved;         /* sent and received, at the last status_written */
	struct bridge_row unseen;
};

/* ---- never half: W0 and W1 of layout.h --------------------------------- */

static void write_begin(uint32_t *sequence)
{
	_Atomic uint32_t *number = (_Atomic uint32_t *)sequence;

	/* A writer that died may have left it odd. */
	atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) | 1u,
	                      memory_order_relaxed);
	atomic_thread_fence(memory_order_release); /* W0, to R1 */
}

static void write_end(uint32_t *sequence)
{
	_Atomic uint32_t *number = (_Atomic uint32_t *)sequence;

	/* W1, to R0 */
	atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + 1,
	                      memory_order_release);
}

/* What fits of a text; nothing changes if it is NULL. The last byte stays NUL. */
static void put_text(char *to, size_t size, const char *text)
{
	if (text == NULL)
		return;
	size_t length = strnlen(text, size - 1);
	memcpy(to, text, length);
	memset(to + length, 0, size - length);
}

/* ---- the segment ------------------------------------------------------- */

/* The mutex is ours after this, and the segment is the one that others find. */
static int lock_it(struct status *status)
{
	struct mdg_segment_info info = { .size = sizeof info };
	int rc = mdg_mutex_trylock(&status->head->lock);

	if (rc == MDG_OWNER_DIED)
		rc = mdg_mutex_set_repaired(&status->head->lock);
	if (rc != 0)
		return rc;
	rc = mdg_segment_stat(status->ns, status->id, MDG_STAT_ANY, &info);
	/* Its bridge ended in order after we had found it. */
	if (rc == 0 && (info.mode & MDG_MODE_REMOVED))
		rc = -EIDRM;
	if (rc != 0)
		mdg_mutex_unlock(&status->head->lock);
	return rc;
}

static bool is_ours(const struct bridge_head *head)
{
	bool is_new = head->version == 0; /* or its bridge is filling it, and holds the lock */

	return (head->magic == 0 && is_new) || (head->magic == BRIDGE_STATUS_MAGIC &&
	                                        (is_new || head->version == BRIDGE_STATUS_VERSION));
}

/* 0, -EAGAIN: it is gone, try again; or a code. */
static int take_it(struct status *status)
{
	void *memory;
	int rc = mdg_segment_attach(status->ns, status->id, NULL, 0, &memory);

	if (rc != 0)
		return rc == -EINVAL || rc == -EIDRM ? -EAGAIN : rc;
	status->head = memory;
	status->rows = (struct bridge_row *)(void *)((char *)memory + BRIDGE_ROWS_AT);
	status->replicas =
		(struct bridge_replica_row *)(void *)((char *)memory + BRIDGE_REPLICAS_AT);
	rc = is_ours(status->head) ? lock_it(status) : MDG_UNLIKE_TYPE;
	if (rc == 0)
		return 0;
	(void)mdg_segment_detach(status->ns, memory);
	return rc == -EIDRM || rc == -EINVAL ? -EAGAIN : rc;
}

/* Removes one of that name that nobody uses: what another version has left. -EAGAIN: it is gone. */
static int remove_unlike(mdg_namespace *ns)
{
	struct mdg_process_info process = { .size = sizeof process };
	uint32_t cursor = 0;
	mdg_id id;

	if (mdg_segment_open(ns, BRIDGE_STATUS_SEGMENT, 0, 0, &id) != 0)
		return -EAGAIN;
	if (mdg_segment_next_process(ns, id, &cursor, &process) != 0)
		return MDG_UNLIKE_TYPE;
	int rc = mdg_segment_remove(ns, id);
	return rc == 0 || rc == -EINVAL ? -EAGAIN : rc;
}

static int find_it(struct status *status)
{
	int rc = -EAGAIN;

	for (int i = 0; i < 100 && rc == -EAGAIN; i++) {
		rc = mdg_segment_create(status->ns, BRIDGE_STATUS_SEGMENT, BRIDGE_STATUS_BYTES,
		                        0644, MDG_OR_OPEN, &status->id);
		if (rc == 0)
			rc = take_it(status);
		/* -EINVAL: it is smaller. */
		if (rc == -EINVAL || rc == MDG_UNLIKE_TYPE || rc == MDG_BROKEN)
			rc = remove_unlike(status->ns);
	}
	return rc;
}

/* All but the mutex, which lies at the end, and the number. */
static void fill_head(struct bridge_head *head, const char *host, const char *group)
{
	write_begin(&head->sequence);
	head->magic = BRIDGE_STATUS_MAGIC;
	head->version = BRIDGE_STATUS_VERSION;
	head->row_size = sizeof(struct bridge_row);
	head->rows_max = BRIDGE_ROWS_MAX;
	head->pid = (int32_t)getpid();
	head->state = BRIDGE_STARTING;
	head->rows = head->rows_left_out = 0;
	head->since = head->changed = (int64_t)time(NULL);
	head->reconnects = 0;
	put_text(head->host, sizeof head->host, host);
	put_text(head->group, sizeof head->group, group);
	put_text(head->url, sizeof head->url, "");
	put_text(head->error, sizeof head->error, "");
	write_end(&head->sequence);
}

static void replica_set_used(struct bridge_replica_row *row, uint32_t used)
{
	write_begin(&row->sequence);
	memset((char *)row + sizeof row->sequence, 0, sizeof *row - sizeof row->sequence);
	row->used = used;
	write_end(&row->sequence);
}

int status_open(struct status **ret, mdg_namespace *ns, const char *host, const char *group)
{
	struct status *status = calloc(1, sizeof *status);

	if (status == NULL)
		return -ENOMEM;
	status->ns = ns;
	int rc = find_it(status);
	if (rc != 0) {
		free(status);
		return rc;
	}
	pthread_mutex_init(&status->mutex, NULL);
	for (size_t i = 0; i < BRIDGE_REPLICAS_MAX; i++) /* a dead bridge's */
		replica_set_used(&status->replicas[i], 0);
	fill_head(status->head, host, group);
	*ret = status;
	return 0;
}

void status_close(struct status *status)
{
	if (status == NULL)
		return;
	(void)mdg_segment_remove(status->ns, status->id);
	(void)mdg_mutex_unlock(&status->head->lock);
	(void)mdg_segment_detach(status->ns, status->head);
	pthread_mutex_destroy(&status->mutex);
	free(status);
}

void status_link(struct status *status, enum bridge_state state, const char *url,
                 uint64_t reconnects, const char *error)
{
	struct bridge_head *head = status->head;

	pthread_mutex_lock(&status->mutex);
	write_begin(&head->sequence);
	if (head->state != (uint32_t)state)
		head->changed = (int64_t)time(NULL);
	head->state = (uint32_t)state;
	head->reconnects = reconnects;
	put_text(head->url, sizeof head->url, url);
	put_text(head->error, sizeof head->error, error);
	write_end(&head->sequence);
	pthread_mutex_unlock(&status->mutex);
}

/* ---- rows --------------------------------------------------------------- */

/* A place for a row, with the mutex held; NULL: the table is full. */
static struct bridge_row *place_for(struct status *status)
{
	struct bridge_head *head = status->head;
	uint32_t place = 0;

	while (place < head->rows && status->rows[place].used != 0)
		place++;
	if (place < BRIDGE_ROWS_MAX && place < head->rows)
		return &status->rows[place];
	write_begin(&head->sequence);
	if (place < BRIDGE_ROWS_MAX)
		head->rows = place + 1;
	else
		head->rows_left_out++;
	write_end(&head->sequence);
	return place < BRIDGE_ROWS_MAX ? &status->rows[place] : NULL;
}

struct status_row *status_row_add(struct status *status, const char *channel, uint32_t kind,
                                  enum bridge_direction direction)
{
	struct status_row *handle = calloc(1, sizeof *handle);

	if (handle == NULL)
		return NULL;
	handle->status = status;
	pthread_mutex_lock(&status->mutex);
	handle->row = place_for(status);
	if (handle->row == NULL)
		handle->row = &handle->unseen;
	struct bridge_row *row = handle->row;
	write_begin(&row->sequence);
	/* All that lies behind the number. */
	memset((char *)row + sizeof row->sequence, 0, sizeof *row - sizeof row->sequence);
	row->used = 1;
	row->kind = kind;
	row->direction = (uint32_t)direction;
	put_text(row->channel, sizeof row->channel, channel);
	write_end(&row->sequence);
	pthread_mutex_unlock(&status->mutex);
	return handle;
}

void status_row_drop(struct status_row *row)
{
	if (row == NULL)
		return;
	struct status *status = row->status;
	pthread_mutex_lock(&status->mutex);
	write_begin(&row->row->sequence);
	row->row->used = 0;
	write_end(&row->row->sequence);
	if (row->row == &row->unseen) {
		write_begin(&status->head->sequence);
		status->head->rows_left_out--;
		write_end(&status->head->sequence);
	}
	pthread_mutex_unlock(&status->mutex);
	free(row);
}

struct bridge_row *status_write(struct status_row *row)
{
	write_begin(&row->row->sequence);
	return row->row;
}

void status_written(struct status_row *row)
{
	uint64_t moved = row->row->sent + row->row->received;

	if (moved != row->moved)
		row->row->moved = (int64_t)time(NULL);
	row->moved = moved;
	write_end(&row->row->sequence);
}

void status_row_state(struct status_row *row, enum bridge_row_state state, const char *error)
{
	struct bridge_row *figures = status_write(row);

	figures->state = (uint32_t)state;
	put_text(figures->error, sizeof figures->error, error);
	status_written(row);
}

/* ---- replicated segments ------------------------------------------------ */

static struct bridge_replica_row *replica_place(struct status *status)
{
	for (size_t i = 0; i < BRIDGE_REPLICAS_MAX; i++)
		if (status->replicas[i].used == 0)
			return &status->replicas[i];
	return NULL; /* there are no more segments in the options */
}

struct status_replica *status_replica_add(struct status *status, const char *segment, bool writes)
{
	struct status_replica *handle = calloc(1, sizeof *handle);

	if (handle == NULL)
		return NULL;
	handle->status = status;
	pthread_mutex_lock(&status->mutex);
	handle->row = replica_place(status);
	if (handle->row != NULL)
		replica_set_used(handle->row, 1);
	pthread_mutex_unlock(&status->mutex);
	if (handle->row == NULL) {
		free(handle);
		return NULL;
	}
	struct bridge_replica_row *row = status_replica_write(handle);
	row->writes = writes;
	put_text(row->segment, sizeof row->segment, segment);
	status_replica_written(handle);
	return handle;
}

void status_replica_drop(struct status_replica *row)
{
	if (row == NULL)
		return;
	pthread_mutex_lock(&row->status->mutex);
	replica_set_used(row->row, 0);
	pthread_mutex_unlock(&row->status->mutex);
	free(row);
}

struct bridge_replica_row *status_replica_write(struct status_replica *row)
{
	write_begin(&row->row->sequence);
	return row->row;
}

void status_replica_written(struct status_replica *row)
{
	if (row->row->crossed != row->crossed)
		row->row->moved = (int64_t)time(NULL);
	row->crossed = row->row->crossed;
	write_end(&row->row->sequence);
}
