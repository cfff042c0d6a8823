/* SPDX-License-Identifier: MIT */
/*
 * topic.c - carries topics: every message to every host, as to every listener.
 *
 * Out, the bridge is a listener, and takes what programs here have sent. What a bridge has put in
 * is marked MDG_RELAYED and does not go out again: so nothing goes in a circle. The number up to
 * which all was sent is kept in the channel's own memory.
 *
 * In, the bridge is a talker, and keeps the ring current whether somebody listens or not, so that a
 * late listener starts as it would at home. What it has taken is kept in the channel's memory as a
 * position of the server's stream (store.origin).
 *
 * A topic that waits holds its talkers for the slowest host. Hosts say how far they are: in each
 * heartbeat, and after each SAY_EVERY packs. No more than WINDOW packs are ahead of the slowest
 * host that lives, and the server keeps at least twice as many.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pump/carry.h"
#include "pump/pump.h"
#include "pump/thread.h"

enum { WINDOW = 32, SAY_EVERY = 8, HELD_MS = 250, FEWEST_PACKS = 4 };

static struct store_shape shape_of(const struct pump *pump)
{
	int64_t most = (int64_t)pump->info.capacity * 2;

	if (pump->info.full == MDG_FULL_WAIT)
		most = (int64_t)PACK_BYTES * WINDOW * 2;
	if (most < (int64_t)PACK_BYTES * FEWEST_PACKS)
		most = (int64_t)PACK_BYTES * FEWEST_PACKS;
	if (most < (int64_t)pump->info.capacity * FEWEST_PACKS)
		most = (int64_t)pump->info.capacity * FEWEST_PACKS;
	return (struct store_shape){ .work = false, .max_bytes = most };
}

/* ---- out -------------------------------------------------------------------- */

static bool out_wanted(const struct situation *s)
{
	return s->may[BRIDGE_OUT];
}

/* How far the slowest host is: the keeper writes it, and ends a wait. */
static void out_changed(struct pump *pump, const struct situation *s)
{
	uint64_t slowest = s->elsewhere.in ? s->elsewhere.slowest : UINT64_MAX;

	if (atomic_exchange(&pump->position, slowest) != slowest && !atomic_load(&pump->ended))
		(void)pthread_kill(pump->thread, THREAD_SIGNAL);
}

static bool is_ahead(const struct carry *carry)
{
	uint64_t slowest = atomic_load(&carry->pump->position);

	return carry->pump->info.full == MDG_FULL_WAIT && slowest < UINT64_MAX - WINDOW &&
	       carry->store.last > slowest + WINDOW;
}

/* Waits until the slowest host is near enough. */
static int wait_for_hosts(struct carry *carry)
{
	bool held = false;

	while (is_ahead(carry)) {
		if (pump_stopping(carry->pump))
			return -EINTR;
		if (!held)
			pump_state(carry->pump, BRIDGE_HELD,
			           "another host is slow, and this topic waits");
		held = true;
		pump_sleep(carry->pump, HELD_MS);
	}
	if (held)
		pump_state(carry->pump, BRIDGE_MOVING, "");
	return 0;
}

/* Leaves out what a bridge has put in. Returns how many are left. */
static unsigned leave_out_relayed(struct carry *carry, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++)
		if (!(carry->messages[i].flags & MDG_RELAYED))
			carry->messages[n++] = carry->messages[i];
	return n;
}

static int send_some(struct carry *carry)
{
	int count = carry_peek(carry, MDG_MANY_MAX), rc;
	uint64_t next;
	unsigned own;

	if (count < 0)
		return count;
	next = carry->messages[count - 1].sequence + 1;
	own = leave_out_relayed(carry, (unsigned)count);
	rc = own ? carry_send(carry, own, wait_for_hosts) : 0;
	if (rc == 0)
		rc = carry_commit(carry, &carry->origin, next);
	return rc == 0 ? mdg_channel_release(carry->channel) : rc;
}

