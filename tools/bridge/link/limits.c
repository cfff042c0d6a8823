/* SPDX-License-Identifier: MIT */
/*
 * limits.c - what a stream that the server has already keeps, and what a channel here needs.
 *
 * A topic's stream that keeps less than this host needs is made larger, and never smaller. All else
 * is left as it is: somebody may have meant it. The log says what differs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "bridge.h"
#include "link/limits.h"
#include "pump/pump.h"

enum { TEXT_ROOM = 400 };

static bool keeps_less(const struct store *store, const jsStreamConfig *config)
{
	return config->MaxBytes > 0 && config->MaxBytes < store->shape.max_bytes;
}

static void make_larger(struct store *store, const jsStreamConfig *found)
{
	jsStreamConfig config = *found;
	jsErrCode code = 0;
	natsStatus s;

	config.MaxBytes = store->shape.max_bytes;
	s = js_UpdateStream(NULL, store->pump->bridge->link->js, &config, NULL, &code);
	if (s == NATS_OK) {
		store->max_bytes = config.MaxBytes;
		log_event(LOG_INFO, "stream-raised",
		          "stream=%s max_bytes=%" PRId64 " before=%" PRId64, store->name,
		          config.MaxBytes, found->MaxBytes);
		return;
	}
	if (store->refused_bytes != config.MaxBytes)
		log_event(LOG_WARN, "stream-not-raised",
		          "stream=%s max_bytes=%" PRId64 " needed=%" PRId64
		          " error=\"%s\" advice=\"raise it with the server's tools; until "
		          "then talkers wait earlier for hosts that are slow\"",
		          store->name, found->MaxBytes, config.MaxBytes, link_words(s));
	store->refused_bytes = config.MaxBytes;
}

static void add(char text[TEXT_ROOM], const char *what, int64_t is, int64_t asked, bool differs)
{
	size_t length = strlen(text);

	if (differs)
		(void)snprintf(text + length, TEXT_ROOM - length,
		               " %s=%" PRId64 " asked_%s=%" PRId64, what, is, what, asked);
}

/* Once for each opening. Zero and less: no limit. */
static void compare(struct store *store, const jsStreamConfig *config)
{
	int64_t replicas = store->pump->bridge->options->replicas;
	bool refuses = config->Discard == js_DiscardNew, work = store->shape.work;
	char text[TEXT_ROOM] = "";

	if (store->compared)
		return;
	store->compared = true;
	add(text, "replicas", config->Replicas, replicas, config->Replicas != replicas);
	add(text, "max_bytes", config->MaxBytes, store->shape.max_bytes,
	    work && keeps_less(store, config));
	add(text, "duplicate_window_ns", config->Duplicates, STORE_WINDOW_NS,
	    config->Duplicates < STORE_WINDOW_NS);
	add(text, "max_age_ns", config->MaxAge, 0, config->MaxAge > 0);
	add(text, "max_msgs", config->MaxMsgs, -1, config->MaxMsgs > 0);
	add(text, "max_msgs_per_subject", config->MaxMsgsPerSubject, -1,
	    config->MaxMsgsPerSubject > 0);
	add(text, "discard_new", refuses, work, refuses != work);
	add(text, "memory", 1, 0, config->Storage == js_MemoryStorage);
	if (text[0])
		log_event(LOG_WARN, "stream-differs",
		          "stream=%s%s advice=\"it stays as it is; change it with the server's "
		          "tools\"",
		          store->name, text);
}

void limits_take(struct store *store, const jsStreamInfo *info)
{
	const jsStreamConfig *config = info->Config;
	int64_t payload = link_max_payload(store->pump->bridge->link);

	store->max_bytes = config->MaxBytes > 0 ? config->MaxBytes : INT64_MAX;
	if (config->MaxMsgSize > 0 && config->MaxMsgSize < payload)
		payload = config->MaxMsgSize;
	if (store->largest == 0)
		store->largest = payload;
	if (!store->shape.work && keeps_less(store, config))
		make_larger(store, config);
	if (store->max_bytes < store->largest)
		store->largest = store->max_bytes;
	compare(store, config);
}
