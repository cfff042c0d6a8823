/* SPDX-License-Identifier: MIT */
/*
 * beat.c - writes the heartbeat's text, and sends it when it is due.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "link/link.h"
#include "watch/beat.h"

enum { SOONEST_MS = 20, LINE_ROOM = TOKEN_ROOM + 64 };

static size_t put_entry(char *to, const struct entry *entry)
{
	const struct here *here = entry->here;
	const struct pump *in = entry->pumps[BRIDGE_IN];
	int n = snprintf(to, LINE_ROOM, "%s %" PRIu32 " %u %u %d %" PRIu64 "\n", here->token,
	                 here->info.kind, here->talkers, here->listeners,
	                 (entry->pumps[BRIDGE_OUT] ? BEAT_OUT : 0) | (in ? BEAT_IN : 0),
	                 in ? atomic_load(&in->position) : UINT64_C(0));

	return n > 0 && n < LINE_ROOM ? (size_t)n : 0;
}

static bool write_text(struct beat *beat, struct bridge *bridge, const struct entry *entries)
{
	size_t room = (BEAT_CHANNELS_MAX + 1) * (size_t)LINE_ROOM;
	unsigned count = 0;

	if (!beat->text)
		beat->text = malloc(room);
	if (!beat->last)
		beat->last = malloc(room);
	if (!beat->text || !beat->last)
		return false;
	beat->length =
		(size_t)snprintf(beat->text, LINE_ROOM, "madang-bridge 1 %s\n", bridge->instance);
	for (; entries && count < BEAT_CHANNELS_MAX; entries = entries->next)
		if (!entries->refused) {
			beat->length += put_entry(beat->text + beat->length, entries);
			count++;
		}
	return true;
}

static void publish(struct bridge *bridge, const char *text, size_t length)
{
	char subject[SUBJECT_ROOM];
	natsStatus s;

	link_subject(bridge->link, subject, 'h', bridge->host, NULL);
	s = natsConnection_Publish(bridge->link->connection, subject, text, (int)length);
	if (s != NATS_OK)
		log_event(LOG_DEBUG, "no-heartbeat", "error=\"%s\"", link_words(s));
}

int64_t beat_send(struct beat *beat, struct bridge *bridge, const struct entry *entries)
{
	int64_t now = bridge_now();
	bool changed;

	if (!write_text(beat, bridge, entries))
		return now + BEAT_MS;
	changed = beat->length != beat->last_length ||
	          memcmp(beat->text, beat->last, beat->length) != 0;
	if (now < beat->when + (changed ? SOONEST_MS : BEAT_MS))
		return beat->when + (changed ? SOONEST_MS : BEAT_MS);
	publish(bridge, beat->text, beat->length);
	memcpy(beat->last, beat->text, beat->length);
	beat->last_length = beat->length;
	beat->when = now;
	return now + BEAT_MS;
}

void beat_bye(struct beat *beat, struct bridge *bridge)
{
	char text[64];
	int n = snprintf(text, sizeof text, "madang-bridge 1 %s bye\n", bridge->instance);

	publish(bridge, text, (size_t)n);
	free(beat->text);
	free(beat->last);
}
