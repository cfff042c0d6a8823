/* SPDX-License-Identifier: MIT */
/*
 * channels_print.c - prints channels and who is in them: as a table, or as JSON.
 */
#include "channel/channels.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "status/json.h"

/* ---- the table -------------------------------------------------------- */

enum { COLUMNS = 11 }; /* the last one only where there is a bridge */
static const char *const titles[COLUMNS] = { "NAME",    "KIND",    "CAPACITY",  "FILL",
	                                     "WAITING", "TALKERS", "LISTENERS", "SENT",
	                                     "RATE",    "MISSED",  "BRIDGE" };

static void fill_bridge(char cell[TABLE_CELL], const struct channels_view *view,
                        const struct channels_entry *entry)
{
	struct bridged bridged;

	if (!view->bridge.is_there)
		return;
	bridged_find(&view->bridge, entry->info.name, &bridged);
	bridged_text(cell, &view->bridge, &bridged);
}

static void fill_row(char cells[COLUMNS][TABLE_CELL], const struct channels_entry *entry)
{
	char room[SHOW_ROOM], name[4 * MDG_NAME_MAX + 1];
	const struct mdg_channel_info *info = &entry->info;
	/* In use at all is at least one per cent. */
	uint64_t fill =
		info->room == 0 ? 0 : (uint64_t)((double)info->used * 100.0 / (double)info->room);

	snprintf(cells[0], TABLE_CELL, "\"%s\"", show_text(name, sizeof name, info->name));
	snprintf(cells[1], TABLE_CELL, "%s", channel_kind_name(info->kind));
	snprintf(cells[2], TABLE_CELL, "%s", show_size(room, info->capacity));
	snprintf(cells[3], TABLE_CELL, "%" PRIu64 "%%", fill == 0 && info->used > 0 ? 1 : fill);
	snprintf(cells[4], TABLE_CELL, "%" PRIu64, info->waiting);
	snprintf(cells[5], TABLE_CELL, "%" PRIu32, info->talkers);
	snprintf(cells[6], TABLE_CELL, "%" PRIu32, info->listeners);
	snprintf(cells[7], TABLE_CELL, "%" PRIu64, info->sequence);
	if (entry->has_rate)
		snprintf(cells[8], TABLE_CELL, "%.0f/s", entry->rate);
	else
		snprintf(cells[8], TABLE_CELL, "-");
	if (info->kind == MDG_TOPIC)
		snprintf(cells[9], TABLE_CELL, "%" PRIu64, info->missed);
	else
		snprintf(cells[9], TABLE_CELL, "-");
}

const char *channel_role_name(uint32_t kind, uint32_t role)
{
	if (kind == MDG_CALL)
		return role == MDG_TALKER ? "caller" : "server";
	return role == MDG_TALKER ? "talker" : "listener";
}

static void print_peer(const struct mdg_channel_info *info, const struct channels_peer *entry)
{
	char command[4 * SHOW_ROOM], age[SHOW_ROOM];
	const struct mdg_peer *peer = &entry->peer;
	bool talker = peer->role == MDG_TALKER;

	printf("        %s %d  %s  %s  %s %" PRIu64, channel_role_name(info->kind, peer->role),
	       (int)peer->pid, show_text(command, sizeof command, entry->command),
	       show_age(age, (int64_t)time(NULL), peer->since), talker ? "sent" : "received",
	       peer->count);
	if (!talker && info->kind != MDG_CALL)
		printf("  lag %" PRIu64, peer->lag);
	if (!talker && info->kind == MDG_TOPIC)
		printf("  missed %" PRIu64, peer->missed);
	printf("%s%s%s\n", peer->alive ? "" : "  dead", peer->holds ? "  holds" : "",
	       peer->asleep ? "  asleep" : "");
}

/* What the bridge does with it, in both directions. */
static void print_bridged(const struct bridge_view *view, const struct mdg_channel_info *info)
{
	char room[BRIDGE_LINE_ROOM];
	struct bridged bridged;

	bridged_find(view, info->name, &bridged);
	if (!bridged.any)
		return;
	printf("        %s\n", bridge_link_text(room, sizeof room, view, (int64_t)time(NULL)));
	for (int i = 0; i < BRIDGE_DIRECTIONS; i++)
		if (bridged.rows[i] != NULL)
			printf("          %s\n",
			       bridge_row_text(room, sizeof room, bridged.rows[i]));
}

