/* SPDX-License-Identifier: MIT */
/*
 * queue.c - the kind `queue`: each message goes to one of the listeners. How that is done is in
 * hold.c.
 *
 * What a listener held that died or left goes to another one. Until then its seat is an orphan's,
 * and not free.
 */
#include "channel/kind.h"
#include "channel/peers.h"

static int queue_drop_listener(struct mdg_channel *channel, struct mdg__seat *seat, bool died,
                               uint64_t deadline)
{
	(void)died;
	int rc = mdg__take_lock(channel, deadline);
	if (rc < 0)
		return rc;
	bool orphan = mdg__hold_orphan(channel, seat);
	mdg__channel_unlock(&channel->head->take_lock);
	return orphan ? 1 : 0;
}

const struct mdg__channel_kind mdg__kind_queue = {
	.number = MDG_QUEUE,
	.way = MDG__TO_ONE,
	.polls = MDG_LISTENER,
	.inherit = mdg__hold_inherit,
	.drop_listener = queue_drop_listener,
	.repair = mdg__hold_repair,
	.needed = mdg__hold_needed,
	.take = mdg__hold_take,
	.release = mdg__hold_release,
	.has = mdg__hold_has,
};
