/* SPDX-License-Identifier: MIT */
/*
 * absent.c - makes channels here that other hosts have.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "link/shape.h"
#include "watch/absent.h"
#include "watch/elsewhere.h"

/* A channel that is made because another host has it takes at most so much memory here. */
enum { MADE_CAPACITY_MAX = 64 << 20 };
enum { AGAIN_MS = 1000, AGAIN_MAX_MS = 60000 };

struct absent_name {
	struct absent_name *next;
	int64_t not_before;
	int pause;
	char name[MDG_NAME_MAX + 1];
};

void absent_leave_alone(struct absent *absent, const char *name)
{
	unsigned i = absent->removals++ % LEFT_ALONE_MAX;

	(void)snprintf(absent->removed[i].name, sizeof absent->removed[i].name, "%s", name);
	absent->removed[i].until = bridge_now() + LEFT_ALONE_MS;
}

void absent_retry(struct absent *absent)
{
	while (absent->names) {
		struct absent_name *first = absent->names;

		absent->names = first->next;
		free(first);
	}
	absent->ask_at = 0;
}

static struct absent_name *find(const struct absent *absent, const char *name)
{
	struct absent_name *one = absent->names;

	while (one && strcmp(one->name, name) != 0)
		one = one->next;
	return one;
}

/* When it may be made; 0: now. */
static int64_t not_before(const struct absent *absent, const char *name)
{
	const struct absent_name *one = find(absent, name);
	int64_t now = bridge_now(), when = absent->ask_at;

	if (one && one->not_before > when)
		when = one->not_before;
	for (unsigned i = 0; i < LEFT_ALONE_MAX; i++)
		if (absent->removed[i].until > when && strcmp(absent->removed[i].name, name) == 0)
			when = absent->removed[i].until;
	return when > now ? when : 0;
}

static void look_at(struct absent *absent, int64_t when)
{
	if (when < absent->when)
		absent->when = when;
}

/* It could not be made: without memory for that, none is made for a second. */
static void put_off(struct absent *absent, const char *name)
{
	struct absent_name *one = find(absent, name);

	if (!one) {
		one = calloc(1, sizeof *one);
		if (!one) {
			absent->ask_at = bridge_now() + AGAIN_MS;
			return;
		}
		(void)snprintf(one->name, sizeof one->name, "%s", name);
		one->next = absent->names;
		absent->names = one;
	}
	one->pause = one->pause == 0                 ? AGAIN_MS
	             : one->pause * 2 < AGAIN_MAX_MS ? one->pause * 2
	                                             : AGAIN_MAX_MS;
	one->not_before = bridge_now() + one->pause;
	look_at(absent, one->not_before);
}

static bool make(struct bridge *bridge, const char *name, struct mdg_channel_options *shape)
{
	mdg_channel *channel;
	int rc;

	if (shape->capacity > MADE_CAPACITY_MAX) {
		log_event(LOG_WARN, "smaller-channel",
		          "channel=\"%s\" here=%d group=%" PRIu64
		          " advice=\"make it yourself to have it as large\"",
		          name, MADE_CAPACITY_MAX, shape->capacity);
		shape->capacity = MADE_CAPACITY_MAX;
	}
	rc = mdg_channel_open(&channel, bridge->ns, name, MDG_OBSERVER, shape);
	if (rc != 0) {
		log_event(LOG_ERROR, "channel-not-made", "channel=\"%s\" error=\"%s\"", name,
		          mdg_strerror(rc));
		return false;
	}
	log_event(LOG_INFO, "channel-made", "channel=\"%s\" kind=%s", name,
	          channel_kind_name(shape->kind));
	mdg_channel_close(channel);
	return true;
}

/* Whether another host has it. */
static bool is_elsewhere(struct bridge *bridge, const char *name, char token[TOKEN_ROOM])
{
	struct elsewhere_sum sum;

	if (token_make(token, TOKEN_ROOM, name) != 0)
		return false;
	elsewhere_sum(bridge->elsewhere, token, &sum);
	return sum.kind != 0;
}

/* Returns whether it is here now. */
static bool try(struct absent *absent, struct bridge *bridge, const char *name)
{
	struct mdg_channel_options shape;
	char token[TOKEN_ROOM];
	int64_t when;
	int rc;

	if (!rules_allow(bridge->rules, name, BRIDGE_IN) || !is_elsewhere(bridge, name, token))
		return false;
	when = not_before(absent, name);
	if (when != 0) {
		look_at(absent, when);
		return false;
	}
	rc = shape_get(bridge->link, token, &shape);
	if (rc == SHAPE_AGAIN) { /* one channel asks for all */
		absent->ask_at = bridge_now() + AGAIN_MS;
		look_at(absent, absent->ask_at);
		return false;
	}
	if (rc == 0 && make(bridge, name, &shape))
		return true;
	put_off(absent, name);
	return false;
}

void absent_make(struct absent *absent, struct bridge *bridge,
                 bool (*is_here)(void *context, const char *name),
                 void (*enter)(void *context, const char *name), void *context)
{
	const char *name;
	size_t cursor = 0;

	absent->when = INT64_MAX;
	while ((name = rules_next_name(bridge->rules, &cursor)) != NULL)
		if (!is_here(context, name) && try(absent, bridge, name))
			enter(context, name);
}
