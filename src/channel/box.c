/* SPDX-License-Identifier: MIT */
/*
 * box.c - the boxes of a channel for calls, in which replies lie.
 *
 * Each seat has a box of the channel's capacity. One word of the seat says what is in the box:
 * call number << 8 | state.
 *
 *     IDLE      nothing is asked                      caller
 *     WAITING   asked; nobody writes                  caller, before the request is sent
 *     WRITING   a server writes the reply             server, from WAITING of that call
 *     DONE      the reply is there                    that server
 *     DIED      the server that held it died          whoever buries it, from WAITING, WRITING
 *     REFUSED   it was released without a reply       server, from WAITING
 *
 * A server can write only for the call that it was asked, because the number has to be the same. A
 * caller that does not want to wait any more asks something else, or leaves; then the number is
 * another one. Only while a server writes, the caller has to wait for that server or for its death.
 * The seat of a caller that died is not free before that.
 */
#include "channel/call.h"

#include "channel/ring.h"
#include "channel/wake.h"

bool mdg__box_drop(struct mdg__seat *seat)
{
	uint64_t box = atomic_load(&seat->box);
	do {
		if ((box & 0xff) == MDG__BOX_WRITING)
			return false;
		/* The next caller in this seat counts on from here. */
	} while (!atomic_compare_exchange_strong(&seat->box, &box,
	                                         mdg__box_word((box >> 8) + 1, MDG__BOX_IDLE)));
	return true;
}

void mdg__box_tell(struct mdg_channel *channel, struct mdg__seat *server, enum mdg__box_state what)
{
	uint64_t at = mdg__position(&server->from), to = mdg__position(&server->to);
	if (atomic_load(&server->from) == MDG__NOWHERE || at > to || to - at > channel->ring_size)
		return;
	struct mdg__record *record;
	uint32_t size;
	while (mdg__find_ready(channel, &at, to, &record, &size) > 0) {
		struct mdg_message message;
		struct mdg__request request;
		mdg__describe(record, size, &message);
		at += mdg__span(size);
		if (!mdg__box_request(channel, &message, &request))
			continue;
		struct mdg__seat *seat = &channel->seats[request.seat];
		if (mdg__box_has_caller(seat, request.use) &&
		    (mdg__box_change(seat, request.call, MDG__BOX_WAITING, what) ||
		     mdg__box_change(seat, request.call, MDG__BOX_WRITING, what)))
			mdg__wake_caller(channel, seat);
	}
}
