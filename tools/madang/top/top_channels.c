/* SPDX-License-Identifier: MIT */
/*
 * top_channels.c - the table of channels, with rates, fill, lag and losses; and the page about one
 * with its talkers and listeners.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/kind.h"
#include "top/top.h"

enum {
	NAME,
	KIND,
	FILL,
	RATE,
	BYTES,
	WAITING,
	LAG,
	MISSED,
	DROPS,
	TALKERS,
	LISTENERS,
	SENT,
	CAPACITY,
	BRIDGE,
};

static const struct top_column columns[] = {
	[NAME] = { "NAME", 16, 60, false, 0 },      [KIND] = { "KIND", 6, 0, false, 3 },
	[FILL] = { "FILL", 13, 30, false, 0 },      [RATE] = { "RATE/s", 6, 0, true, 0 },
	[BYTES] = { "BYTES/s", 7, 0, true, 6 },     [WAITING] = { "WAITING", 7, 0, true, 4 },
	[LAG] = { "LAG", 6, 0, true, 1 },           [MISSED] = { "MISSED", 6, 0, true, 5 },
	[DROPS] = { "DROPS/s", 7, 0, true, 1 },     [TALKERS] = { "TALK", 4, 0, true, 2 },
	[LISTENERS] = { "LISTEN", 6, 0, true, 2 },  [SENT] = { "SENT", 6, 0, true, 7 },
	[CAPACITY] = { "CAPACITY", 8, 0, true, 8 }, [BRIDGE] = { "BRIDGE", 12, 24, false, 4 },
};

static size_t rows(const struct top_look *look)
{
	return look->now.channels.count;
}

static const struct channels_entry *entry_of(const struct top_look *look, size_t row)
{
	return &look->now.channels.entries[row];
}

static struct top_key key(const struct top_look *look, size_t row)
{
	return (struct top_key){ entry_of(look, row)->info.epoch,
		                 (uint32_t)entry_of(look, row)->info.id };
}

/* The same channel in the look before. */
static const struct mdg_channel_info *before_of(const struct top_look *look, size_t row)
{
	const struct mdg_channel_info *info = &entry_of(look, row)->info;

	for (size_t i = 0; look->has_before && i < look->before.channels.count; i++) {
		const struct mdg_channel_info *one = &look->before.channels.entries[i].info;
		if (one->id == info->id && one->epoch == info->epoch)
			return one;
	}
	return NULL;
}

/* Of a counter that only grows. */
static void fill_rate(const struct top_look *look, bool is_known, uint64_t now, uint64_t before,
                      struct top_cell *cell)
{
	if (!is_known || now < before || look->seconds <= 0) {
		top_none(cell, "-");
		return;
	}
	top_rate(cell, (double)(now - before) / look->seconds);
}

static void fill_rates(const struct top_look *look, size_t row, int column, struct top_cell *cell)
{
	const struct mdg_channel_info *info = &entry_of(look, row)->info;
	const struct mdg_channel_info *before = before_of(look, row);
	const struct mdg_channel_info none = { 0 };
	const struct mdg_channel_info *then = before != NULL ? before : &none;

	switch (column) {
	case RATE:
		fill_rate(look, before != NULL, info->sequence, then->sequence, cell);
		break;
	case BYTES:
		fill_rate(look, before != NULL, info->bytes, then->bytes, cell);
		if (cell->number > 0)
			top_size(cell, (uint64_t)cell->number);
		break;
	default: /* who leaves takes what he has missed with him */
		fill_rate(look, before != NULL && info->kind == MDG_TOPIC, info->missed,
		          then->missed, cell);
		if (cell->number > 0)
			cell->style = TOP_BAD;
		break;
	}
}

