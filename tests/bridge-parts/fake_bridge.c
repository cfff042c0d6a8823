/* SPDX-License-Identifier: MIT */
/*
 * fake_bridge.c - says what a bridge would say, and has no server. For tests of those who look.
 *
 *     fake_bridge DIR      "ready" on standard output; then it does what its input says:
 *         row NAME KIND out|in STATE SENT INFLIGHT LAG REPEATS [ERROR...]
 *         loss NAME out|in DROPPED MISSED
 *         replica NAME writer|reader STATE GENERATION FENCE [ERROR...]
 *         drop NAME out|in         link STATE RECONNECTS URL [ERROR...]
 *         half                     stops in the middle of writing the last row
 *         churn N                  writes the last row N times
 *     The end of its input: it ends in order. What it did not understand: exit 1.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status/status.h"

enum { ROWS = 1000 };
static struct {
	struct status_row *row;
	char name[BRIDGE_WORD_ROOM];
	int direction;
} rows[ROWS];
static int count;
static struct status *status;

static int find(const char *name, int direction)
{
	for (int i = 0; i < count; i++)
		if (rows[i].row != NULL && strcmp(rows[i].name, name) == 0 &&
		    rows[i].direction == direction)
			return i;
	return -1;
}

static int do_row(const char *line)
{
	unsigned long long sent, in_flight, lag, repeats;
	char name[BRIDGE_WORD_ROOM], direction[8], error[BRIDGE_ERROR_ROOM] = "";
	unsigned kind, state;

	if (sscanf(line, "row %63s %u %7s %u %llu %llu %llu %llu %159[^\n]", name, &kind, direction,
	           &state, &sent, &in_flight, &lag, &repeats, error) < 8)
		return 1;
	int way = strcmp(direction, "in") == 0;
	int at = find(name, way);
	if (at < 0) {
		if (count == ROWS)
			return 1;
		at = count++;
		rows[at].row = status_row_add(status, name, kind, (enum bridge_direction)way);
		rows[at].direction = way;
		strcpy(rows[at].name, name);
	}
	if (rows[at].row == NULL)
		return 1;
	struct bridge_row *figures = status_write(rows[at].row);
	*(way ? &figures->received : &figures->sent) = sent;
	figures->bytes = 100 * sent;
	figures->in_flight = in_flight;
	figures->lag = lag;
	figures->repeats = repeats;
	status_written(rows[at].row);
	status_row_state(rows[at].row, (enum bridge_row_state)state, error);
	return 0;
}

static int do_loss(const char *line)
{
	unsigned long long dropped, missed;
	char name[BRIDGE_WORD_ROOM], direction[8];

	if (sscanf(line, "loss %63s %7s %llu %llu", name, direction, &dropped, &missed) != 4)
		return 1;
	int at = find(name, strcmp(direction, "in") == 0);
	if (at < 0)
		return 1;
	struct bridge_row *figures = status_write(rows[at].row);
	figures->dropped = dropped;
	figures->missed = missed;
	status_written(rows[at].row);
	return 0;
}

static int do_replica(const char *line)
{
	static struct status_replica *replica; /* one is enough */
	unsigned long long generation, fence;
	char name[BRIDGE_WORD_ROOM], role[8], error[BRIDGE_ERROR_ROOM] = "";
	unsigned state;

	if (sscanf(line, "replica %63s %7s %u %llu %llu %159[^\n]", name, role, &state, &generation,
	           &fence, error) < 5)
		return 1;
	status_replica_drop(replica);
	replica = status_replica_add(status, name, strcmp(role, "writer") == 0);
	if (replica == NULL)
		return 1;
	struct bridge_replica_row *row = status_replica_write(replica);
	row->state = state;
	row->generation = row->crossed = generation;
	row->fence = fence;
	snprintf(row->error, sizeof row->error, "%s", error);
	status_replica_written(replica);
	return 0;
}

static int do_drop(const char *line)
{
	char name[BRIDGE_WORD_ROOM], direction[8];

	if (sscanf(line, "drop %63s %7s", name, direction) != 2)
		return 1;
	int at = find(name, strcmp(direction, "in") == 0);
	if (at < 0)
		return 1;
	status_row_drop(rows[at].row);
	rows[at].row = NULL;
	return 0;
}

static int do_link(const char *line)
{
	char url[BRIDGE_URL_ROOM], error[BRIDGE_ERROR_ROOM] = "";
	unsigned long long reconnects;
	unsigned state;

	if (sscanf(line, "link %u %llu %255s %159[^\n]", &state, &reconnects, url, error) < 3)
		return 1;
	status_link(status, (enum bridge_state)state, url, reconnects, error);
	return 0;
}

/* All figures of a copy have the same value, or it is half one and half the other. */
static int do_churn(const char *line)
{
	unsigned long long times;

	if (count == 0 || rows[count - 1].row == NULL || sscanf(line, "churn %llu", &times) != 1)
		return 1;
	for (uint64_t i = 1; i <= times; i++) {
		struct bridge_row *figures = status_write(rows[count - 1].row);
		figures->sent = figures->in_flight = figures->lag = figures->repeats = i;
		figures->dropped = figures->missed = i;
		status_written(rows[count - 1].row);
	}
	return 0;
}

static int act(const char *line)
{
	if (strncmp(line, "row ", 4) == 0)
		return do_row(line);
	if (strncmp(line, "drop ", 5) == 0)
		return do_drop(line);
	if (strncmp(line, "loss ", 5) == 0)
		return do_loss(line);
	if (strncmp(line, "replica ", 8) == 0)
		return do_replica(line);
	if (strncmp(line, "link ", 5) == 0)
		return do_link(line);
	if (strncmp(line, "churn ", 6) == 0)
		return do_churn(line);
	if (strcmp(line, "half\n") != 0 || count == 0 || rows[count - 1].row == NULL)
		return 1;
	(void)status_write(rows[count - 1].row);
	return 0;
}

int main(int argc, char **argv)
{
	char line[1024];
	mdg_namespace *ns;

	if (argc != 2 || mdg_namespace_open(&ns, argv[1], NULL) != 0)
		return 2;
	int rc = status_open(&status, ns, "here", "a group");
	if (rc != 0) {
		printf("refused: %s\n", rc == -EBUSY ? "another bridge" : mdg_strerror(rc));
		return 4;
	}
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin) != NULL) {
		if (act(line) != 0) {
			fprintf(stderr, "what is '%s'?\n", line);
			return 1;
		}
		puts("done");
		fflush(stdout);
	}
	status_close(status);
	mdg_namespace_close(ns);
	return 0;
}
