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
 * heartbeat, after each SAY_EVERY packs or SAY_BYTES, and when their channel is full.
 *
 * THE WINDOW. The server throws its oldest packs away when its stream is full, so the stream has to
 * have room for all that a living host has not taken. A host sends a pack only if the place of its
 * own last pack is at most W behind that of the slowest host, s; the host itself counts, too. So
 * each talking host has at most one pack beyond s + W: a second one would need a first one that is
 * not beyond. With N talking hosts at most W + N packs wait for the slowest one, however they come
 * together. The stream keeps (W + spare) times the largest pack that this host may send. `spare` is
 * twice the talking hosts that are known, at least 32, so that it is right before a new one is
 * heard of. Each host raises the stream to what it needs: when it opens it, and when WINDOW / 2 is
 * used. Where the server refuses that, the window is smaller.
 *
 * BLOCKED. Hosts that talk share each ring with what comes from the others. While a pump out waits,
 * what it has not sent fills the ring, and the pump in cannot go on; if its host holds the others
 * for that, all wait for ever. So W is WINDOW, and more (far_of) for a host whose pump in finds no
 * room, if no other is slower. While that waits, and until it has taken all, programs here add
 * nothing (MDG_RELAY_MORE). So the pump out has no more to send than the ring has, and then the
 * pump in goes on. far_of is enough for the rings of all talking hosts, unless many hosts have
 * large ones full of small messages. tests/models/flood.pml.
 *
 * If packs are missing all the same (this host was away for longer than others wait, or somebody
 * removed them at the server), that is logged and counted.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pump/carry.h"
#include "pump/pump.h"
#include "pump/thread.h"

enum { WINDOW = 32, BEYOND = 64, BEYOND_MOST = 512, SPARE = 32, FEWEST_PACKS = 4 };
enum { FEWEST_BYTES = 32 * 1024 }; /* that a pack takes in the ring, if more are there */
enum { SAY_EVERY = 8, SAY_BYTES = 2 * PACK_BYTES };
enum { HELD_MS = 250, SAY_HELD_MS = 1000 };
#define PATIENCE_NS (UINT64_C(20) * 1000000)

/* The most bytes that a pack of this host takes in the stream. */
static int64_t largest_record(const struct pump *pump)
{
	int64_t most = link_max_payload(pump->bridge->link), size = PACK_BYTES;
	int64_t alone = (int64_t)pump->info.capacity + PACK_HEAD + PACK_MESSAGE_HEAD;

	if (size < alone)
		size = alone;
	return (size < most ? size : most) + STORE_RECORD_HEAD;
}

/* For packs of hosts that send at the same time: for twice as many as are known. */
static int64_t spare_packs(struct pump *pump)
{
	int64_t hosts = (int64_t)atomic_load(&pump->talking) + 1;

	return (2 * hosts + SPARE - 1) / SPARE * SPARE;
}

/* How many packs may be ahead of the slowest host while the pump in finds no room. */
static int64_t far_of(struct pump *pump)
{
	int64_t hosts = (int64_t)atomic_load(&pump->talking) + 1;
	int64_t rings = hosts * (2 * (int64_t)pump->info.capacity / FEWEST_BYTES + 2);

	if (rings > BEYOND_MOST)
		rings = BEYOND_MOST;
	return WINDOW + (rings > BEYOND ? rings : BEYOND);
}

static int64_t bytes_to_keep(struct pump *pump)
{
	int64_t capacity = (int64_t)pump->info.capacity;
	int64_t most = pump->info.full == MDG_FULL_WAIT
	                       ? largest_record(pump) * (far_of(pump) + spare_packs(pump))
	                       : 0;

	if (most < (int64_t)PACK_BYTES * FEWEST_PACKS)
		most = (int64_t)PACK_BYTES * FEWEST_PACKS;
	return most < capacity * FEWEST_PACKS ? capacity * FEWEST_PACKS : most;
}

static struct store_shape shape_of(struct pump *pump)
{
	return (struct store_shape){ .work = false, .max_bytes = bytes_to_keep(pump) };
}

/* ---- out -------------------------------------------------------------------- */

static bool out_wanted(const struct situation *s)
{
	return s->may[BRIDGE_OUT];
}

/* How far the slowest host is, and whether the pump in is blocked: the keeper says it, and ends a
 * wait. */