/* The listener that is furthest behind. */
static void fill_lag(const struct channels_entry *entry, struct top_cell *cell)
{
	uint64_t most = 0;
	bool found = false;

	for (size_t i = 0; i < entry->peer_count; i++) {
		const struct mdg_peer *peer = &entry->peers[i].peer;
		if (peer->role != MDG_LISTENER || entry->info.kind == MDG_CALL)
			continue;
		found = true;
		if (peer->lag > most)
			most = peer->lag;
	}
	if (!found) {
		top_none(cell, entry->refused != 0 ? "?" : "-");
		return;
	}
	top_count(cell, most);
}

static void fill_missed(const struct mdg_channel_info *info, struct top_cell *cell)
{
	if (info->kind == MDG_TOPIC) {
		top_count(cell, info->missed);
		if (info->missed > 0)
			cell->style = TOP_WARN;
	} else {
		top_none(cell, "-");
	}
}

static void fill_bridge(const struct top_look *look, const struct mdg_channel_info *info,
                        struct top_cell *cell)
{
	const struct bridge_view *view = &look->now.channels.bridge;
	struct bridged bridged;
	char room[TABLE_CELL];

	bridged_find(view, info->name, &bridged);
	if (!bridged.any) {
		top_none(cell, look->now.channels.bridge_refused != 0 ? "?" : "-");
		return;
	}
	top_number(cell, (double)bridged.lag, "%s", bridged_text(room, view, &bridged));
	cell->style = bridged.trouble ? TOP_BAD : bridged.lag > 0 ? TOP_WARN : TOP_PLAIN;
}

/* It does not cross as it should. */
static bool is_in_trouble(const struct top_look *look, const struct mdg_channel_info *info)
{
	struct bridged bridged;

	bridged_find(&look->now.channels.bridge, info->name, &bridged);
	return bridged.trouble;
}

static void fill(const struct top_look *look, size_t row, int column, struct top_cell *cell)
{
	const struct channels_entry *entry = entry_of(look, row);
	const struct mdg_channel_info *info = &entry->info;
	char name[4 * MDG_NAME_MAX + 1];

	top_cell_begin(cell);
	switch (column) {
	case NAME:
		top_text(cell, "\"%s\"", show_text(name, sizeof name, info->name));
		if (is_in_trouble(look, info)) /* also where there is no room for BRIDGE */
			cell->style = TOP_BAD;
		break;
	case KIND:
		top_text(cell, "%s", channel_kind_name(info->kind));
		break;
	case FILL:
		top_bar(cell, info->used, info->room);
		/* Its ring keeps what is old until the room is needed: it is nearly full always. */
		if (info->kind == MDG_TOPIC)
			cell->style = TOP_PLAIN;
		break;
	case WAITING:
		top_count(cell, info->waiting);
		break;
	case LAG:
		fill_lag(entry, cell);
		break;
	case MISSED:
		fill_missed(info, cell);
		break;
	case TALKERS:
		top_count(cell, info->talkers);
		break;
	case LISTENERS:
		top_count(cell, info->listeners);
		break;
	case SENT:
		top_count(cell, info->sequence);
		break;
	case CAPACITY:
		top_size(cell, info->capacity);
		break;
	case BRIDGE:
		fill_bridge(look, info, cell);
		break;
	default:
		fill_rates(look, row, column, cell);
		break;
	}
}

/* ---- the page ---------------------------------------------------------- */

static void list_peers(const struct top_look *look, const struct channels_entry *entry,
                       struct top_page *page)
{
	char command[4 * SHOW_ROOM], count[SHOW_ROOM], lag[SHOW_ROOM], age[SHOW_ROOM];
	const struct mdg_channel_info *info = &entry->info;

