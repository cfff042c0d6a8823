/* SPDX-License-Identifier: MIT */
/*
 * status_test.c - the memory in which a bridge says what it does: readers never see half of a row,
 * nothing that is read is trusted, and a dead bridge is taken over.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "madang/channel.h"
#include "status/read.h"
#include "status/status.h"
#include "support/check.h"

static unsigned char *memory; /* attached by the test */

static bool bytes_of_memory(void *context, void *to, size_t size, uint64_t offset)
{
	(void)context;
	memcpy(to, memory + offset, size);
	return true;
}

static mdg_namespace *open_ns(const char *dir)
{
	mdg_namespace *ns;

	CHECK(mdg_namespace_open(&ns, dir, NULL) == 0);
	return ns;
}

static mdg_id attach(mdg_namespace *ns)
{
	mdg_id id;
	void *at;

	CHECK(mdg_segment_open(ns, BRIDGE_STATUS_SEGMENT, 0, 0, &id) == 0);
	CHECK(mdg_segment_attach(ns, id, NULL, 0, &at) == 0);
	memory = at;
	return id;
}

static struct status *begin(mdg_namespace *ns)
{
	struct status *status;

	CHECK(status_open(&status, ns, "here", "default") == 0);
	return status;
}

/* ---- whole ---------------------------------------------------------------- */

static atomic_bool ended;

static void *churn(void *row)
{
	for (uint64_t i = 1; !ended; i++) {
		struct bridge_row *figures = status_write(row);
		figures->sent = i;
		figures->received = figures->repeats = figures->in_flight = i;
		figures->lag = figures->bytes = figures->retries = i;
		figures->dropped = figures->missed = i;
		memset(figures->error, (int)('a' + i % 26), sizeof figures->error - 1);
		status_written(row);
	}
	return NULL;
}

static bool is_whole(const struct bridge_view_row *row)
{
	uint64_t i = row->sent;
	int letter = i == 0 ? 0 : 'a' + (int)(i % 26);

	return row->received == i && row->repeats == i && row->in_flight == i && row->lag == i &&
	       row->bytes == i && row->retries == i && row->dropped == i && row->missed == i &&
	       row->error[0] == letter && row->error[BRIDGE_ERROR_ROOM / 2] == letter;
}

static void never_half(mdg_namespace *ns)
{
	struct status *status = begin(ns);
	struct status_row *row = status_row_add(status, "news", MDG_TOPIC, BRIDGE_OUT);
	struct bridge_view view;
	pthread_t thread;
	unsigned seen = 0, different = 0;
	uint64_t last = 0;

	(void)attach(ns);
	CHECK(pthread_create(&thread, NULL, churn, row) == 0);
	while (different < 200) {
		CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == 0);
		for (size_t i = 0; i < view.count; i++) {
			CHECK(is_whole(&view.rows[i]));
			different += view.rows[i].sent != last;
			last = view.rows[i].sent;
			seen++;
		}
		bridge_view_free(&view);
		if (different % 8 == 0)
			usleep(100);
	}
	ended = true;
	CHECK(pthread_join(thread, NULL) == 0 && seen >= different);
	status_row_drop(row);
	CHECK(mdg_segment_detach(ns, memory) == 0);
	status_close(status);
	mdg_id id;
	CHECK(mdg_segment_open(ns, BRIDGE_STATUS_SEGMENT, 0, 0, &id) == -ENOENT);
}

/* ---- rows ------------------------------------------------------------------- */

static void rows(mdg_namespace *ns)
{
	struct status *status = begin(ns);
	static struct status_row *list[BRIDGE_ROWS_MAX + 2];
	struct bridge_view view;
	char name[16];

	(void)attach(ns);
	for (int i = 0; i < BRIDGE_ROWS_MAX + 2; i++) {
		snprintf(name, sizeof name, "c%05d", i / 2);
		list[i] = status_row_add(status, name, MDG_STREAM,
		                         i % 2 == 0 ? BRIDGE_IN : BRIDGE_OUT);
		CHECK(list[i] != NULL);
		struct bridge_row *figures = status_write(list[i]);
		figures->sent = (uint64_t)i;
		status_written(list[i]);
	}
	CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == 0);
	CHECK(view.count == BRIDGE_ROWS_MAX && view.rows_left_out == 2);
	CHECK(view.rows[0].direction == BRIDGE_OUT && view.rows[0].sent == 1);
	CHECK(view.rows[1].direction == BRIDGE_IN && view.rows[1].sent == 0);
	bridge_view_free(&view);
	for (int i = 0; i < BRIDGE_ROWS_MAX + 2; i += 2)
		status_row_drop(list[i]);
	CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == 0);
	CHECK(view.count == BRIDGE_ROWS_MAX / 2 && view.rows_left_out == 1);
	bridge_view_free(&view);
	/* A place that is used again begins with zeros. */
	struct status_row *again = status_row_add(status, "a", MDG_QUEUE, BRIDGE_IN);
	CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == 0);
	CHECK(strcmp(view.rows[0].channel, "a") == 0 && view.rows[0].sent == 0);
	CHECK(view.rows[0].kind == MDG_QUEUE && view.rows[0].moved == 0);
	bridge_view_free(&view);
	status_row_drop(again);
	for (int i = 1; i < BRIDGE_ROWS_MAX + 2; i += 2)
		status_row_drop(list[i]);
	CHECK(mdg_segment_detach(ns, memory) == 0);
	status_close(status);
}