/* The number from which on nothing was sent. *ret_from says whether there is one. */
static int where_to_begin(struct pump *pump, uint32_t *ret_from, uint64_t *ret_number)
{
	struct mdg_channel_options existing = { .size = sizeof existing,
		                                .flags = MDG_CHANNEL_EXISTING };
	struct mdg_origin own = { .identity = { pump->info.identity[0], pump->info.identity[1] },
		                  .epoch = pump->info.epoch };
	mdg_channel *channel;
	int rc = mdg_channel_open(&channel, pump->bridge->ns, pump->channel, MDG_OBSERVER,
	                          &existing);

	if (rc != 0)
		return rc;
	rc = mdg_channel_position(channel, &own, ret_number);
	mdg_channel_close(channel);
	*ret_from = rc == 0 ? MDG_FROM_NUMBER : MDG_FROM_OLDEST;
	return rc == -ENOENT ? 0 : rc;
}

static int out_run(struct pump *pump)
{
	struct store_shape shape = shape_of(pump);
	struct carry carry = { .pump = NULL };
	uint64_t number = 0;
	uint32_t from = 0;
	int rc;

	rc = where_to_begin(pump, &from, &number);
	if (rc == 0)
		rc = carry_open(&carry, pump, MDG_LISTENER, &shape, from, number);
	while (rc == 0)
		rc = send_some(&carry);
	carry_close(&carry);
	return rc;
}

const struct pump_ops pump_topic_out = {
	.kind = MDG_TOPIC,
	.direction = BRIDGE_OUT,
	.wanted = out_wanted,
	.run = out_run,
	.changed = out_changed,
};

/* ---- in --------------------------------------------------------------------- */

static bool in_wanted(const struct situation *s)
{
	return s->may[BRIDGE_IN];
}

/* Tells the talkers' hosts how far this one is. */
static void say_position(struct carry *carry, uint64_t position)
{
	struct pump *pump = carry->pump;
	char subject[SUBJECT_ROOM], text[24];
	int n = snprintf(text, sizeof text, "%" PRIu64, position);

	link_subject(pump->bridge->link, subject, 'p', pump->token, pump->bridge->host);
	(void)natsConnection_Publish(pump->bridge->link->connection, subject, text, n);
}

static int take_one(struct carry *carry, uint64_t *said)
{
	struct pump *pump = carry->pump;
	int rc = carry_next(carry);

	if (rc != 0)
		return rc;
	if (strcmp(store_sender(carry->message), pump->bridge->host) != 0)
		rc = carry_put(carry);
	if (rc == 0)
		rc = carry_commit(carry, &carry->store.origin, carry->sequence + 1);
	/* A repeat of what is behind us already. */
	if (rc == -EINVAL)
		rc = 0;
	if (rc != 0)
		return rc;
	atomic_store(&pump->position, carry->sequence);
	if (pump->info.full == MDG_FULL_WAIT && carry->sequence >= *said + SAY_EVERY) {
		say_position(carry, carry->sequence);
		*said = carry->sequence;
	}
	return carry_done(carry);
}

static int follow(struct carry *carry)
{
	char durable[TOKEN_ROOM + 8];
	uint64_t next = 0;
	int rc = mdg_channel_position(carry->channel, &carry->store.origin, &next);

	if (rc != 0 && rc != -ENOENT)
		return rc;
	/* The stream's oldest may be newer than where we were. */
	if (next < carry->store.first)
		next = carry->store.first;
	atomic_store(&carry->pump->position, next ? next - 1 : 0);
	(void)snprintf(durable, sizeof durable, "in-%s", carry->pump->bridge->host);
	return store_follow(&carry->store, durable, next);
}

static int in_run(struct pump *pump)
{
	struct store_shape shape = shape_of(pump);
	struct carry carry;
	uint64_t said = 0;
	int rc;

	atomic_store(&pump->position, UINT64_MAX); /* nobody waits for us before we follow */
	rc = carry_open(&carry, pump, MDG_TALKER, &shape, 0, 0);
	if (rc == 0)
		rc = follow(&carry);
	bridge_wake(pump->bridge); /* a heartbeat tells where we begin */
	while (rc == 0)
		rc = take_one(&carry, &said);
	carry_close(&carry);
	return rc;
}

const struct pump_ops pump_topic_in = {
	.kind = MDG_TOPIC,
	.direction = BRIDGE_IN,
	.wanted = in_wanted,
	.run = in_run,
	.wake = store_wake,
};
