/* SPDX-License-Identifier: MIT */
/*
 * stream.c - carries streams: one talker here, one listener elsewhere, or the other way about.
 *
 * Out, the bridge is the channel's listener. It holds what it has peeked until the server has it.
 * In, it is the talker, and acknowledges a pack to the server when all of it is in the ring.
 */
#include <string.h>

#include "pump/carry.h"
#include "pump/pump.h"

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

static int in_run(struct pump *pump)
{
	struct carry carry;
	int rc = carry_open(&carry, pump, MDG_TALKER, &shape, 0, 0);

	if (rc == 0)
		rc = store_follow(&carry.store, "in", 0);
	if (rc == 0) {
		atomic_store(&pump->waits, false);
		bridge_wake(pump->bridge); /* a heartbeat tells it */
	}
	while (rc == 0) {
		rc = carry_next(&carry);
		if (rc == 0)
			rc = carry_put(&carry);
		if (rc == 0)
			rc = carry_done(&carry);
	}
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
};