/* ---- trust --------------------------------------------------------------------- */

static uint64_t random_state = 1;
static unsigned random_byte(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 56);
}

/* All that a reader shows ends, and has a word. */
static void check_view(const struct bridge_view *view)
{
	CHECK(memchr(view->host, 0, sizeof view->host) != NULL);
	CHECK(memchr(view->error, 0, sizeof view->error) != NULL);
	CHECK(bridge_state_word(view) != NULL && view->count <= BRIDGE_ROWS_MAX);
	for (size_t i = 0; i < view->count; i++) {
		CHECK(memchr(view->rows[i].channel, 0, BRIDGE_WORD_ROOM) != NULL);
		CHECK(memchr(view->rows[i].error, 0, BRIDGE_ERROR_ROOM) != NULL);
		CHECK(bridge_row_word(view->rows[i].state) != NULL);
	}
}

static void damage(mdg_namespace *ns)
{
	static _Alignas(64) unsigned char whole[BRIDGE_STATUS_BYTES];
	struct status *status = begin(ns);
	struct status_row *row = status_row_add(status, "news", MDG_TOPIC, BRIDGE_OUT);
	struct bridge_view view;

	(void)attach(ns);
	memcpy(whole, memory, sizeof whole);
	memory = whole; /* a copy, so that the lock is not harmed */
	struct bridge_head *head = (struct bridge_head *)(void *)whole;
	for (int i = 0; i < 3000; i++) {
		unsigned char saved[2048];
		memcpy(saved, whole, sizeof saved);
		for (int j = 0; j < 8; j++)
			whole[24 + (random_byte() << 3 | random_byte() >> 5) % 2000] =
				(unsigned char)random_byte();
		view.alive = i % 2;
		CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == 0);
		view.alive = i % 2;
		check_view(&view);
		bridge_view_free(&view);
		memcpy(whole, saved, sizeof saved);
	}
	/* Its writer has died in the middle of a row, which is left out, and of the head, which
	 * is shown. */
	((struct bridge_row *)(void *)(whole + BRIDGE_ROWS_AT))->sequence |= 1;
	head->sequence |= 1;
	CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == 0 && view.count == 0);
	CHECK(view.is_there && strcmp(view.host, "here") == 0);
	bridge_view_free(&view);
	head->version++;
	CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == MDG_VERSION_UNLIKE);
	bridge_view_free(&view);
	head->magic++;
	CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == MDG_DAMAGED);
	bridge_view_free(&view);
	status_row_drop(row);
	status_close(status);
}

/* ---- replicated segments ------------------------------------------------------------ */

