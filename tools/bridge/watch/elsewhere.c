/* SPDX-License-Identifier: MIT */
/*
 * elsewhere.c - keeps what other hosts said last, with bounds for all of it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bridge.h"
#include "link/ear.h"
#include "link/link.h"
#include "watch/elsewhere.h"
#include "watch/heard.h"

enum { LOST_MAX = 64, AGAIN_MS = 250 };

struct host {
	char token[TOKEN_ROOM];
	char instance[INSTANCE_ROOM];
	int64_t when;
	struct heard_channel *channels;
	size_t count;
};

struct lost {
	char token[TOKEN_ROOM], instance[INSTANCE_ROOM];
};

struct elsewhere {
	struct bridge *bridge;
	struct ear *beats, *positions;
	pthread_mutex_t lock;
	struct host *hosts[ELSEWHERE_HOSTS_MAX];
	unsigned count;
	struct lost lost[LOST_MAX];
	unsigned lost_count;
};

static void note_lost(struct elsewhere *e, const struct host *host)
{
	if (e->lost_count < LOST_MAX) {
		(void)strcpy(e->lost[e->lost_count].token, host->token);
		(void)strcpy(e->lost[e->lost_count].instance, host->instance);
		e->lost_count++;
	}
}

static void drop(struct elsewhere *e, unsigned i)
{
	note_lost(e, e->hosts[i]);
	free(e->hosts[i]->channels);
	free(e->hosts[i]);
	e->hosts[i] = e->hosts[--e->count];
}

static struct host *find(struct elsewhere *e, const char *token, unsigned *ret_index)
{
	for (unsigned i = 0; i < e->count; i++)
		if (strcmp(e->hosts[i]->token, token) == 0) {
			*ret_index = i;
			return e->hosts[i];
		}
	return NULL;
}

static struct host *add(struct elsewhere *e, const char *token)
{
	struct host *host = e->count < ELSEWHERE_HOSTS_MAX ? calloc(1, sizeof *host) : NULL;

	if (!host) {
		log_event(LOG_ERROR, "too-many-hosts", "host=%s limit=%d", token,
		          ELSEWHERE_HOSTS_MAX);
		return NULL;
	}
	(void)snprintf(host->token, sizeof host->token, "%s", token);
	e->hosts[e->count++] = host;
	return host;
}

/* Whether the two say the same but for positions. */
static bool same(const struct host *host, const struct heard *heard)
{
	if (host->count != heard->count || strcmp(host->instance, heard->instance) != 0)
		return false;
	for (size_t i = 0; i < heard->count; i++) {
		struct heard_channel a = host->channels[i], b = heard->channels[i];

		if (strcmp(a.token, b.token) != 0 || a.kind != b.kind || a.talkers != b.talkers ||
		    a.listeners != b.listeners || a.directions != b.directions ||
		    a.position != b.position)
			return false;
	}
	return true;
}

static struct heard_channel *channel_of(struct heard *heard, const char *token)
{
	for (size_t i = 0; i < heard->count; i++)
		if (strcmp(heard->channels[i].token, token) == 0)
			return &heard->channels[i];
	return NULL;
}

static bool has_position(const struct heard_channel *c)
{
	return (c->directions & BEAT_IN) && c->position != UINT64_MAX;
}

/* A stream's pump that carries in has ended in order. */
static bool has_left(const struct host *host, const struct heard *heard,
                     const struct heard_channel *old)
{
	return old->kind == MDG_STREAM && !old->kept &&
	       strcmp(host->instance, heard->instance) == 0;
}

/* A bridge that was killed and came back does not know at first how far it was. Until it does, for
 * as long as a silent one would be remembered, the position that it had counts: else topics that
 * wait would run away from it, and another host would take its stream. */
static void keep_positions(const struct host *host, struct heard *heard)
{
	int64_t now = bridge_now();
	size_t others = host ? host->count : 0;
	struct heard_channel *more =
		realloc(heard->channels, (heard->count + others + 1) * sizeof *more);

	if (!more)
		return;
	heard->channels = more;
	for (size_t i = 0; i < heard->count; i++)
		more[i].known = now;
	for (size_t i = 0; i < others; i++) {
		const struct heard_channel *old = &host->channels[i];
		struct heard_channel *c = channel_of(heard, old->token);

		if (!has_position(old) || old->known < now - BEAT_LOST_MS ||
		    (c && has_position(c)) || has_left(host, heard, old))
			continue;
		if (!c && heard->count >= BEAT_CHANNELS_MAX)
			continue;
		if (!c) {
			c = &heard->channels[heard->count++];
			*c = *old;
			c->talkers = c->listeners = 0;
		}
		c->directions |= BEAT_IN;
		c->position = old->position;
		c->known = old->known;
		c->kept = true;
	}
}

