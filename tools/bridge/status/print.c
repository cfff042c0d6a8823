/* SPDX-License-Identifier: MIT */
/*
 * print.c - madang-bridge --status: what the bridge of a namespace does, as text or as JSON.
 */
#include "status/print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "madang/channel.h"
#include "status/json.h"
#include "status/words.h"

struct looked {
	char path[1024];
	bool is_there; /* the namespace */
	struct bridge_view view;
};

/* ---- reading ---------------------------------------------------------- */

static bool bytes_of_memory(void *context, void *to, size_t size, uint64_t offset)
{
	if (offset > BRIDGE_STATUS_BYTES || size > BRIDGE_STATUS_BYTES - offset)
		return false;
	memcpy(to, (const char *)context + offset, size);
	return true;
}

static void find_lags(mdg_namespace *ns, struct bridge_view *view)
{
	struct mdg_channel_info info = { .size = sizeof info };
	uint32_t cursor = 0;

	while (mdg_channel_next(ns, &cursor, &info) > 0)
		bridge_view_find_lag(view, info.name, info.sequence);
}

static int read_segment(mdg_namespace *ns, struct bridge_view *view)
{
	void *memory;
	mdg_id id;
	int rc = mdg_segment_open(ns, BRIDGE_STATUS_SEGMENT, BRIDGE_STATUS_BYTES, 0400, &id);

	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	rc = mdg_segment_attach(ns, id, NULL, MDG_RDONLY, &memory);
	if (rc != 0) /* -EINVAL: it has ended in this moment */
		return rc == -EINVAL || rc == -EIDRM ? 0 : rc;
	rc = bridge_view_read(view, bytes_of_memory, memory);
	if (rc == 0)
		view->alive = bridge_view_lives(ns, id, view->pid);
	(void)mdg_segment_detach(ns, memory);
	if (rc == 0) {
		find_lags(ns, view);
		bridge_view_find_replicas(view, ns);
	}
	return rc == MDG_DAMAGED ? 0 : rc; /* then it is somebody's own segment */
}

static int look(const char *dir, struct looked *ret)
{
	struct mdg_namespace_options options = { .size = sizeof options, .flags = MDG_NS_EXISTING };
	mdg_namespace *ns;

	memset(ret, 0, sizeof *ret);
	if (dir != NULL)
		snprintf(ret->path, sizeof ret->path, "%s", dir);
	else if (mdg_namespace_default_path(ret->path, sizeof ret->path) != 0)
		return -ENAMETOOLONG;
	int rc = mdg_namespace_open(&ns, dir, &options);
	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	ret->is_there = true;
	rc = read_segment(ns, &ret->view);
	mdg_namespace_close(ns);
	return rc;
}

/* ---- text -------------------------------------------------------------- */

enum { COLUMNS = 9 };
static const char *const titles[COLUMNS] = { "CHANNEL",   "KIND", "DIRECTION", "STATE", "CROSSED",
	                                     "IN FLIGHT", "LAG",  "REPEATS",   "LAST" };

static void fill_row(char cells[COLUMNS][TABLE_CELL], const struct bridge_view_row *row,
                     int64_t now)
{
	char name[4 * BRIDGE_WORD_ROOM], age[SHOW_ROOM];

	snprintf(cells[0], TABLE_CELL, "\"%s\"", show_text(name, sizeof name, row->channel));
	snprintf(cells[1], TABLE_CELL, "%s", channel_kind_name(row->kind));
	snprintf(cells[2], TABLE_CELL, "%s", bridge_direction_word(row->direction));
	snprintf(cells[3], TABLE_CELL, "%s", bridge_row_word(row->state));
	snprintf(cells[4], TABLE_CELL, "%" PRIu64, row->sent + row->received);
	snprintf(cells[5], TABLE_CELL, "%" PRIu64, row->in_flight);
	snprintf(cells[6], TABLE_CELL, "%" PRIu64, row->lag);
	snprintf(cells[7], TABLE_CELL, "%" PRIu64, row->repeats);
	snprintf(cells[8], TABLE_CELL, "%s", row->moved > 0 ? show_age(age, now, row->moved) : "-");
}

static void print_rows(const struct bridge_view *view, int64_t now)
{
	struct table table;
	char error[4 * BRIDGE_ERROR_ROOM];

	table_begin(&table, titles, COLUMNS);
	for (size_t i = 0; i < view->count; i++) {
		fill_row(table.cells, &view->rows[i], now);
		table_measure(&table);
	}
	table_print_titles(&table);
	for (size_t i = 0; i < view->count; i++) {
		const struct bridge_view_row *row = &view->rows[i];
		fill_row(table.cells, row, now);
		table_print_row(&table);
		if (row->dropped > 0)
			printf("        %" PRIu64 " dropped: too large; see the log\n",
			       row->dropped);
		if (row->missed > 0)
			printf("        %" PRIu64 " packs missed: the server had them no more\n",
			       row->missed);
		if (row->error[0] != '\0')
			printf("        %s\n", show_text(error, sizeof error, row->error));
	}
	if (view->rows_left_out > 0)
		printf("and %" PRIu32 " that are not shown\n", view->rows_left_out);
}

enum { REPLICA_COLUMNS = 8 };
static const char *const replica_titles[REPLICA_COLUMNS] = { "SEGMENT",    "ROLE", "STATE",
	                                                     "GENERATION", "LAG",  "LAG-TIME",
	                                                     "FENCE",      "LAST" };

