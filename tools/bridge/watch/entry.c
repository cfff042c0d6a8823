/* SPDX-License-Identifier: MIT */
/*
 * entry.c - decides for one channel which pumps run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "link/shape.h"
#include "watch/entry.h"

enum { PAUSE_MS = 100, PAUSE_MAX_MS = 5000, AGREE_MS = 1000, ENDING_MS = 10 };

struct entry *entry_open(struct bridge *bridge, const char *name)
{
	struct entry *entry = calloc(1, sizeof *entry);
	int rc = entry ? here_open(&entry->here, bridge, name) : -ENOMEM;

	if (rc != 0) {
		log_event(rc == -ENOENT ? LOG_DEBUG : LOG_ERROR, "channel-not-entered",
		          "channel=\"%s\" error=\"%s\"", name, mdg_strerror(rc));
		free(entry);
		return NULL;
	}
	(void)snprintf(entry->name, sizeof entry->name, "%s", name);
	atomic_init(&entry->turn.taken, UINT64_MAX);
	log_event(LOG_INFO, "channel-found", "channel=\"%s\" kind=%s", name,
	          channel_kind_name(entry->here->info.kind));
	return entry;
}

void entry_end(struct entry *entry)
{
	for (int d = 0; d < BRIDGE_DIRECTIONS; d++)
		if (entry->pumps[d])
			(void)pump_end(entry->pumps[d]);
}

void entry_close(struct entry *entry)
{
	entry_end(entry);
	entry->here->bridge->told -= entry->told;
	for (int d = 0; d < BRIDGE_DIRECTIONS; d++) {
		pump_stop(entry->pumps[d]);
		if (entry->rows[d])
			status_row_drop(entry->rows[d]);
	}
	here_close(entry->here);
	free(entry);
}

void entry_wake(struct entry *entry)
{
	for (int d = 0; d < BRIDGE_DIRECTIONS; d++)
		if (entry->pumps[d] && entry->pumps[d]->ops->wake)
			entry->pumps[d]->ops->wake(entry->pumps[d]);
}

void entry_ask_again(struct entry *entry)
{
	entry->asked = false;
	entry->ask_at = 0;
}

void entry_lost(struct entry *entry, const char *host, const char *instance)
{
	for (int d = 0; d < BRIDGE_DIRECTIONS; d++)
		if (entry->pumps[d] && entry->pumps[d]->ops->lost)
			entry->pumps[d]->ops->lost(entry->pumps[d], host, instance);
}

static struct bridge *bridge_of(const struct entry *entry)
{
	return entry->here->bridge;
}

static void start(struct entry *entry, enum bridge_direction d, const struct pump_ops *ops)
{
	int rc = pump_start(&entry->pumps[d], bridge_of(entry), ops, &entry->here->info,
	                    entry->here->token, entry->rows[d], &entry->stream, &entry->turn);

	if (rc != 0) {
		log_event(LOG_ERROR, "pump-not-started", "channel=\"%s\" error=\"%s\"", entry->name,
		          mdg_strerror(rc));
		entry->not_before[d] = bridge_now() + PAUSE_MAX_MS;
	}
}

/* It is not wanted, or has ended by itself. If it needs longer to end, the keeper does not wait: it
 * comes again. */
static void stop(struct entry *entry, enum bridge_direction d)
{
	bool failed = !pump_stopping(entry->pumps[d]) && atomic_load(&entry->pumps[d]->ended);

	if (!pump_end(entry->pumps[d]))
		return;
	pump_stop(entry->pumps[d]);
	entry->pumps[d] = NULL;
	if (!failed) {
		status_row_state(entry->rows[d], BRIDGE_IDLE, NULL);
		entry->pause[d] = 0;
		return;
	}
	entry->pause[d] = entry->pause[d] ? entry->pause[d] * 2 : PAUSE_MS;
	if (entry->pause[d] > PAUSE_MAX_MS)
		entry->pause[d] = PAUSE_MAX_MS;
	entry->not_before[d] = bridge_now() + entry->pause[d];
}

