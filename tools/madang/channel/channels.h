/* SPDX-License-Identifier: MIT */
/*
 * channels.h - what channels_read.c finds out about the channels of a namespace, and
 * channels_print.c prints.
 */
#ifndef MADANG_TOOL_CHANNELS_H
#define MADANG_TOOL_CHANNELS_H

#include "channel/bridged.h"
#include "channel/channel_tool.h"

struct channels_peer {
	struct mdg_peer peer;
	char command[SHOW_ROOM]; /* "?": not known, or of another pid namespace */
	bool has_rate;
	double rate; /* messages per second that it sends or receives */
};

struct channels_entry {
	struct mdg_channel_info info;
	bool has_rate;
	double rate; /* messages per second */
	int refused; /* why there are no peers; 0 */
	struct channels_peer *peers;
	size_t peer_count;
};

/* One look at all channels that are asked for. */
struct channels_view {
	uint64_t moment; /* nanoseconds, as mdg_deadline counts them */
	struct channels_entry *entries;
	size_t count;
	struct bridge_view bridge; /* what the bridge says that it does for them */
	int bridge_refused;        /* why that cannot be read; 0 */
};

struct channels_request {
	mdg_namespace *ns; /* NULL: there is no such namespace */
	const char *dir;
	char path[NAMESPACE_PATH_ROOM];
	const char *name; /* NULL: all */
	bool peers, json;
	bool watch;
	uint64_t interval; /* nanoseconds */
};

/* ---- channels_read.c -------------------------------------------------- */

/* All channels, or the one of this name: 0, or why not all could be read. What could be read is
 * there, without peers and rates. Afterwards channels_free. */
int channels_read(mdg_namespace *ns, const char *name, struct channels_view *view);
/* 0, or why they cannot be read. */
int channels_read_peers(mdg_namespace *ns, struct channels_entry *entry);
/* What the slowest listener has not received yet; its peers have to be read. */
uint64_t channels_largest_lag(const struct channels_entry *entry);
/* Of the channels that were there `before`. */
void channels_find_rates(struct channels_view *view, const struct channels_view *before);
void channels_free(struct channels_view *view);

/* ---- channels_print.c ------------------------------------------------- */

/* "talker", "listener"; of a channel for calls "caller", "server". */
const char *channel_role_name(uint32_t kind, uint32_t role);
void channels_print_text(const struct channels_request *request, const struct channels_view *view);
void channels_print_json(const struct channels_request *request, const struct channels_view *view);

#endif
