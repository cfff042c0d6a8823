/* SPDX-License-Identifier: MIT */
/*
 * channels_read.c - reads the channels of a namespace and their peers, and finds rates.
 *
 * Channels and their peers are read from the data files, without entering them. No lock is taken.
 * It is no snapshot: messages go on meanwhile.
 */
#include "channel/channels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel/view.h"

void channels_free(struct channels_view *view)
{
	for (size_t i = 0; i < view->count; i++)
		free(view->entries[i].peers);
	free(view->entries);
	bridge_view_free(&view->bridge);
	memset(view, 0, sizeof *view);
}

/* ---- looking ---------------------------------------------------------- */

int channels_read(mdg_namespace *ns, const char *name, struct channels_view *view)
{
	struct mdg_channel_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	int rc;

	memset(view, 0, sizeof *view);
	view->moment = mdg_deadline(0);
	view->bridge_refused = bridged_read(ns, &view->bridge);
	while ((rc = mdg_channel_next(ns, &cursor, &info)) > 0) {
		if (name != NULL && strcmp(name, info.name) != 0)
			continue;
		struct channels_entry *entries =
			list_grow(view->entries, view->count, sizeof *entries);
		if (entries == NULL)
			return -ENOMEM;
		view->entries = entries;
		struct channels_entry *entry = &view->entries[view->count++];
		memset(entry, 0, sizeof *entry);
		entry->info = info;
		bridge_view_find_lag(&view->bridge, info.name, info.sequence);
	}
	return rc;
}

/* The same channel in the look before. */
static const struct channels_entry *find(const struct channels_view *view,
                                         const struct mdg_channel_info *info)
{
	for (size_t i = 0; i < view->count; i++)
		if (view->entries[i].info.id == info->id &&
		    view->entries[i].info.epoch == info->epoch)
			return &view->entries[i];
	return NULL;
}

uint64_t channels_largest_lag(const struct channels_entry *entry)
{
	uint64_t lag = 0;

	for (size_t i = 0; i < entry->peer_count; i++)
		if (entry->peers[i].peer.role == MDG_LISTENER && entry->peers[i].peer.lag > lag)
			lag = entry->peers[i].peer.lag;
	return lag;
}

/* The same peer in the look before; a place is given again to whoever comes next. */
static const struct mdg_peer *find_peer(const struct channels_entry *entry,
                                        const struct mdg_peer *peer)
{
	for (size_t i = 0; i < entry->peer_count; i++) {
		const struct mdg_peer *other = &entry->peers[i].peer;
		if (other->place == peer->place && other->pid == peer->pid &&
		    other->role == peer->role && other->since == peer->since &&
		    other->count <= peer->count)
			return other;
	}
	return NULL;
}

static void find_peer_rates(struct channels_entry *entry, const struct channels_entry *earlier,
                            double seconds)
{
	for (size_t i = 0; i < entry->peer_count; i++) {
		struct channels_peer *peer = &entry->peers[i];
		const struct mdg_peer *before = find_peer(earlier, &peer->peer);
		peer->has_rate = before != NULL;
		if (before != NULL)
			peer->rate = (double)(peer->peer.count - before->count) / seconds;
	}
}

void channels_find_rates(struct channels_view *view, const struct channels_view *before)
{
	double seconds = (double)(view->moment - before->moment) / 1e9;

	for (size_t i = 0; i < view->count && seconds > 0; i++) {
		struct channels_entry *entry = &view->entries[i];
		const struct channels_entry *earlier = find(before, &entry->info);
		if (earlier == NULL || entry->info.sequence < earlier->info.sequence)
			continue;
		entry->has_rate = true;
		entry->rate = (double)(entry->info.sequence - earlier->info.sequence) / seconds;
		find_peer_rates(entry, earlier, seconds);
	}
}

/* The command of a peer, if its process is one that this pid namespace knows. */
static void find_commands(mdg_namespace *ns, struct channels_entry *entry)
{
	struct mdg_process_info process = { .size = sizeof process };
	uint32_t cursor = 0;

	while (mdg_segment_next_process(ns, entry->info.id, &cursor, &process) > 0) {
		if (!process.same_pid_namespace || process.pid <= 0)
			continue;
		for (size_t i = 0; i < entry->peer_count; i++)
			if (entry->peers[i].peer.pid == process.pid)
				show_command(entry->peers[i].command, process.pid);
	}
}

int channels_read_peers(mdg_namespace *ns, struct channels_entry *entry)
{
	static struct mdg_peer peers[MDG_PEERS_MAX] = { { .size = sizeof peers[0] } };
	int rc = mdg__channel_view_peers(ns, entry->info.id, peers, MDG_PEERS_MAX);

	if (rc < 0)
		return rc;
	entry->peers = calloc((size_t)rc + 1, sizeof *entry->peers);
	if (entry->peers == NULL)
		return -ENOMEM;
	for (int i = 0; i < rc && i < (int)MDG_PEERS_MAX; i++) {
		entry->peers[i].peer = peers[i];
		strcpy(entry->peers[i].command, "?");
		entry->peer_count++;
	}
	find_commands(ns, entry);
	return 0;
}