/* A word about the bridge itself. The lock is held. Returns whether something has changed. */
static bool store_word(struct elsewhere *e, const char *token, const struct heard *heard)
{
	unsigned index = 0;
	struct host *host = find(e, token, &index);

	if (!host)
		return false;
	if (heard->word == HEARD_ALIVE && strcmp(host->instance, heard->instance) == 0)
		host->when = bridge_now();
	if (heard->word != HEARD_BYE)
		return false;
	log_event(LOG_INFO, "host-left", "host=%s", token);
	drop(e, index);
	return true;
}

/* The lock is held. Returns whether something has changed. */
static bool store(struct elsewhere *e, const char *token, struct heard *heard)
{
	unsigned index = 0;
	struct host *host = find(e, token, &index);
	bool changed;

	keep_positions(host, heard);
	changed = !host || !same(host, heard);
	if (!host) {
		host = add(e, token);
		if (!host)
			return false;
		log_event(LOG_INFO, "host-came", "host=%s channels=%zu", token, heard->count);
	} else if (strcmp(host->instance, heard->instance) != 0) {
		log_event(LOG_INFO, "host-restarted", "host=%s", token);
		note_lost(e, host);
	}
	(void)strcpy(host->instance, heard->instance);
	free(host->channels);
	host->channels = heard->channels;
	host->count = heard->count;
	host->when = bridge_now();
	heard->channels = NULL;
	return changed;
}

bool elsewhere_take(struct elsewhere *e, const char *host_token, const char *text, size_t length)
{
	struct heard heard;
	char name[OPTIONS_HOST_MAX + 1];
	bool changed;

	if (token_name(name, sizeof name, host_token, strlen(host_token)) != 0 ||
	    !heard_parse(&heard, text, length))
		return false;
	(void)pthread_mutex_lock(&e->lock);
	changed = heard.word == HEARD_CHANNELS ? store(e, host_token, &heard)
	                                       : store_word(e, host_token, &heard);
	(void)pthread_mutex_unlock(&e->lock);
	free(heard.channels);
	if (changed) {
		atomic_store(&e->bridge->heard, true);
		bridge_wake(e->bridge);
	}
	return true;
}

void elsewhere_position(struct elsewhere *e, const char *host_token, const char *channel_token,
                        uint64_t position)
{
	unsigned index = 0;
	struct host *host;
	bool changed = false;

	(void)pthread_mutex_lock(&e->lock);
	host = find(e, host_token, &index);
	for (size_t i = 0; host && i < host->count; i++)
		if (strcmp(host->channels[i].token, channel_token) == 0) {
			changed = host->channels[i].position != position;
			host->channels[i].position = position;
		}
	(void)pthread_mutex_unlock(&e->lock);
	if (changed) {
		atomic_store(&e->bridge->heard, true);
		bridge_wake(e->bridge);
	}
}

static void add_up(struct elsewhere_sum *ret, const struct host *host,
                   const struct heard_channel *c)
{
	ret->hosts++;
	ret->talkers += c->talkers;
	ret->listeners += c->listeners;
	ret->out += (c->directions & BEAT_OUT) != 0;
	if (c->directions & BEAT_IN) {
		ret->in++;
		if (c->position < ret->slowest) /* UINT64_MAX: not known yet, nobody waits */
			ret->slowest = c->position;
		if (!ret->first_in[0] || strcmp(host->token, ret->first_in) < 0)
			(void)strcpy(ret->first_in, host->token);
	}
	ret->unlike = ret->unlike || (ret->kind && ret->kind != c->kind);
	ret->kind = c->kind;
}

void elsewhere_sum(struct elsewhere *e, const char *channel_token, struct elsewhere_sum *ret)
{
	*ret = (struct elsewhere_sum){ .slowest = UINT64_MAX };
	(void)pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; i < e->count; i++)
		for (size_t j = 0; j < e->hosts[i]->count; j++)
			if (strcmp(e->hosts[i]->channels[j].token, channel_token) == 0)
				add_up(ret, e->hosts[i], &e->hosts[i]->channels[j]);
	(void)pthread_mutex_unlock(&e->lock);
}

