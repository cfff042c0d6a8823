/* SPDX-License-Identifier: MIT */
/*
 * store.c - finds or makes the stream of a channel, and publishes packs to it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "link/limits.h"
#include "link/store.h"
#include "pump/pump.h"

enum {
	FIRST_PAUSE_MS = 10,
	LAST_PAUSE_MS = 250,
	LOOK_MS = 1000,
	PUBLISH_MS = 2000,
	HEADER_BYTES = 512 /* of a message: its id, and what else NATS puts there */
};

static struct link *link_of(const struct store *store)
{
	return store->pump->bridge->link;
}

size_t store_limit(const struct store *store)
{
	int64_t most = link_max_payload(link_of(store));

	if (store->largest > 0 && store->largest < most)
		most = store->largest;
	if (store->shape.work && most > store->shape.max_bytes / 2)
		most = store->shape.max_bytes / 2; /* more would never find room there */
	return most > HEADER_BYTES ? (size_t)(most - HEADER_BYTES) : 0;
}

const char *store_sender(natsMsg *message)
{
	const char *dot = strrchr(natsMsg_GetSubject(message), '.');

	return dot ? dot + 1 : "";
}

/* FNV-1a: only has to tell the names of streams apart. */
static uint64_t hash(const char *text, uint64_t value)
{
	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return value;
}

/* Two pumps may see it at once; one of them says so. */
static void note_age(struct store *store, uint64_t made)
{
	uint64_t before = atomic_exchange(store->pump->stream, made);

	if (before == 0 || before == made)
		return;
	log_event(LOG_WARN, "stream-remade",
	          "stream=%s lost=\"what the server had acknowledged and no other host had taken\"",
	          store->name);
	atomic_store(&store->pump->bridge->remade, true); /* the shapes may be lost as well */
	bridge_wake(store->pump->bridge);
}

static void take_info(struct store *store, const jsStreamInfo *info)
{
	store->origin = (struct mdg_origin){
		.identity = { hash(store->name, UINT64_C(0xcbf29ce484222325)),
		              hash(store->name, UINT64_C(0x6a09e667f3bcc908)) },
		.epoch = (uint64_t)info->Created,
	};
	note_age(store, store->origin.epoch);
	store->first = info->State.FirstSeq;
	store->last = info->State.LastSeq;
}

/* Whether the stream of that name is one for this kind of channel. */
static bool is_alike(const struct store *store, const jsStreamInfo *info)
{
	return info->Config &&
	       (info->Config->Retention == js_WorkQueuePolicy) == store->shape.work &&
	       info->Config->SubjectsLen == 1 && info->Config->Subjects &&
	       strcmp(info->Config->Subjects[0], store->subjects) == 0;
}

/* The server has no room for so large a stream. A topic is content with less: the oldest go. */
static bool is_too_much(const struct store *store, jsErrCode code)
{
	return !store->shape.work &&
	       (code == JSInsufficientResourcesErr || code == JSAccountResourcesExceededErr ||
	        code == JSStorageResourcesExceededErr || code == JSStreamMaxStreamBytesExceededErr);
}

static natsStatus make(struct store *store, jsErrCode *code)
{
	const char *subjects[] = { store->subjects };
	jsStreamConfig config;
	natsStatus s;

	(void)jsStreamConfig_Init(&config);
	config.Name = store->name;
	config.Subjects = subjects;
	config.SubjectsLen = 1;
	config.Retention = store->shape.work ? js_WorkQueuePolicy : js_LimitsPolicy;
	config.Discard = store->shape.work ? js_DiscardNew : js_DiscardOld;
	config.MaxBytes = store->shape.max_bytes;
	config.Storage = js_FileStorage;
	config.Replicas = link_of(store)->bridge->options->replicas;
	config.Duplicates = STORE_WINDOW_NS;
	do
		s = js_AddStream(NULL, link_of(store)->js, &config, NULL, code);
	while (s != NATS_OK && is_too_much(store, *code) &&
	       (config.MaxBytes /= 2) >= STORE_LEAST_BYTES);
	if (s == NATS_OK)
		log_event(LOG_INFO, "stream-made",
		          "stream=%s max_bytes=%" PRId64 " asked_max_bytes=%" PRId64, store->name,
		          config.MaxBytes, store->shape.max_bytes);
	return s;
}

/* Looks for the stream, and makes it if there is none. */
static natsStatus find_or_make(struct store *store, bool *ret_unlike)
{
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	natsStatus s = js_GetStreamInfo(&info, link_of(store)->js, store->name, NULL, &code);

	if (s == NATS_NOT_FOUND) {
		s = make(store, &code);
		if (s == NATS_OK)
			s = js_GetStreamInfo(&info, link_of(store)->js, store->name, NULL, &code);
	}
	if (s == NATS_OK) {
		*ret_unlike = !is_alike(store, info);
		take_info(store, info);
		if (!*ret_unlike)
			limits_take(store, info);
	}
	jsStreamInfo_Destroy(info);
	return s;
}

int store_look(struct store *store)
{
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	natsStatus s = js_GetStreamInfo(&info, link_of(store)->js, store->name, NULL, &code);

	if (s == NATS_OK)
		take_info(store, info);
	jsStreamInfo_Destroy(info);
	return s == NATS_OK ? 0 : PUMP_AGAIN;
}

