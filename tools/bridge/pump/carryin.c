/* SPDX-License-Identifier: MIT */
/*
 * carryin.c - carries in: takes a pack, puts it into the channel, and tells the server.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "pump/carry.h"
#include "pump/pump.h"

/* So long without room, then the status says so. */
#define PATIENCE_NS (UINT64_C(1) * 1000000000)

int carry_next(struct carry *carry, int64_t wait_ms)
{
	for (;;) {
		const char *wrong;
		int rc = store_next(&carry->store, &carry->message, &carry->sequence, wait_ms);

		if (rc != 0)
			return rc;
		pump_lag(carry->pump, carry->store.pending);
		if (carry->seen && carry->sequence > carry->seen + 1)
			carry->missed += carry->sequence - carry->seen - 1;
		if (carry->sequence > carry->seen)
			carry->seen = carry->sequence;
		if (pack_decode(carry->pack, natsMsg_GetData(carry->message),
		                (size_t)natsMsg_GetDataLength(carry->message), &wrong) == 0 &&
		    carry->pack->kind == carry->pump->info.kind) {
			for (unsigned i = 0; carry->store.again && i < carry->pack->count; i++)
				carry->pack->messages[i].flags |= MDG_REDELIVERED;
			return 0;
		}
		log_event(LOG_ERROR, "pack-refused",
		          "channel=\"%s\" from=%s sequence=%" PRIu64 " why=\"%s\"",
		          carry->pump->channel, store_sender(carry->message), carry->sequence,
		          wrong ? wrong : "it is of another kind of channel");
		(void)natsMsg_Term(carry->message, NULL);
		natsMsg_Destroy(carry->message);
		carry->message = NULL;
	}
}

static bool is_origin(const struct mdg_origin *a, const struct mdg_origin *b)
{
	return a->identity[0] == b->identity[0] && a->identity[1] == b->identity[1] &&
	       a->epoch == b->epoch;
}

/* The server's stream as it was before the server lost its store: no such pack comes again. */
static bool is_older_stream(const struct carry *carry, const struct mdg_origin *origin)
{
	const struct mdg_origin *now = &carry->store.origin;

	return origin->identity[0] == now->identity[0] && origin->identity[1] == now->identity[1] &&
	       origin->epoch != now->epoch;
}

/* The channel remembers as many origins as it has places for. Older makings of the server's stream
 * make room, and then the one that was silent longest. The places of the stream and of this channel
 * stay. */
static int make_place(struct carry *carry)
{
	struct mdg_position places[MDG_POSITIONS_MAX];
	int count = mdg_channel_positions(carry->channel, places, MDG_POSITIONS_MAX), oldest = -1;

	for (int i = 0; i < count && i < (int)MDG_POSITIONS_MAX; i++) {
		if (is_older_stream(carry, &places[i].origin))
			return mdg_channel_forget(carry->channel, &places[i].origin);
		if (is_origin(&places[i].origin, &carry->store.origin) ||
		    is_origin(&places[i].origin, &carry->origin))
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

int carry_commit(struct carry *carry, const struct mdg_origin *origin, uint64_t next)
{
	for (;;) {
		int rc = mdg_channel_commit_position(carry->channel, origin, next);

		if (rc == -ENOSPC)
			rc = make_place(carry);
		else if (rc != -EINTR || pump_stopping(carry->pump))
			return rc;
		/* -ENOENT: the other pump of this channel was faster. */
		if (rc != 0 && rc != -ENOENT && rc != -EINTR)
			return rc;
	}
}

/* It never fits. What was taken of its origin goes on behind it: so it is dropped once. */
static int drop(struct carry *carry, const struct mdg_relayed *message)
{
	int rc = 0;

	carry_drop(carry, message->number, message->size, carry->pump->info.capacity,
	           "make the channel here anew with a larger capacity");
	if (carry->pump->info.kind != MDG_QUEUE)
		rc = carry_commit(carry, &message->origin, message->number + 1);
	return rc == -EINVAL ? 0 : rc;
}

/* What to do when not one was put. 0: try again. */
static int understand(struct carry *carry, int rc)
{
	if (rc == -EINTR)
		return pump_stopping(carry->pump) ? rc : 0;
	if (rc == -ENOSPC) {
		rc = make_place(carry);
		return rc == -ENOENT ? 0 : rc;
	}
	if (rc != -ETIMEDOUT)
		return rc;
	return carry->meanwhile ? carry->meanwhile(carry) : 0;
}

int carry_put(struct carry *carry)
{
	struct pack *pack = carry->pack;
	uint64_t repeats = 0, too_large = 0, waited = 0;
	uint64_t patience = carry->patience ? carry->patience : PATIENCE_NS;
	unsigned done = 0;
	bool held = false;

	while (done < pack->count) {
		unsigned dropped = 0;
		int rc = mdg_channel_relay(carry->channel, pack->messages + done,
		                           pack->count - done, &dropped, mdg_deadline(patience));

		if (rc > 0) {
			done += (unsigned)rc;
			repeats += dropped;
			continue;
		}
		waited += rc == -ETIMEDOUT ? patience : 0;
		if (waited >= PATIENCE_NS) {
			pump_state(carry->pump, BRIDGE_HELD, "the channel here is full");
			held = true;
			waited = 0;
		}
		if (rc == -EMSGSIZE) {
			rc = drop(carry, &pack->messages[done++]);
			too_large++;
		} else {
			rc = understand(carry, rc);
		}
		if (rc != 0)
			return rc;
	}
	if (held)
		pump_state(carry->pump, BRIDGE_MOVING, "");
	pump_count(carry->pump, pack->count - repeats - too_large, repeats,
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