void channels_print_text(const struct channels_request *request, const struct channels_view *view)
{
	struct table table;

	table_begin(&table, titles, view->bridge.is_there ? COLUMNS : COLUMNS - 1);
	for (size_t n = 0; n < view->count; n++) {
		fill_row(table.cells, &view->entries[n]);
		fill_bridge(table.cells[COLUMNS - 1], view, &view->entries[n]);
		table_measure(&table);
	}
	table_print_titles(&table);
	for (size_t n = 0; n < view->count; n++) {
		fill_row(table.cells, &view->entries[n]);
		fill_bridge(table.cells[COLUMNS - 1], view, &view->entries[n]);
		table_print_row(&table);
		for (size_t i = 0; request->peers && i < view->entries[n].peer_count; i++)
			print_peer(&view->entries[n].info, &view->entries[n].peers[i]);
		if (request->peers)
			print_bridged(&view->bridge, &view->entries[n].info);
	}
}

/* ---- JSON ------------------------------------------------------------- */

static void json_peer(struct json *json, const struct mdg_channel_info *info,
                      const struct channels_peer *entry)
{
	const struct mdg_peer *peer = &entry->peer;

	json_open(json, NULL, '{');
	json_string(json, "role", channel_role_name(info->kind, peer->role));
	json_unsigned(json, "place", peer->place);
	json_signed(json, "pid", peer->pid);
	if (strcmp(entry->command, "?") != 0)
		json_string(json, "command", entry->command);
	else
		json_null(json, "command");
	json_bool(json, "alive", peer->alive != 0);
	json_bool(json, "asleep", peer->asleep != 0);
	json_bool(json, "holds", peer->holds != 0);
	json_unsigned(json, "count", peer->count);
	json_unsigned(json, "lag", peer->lag);
	json_unsigned(json, "missed", peer->missed);
	json_signed(json, "since_time", peer->since);
	json_close(json, '}');
}

/* A list with an object for each direction; empty: it is not bridged. */
static void json_bridged(struct json *json, const struct bridge_view *view,
                         const struct mdg_channel_info *info)
{
	struct bridged bridged;

	bridged_find(view, info->name, &bridged);
	json_open(json, "bridged", '[');
	for (int i = 0; i < BRIDGE_DIRECTIONS; i++) {
		if (bridged.rows[i] == NULL)
			continue;
		json_open(json, NULL, '{');
		bridge_json_row(json, bridged.rows[i]);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_channel(struct json *json, const struct channels_entry *entry)
{
	const struct mdg_channel_info *info = &entry->info;
	char identity[40];

	snprintf(identity, sizeof identity, "%016" PRIx64 "%016" PRIx64, info->identity[0],
	         info->identity[1]);
	json_string(json, "name", info->name);
	json_signed(json, "segment", info->id);
	json_string(json, "kind", channel_kind_name(info->kind));
	json_bool(json, "overwrite", info->full == MDG_FULL_OVERWRITE);
	json_unsigned(json, "capacity", info->capacity);
	json_unsigned(json, "peers_max", info->peers);
	json_string(json, "identity", identity);
	json_unsigned(json, "epoch", info->epoch);
	json_unsigned(json, "sent", info->sequence);
	json_unsigned(json, "bytes", info->bytes);
	json_unsigned(json, "room", info->room);
	json_unsigned(json, "used", info->used);
	json_unsigned(json, "waiting", info->waiting);
	json_unsigned(json, "missed", info->missed);
	json_unsigned(json, "talkers", info->talkers);
	json_unsigned(json, "listeners", info->listeners);
	json_unsigned(json, "changes", info->changes);
	if (entry->has_rate)
		json_unsigned(json, "rate", (uint64_t)(entry->rate + 0.5));
	else
		json_null(json, "rate");
}

void channels_print_json(const struct channels_request *request, const struct channels_view *view)
{
	struct json json;

	json_begin_listing(&json, request->path, request->ns != NULL);
	json_close(&json, '}');
	if (bridge_json_begin(&json, "bridge", &view->bridge))
		json_close(&json, '}');
	json_open(&json, "channels", '[');
	for (size_t n = 0; n < view->count; n++) {
		const struct channels_entry *entry = &view->entries[n];
		json_open(&json, NULL, '{');
		json_channel(&json, entry);
		json_bridged(&json, &view->bridge, &entry->info);
		if (request->peers) {
			json_open(&json, "peers", '[');
			for (size_t i = 0; i < entry->peer_count; i++)
				json_peer(&json, &entry->info, &entry->peers[i]);
			json_close(&json, ']');
		}
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	json_end(&json);
}
