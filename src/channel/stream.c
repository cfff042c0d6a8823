/* SPDX-License-Identifier: MIT */
/*
 * stream.c - the kind `stream`: one talker, one listener, and no lock.
 *
 * The listener stores `handed` before it gives messages out, and `taken` after they are released.
 * The next listener begins at `taken`. What lies before `handed` was given out before: it is
 * redelivered.
 */
#include "channel/kind.h"
#include "channel/peers.h"
#include "channel/ring.h"
#include "channel/wake.h"

/* The talker and the listener go on where the last ones were. */
static int stream_join(struct mdg_channel *channel, uint32_t from)
{
	(void)from;
	if (channel->role == MDG_TALKER)
		mdg__tail_repair(channel);
	channel->next = mdg__position(&channel->head->taken);
	channel->handed = mdg__position(&channel->head->handed);
	mdg__seat_show(channel);
	return 0;
}

static uint64_t stream_needed(struct mdg_channel *channel, uint64_t need)
{
	(void)need;
	return mdg__position(&channel->head->taken);
}

static int stream_take(struct mdg_channel *channel, struct mdg_message *messages, unsigned count)
{
	int rc = mdg__gather(channel, messages, count, channel->next, UINT64_MAX, channel->handed);
	uint64_t upto = channel->held.upto;
	if (rc > 0) {
		mdg__stream_hand_out(channel, upto);
	} else if (upto != channel->next) { /* nothing but skipped records */
		channel->next = upto;
		atomic_store_explicit(&channel->head->taken, upto, memory_order_release);
		mdg__made_room(channel, upto);
	}
	return rc;
}

static void stream_release(struct mdg_channel *channel)
{
	mdg__stream_release(channel);
}

static void stream_gave_less(struct mdg_channel *channel)
{
	mdg__stream_hand_out(channel, channel->held.upto);
}

static bool stream_has(struct mdg_channel *channel)
{
	uint64_t at = channel->held.count != 0 ? channel->held.upto : channel->next;
	return !mdg__is_waiting(mdg__record_state(mdg__record(channel, at)));
}

const struct mdg__channel_kind mdg__kind_stream = {
	.number = MDG_STREAM,
	.way = MDG__ALONE,
	.polls = MDG_LISTENER,
	.join = stream_join,
	.needed = stream_needed,
	.take = stream_take,
	.release = stream_release,
	.gave_less = stream_gave_less,
	.has = stream_has,
};