unsigned elsewhere_forget(struct elsewhere *e,
                          void (*lost)(void *context, const char *host, const char *instance),
                          void *context)
{
	struct lost gone[LOST_MAX];
	int64_t limit = bridge_now() - BEAT_LOST_MS;
	unsigned count;

	(void)pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; i < e->count;) {
		if (e->hosts[i]->when >= limit) {
			i++;
			continue;
		}
		log_event(LOG_WARN, "host-silent", "host=%s", e->hosts[i]->token);
		drop(e, i);
	}
	count = e->lost_count;
	memcpy(gone, e->lost, count * sizeof gone[0]);
	e->lost_count = 0;
	(void)pthread_mutex_unlock(&e->lock);
	for (unsigned i = 0; lost && i < count; i++)
		lost(context, gone[i].token, gone[i].instance);
	return count;
}

unsigned elsewhere_hosts(struct elsewhere *e)
{
	unsigned count;

	(void)pthread_mutex_lock(&e->lock);
	count = e->count;
	(void)pthread_mutex_unlock(&e->lock);
	return count;
}

/* ---- what libnats brings ---------------------------------------------------- */

/* The token behind the last dot of a subject. */
static const char *last_token(const char *subject)
{
	const char *dot = strrchr(subject, '.');

	return dot ? dot + 1 : "";
}

static void on_beat(void *context, natsMsg *message)
{
	struct elsewhere *e = context;
	const char *host = last_token(natsMsg_GetSubject(message));

	if (strcmp(host, e->bridge->host) == 0)
		heard_own(e->bridge, natsMsg_GetData(message),
		          (size_t)natsMsg_GetDataLength(message));
	else if (!elsewhere_take(e, host, natsMsg_GetData(message),
	                         (size_t)natsMsg_GetDataLength(message)))
		log_event(LOG_WARN, "heartbeat-refused", "host=%s", host);
}

static void on_position(void *context, natsMsg *message)
{
	struct elsewhere *e = context;
	const char *subject = natsMsg_GetSubject(message), *host = last_token(subject);
	char channel[SUBJECT_ROOM], *dot;
	uint64_t position;

	(void)snprintf(channel, sizeof channel, "%s", subject);
	dot = strrchr(channel, '.');
	if (dot && strcmp(host, e->bridge->host) != 0 &&
	    heard_number(natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message),
	                 &position)) {
		*dot = '\0';
		elsewhere_position(e, host, last_token(channel), position);
	}
}

static natsStatus begin_to_listen(struct elsewhere *e)
{
	struct link *link = e->bridge->link;
	char subject[SUBJECT_ROOM];
	natsStatus s = NATS_OK;

	link_subject(link, subject, 'h', "*", NULL);
	if (!e->beats)
		s = ear_open(&e->beats, link->connection, subject, on_beat, e);
	link_subject(link, subject, 'p', "*", "*");
	if (s == NATS_OK)
		s = ear_open(&e->positions, link->connection, subject, on_position, e);
	return s;
}

/* The server may go away just now: it is tried again. */
int elsewhere_open(struct elsewhere **ret, struct bridge *bridge)
{
	struct elsewhere *e = calloc(1, sizeof *e);
	natsStatus s;
	int rc = e ? 0 : BRIDGE_TROUBLE;

	if (!e)
		return rc;
	e->bridge = bridge;
	(void)pthread_mutex_init(&e->lock, NULL);
	while (rc == 0 && (s = begin_to_listen(e)) != NATS_OK) {
		log_event(LOG_WARN, "no-heartbeats", "error=\"%s\" next=\"trying again\"",
		          link_words(s));
		rc = bridge_wait_or_end(bridge, AGAIN_MS) ? -1 : atomic_load(&bridge->refused);
	}
	if (rc != 0) {
		elsewhere_close(e);
		return rc;
	}
	*ret = e;
	return 0;
}

void elsewhere_close(struct elsewhere *e)
{
	if (!e)
		return;
	ear_close(e->beats);
	ear_close(e->positions);
	while (e->count)
		drop(e, 0);
	(void)pthread_mutex_destroy(&e->lock);
	free(e);
}
