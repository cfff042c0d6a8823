/* SPDX-License-Identifier: MIT */
/*
 * claim.c - while a talker that relays waits for room in a topic, others leave the room to it.
 *
 * Two bridges carry a topic between two hosts, and programs talk on both without a pause. If the
 * programs took all the room that becomes free, each bridge could not put in what it has, so the
 * other one could send nothing more, so no room would become free there: all would wait for ever.
 * What waits to be sent is limited only if nothing is added to it meanwhile.
 *
 * `relay_until` says how long room is left to who relays. It is a time, and not who it is: so it
 * ends by itself, also if its writer is killed or stopped. The writer moves it on while it waits
 * and while it has more to relay, and leaves it as it is if it gives up: it is going to try again.
 * It writes 0 when it has had room.
 *
 * Other talkers look when they need room that they do not know of yet. What they know of was not
 * enough for the message that is relayed.
 */
#include "channel/messages.h"
#include "channel/ring.h"
#include "channel/wake.h"

/* Longer than a talker that waits sleeps at a time (MDG__SLICE_NS). */
enum { CLAIM_NS = 100000000 };

static void claim(struct mdg_channel *channel)
{
	channel->claims = true;
	/* Relaxed: who looks too early takes room once more. */
	mdg__note64(&channel->head->relay_until, mdg__monotonic_nanoseconds() + CLAIM_NS);
}

void mdg__claim_room(struct mdg_channel *channel)
{
	if (channel->relays && channel->way == MDG__TO_EACH && channel->full == MDG_FULL_WAIT)
		claim(channel);
}

void mdg__claim_end(struct mdg_channel *channel, bool more)
{
	if (!channel->claims)
		return;
	if (more) {
		claim(channel);
		return;
	}
	channel->claims = false;
	/* Sequentially consistent, as the fence: a talker that is about to sleep says so first, and
	 * looks then. */
	atomic_store(&channel->head->relay_until, 0);
	mdg__fence();
	mdg__wake_talkers(channel);
}

bool mdg__is_claimed(const struct mdg_channel *channel)
{
	if (channel->way != MDG__TO_EACH || channel->relays)
		return false;
	uint64_t until = atomic_load(&channel->head->relay_until);
	if (until == 0)
		return false;
	uint64_t now = mdg__monotonic_nanoseconds();
	return until > now && until - now <= CLAIM_NS; /* later: damaged */
}
