/* SPDX-License-Identifier: MIT */
/*
 * queuehand.c - packs of a queue that this host has taken, until the server knows that they are
 * done.
 *
 * The server knows a pack by its place in the stream. If it loses its store, and the stream is made
 * again, another pack gets the same place. So nothing is said of a pack unless the stream is still
 * the one that it was of: a stream is known by when it was made. The messages of packs that are
 * forgotten lie in the channel here, and are worked on all the same.
 */
#include <errno.h>
#include <string.h>

#include "pump/pump.h"
#include "pump/queuehand.h"

enum { TELL_MS = 3000, ASK_AGAIN_MS = 200 };

static struct link *link_of(const struct hand *hand)
{
	return hand->carry->pump->bridge->link;
}

/* ---- is it still that stream? ----------------------------------------------- */

static void drop(struct hand *hand, unsigned i)
{
	natsMsg_Destroy(hand->packs[i].pulled.message);
	hand->count--;
	memmove(&hand->packs[i], &hand->packs[i + 1], (hand->count - i) * sizeof hand->packs[0]);
	pump_in_flight(hand->carry->pump, hand->count);
}

static bool is_of_stream(const struct hand *hand, const struct pulled *pulled)
{
	return pulled->made == hand->carry->store.origin.epoch;
}

static void forget_others(struct hand *hand)
{
	unsigned i = 0;

	while (i < hand->count)
		if (is_of_stream(hand, &hand->packs[i].pulled))
			i++;
		else
			drop(hand, i);
}

bool hand_may_tell(struct hand *hand)
{
	struct store *store = &hand->carry->store;
	uint64_t reconnects;

	if (!link_is_up(link_of(hand)))
		return false;
	reconnects = link_reconnects(link_of(hand)); /* before the look */
	if (hand->looked && reconnects == hand->reconnects)
		return true;
	if (store_look(store) != 0)
		return false;
	if (reconnects != hand->reconnects)
		hand->doubtful = store->last;
	hand->reconnects = reconnects;
	hand->looked = true;
	forget_others(hand);
	return true;
}

void hand_doubt(struct hand *hand)
{
	hand->looked = false;
}

bool hand_had_before(const struct hand *hand, const struct pulled *pulled)
{
	return pulled->given > 1 || pulled->sequence <= hand->doubtful;
}

/* ---- packs ------------------------------------------------------------------ */

bool hand_has(struct hand *hand, const struct pulled *pulled)
{
	for (unsigned i = 0; i < hand->count; i++) {
		struct pulled *mine = &hand->packs[i].pulled;

		if (mine->sequence != pulled->sequence || mine->made != pulled->made)
			continue;
		natsMsg_Destroy(mine->message);
		*mine = *pulled;
		return true;
	}
	return false;
}

void hand_add(struct hand *hand, const struct pulled *pulled, uint64_t upto)
{
	hand->packs[hand->count].pulled = *pulled;
	hand->packs[hand->count++].upto = upto;
	pump_in_flight(hand->carry->pump, hand->count);
}

static void tell(struct hand *hand)
{
	for (unsigned i = 0; i < hand->count; i++)
		store_tell(&hand->carry->store, hand->packs[i].pulled.message, TELL_GOES_ON);
	if (hand->putting.message && is_of_stream(hand, &hand->putting))
		store_tell(&hand->carry->store, hand->putting.message, TELL_GOES_ON);
}

void hand_tell(struct hand *hand)
{
	if (bridge_now() - hand->told < TELL_MS || !hand_may_tell(hand))
		return;
	hand->told = bridge_now();
	tell(hand);
}

int hand_settle(struct hand *hand, uint64_t deadline)
{
	while (hand->count) {
		unsigned before = hand->count;
		int rc = mdg_channel_settled(hand->carry->channel, hand->packs[0].upto, deadline);

		if (rc != 0)
			return rc == -EAGAIN || rc == -ETIMEDOUT || rc == -EINTR ? 0 : rc;
		if (!hand_may_tell(hand)) {
			pump_sleep(hand->carry->pump, ASK_AGAIN_MS);
			return 0;
		}
		if (hand->count != before)
			continue;
		/* It may have been put while the stream was looked at. */
		if (is_of_stream(hand, &hand->packs[0].pulled))
			store_tell(&hand->carry->store, hand->packs[0].pulled.message, TELL_DONE);
		drop(hand, 0);
		deadline = 0;
	}
	return 0;
}

void hand_leave(struct hand *hand)
{
	if ((hand->count || hand->putting.message) && hand->carry->channel &&
	    hand_settle(hand, 0) == 0 && hand_may_tell(hand))
		tell(hand);
	while (hand->count)
		drop(hand, 0);
}
