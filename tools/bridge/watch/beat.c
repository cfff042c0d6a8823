/* SPDX-License-Identifier: MIT */
/*
 * beat.c - writes the heartbeat's text, and sends it when it is due.
 *
 * The keeper asks the server, and waits for pumps that end: that may take it seconds. A thread of
 * the heartbeat's own then says in its place that this bridge is alive.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "link/link.h"
#include "pump/thread.h"
#include "watch/beat.h"

enum { SOONEST_MS = 20, LATE_MS = 100, LINE_ROOM = TOKEN_ROOM + 64 };

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
	                 (entry->pumps[BRIDGE_OUT] ? BEAT_OUT : 0) |
	                         (in && !atomic_load(&in->waits) ? BEAT_IN : 0));
	int more;

	if (n < 0 || n >= LINE_ROOM)
		return 0;
	*news = mix(*news, to, (size_t)n);
	more = snprintf(to + n, (size_t)(LINE_ROOM - n), "%" PRIu64 "\n",
	                in ? atomic_load(&in->position) : UINT64_C(0));
	return more > 0 && n + more < LINE_ROOM ? (size_t)(n + more) : 0;
}

static bool write_text(struct beat *beat, const struct entry *entries)
{
	size_t room = (BEAT_CHANNELS_MAX + 1) * (size_t)LINE_ROOM;

	if (!beat->text)
		beat->text = malloc(room);
	if (!beat->text)
		return false;
	beat->news = UINT64_C(0xcbf29ce484222325);
	beat->length = (size_t)snprintf(beat->text, LINE_ROOM, "madang-bridge 1 %s\n",
	                                beat->bridge->instance);
	for (; entries; entries = entries->next)
		if (entries->told && !entries->refused) /* at most BEAT_CHANNELS_MAX are told */
			beat->length += put_entry(beat->text + beat->length, entries, &beat->news);
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

void beat_word(struct bridge *bridge, const char *word)
{
	char text[160];
	int n = snprintf(text, sizeof text, "madang-bridge 1 %s %s\n", bridge->instance, word);

	if (n > 0 && n < (int)sizeof text)
		publish(bridge, text, (size_t)n);
}

/* ---- the thread --------------------------------------------------------------- */

static void wait_until(struct beat *beat, int64_t when)
{
	struct timespec until = { .tv_sec = (time_t)(when / 1000),
		                  .tv_nsec = (long)(when % 1000) * 1000000 };

	(void)pthread_cond_timedwait(&beat->change, &beat->lock, &until);
}

static void *stand_in(void *argument)
{
	struct beat *beat = argument;

	(void)pthread_mutex_lock(&beat->lock);
	while (!beat->ends) {
		int64_t now = bridge_now(), due = beat->said_at + BEAT_MS + LATE_MS;

		if (now < due) {
			wait_until(beat, due);
			continue;
		}
		beat->said_at = now;
		(void)pthread_mutex_unlock(&beat->lock);
		beat_word(beat->bridge, "alive");
		(void)pthread_mutex_lock(&beat->lock);
	}
	(void)pthread_mutex_unlock(&beat->lock);
	return NULL;
}

int beat_start(struct beat *beat, struct bridge *bridge)
{
	pthread_condattr_t attributes;
	int rc;

	beat->bridge = bridge;
	beat->said_at = bridge_now();
	beat->when = beat->said_at - BEAT_MS;
	(void)pthread_mutex_init(&beat->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&beat->change, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	rc = thread_start(&beat->thread, stand_in, beat);
	beat->runs = rc == 0;
	if (rc != 0)
		log_event(LOG_ERROR, "no-thread", "error=\"%s\"", mdg_strerror(rc));
	return rc == 0 ? 0 : BRIDGE_TROUBLE;
}

/* ---- the keeper ----------------------------------------------------------------- */

int64_t beat_send(struct beat *beat, const struct entry *entries)
{
	int64_t now = bridge_now();
	bool changed;

	if (!write_text(beat, entries))
		return now + BEAT_MS;
	changed = beat->news != beat->said;
	if (now < beat->when + (changed ? SOONEST_MS : BEAT_MS))
		return beat->when + (changed ? SOONEST_MS : BEAT_MS);
	publish(beat->bridge, beat->text, beat->length);
	beat->said = beat->news;
	beat->when = now;
	(void)pthread_mutex_lock(&beat->lock);
	beat->said_at = now; /* the thread sees it when it wakes */
	(void)pthread_mutex_unlock(&beat->lock);
	return now + BEAT_MS;
}

void beat_bye(struct beat *beat)
{
	if (beat->runs) {
		(void)pthread_mutex_lock(&beat->lock);
		beat->ends = true;
		(void)pthread_cond_signal(&beat->change);
		(void)pthread_mutex_unlock(&beat->lock);
		(void)pthread_join(beat->thread, NULL);
		beat_word(beat->bridge, "bye");
	}
	(void)pthread_cond_destroy(&beat->change);
	(void)pthread_mutex_destroy(&beat->lock);
	free(beat->text);
}