static void fill_replica(char cells[][TABLE_CELL], const struct bridge_view_replica *replica,
                         int64_t now)
{
	char name[4 * BRIDGE_WORD_ROOM], age[SHOW_ROOM];

	snprintf(cells[0], TABLE_CELL, "\"%s\"", show_text(name, sizeof name, replica->segment));
	snprintf(cells[1], TABLE_CELL, "%s", bridge_role_word(replica));
	snprintf(cells[2], TABLE_CELL, "%s", bridge_replica_word(replica->state));
	snprintf(cells[3], TABLE_CELL, "%" PRIu64, replica->generation);
	snprintf(cells[4], TABLE_CELL, "%" PRIu64, replica->lag);
	snprintf(cells[5], TABLE_CELL, "-");
	if (replica->lag_ns > 0)
		snprintf(cells[5], TABLE_CELL, "%.3fs", (double)replica->lag_ns / 1e9);
	snprintf(cells[6], TABLE_CELL, "%" PRIu64, replica->fence);
	snprintf(cells[7], TABLE_CELL, "%s",
	         replica->moved > 0 ? show_age(age, now, replica->moved) : "-");
}

static void print_replicas(const struct bridge_view *view, int64_t now)
{
	struct table table;
	char error[4 * BRIDGE_ERROR_ROOM];

	table_begin(&table, replica_titles, REPLICA_COLUMNS);
	for (size_t i = 0; i < view->replica_count; i++) {
		fill_replica(table.cells, &view->replicas[i], now);
		table_measure(&table);
	}
	table_print_titles(&table);
	for (size_t i = 0; i < view->replica_count; i++) {
		fill_replica(table.cells, &view->replicas[i], now);
		table_print_row(&table);
		if (view->replicas[i].error[0] != '\0')
			printf("        %s\n",
			       show_text(error, sizeof error, view->replicas[i].error));
	}
}

static void print_text(const struct bridge_view *view)
{
	int64_t now = (int64_t)time(NULL);
	char line[BRIDGE_LINE_ROOM], host[4 * BRIDGE_WORD_ROOM], group[4 * BRIDGE_WORD_ROOM];
	char age[SHOW_ROOM];

	printf("%s\n", bridge_link_text(line, sizeof line, view, now));
	printf("host \"%s\" in group \"%s\", started %s ago\n\n",
	       show_text(host, sizeof host, view->host),
	       show_text(group, sizeof group, view->group), show_age(age, now, view->since));
	if (view->count > 0)
		print_rows(view, now);
	if (view->count > 0 && view->replica_count > 0)
		printf("\n");
	if (view->replica_count > 0)
		print_replicas(view, now);
	else if (view->count == 0)
		printf("No channel is bridged: none that is here, or on another host, is "
		       "allowed.\n");
}

/* ---- JSON --------------------------------------------------------------- */

static void print_json(const struct looked *looked)
{
	const struct bridge_view *view = &looked->view;
	struct json json;

	json_begin_listing(&json, looked->path, looked->is_there);
	json_close(&json, '}');
	if (bridge_json_begin(&json, "bridge", view)) {
		json_open(&json, "channels", '[');
		for (size_t i = 0; i < view->count; i++) {
			json_open(&json, NULL, '{');
			json_string(&json, "channel", view->rows[i].channel);
			json_string(&json, "kind", channel_kind_name(view->rows[i].kind));
			bridge_json_row(&json, &view->rows[i]);
			json_close(&json, '}');
		}
		json_close(&json, ']');
		json_open(&json, "replicas", '[');
		for (size_t i = 0; i < view->replica_count; i++) {
			json_open(&json, NULL, '{');
			bridge_json_replica(&json, &view->replicas[i]);
			json_close(&json, '}');
		}
		json_close(&json, ']');
		json_close(&json, '}');
	}
	json_close(&json, '}');
	json_end(&json);
}

/* ---- all ----------------------------------------------------------------- */

static int complain_none(const struct looked *looked, bool json)
{
	if (looked->view.is_there && !looked->view.alive) {
		if (!json)
			fputs("madang-bridge: this bridge was killed; the next one goes on where "
			      "it stopped\n",
			      stderr);
		return 1;
	}
	if (!json)
		fprintf(stderr, "madang-bridge: no bridge runs in %s\n%s", looked->path,
		        looked->is_there ? ""
		                         : "  There is no such namespace. -n DIR names another.\n");
	return 1;
}

int status_print(const char *dir, bool json)
{
	struct looked looked;
	int rc = look(dir, &looked);

	if (rc != 0) {
		fprintf(stderr, "madang-bridge: cannot see the bridge of %s: %s\n", looked.path,
		        mdg_strerror(rc));
		return 1;
	}
	if (json)
		print_json(&looked);
	else if (looked.view.is_there)
		print_text(&looked.view);
	bool written =
		fflush(stdout) == 0 && !ferror(stdout); /* and before what is said on stderr */
	rc = looked.view.alive ? 0 : complain_none(&looked, json);
	bridge_view_free(&looked.view);
	if (!written) {
		fprintf(stderr, "madang-bridge: cannot write: %s\n", strerror(errno));
		return 1;
	}
	return rc;
}