static void review(struct entry *entry, enum bridge_direction d, const struct situation *situation)
{
	const struct pump_ops *ops = pump_find(situation->info->kind, d);
	struct pump *pump = entry->pumps[d];
	bool wanted;

	if (ops && situation->may[d] && !entry->rows[d])
		entry->rows[d] = status_row_add(bridge_of(entry)->status, entry->name,
		                                situation->info->kind, d);
	wanted = ops && situation->may[d] && entry->rows[d] && entry->agreed && entry->told &&
	         ops->wanted(situation);
	if (pump && (!wanted || pump_stopping(pump) || atomic_load(&pump->ended))) {
		stop(entry, d);
		pump = entry->pumps[d];
	}
	if (pump && pump->ops->changed)
		pump->ops->changed(pump, situation);
	if (!pump && wanted && bridge_now() >= entry->not_before[d])
		start(entry, d, ops);
	if (!situation->may[d] && entry->rows[d] && !entry->pumps[d]) {
		status_row_drop(entry->rows[d]);
		entry->rows[d] = NULL;
	}
}

/* The group has to know the channel's shape before anything crosses. If the server does not answer,
 * one channel alone asks again at a time. */
static void agree(struct entry *entry)
{
	static int64_t not_before; /* of all channels */
	int rc;

	if (entry->asked || bridge_now() < entry->ask_at)
		return;
	if (bridge_now() < not_before) {
		entry->ask_at = not_before;
		return;
	}
	rc = shape_announce(bridge_of(entry)->link, entry->here->token, &entry->here->info);
	if (rc == SHAPE_AGAIN) {
		entry->ask_at = not_before = bridge_now() + AGREE_MS;
		return;
	}
	entry->asked = true;
	entry->agreed = rc == 0;
	entry->refused = rc == SHAPE_UNLIKE;
}

/* Nothing of a channel crosses that no heartbeat tells of, and one has room for so many. */
static void take_place(struct entry *entry)
{
	static bool said;
	struct bridge *bridge = bridge_of(entry);

	if (entry->told)
		return;
	if (bridge->told < BEAT_CHANNELS_MAX) {
		entry->told = true;
		bridge->told++;
		return;
	}
	if (!said)
		log_event(LOG_ERROR, "too-many-channels",
		          "channel=\"%s\" limit=%d advice=\"nothing of this one crosses, nor of "
		          "those after it: allow fewer, or run a second bridge for another "
		          "namespace\"",
		          entry->name, BEAT_CHANNELS_MAX);
	said = true;
}

bool entry_review(struct entry *entry)
{
	struct situation situation = { .info = &entry->here->info, .host = bridge_of(entry)->host };
	int rc = here_look(entry->here);

	if (rc != 0) {
		log_event(LOG_INFO, "channel-gone", "channel=\"%s\" why=\"%s\"", entry->name,
		          mdg_strerror(rc));
		return false;
	}
	take_place(entry);
	agree(entry);
	situation.talkers = entry->here->talkers;
	situation.listeners = entry->here->listeners;
	elsewhere_sum(bridge_of(entry)->elsewhere, entry->here->token, &situation.elsewhere);
	for (int d = 0; d < BRIDGE_DIRECTIONS; d++) {
		situation.may[d] =
			rules_allow(bridge_of(entry)->rules, entry->name, (enum bridge_direction)d);
		situation.runs[d] = entry->pumps[d] && !atomic_load(&entry->pumps[d]->waits);
	}
	for (int d = 0; d < BRIDGE_DIRECTIONS; d++)
		review(entry, (enum bridge_direction)d, &situation);
	return true;
}

int64_t entry_when(const struct entry *entry)
{
	int64_t now = bridge_now(), when = INT64_MAX;

	if (!entry->asked && entry->ask_at > now)
		when = entry->ask_at;
	for (int d = 0; d < BRIDGE_DIRECTIONS; d++) {
		if (entry->not_before[d] > now && entry->not_before[d] < when)
			when = entry->not_before[d];
		if (entry->pumps[d] && pump_stopping(entry->pumps[d]))
			when = now + ENDING_MS < when ? now + ENDING_MS : when;
	}
	return when;
}