static const char *why_not(const struct store *store, natsStatus s)
{
	if (!link_is_up(link_of(store)))
		return "there is no connection to the server";
	return s == NATS_NO_RESPONDERS
	               ? "the server has no such stream, or no JetStream, or not yet"
	               : link_words(s);
}

static unsigned longer(unsigned pause)
{
	return pause * 2 < LAST_PAUSE_MS ? pause * 2 : LAST_PAUSE_MS;
}

/* Until it is there. */
static int find_at_last(struct store *store)
{
	unsigned pause = FIRST_PAUSE_MS;

	for (;;) {
		bool unlike = false;
		natsStatus s = find_or_make(store, &unlike);

		if (unlike) {
			pump_state(store->pump, BRIDGE_FAILED,
			           "the server has a stream of this name for another kind of "
			           "channel: remove it there");
			return PUMP_AGAIN;
		}
		if (s == NATS_OK)
			return 0;
		pump_state(store->pump, BRIDGE_HELD, why_not(store, s));
		if (pump_stopping(store->pump))
			return -EINTR;
		pump_sleep(store->pump, pause);
		pause = longer(pause);
	}
}

int store_open(struct store *ret, struct pump *pump, const struct store_shape *shape)
{
	struct link *link = pump->bridge->link;
	int rc, length;

	*ret = (struct store){ .pump = pump, .shape = *shape };
	length = snprintf(ret->name, sizeof ret->name, "MADANG_%s_%s", link->group, pump->token);
	if (length < 0 || length >= (int)sizeof ret->name) {
		pump_state(pump, BRIDGE_FAILED, "the name is too long for a stream of the server");
		return PUMP_AGAIN;
	}
	link_subject(link, ret->subjects, 'm', pump->token, "*");
	link_subject(link, ret->own, 'm', pump->token, pump->bridge->host);
	(void)pthread_mutex_lock(&pump->lock);
	pump->own = ret;
	(void)pthread_mutex_unlock(&pump->lock);
	rc = find_at_last(ret);
	if (rc == 0)
		pump_state(pump, BRIDGE_MOVING, "");
	return rc;
}

void store_keep(struct store *store, int64_t max_bytes)
{
	bool unlike, another = max_bytes != store->shape.max_bytes;
	uint64_t made = store->origin.epoch, last = store->last;

	if (!another && bridge_now() < store->looked + LOOK_MS)
		return;
	store->shape.max_bytes = max_bytes;
	(void)find_or_make(store, &unlike);
	if (store->origin.epoch == made)
		store->last = last; /* our own last pack, and not another host's */
	store->looked = bridge_now();
}

/* ---- out -------------------------------------------------------------------- */

static natsStatus publish_once(struct store *store, const void *bytes, size_t size, const char *id,
                               uint64_t *ret_sequence, jsErrCode *code)
{
	jsPubOptions options;
	jsPubAck *ack = NULL;
	natsStatus s;

	(void)jsPubOptions_Init(&options);
	options.MaxWait = PUBLISH_MS;
	options.MsgId = id;
	options.ExpectStream = store->name;
	s = js_Publish(&ack, link_of(store)->js, store->own, bytes, (int)size, &options, code);
	if (s == NATS_OK && ret_sequence)
		*ret_sequence = ack->Sequence;
	jsPubAck_Destroy(ack);
	return s;
}

/* What to do about a failure. 0: try again. */
static int understand(struct store *store, natsStatus s, jsErrCode code)
{
	if (s == NATS_MAX_PAYLOAD || code == JSStreamMessageExceedsMaximumErr) {
		pump_state(store->pump, BRIDGE_FAILED,
		           "a pack is larger than the server takes: raise its max_payload");
		return PUMP_AGAIN;
	}
	pump_state(store->pump, BRIDGE_HELD, why_not(store, s));
	if (s == NATS_NO_RESPONDERS || s == NATS_NOT_FOUND || code == JSStreamNotFoundErr ||
	    code == JSStreamNotMatchErr) {
		bool unlike = false;

		(void)find_or_make(store, &unlike); /* else it is tried again here */
		if (unlike)
			return find_at_last(store);
	}
	return 0;
}

/* Whether the server may have the pack all the same. It has not if it says so, if nobody there
 * listens, or if nothing was sent. */
static bool may_be_stored(natsStatus s, jsErrCode code)
{
	return code == 0 && s != NATS_NO_RESPONDERS && s != NATS_MAX_PAYLOAD;
}

int store_publish(struct store *store, void *bytes, size_t size, const char *id,
                  uint64_t *ret_sequence)
{
	unsigned pause = FIRST_PAUSE_MS;

	for (bool held = false;; held = true) {
		jsErrCode code = 0;
		natsStatus s = publish_once(store, bytes, size, id, ret_sequence, &code);
		int rc;

		if (s == NATS_OK) {
			if (held)
				pump_state(store->pump, BRIDGE_MOVING, "");
			return 0;
		}
		if (store->in_doubt && may_be_stored(s, code))
			store->in_doubt(bytes, size);
		rc = understand(store, s, code);
		if (rc != 0)
			return rc;
		if (pump_stopping(store->pump))
			return -EINTR;
		pump_sleep(store->pump, pause);
		pause = longer(pause);
	}
}