static void out_changed(struct pump *pump, const struct situation *s)
{
	uint64_t slowest = s->elsewhere.in ? s->elsewhere.slowest : UINT64_MAX;
	bool news = atomic_exchange(&pump->position, slowest) != slowest;

	if (!s->may[BRIDGE_IN])
		atomic_store(&pump->turn->taken, UINT64_MAX);
	atomic_store(&pump->talking, s->elsewhere.out);
	/* It may wait for the pump in of this host, too. */
	news = news || atomic_load(&pump->turn->far);
	if (news && !atomic_load(&pump->ended))
		(void)pthread_kill(pump->thread, THREAD_SIGNAL);
}

/* Of this host. It waits not for itself if it takes nothing in, because of the rules or not yet, or
 * if the pump in could not for so long that another host would be forgotten. */
static uint64_t own_position(const struct pump *pump)
{
	int64_t left = atomic_load(&pump->turn->left);

	return left && bridge_now() - left > BEAT_LOST_MS ? UINT64_MAX
	                                                  : atomic_load(&pump->turn->taken);
}

/* How many packs may be ahead of the slowest host now: fewer if the stream keeps less than needed.
 */
static uint64_t window_of(const struct carry *carry)
{
	struct pump *pump = carry->pump;
	int64_t most = carry->store.max_bytes / largest_record(pump) - spare_packs(pump);
	bool far = atomic_load(&pump->turn->blocked) &&
	           own_position(pump) <= atomic_load(&pump->position);
	int64_t wanted = far ? far_of(pump) : WINDOW;

	if (most < wanted)
		wanted = most;
	return wanted < 1 ? 1 : (uint64_t)wanted;
}

static bool is_beyond(const struct carry *carry, uint64_t window)
{
	uint64_t slowest = atomic_load(&carry->pump->position), own = own_position(carry->pump);

	if (own < slowest)
		slowest = own;
	return slowest < UINT64_MAX - window && carry->store.last > slowest + window;
}

