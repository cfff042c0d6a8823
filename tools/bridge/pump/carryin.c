/* SPDX-License-Identifier: MIT */
/*
 * carryin.c - carries in: takes a pack, puts it into the channel, and tells the server.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "pump/carry.h"
#include "pump/pump.h"

/* So long without room, then the status says so. */
#define PATIENCE_NS (UINT64_C(1) * 1000000000)

int carry_next(struct carry *carry)
{
	for (;;) {
		const char *wrong;
		int rc = store_next(&carry->store, &carry->message, &carry->sequence);

		if (rc != 0)
			return rc;
		pump_lag(carry->pump, carry->store.pending);
		if (pack_decode(carry->pack, natsMsg_GetData(carry->message),
		                (size_t)natsMsg_GetDataLength(carry->message), &wrong) == 0 &&
		    carry->pack->kind == carry->pump->info.kind)
			return 0;
		log_event(LOG_ERROR, "pack-refused",
		          "channel=\"%s\" from=%s sequence=%" PRIu64 " why=\"%s\"",
		          carry->pump->channel, store_sender(carry->message), carry->sequence,
		          wrong ? wrong : "it is of another kind of channel");
		(void)natsMsg_Term(carry->message, NULL);
		natsMsg_Destroy(carry->message);
		carry->message = NULL;
	}
}

/* The channel remembers as many origins as it has places for. The one that was silent longest
 * makes room. The place of the server's stream stays. */
static int make_place(struct carry *carry)
{
	struct mdg_position places[MDG_POSITIONS_MAX];
	int count = mdg_channel_positions(carry->channel, places, MDG_POSITIONS_MAX), oldest = -1;

	for (int i = 0; i < count && i < (int)MDG_POSITIONS_MAX; i++) {
		if (places[i].origin.epoch == carry->store.origin.epoch ||
		    places[i].origin.epoch == carry->origin.epoch)
			continue;
		if (oldest < 0 || places[i].when < places[oldest].when)
			oldest = i;
	}
	if (oldest < 0)
		return count < 0 ? count : -ENOSPC;
	log_event(LOG_WARN, "origin-forgotten", "channel=\"%s\" idle_since=%" PRId64,
	          carry->pump->channel, places[oldest].when);
	return mdg_channel_forget(carry->channel, &places[oldest].origin);
}

static int does_not_fit(struct carry *carry, size_t size)
{
	char why[BRIDGE_ERROR_ROOM];

	(void)snprintf(why, sizeof why,
	               "a message of %zu bytes is larger than the channel here takes (%" PRIu64
	               "): make it anew with more",
	               size, carry->pump->info.capacity);
	pump_state(carry->pump, BRIDGE_FAILED, why);
	return PUMP_AGAIN;
}

/* What to do when not one was put. 0: try again. */
static int understand(struct carry *carry, int rc, size_t size)
{
	if (rc == -EINTR)
		return pump_stopping(carry->pump) ? rc : 0;
	if (rc == -ENOSPC)
		return make_place(carry);
	if (rc == -EMSGSIZE)
		return does_not_fit(carry, size);
	if (rc != -ETIMEDOUT)
		return rc;
	pump_state(carry->pump, BRIDGE_HELD, "the channel here is full");
	return carry->meanwhile ? carry->meanwhile(carry) : 0;
}

int carry_put(struct carry *carry)
{
	struct pack *pack = carry->pack;
	uint64_t repeats = 0;
	unsigned done = 0;
	bool held = false;

	while (done < pack->count) {
		unsigned dropped = 0;
		int rc = mdg_channel_relay(carry->channel, pack->messages + done,
		                           pack->count - done, &dropped, mdg_deadline(PATIENCE_NS));

		if (rc > 0) {
			done += (unsigned)rc;
			repeats += dropped;
			continue;
		}
		held = held || rc == -ETIMEDOUT;
		rc = understand(carry, rc, pack->messages[done].size);
		if (rc != 0)
			return rc;
	}
	if (held)
		pump_state(carry->pump, BRIDGE_MOVING, "");
	pump_count(carry->pump, pack->count - repeats, repeats,
	           (uint64_t)natsMsg_GetDataLength(carry->message));
	return 0;
}

int carry_done(struct carry *carry)
{
	natsStatus s = natsMsg_Ack(carry->message, NULL);

	/* If it does not arrive, the pack comes again, and its messages are known as repeats. */
	if (s != NATS_OK)
		log_event(LOG_DEBUG, "no-ack", "channel=\"%s\" error=\"%s\"", carry->pump->channel,
		          link_words(s));
	natsMsg_Destroy(carry->message);
	carry->message = NULL;
	return 0;
}
