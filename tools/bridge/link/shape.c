/* SPDX-License-Identifier: MIT */
/*
 * shape.c - writes and reads the shapes of channels in a key-value bucket of JetStream.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "base/token.h"
#include "bridge.h"
#include "link/shape.h"
#include "watch/heard.h"

enum { KEY_ROOM = TOKEN_ROOM + 16, TEXT_ROOM = 160, WORD_ROOM = 24 };

/* KEY and a word up to the next blank. */
static bool take_word(const char **at, const char *key, char ret[WORD_ROOM])
{
	size_t length = strlen(key), n;

	if (strncmp(*at, key, length) != 0)
		return false;
	n = strcspn(*at + length, " ");
	if (n == 0 || n >= WORD_ROOM)
		return false;
	memcpy(ret, *at + length, n);
	ret[n] = '\0';
	*at += length + n;
	return true;
}

static bool take_number(const char **at, const char *key, uint64_t most, uint64_t *ret)
{
	char word[WORD_ROOM];

	return take_word(at, key, word) && heard_number(word, strlen(word), ret) && *ret <= most;
}

bool shape_parse(struct mdg_channel_options *ret, const char *text)
{
	char kind[WORD_ROOM], full[WORD_ROOM];
	uint64_t capacity, peers;

	*ret = (struct mdg_channel_options){ .size = sizeof *ret };
	if (!take_word(&text, "kind=", kind) || !take_word(&text, " full=", full) ||
	    !take_number(&text, " capacity=", MDG_CAPACITY_MAX, &capacity) ||
	    !take_number(&text, " peers=", MDG_PEERS_MAX, &peers) || *text)
		return false;
	for (uint32_t i = MDG_STREAM; i <= MDG_CALL; i++)
		if (strcmp(kind, channel_kind_name(i)) == 0)
			ret->kind = i;
	if (strcmp(full, "wait") == 0)
		ret->full = MDG_FULL_WAIT;
	else if (strcmp(full, "overwrite") == 0)
		ret->full = MDG_FULL_OVERWRITE;
	ret->capacity = capacity;
	ret->peers = (uint32_t)peers;
	return ret->kind && ret->full && capacity > 0 && peers >= 2 &&
	       (ret->full == MDG_FULL_WAIT || ret->kind == MDG_TOPIC);
}

static int open_bucket(kvStore **ret, struct link *link)
{
	char bucket[64];
	kvConfig config;
	natsStatus s;

	(void)snprintf(bucket, sizeof bucket, "madang_%s", link->group);
	s = js_KeyValue(ret, link->js, bucket);
	if (s == NATS_NOT_FOUND) {
		(void)kvConfig_Init(&config);
		config.Bucket = bucket;
		config.History = 1;
		config.Replicas = link->bridge->options->replicas;
		s = js_CreateKeyValue(ret, link->js, &config);
		if (s != NATS_OK)
			s = js_KeyValue(ret, link->js, bucket); /* another bridge was faster */
	}
	if (s != NATS_OK) {
		log_event(LOG_WARN, "no-bucket", "bucket=%s error=\"%s\" next=\"trying again\"",
		          bucket, link_words(s));
		return SHAPE_AGAIN;
	}
	return 0;
}

/* Reads the text of a key. 0, SHAPE_NONE or SHAPE_AGAIN. */
static int read_text(kvStore *bucket, const char *key, char ret[TEXT_ROOM])
{
	kvEntry *entry = NULL;
	natsStatus s = kvStore_Get(&entry, bucket, key);

	if (s == NATS_NOT_FOUND)
		return SHAPE_NONE;
	if (s != NATS_OK)
		return SHAPE_AGAIN;
	(void)snprintf(ret, TEXT_ROOM, "%.*s", kvEntry_ValueLen(entry),
	               (const char *)kvEntry_Value(entry));
	kvEntry_Destroy(entry);
	return 0;
}

int shape_get(struct link *link, const char *channel_token, struct mdg_channel_options *ret)
{
	char key[KEY_ROOM], text[TEXT_ROOM];
	kvStore *bucket;
	int rc = link_is_up(link) ? open_bucket(&bucket, link) : SHAPE_AGAIN;

	if (rc != 0)
		return rc;
	(void)snprintf(key, sizeof key, "channel.%s", channel_token);
	rc = read_text(bucket, key, text);
	kvStore_Destroy(bucket);
	if (rc == 0 && !shape_parse(ret, text)) {
		log_event(LOG_WARN, "shape-refused", "key=%s text=\"%s\"", key, text);
		return SHAPE_NONE;
	}
	return rc;
}

/* Also tells whether ours has a larger capacity. */
static int compare(const char *key, const char *text, const struct mdg_channel_info *info,
                   bool *ret_larger)
{
	struct mdg_channel_options theirs;

	if (!shape_parse(&theirs, text)) {
		log_event(LOG_ERROR, "shape-refused", "key=%s text=\"%s\"", key, text);
		return SHAPE_UNLIKE;
	}
	if (theirs.kind != info->kind || theirs.full != info->full) {
		log_event(LOG_ERROR, "unlike-channel",
		          "channel=\"%s\" here=%s/%s group=%s/%s advice=\"nothing of it crosses; "
		          "remove the channel here; or remove the key %s, if the group's is an old "
		          "one, and send SIGHUP\"",
		          info->name, channel_kind_name(info->kind),
		          info->full == MDG_FULL_OVERWRITE ? "overwrite" : "wait",
		          channel_kind_name(theirs.kind),
		          theirs.full == MDG_FULL_OVERWRITE ? "overwrite" : "wait", key);
		return SHAPE_UNLIKE;
	}
	*ret_larger = info->capacity > theirs.capacity;
	if (theirs.capacity > info->capacity)
		log_event(LOG_WARN, "smaller-channel",
		          "channel=\"%s\" here=%" PRIu64 " group=%" PRIu64
		          " why=\"larger messages cannot come here\"",
		          info->name, info->capacity, theirs.capacity);
	return 0;
}

int shape_announce(struct link *link, const char *channel_token,
                   const struct mdg_channel_info *info)
{
	char key[KEY_ROOM], text[TEXT_ROOM], theirs[TEXT_ROOM];
	kvStore *bucket;
	bool larger = false;
	int rc = link_is_up(link) ? open_bucket(&bucket, link) : SHAPE_AGAIN;

	if (rc != 0)
		return rc;
	(void)snprintf(key, sizeof key, "channel.%s", channel_token);
	(void)snprintf(text, sizeof text, "kind=%s full=%s capacity=%" PRIu64 " peers=%" PRIu32,
	               channel_kind_name(info->kind),
	               info->full == MDG_FULL_OVERWRITE ? "overwrite" : "wait", info->capacity,
	               info->peers);
	rc = read_text(bucket, key, theirs);
	if (rc == SHAPE_NONE) {
		bool made = kvStore_CreateString(NULL, bucket, key, text) == NATS_OK;

		rc = made ? 0 : read_text(bucket, key, theirs); /* another bridge was faster */
		if (made)
			(void)snprintf(theirs, sizeof theirs, "%s", text);
	}
	rc = rc == 0 ? compare(key, theirs, info, &larger) : SHAPE_AGAIN;
	if (rc == 0 && larger) /* hosts that come later make it as large */
		(void)kvStore_PutString(NULL, bucket, key, text);
	kvStore_Destroy(bucket);
	return rc;
}