static void replicas(mdg_namespace *ns)
{
	static unsigned char whole[BRIDGE_STATUS_BYTES], saved[sizeof(struct bridge_replica_row)];
	struct status *status = begin(ns);
	struct status_replica *list[BRIDGE_REPLICAS_MAX];
	struct bridge_view view;
	char name[16];

	(void)attach(ns);
	for (int i = 0; i < BRIDGE_REPLICAS_MAX; i++) {
		snprintf(name, sizeof name, "s%05d", BRIDGE_REPLICAS_MAX - 1 - i);
		list[i] = status_replica_add(status, name, i % 2 == 0);
		CHECK(list[i] != NULL);
	}
	CHECK(status_replica_add(status, "more", false) == NULL);
	struct bridge_replica_row *row = status_replica_write(list[0]);
	row->generation = row->crossed = 7;
	row->state = BRIDGE_REPLICA_HELD;
	status_replica_written(list[0]);
	CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == 0);
	CHECK(view.replica_count == BRIDGE_REPLICAS_MAX);
	const struct bridge_view_replica *last = &view.replicas[BRIDGE_REPLICAS_MAX - 1];
	CHECK(last->writes && last->generation == 7 && last->moved > 0);
	CHECK(strcmp(bridge_replica_word(last->state), "held") == 0);
	CHECK(strcmp(view.replicas[0].segment, "s00000") == 0 && !view.replicas[0].writes);
	bridge_view_free(&view);

	memcpy(whole, memory, sizeof whole);
	CHECK(mdg_segment_detach(ns, memory) == 0);
	memory = whole;
	for (int i = 0; i < 3000; i++) {
		unsigned char *first = whole + BRIDGE_REPLICAS_AT;
		memcpy(saved, first, sizeof saved);
		for (int j = 0; j < 8; j++)
			first[(random_byte() << 8 | random_byte()) % sizeof saved] =
				(unsigned char)random_byte();
		CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == 0);
		for (size_t j = 0; j < view.replica_count; j++) {
			CHECK(memchr(view.replicas[j].segment, 0, BRIDGE_WORD_ROOM) != NULL);
			CHECK(memchr(view.replicas[j].error, 0, BRIDGE_ERROR_ROOM) != NULL);
			CHECK(bridge_replica_word(view.replicas[j].state) != NULL);
		}
		bridge_view_free(&view);
		memcpy(first, saved, sizeof saved);
	}
	for (int i = 0; i < BRIDGE_REPLICAS_MAX; i++)
		status_replica_drop(list[i]);
	status_close(status);
}

/* ---- death ------------------------------------------------------------------------ */

static pid_t start_bridge(const char *dir)
{
	int said[2];
	char byte;

	CHECK(pipe(said) == 0);
	pid_t child = fork();
	if (child == 0) {
		mdg_namespace *ns = open_ns(dir);
		struct status *status = begin(ns);
		struct status_row *row = status_row_add(status, "news", MDG_TOPIC, BRIDGE_OUT);
		(void)status_write(row); /* and never written */
		(void)status_replica_write(status_replica_add(status, "segment", true));
		(void)!write(said[1], "r", 1);
		for (;;)
			pause();
	}
	CHECK(child > 0 && read(said[0], &byte, 1) == 1);
	(void)close(said[0]);
	(void)close(said[1]);
	return child;
}

static void death(const char *dir)
{
	pid_t child = start_bridge(dir);
	mdg_namespace *ns = open_ns(dir);
	struct status *status = NULL;
	struct bridge_view view;

	CHECK(status_open(&status, ns, "here", "default") == -EBUSY && status == NULL);
	mdg_id id = attach(ns);
	CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == 0 && view.pid == child);
	CHECK(bridge_view_lives(ns, id, view.pid));
	bridge_view_free(&view);
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == 0 && view.pid == child);
	CHECK(!bridge_view_lives(ns, id, view.pid));
	CHECK(strcmp(bridge_state_word(&view), "dead") == 0);
	bridge_view_free(&view);
	/* The next one takes it over, and begins with an empty table. */
	status = begin(ns);
	struct status_row *row = status_row_add(status, "other", MDG_TOPIC, BRIDGE_IN);
	CHECK(bridge_view_read(&view, bytes_of_memory, NULL) == 0 && view.pid == getpid());
	CHECK(view.count == 1 && strcmp(view.rows[0].channel, "other") == 0);
	CHECK(view.replica_count == 0);
	bridge_view_free(&view);
	status_row_drop(row);
	CHECK(mdg_segment_detach(ns, memory) == 0);
	status_close(status);
	mdg_namespace_close(ns);
}

/* What another version left, or somebody made by that name. */
static void unlike(mdg_namespace *ns)
{
	struct status *status = NULL;
	mdg_id id;
	void *at;

	CHECK(mdg_segment_create(ns, BRIDGE_STATUS_SEGMENT, 100, 0600, 0, &id) == 0);
	CHECK(mdg_segment_attach(ns, id, NULL, 0, &at) == 0);
	CHECK(status_open(&status, ns, "here", "default") == MDG_UNLIKE_TYPE);
	CHECK(mdg_segment_detach(ns, at) == 0);
	status_close(begin(ns));
}

int main(void)
{
	mdg_namespace *ns = open_ns(NULL);
	never_half(ns);
	rows(ns);
	damage(ns);
	replicas(ns);
	unlike(ns);
	mdg_namespace_close(ns);
	death(NULL);
	return test_result();
}
