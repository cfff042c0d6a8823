/* SPDX-License-Identifier: MIT */
/*
 * stream.c - carries streams: one talker here, one listener elsewhere, or the other way about.
 *
 * Out, the bridge is the channel's listener. It holds what it has peeked until the server has it.
 * In, it is the talker, and acknowledges a pack to the server when all of it is in the ring.
 */
#include <errno.h>
#include <string.h>

#include "pump/carry.h"
#include "pump/pump.h"

enum { LEAVE_MS = 1000 };

static const struct store_shape shape = { .work = true, .max_bytes = STORE_WORK_BYTES };

/* ---- out -------------------------------------------------------------------- */

/* While a program here listens, its place is taken. In both directions, the place is left to
 * programs here until somebody elsewhere wants the messages. */
static bool out_wanted(const struct situation *s)
{
	return s->listeners == 0 && !(s->runs[BRIDGE_IN] && s->elsewhere.listeners == 0) &&
	       (!s->may[BRIDGE_IN] || s->elsewhere.listeners > 0 || s->elsewhere.in > 0);
}

static int out_run(struct pump *pump)
{
	struct carry carry;
	int rc = carry_open(&carry, pump, MDG_LISTENER, &shape, 0, 0);

	while (rc == 0) {
		int count = carry_peek(&carry, MDG_MANY_MAX);

		rc = count < 0 ? count : carry_send(&carry, (unsigned)count, NULL);
		if (rc == 0)
			rc = mdg_channel_release(carry.channel);
	}
	carry_close(&carry);
	return rc;
}

const struct pump_ops pump_stream_out = {
	.kind = MDG_STREAM,
	.direction = BRIDGE_OUT,
	.wanted = out_wanted,
	.run = out_run,
};

/* ---- in --------------------------------------------------------------------- */

/* A stream has one listener, so one host of the group carries in: who came first, and if two came
 * at once, the lesser name. Who comes later and has not heard of the first one yet waits for it. */
static bool in_wanted(const struct situation *s)
{
	bool other = s->elsewhere.in > 0 &&
	             (!s->runs[BRIDGE_IN] || strcmp(s->elsewhere.first_in, s->host) < 0);

	return s->talkers == 0 && !other && (s->listeners > 0 || !s->may[BRIDGE_OUT]);
}

static void in_changed(struct pump *pump, const struct situation *s)
{
	atomic_store(&pump->talking, s->elsewhere.talkers);
}

/* The place of the talker is left to programs here until a pack comes, and again when no host has a
 * talker any more and nothing came for LEAVE_MS. */
static int take_one(struct carry *carry)
{
	int rc = carry_next(carry, carry->channel ? LEAVE_MS : -1);

	if (rc == -EAGAIN) {
		if (atomic_load(&carry->pump->talking) == 0)
			carry_leave(carry);
		return 0;
	}
	if (rc == 0 && !carry->channel)
		rc = carry_enter(carry, MDG_TALKER, 0, 0);
	if (rc == 0)
		rc = carry_put(carry);
	return rc == 0 ? carry_done(carry) : rc;
}

static int in_run(struct pump *pump)
{
	struct carry carry;
	int rc = carry_begin(&carry, pump, MDG_TALKER, &shape);

	if (rc == 0)
		rc = store_follow(&carry.store, "in", 0);
	if (rc == 0) {
		atomic_store(&pump->waits, false);
		bridge_wake(pump->bridge); /* a heartbeat tells it */
	}
	while (rc == 0)
		rc = take_one(&carry);
	carry_close(&carry);
	return rc;
}

const struct pump_ops pump_stream_in = {
	.kind = MDG_STREAM,
	.direction = BRIDGE_IN,
	.waits = true,
	.wanted = in_wanted,
	.run = in_run,
	.wake = store_wake,
	.changed = in_changed,
};
