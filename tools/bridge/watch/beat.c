/* SPDX-License-Identifier: MIT */
/*
 * beat.c - writes the heartbeat's text, and sends it when it is due.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "link/link.h"
#include "watch/beat.h"

enum { SOONEST_MS = 20, LINE_ROOM = TOKEN_ROOM + 64 };

/* FNV-1a: what of the text makes it news. */
static uint64_t mix(uint64_t news, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		news = (news ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return news;
}

/* A position that went on is no news: else each message of a topic would make every host that has
 * taken it send a heartbeat to every other. Who waits for it hears of it otherwise (p.CHANNEL). */
static size_t put_entry(char *to, const struct entry *entry, uint64_t *news)
{
	const struct here *here = entry->here;
	const struct pump *in = entry->pumps[BRIDGE_IN];
	int n = snprintf(to, LINE_ROOM, "%s %" PRIu32 " %u %u %d ", here->token, here->info.kind,
	                 here->talkers, here->listeners,
	                 (entry->pumps[BRIDGE_OUT] ? BEAT_OUT : 0) | (in ? BEAT_IN : 0));
	int more;

	if (n < 0 || n >= LINE_ROOM)
		return 0;
	*news = mix(*news, to, (size_t)n);
	more = snprintf(to + n, (size_t)(LINE_ROOM - n), "%" PRIu64 "\n",
	                in ? atomic_load(&in->position) : UINT64_C(0));
	return more > 0 && n + more < LINE_ROOM ? (size_t)(n + more) : 0;
}

static bool write_text(struct beat *beat, struct bridge *bridge, const struct entry *entries)
{
	size_t room = (BEAT_CHANNELS_MAX + 1) * (size_t)LINE_ROOM;
	unsigned count = 0;

	if (!beat->text)
		beat->text = malloc(room);
	if (!beat->text)
		return false;
	beat->news = UINT64_C(0xcbf29ce484222325);
	beat->length =
		(size_t)snprintf(beat->text, LINE_ROOM, "madang-bridge 1 %s\n", bridge->instance);
	for (; entries && count < BEAT_CHANNELS_MAX; entries = entries->next)
		if (!entries->refused) {
			beat->length += put_entry(beat->text + beat->length, entries, &beat->news);
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
	changed = beat->news != beat->said;
	if (now < beat->when + (changed ? SOONEST_MS : BEAT_MS))
		return beat->when + (changed ? SOONEST_MS : BEAT_MS);
	publish(bridge, beat->text, beat->length);
	beat->said = beat->news;
	beat->when = now;
	return now + BEAT_MS;
}

void beat_bye(struct beat *beat, struct bridge *bridge)
{
	char text[64];
	int n = snprintf(text, sizeof text, "madang-bridge 1 %s bye\n", bridge->instance);

	publish(bridge, text, (size_t)n);
	free(beat->text);
}
