/* SPDX-License-Identifier: MIT */
/*
 * box.c - the boxes of a channel for calls, in which replies lie.
 *
 * Each seat has a box of the channel's capacity. One word in front of it says what has become of
 * the caller's calls: call number << 8 | state.
 *
 *     IDLE      that call is done with                the caller; whoever takes the seat
 *     WRITING   a server writes the reply to it       that server, if the call waits
 *     DONE      the reply is there                    that server
 *     DIED      the server that held it died          whoever buries it, if the call waits, or is
 *                                                     WRITING
 *     REFUSED   it was released without a reply       the server, if the call waits
 *     GONE      the caller left or died               whoever empties the seat
 *
 * A call WAITS while the word is of an earlier call, and says neither WRITING nor GONE. So a caller
 * writes nothing to the box when it asks, nor when it has its reply. It takes the next number, and
 * the box is its server's. The line with the word goes to the server once, and comes back with the
 * reply.
 *
 * A server can write only for the call that it was asked. A caller that does not want to wait any
 * more writes the number itself before it asks something else. Then the call that the server knows
 * is no later one. Only while a server writes, the caller has to wait for that server or for its
 * death. The seat of a caller that died is not free before that.
 *
 * The calls of the next caller in a seat are told apart by `use`. GONE stays until `use` is another
 * one. A server reads the word first and `use` then, and changes the word from what it has read. So
 * it never writes for a caller that is gone.
 */
#include "channel/call.h"

#include "channel/peers.h"
#include "channel/ring.h"
#include "channel/wake.h"

bool mdg__box_change(struct mdg_channel *channel, const struct mdg__request *request,
                     enum mdg__box_state to)
{
	struct mdg__box *box = mdg__box_of(channel, request->seat);
	/* A box that was never a caller's has no memory. */
	if (!mdg__box_has_caller(channel, request))
		return false;
	uint64_t word = atomic_load(&box->word);
	return mdg__box_is_open(channel, request, word) &&
	       atomic_compare_exchange_strong(&box->word, &word, mdg__box_word(request->call, to));
}

int mdg__box_take(struct mdg_channel *channel, uint32_t from)
{
	(void)from;
	if (channel->role == MDG_TALKER) {
		struct mdg__box *box = mdg__box_of(channel, channel->place);
		uint64_t call = atomic_load(&box->word) >> 8;
		if (call > MDG__CALL_MOST)
			call = 0; /* `use` tells this caller from all others */
		channel->call = channel->first_call = call;
		atomic_store(&box->waits, 0);
		atomic_store(&box->word, mdg__box_word(channel->call, MDG__BOX_IDLE));
	}
	mdg__seat_show(channel);
	return 0;
}

bool mdg__box_drop(struct mdg_channel *channel, uint32_t place)
{
	struct mdg__box *box = mdg__box_of(channel, place);
	uint64_t word = atomic_load(&box->word);
	do {
		if ((word & 0xff) == MDG__BOX_WRITING && word >> 8 <= MDG__CALL_MOST)
			return false;
		/* The next caller in this seat counts on from here. */
	} while (!atomic_compare_exchange_strong(&box->word, &word,
	                                         mdg__box_word((word >> 8) + 1, MDG__BOX_GONE)));
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
		if (mdg__box_has_caller(channel, &request) &&
		    (mdg__box_end(channel, &request, what) ||
		     mdg__box_change(channel, &request, what)))
			mdg__wake_caller(channel, request.seat);
	}
}
