/* SPDX-License-Identifier: MIT */
/*
 * lease.c - who may write a segment: takes the lease, renews it, and gives it up. replica.h says
 * what it is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "replica/replica.h"

enum { TEXT = 320, KEY = TOKEN_ROOM + 16 };

static int open_bucket(kvStore **ret, struct replica *r)
{
	char bucket[64];
	kvConfig config;
	natsStatus s;

	(void)snprintf(bucket, sizeof bucket, "madang_%s", r->bridge->link->group);
	s = js_KeyValue(ret, r->bridge->link->js, bucket);
	if (s == NATS_NOT_FOUND) {
		(void)kvConfig_Init(&config);
		config.Bucket = bucket;
		config.History = 1;
		config.Replicas = r->bridge->options->replicas;
		s = js_CreateKeyValue(ret, r->bridge->link->js, &config);
	}
	if (s != NATS_OK)
		replica_trouble(r, "no-bucket", link_words(s));
	return s == NATS_OK ? 0 : LEASE_AGAIN;
}

static void words(char ret[TEXT], char key[KEY], const struct replica *r)
{
	(void)snprintf(ret, TEXT, "host=%s instance=%s", r->bridge->host, r->bridge->instance);
	(void)snprintf(key, KEY, "writer.%s", r->token);
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Whether the lease that `text` describes can be taken: it is free, or was ours before we started
 * again, or nobody has renewed it for long. */
static bool can_take(struct lease *l, const struct replica *r, const char *text, uint64_t revision)
{
	char mine[TEXT];

	(void)snprintf(mine, sizeof mine, "host=%s ", r->bridge->host);
	if (strcmp(text, "free") == 0 || starts(text, mine))
		return true;
	if (sscanf(text, "host=%189s", l->holder) != 1)
		(void)snprintf(l->holder, sizeof l->holder, "?");
	if (revision != l->seen) {
		l->seen = revision;
		l->seen_since = bridge_now();
	}
	return bridge_now() - l->seen_since > LEASE_LOST_MS;
}

static int take_from(struct lease *l, struct replica *r, kvStore *bucket)
{
	char text[TEXT], mine[TEXT], key[KEY];
	kvEntry *entry = NULL;
	natsStatus s = kvStore_Get(&entry, bucket, (words(mine, key, r), key));
	uint64_t revision = 0;

	if (s == NATS_NOT_FOUND) {
		s = kvStore_CreateString(&revision, bucket, key, mine);
	} else if (s == NATS_OK) {
		(void)snprintf(text, sizeof text, "%.*s", kvEntry_ValueLen(entry),
		               (const char *)kvEntry_Value(entry));
		revision = kvEntry_Revision(entry);
		kvEntry_Destroy(entry);
		if (!can_take(l, r, text, revision))
			return LEASE_OTHERS;
		s = kvStore_UpdateString(&revision, bucket, key, mine, revision);
	}
	if (s != NATS_OK)
		return LEASE_AGAIN; /* somebody was faster, or the server is away */
	l->fence = revision;
	l->revision = revision;
	l->renewed = bridge_now();
	return LEASE_MINE;
}

int lease_take(struct lease *l, struct replica *r)
{
	kvStore *bucket = NULL;
	int rc = open_bucket(&bucket, r);

	if (rc == 0)
		rc = take_from(l, r, bucket);
	kvStore_Destroy(bucket);
	return rc;
}

/* Whether the key still says us, after a change with a revision has failed. */
static int look(struct lease *l, kvStore *bucket, const char *key, const char *mine)
{
	kvEntry *entry = NULL;
	bool ours;
	natsStatus s = kvStore_Get(&entry, bucket, key);

	if (s == NATS_NOT_FOUND)
		return LEASE_GONE;
	if (s != NATS_OK)
		return LEASE_AGAIN;
	ours = (size_t)kvEntry_ValueLen(entry) == strlen(mine) &&
	       memcmp(kvEntry_Value(entry), mine, strlen(mine)) == 0;
	if (ours)
		l->revision = kvEntry_Revision(entry); /* our own change, without its answer */
	kvEntry_Destroy(entry);
	return ours ? LEASE_AGAIN : LEASE_OTHERS;
}

int lease_renew(struct lease *l, struct replica *r, bool now)
{
	char mine[TEXT], key[KEY];
	kvStore *bucket = NULL;
	uint64_t revision = l->revision;
	int rc;

	if (!now && bridge_now() - l->renewed < LEASE_MS)
		return LEASE_MINE;
	words(mine, key, r);
	rc = open_bucket(&bucket, r);
	if (rc == 0 && kvStore_UpdateString(&revision, bucket, key, mine, l->revision) != NATS_OK)
		rc = look(l, bucket, key, mine);
	if (rc == 0) {
		l->revision = revision;
		l->renewed = bridge_now();
	}
	kvStore_Destroy(bucket);
	return rc;
}

void lease_free(struct lease *l, struct replica *r)
{
	char mine[TEXT], key[KEY];
	kvStore *bucket = NULL;

	words(mine, key, r);
	if (link_is_up(r->bridge->link) && open_bucket(&bucket, r) == 0)
		(void)kvStore_UpdateString(NULL, bucket, key, "free", l->revision);
	kvStore_Destroy(bucket);
}

int lease_allows(struct replica *r, const char *host, uint64_t fence)
{
	char text[TEXT], key[KEY], holder[TOKEN_ROOM] = "";
	kvStore *bucket = NULL;
	kvEntry *entry = NULL;
	uint64_t revision = 0;
	natsStatus s;

	words(text, key, r);
	if (open_bucket(&bucket, r) != 0)
		return -EAGAIN;
	s = kvStore_Get(&entry, bucket, key);
	if (s == NATS_OK) {
		(void)snprintf(text, sizeof text, "%.*s", kvEntry_ValueLen(entry),
		               (const char *)kvEntry_Value(entry));
		revision = kvEntry_Revision(entry);
		(void)sscanf(text, "host=%189s", holder);
	}
	kvEntry_Destroy(entry);
	kvStore_Destroy(bucket);
	if (s != NATS_OK)
		return s == NATS_NOT_FOUND ? 0 : -EAGAIN; /* who writes takes the lease first */
	/* A lease that is free, or that this host had when it wrote, was the last writer's. */
	if (fence > revision)
		return 0;
	return !holder[0] || strcmp(holder, host) == 0 || strcmp(holder, r->bridge->host) == 0;
}
