/* SPDX-License-Identifier: MIT */
/*
 * metrics_bridge.c - figures of the bridge to other hosts, and of each channel that it carries.
 *
 * Where no bridge has run there are none. After a kill they are what the bridge said last.
 */
#include "metrics/metrics.h"

static const char *const no_labels[] = { NULL };

static void put_link(const struct metrics *metrics, const struct bridge_view *view)
{
	static const struct family alive = { "madang_bridge_alive",
		                             "Whether the bridge runs; 0: it was killed.", false };
	static const struct family connected = { "madang_bridge_connected",
		                                 "Whether the bridge has its server.", false };
	static const struct family reconnects = { "madang_bridge_reconnects",
		                                  "Connections to a server after the first one.",
		                                  true };

	metrics_declare(metrics, &alive);
	metrics_put(metrics, &alive, view->alive, no_labels);
	metrics_declare(metrics, &connected);
	metrics_put(metrics, &connected, view->alive && view->state == BRIDGE_CONNECTED, no_labels);
	metrics_declare(metrics, &reconnects);
	metrics_put(metrics, &reconnects, view->reconnects, no_labels);
}

static const struct family families[] = {
	{ "madang_bridge_messages", "Messages that crossed.", true },
	{ "madang_bridge_message_bytes", "Bytes of the messages that crossed.", true },
	{ "madang_bridge_repeats", "Messages that came again, and were dropped.", true },
	{ "madang_bridge_retries", "Packs that had to be tried again.", true },
	{ "madang_bridge_dropped", "Messages that can never cross: too large.", true },
	{ "madang_bridge_missed", "Packs that the server did not have any more.", true },
	{ "madang_bridge_in_flight_messages", "Messages that are on their way.", false },
	{ "madang_bridge_lag_messages", "Messages that wait to cross.", false },
	{ "madang_bridge_held", "Whether the other side is full or slow, or does not take them.",
	  false },
};
enum { FAMILIES = sizeof families / sizeof families[0] };

static uint64_t figure_of(const struct bridge_view_row *row, int figure)
{
	const uint64_t values[FAMILIES] = {
		row->sent + row->received,
		row->bytes,
		row->repeats,
		row->retries,
		row->dropped,
		row->missed,
		row->in_flight,
		row->lag,
		row->state == BRIDGE_HELD || row->state == BRIDGE_FAILED,
	};
	return values[figure];
}

static const struct family replica_families[] = {
	{ "madang_bridge_replica_generation", "The generation that is here.", false },
	{ "madang_bridge_replica_lag_generations",
	  "Generations by which this host, or for a writer the server, is behind.", false },
	{ "madang_bridge_replica_lag_seconds", "For how long it has been behind.", false },
	{ "madang_bridge_replica_held", "Whether it is held, or its writer is deposed.", false },
};
enum { REPLICA_FAMILIES = sizeof replica_families / sizeof replica_families[0] };

static void put_replicas(const struct metrics *metrics, const struct bridge_view *view)
{
	for (int figure = 0; figure < REPLICA_FAMILIES && view->replica_count > 0; figure++) {
		metrics_declare(metrics, &replica_families[figure]);
		for (size_t i = 0; i < view->replica_count; i++) {
			const struct bridge_view_replica *replica = &view->replicas[i];
			const uint64_t values[REPLICA_FAMILIES] = {
				replica->generation,
				replica->lag,
				replica->lag_ns / 1000000000u,
				replica->state == BRIDGE_REPLICA_HELD ||
					replica->state == BRIDGE_REPLICA_DEPOSED,
			};
			metrics_put(metrics, &replica_families[figure], values[figure],
			            (const char *const[]){ "segment", replica->segment, "role",
			                                   bridge_role_word(replica), NULL });
		}
	}
}

void metrics_list_bridge(const struct metrics *metrics)
{
	const struct bridge_view *view = &metrics->seen->channels.bridge;

	if (!view->is_there)
		return;
	put_link(metrics, view);
	put_replicas(metrics, view);
	/* Both directions of a channel stand side by side; the limit is one of channels. */
	for (int figure = 0; figure < FAMILIES && view->count > 0; figure++) {
		metrics_declare(metrics, &families[figure]);
		for (size_t i = 0; i < view->count && i / 2 < metrics->limit; i++) {
			const struct bridge_view_row *row = &view->rows[i];
			metrics_put(metrics, &families[figure], figure_of(row, figure),
			            (const char *const[]){ "channel", row->channel, "direction",
			                                   bridge_direction_word(row->direction),
			                                   NULL });
		}
	}
}