/* Waits until the slowest host is near enough. */
static int wait_for_hosts(struct carry *carry)
{
	struct pump *pump = carry->pump;
	bool said = false;

	if (pump->info.full != MDG_FULL_WAIT)
		return 0;
	if (is_beyond(carry, WINDOW / 2))
		store_keep(&carry->store, bytes_to_keep(pump));
	atomic_store(&pump->turn->far, is_beyond(carry, WINDOW));
	for (int64_t since = bridge_now(); is_beyond(carry, window_of(carry));) {
		if (!said && bridge_now() >= since + SAY_HELD_MS) {
			pump_state(pump, BRIDGE_HELD, "another host is slow, and this topic waits");
			said = true;
		}
		pump_sleep(pump, HELD_MS);
		if (pump_stopping(pump))
			return -EINTR;
		/* If the stream was made anew, our place in the old one says nothing. */
		store_keep(&carry->store, bytes_to_keep(pump));
	}
	atomic_store(&pump->turn->far, is_beyond(carry, WINDOW));
	if (said)
		pump_state(pump, BRIDGE_MOVING, "");
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
	atomic_store(&pump->turn->far, false);
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

struct topic_in {
	struct carry carry; /* first: see while_full */
	uint64_t taken;     /* the sequence up to which all was */
	uint64_t said;      /* of it, what other hosts were told last */
	size_t bytes;       /* taken since then */
};

/* Tells the talkers' hosts how far this one is. */
static void say_position(struct topic_in *in)
{
	struct pump *pump = in->carry.pump;
	char subject[SUBJECT_ROOM], text[24];
	int n = snprintf(text, sizeof text, "%" PRIu64, in->taken);

	link_subject(pump->bridge->link, subject, 'p', pump->token, pump->bridge->host);
	(void)natsConnection_Publish(pump->bridge->link->connection, subject, text, n);
	in->said = in->taken;
	in->bytes = 0;
}

/* The pump out looks again, whether this one is blocked. */
static void say_blocked(struct pump *pump, bool blocked)
{
	if (atomic_exchange(&pump->turn->blocked, blocked) != blocked)
		bridge_wake(pump->bridge);
}

/* The pump out cannot send what programs here add, and there is more to take: until that is done
 * they add nothing. */
static bool goes_first(const struct carry *carry)
{
	return atomic_load(&carry->pump->turn->far) && store_has_more(&carry->store);
}

/* Others may wait for what we have taken. */
static int while_full(struct carry *carry)
{
	struct topic_in *in = (struct topic_in *)(void *)carry;

	say_blocked(carry->pump, true);
	if (in->said < in->taken)
		say_position(in);
	return 0;
}

/* In a topic that overwrites, slow hosts miss packs. In one that waits, they should not. */
static void note_missed(struct carry *carry)
{
	struct pump *pump = carry->pump;

	if (carry->missed == 0)
		return;
	log_event(pump->info.full == MDG_FULL_WAIT ? LOG_WARN : LOG_DEBUG, "messages-missed",
	          "channel=\"%s\" packs=%" PRIu64 " before=%" PRIu64
	          " why=\"the server did not have them any more\"",
	          pump->channel, carry->missed, carry->sequence);
	pump_missed(pump, carry->missed);
	carry->missed = 0;
}

static int take_one(struct topic_in *in)
{
	struct carry *carry = &in->carry;
	struct pump *pump = carry->pump;
	int rc = carry_next(carry, -1);

	if (rc != 0)
		return rc;
	note_missed(carry);
	if (carry->pack->count && goes_first(carry))
		carry->pack->messages[carry->pack->count - 1].flags |= MDG_RELAY_MORE;
	if (strcmp(store_sender(carry->message), pump->bridge->host) != 0)
		rc = carry_put(carry);
	if (!goes_first(carry))
		say_blocked(pump, false);
	if (rc == 0)
		rc = carry_commit(carry, &carry->store.origin, carry->sequence + 1);
	/* A repeat of what is behind us already. */
	if (rc == -EINVAL)
		rc = 0;
	if (rc != 0)
		return rc;
	in->taken = carry->sequence;
	atomic_store(&pump->position, in->taken); /* for heartbeats */
	atomic_store(&pump->turn->taken, in->taken);
	if (atomic_load(&pump->turn->far))
		bridge_wake(pump->bridge); /* the pump out may wait for us */
	in->bytes += (size_t)natsMsg_GetDataLength(carry->message);
	if (pump->info.full == MDG_FULL_WAIT &&
	    (in->taken >= in->said + SAY_EVERY || in->bytes >= SAY_BYTES))
		say_position(in);
	return carry_done(carry);
}

static int follow(struct carry *carry)
{
	char durable[TOKEN_ROOM + 8];
	uint64_t next = 0;
	int rc = mdg_channel_position(carry->channel, &carry->store.origin, &next);

	if (rc != 0 && rc != -ENOENT)
		return rc;
	if (rc == 0 && next > 0)
		carry->seen = next - 1;
	/* The stream's oldest may be newer than where we were: then something was missed. */
	if (next < carry->store.first)
		next = carry->store.first;
	atomic_store(&carry->pump->position, next ? next - 1 : 0);
	(void)snprintf(durable, sizeof durable, "in-%s", carry->pump->bridge->host);
	return store_follow(&carry->store, durable, next);
}

static int in_run(struct pump *pump)
{
	struct store_shape shape = shape_of(pump);
	struct topic_in in = { .said = 0 };
	int rc;

	atomic_store(&pump->position, UINT64_MAX); /* nobody waits for us before we follow */
	rc = carry_open(&in.carry, pump, MDG_TALKER, &shape, 0, 0);
	if (rc == 0)
		rc = follow(&in.carry);
	if (pump->info.full == MDG_FULL_WAIT)
		in.carry.meanwhile = while_full;
	in.carry.patience = PATIENCE_NS;
	in.taken = atomic_load(&pump->position);
	if (rc == 0) {
		atomic_store(&pump->turn->taken, in.taken);
		atomic_store(&pump->turn->left, 0);
	}
	bridge_wake(pump->bridge); /* a heartbeat tells where we begin */
	while (rc == 0)
		rc = take_one(&in);
	carry_close(&in.carry);
	if (atomic_load(&pump->turn->left) == 0)
		atomic_store(&pump->turn->left, bridge_now());
	say_blocked(pump, false);
	return rc;
}

const struct pump_ops pump_topic_in = {
	.kind = MDG_TOPIC,
	.direction = BRIDGE_IN,
	.wanted = in_wanted,
	.run = in_run,
	.wake = store_wake,
};