	top_line(page, TOP_PLAIN, "%s", "");
	if (entry->refused != 0) {
		top_line(page, TOP_WARN, "Who is there cannot be seen: %s",
		         mdg_strerror(entry->refused));
		return;
	}
	top_line(page, TOP_STRONG, "Talkers and listeners: %zu", entry->peer_count);
	if (entry->peer_count > 0)
		top_line(page, TOP_DIM, "  %-8s  %7s  %-16s %8s %8s %8s %5s", "ROLE", "PID",
		         "COMMAND", "MESSAGES", "LAG", "MISSED", "SINCE");
	for (size_t i = 0; i < entry->peer_count; i++) {
		const struct mdg_peer *peer = &entry->peers[i].peer;
		bool listens = peer->role != MDG_TALKER && info->kind != MDG_CALL;
		top_line(page, peer->alive ? TOP_PLAIN : TOP_WARN,
		         "  %-8s  %7d  %-16s %8s %8s %8" PRIu64 " %5s%s%s%s",
		         channel_role_name(info->kind, peer->role), (int)peer->pid,
		         show_text(command, sizeof command, entry->peers[i].command),
		         top_show_count(count, (double)peer->count),
		         listens ? top_show_count(lag, (double)peer->lag) : "-", peer->missed,
		         show_age(age, look->now.time, peer->since), peer->alive ? "" : "  dead",
		         peer->holds ? "  holds a message" : "", peer->asleep ? "  asleep" : "");
	}
}

static void list_bridged(const struct top_look *look, const struct mdg_channel_info *info,
                         struct top_page *page)
{
	const struct bridge_view *view = &look->now.channels.bridge;
	char room[BRIDGE_LINE_ROOM];
	struct bridged bridged;

	bridged_find(view, info->name, &bridged);
	if (!bridged.any)
		return;
	top_line(page, TOP_PLAIN, "%s", "");
	top_line(page, TOP_STRONG, "To other hosts");
	top_line(page, bridged.trouble ? TOP_BAD : TOP_PLAIN, "  %s",
	         bridge_link_text(room, sizeof room, view, look->now.time));
	for (int i = 0; i < BRIDGE_DIRECTIONS; i++) {
		const struct bridge_view_row *one = bridged.rows[i];
		if (one == NULL)
			continue;
		bool is_bad = one->state == BRIDGE_HELD || one->state == BRIDGE_FAILED;
		top_line(page, is_bad ? TOP_BAD : TOP_PLAIN, "  %s",
		         bridge_row_text(room, sizeof room, one));
	}
}

static void page(const struct top_look *look, size_t row, struct top_page *ret)
{
	const struct channels_entry *entry = entry_of(look, row);
	const struct mdg_channel_info *info = &entry->info;
	char name[4 * MDG_NAME_MAX + 1], room[SHOW_ROOM], other[SHOW_ROOM];
	struct top_cell cell;

	top_line(ret, TOP_STRONG, "Channel \"%s\"", show_text(name, sizeof name, info->name));
	top_fact(ret, "kind", "%s%s, in segment %d", channel_kind_name(info->kind),
	         info->full == MDG_FULL_OVERWRITE ? ", overwrites what is old" : "", (int)info->id);
	top_fact(ret, "capacity", "%s for the largest message; %u places",
	         show_bytes(room, info->capacity), info->peers);
	fill(look, row, FILL, &cell);
	top_fact(ret, "fill", "%s: %s of %s, %" PRIu64 " message%s waiting", cell.text,
	         show_size(room, info->used), show_size(other, info->room), info->waiting,
	         info->waiting == 1 ? "" : "s");
	fill(look, row, RATE, &cell);
	top_fact(ret, "messages", "%" PRIu64 " sent, %s per second", info->sequence, cell.text);
	fill(look, row, BYTES, &cell);
	top_fact(ret, "bytes", "%s sent, %s per second", show_size(room, info->bytes), cell.text);
	if (info->kind == MDG_TOPIC)
		top_fact(ret, "missed", "%" PRIu64 " by the listeners that are there",
		         info->missed);
	list_peers(look, entry, ret);
	list_bridged(look, info, ret);
}

const struct top_table top_channels = {
	.title = "Channels",
	.word = "channels",
	.columns = columns,
	.count = sizeof columns / sizeof columns[0],
	.sort = RATE,
	.descending = true,
	.rows = rows,
	.cell = fill,
	.key = key,
	.page = page,
};
