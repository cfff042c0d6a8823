/* SPDX-License-Identifier: MIT */
/*
 * server.c - the servers of a channel for calls: receiving a request, and answering it.
 *
 * A server holds a request as a listener of a queue holds a message (hold.c), and releases it after
 * it has written the reply into the caller's box (box.c). So if the server dies before, whoever
 * buries it finds the request, and tells the caller.
 */
#include "channel/call.h"

#include "channel/messages.h"
#include "channel/peers.h"
#include "channel/wake.h"

enum { LONG_NS = 10000000 }; /* after it a server looks whether its caller lives */

/* Of a request that was just taken: whether its caller still waits for it. */
static bool accept_request(struct mdg_channel *channel, struct mdg_message *message)
{
	struct mdg__request request;
	if (!mdg__box_request(channel, message, &request))
		return false;
	struct mdg__seat *seat = &channel->seats[request.seat];
	if (!mdg__box_has_caller(seat, request.use) ||
	    atomic_load(&seat->box) != mdg__box_word(request.call, MDG__BOX_WAITING))
		return false;
	channel->asked = (struct mdg__asked){
		request.seat, request.use, request.call, mdg__monotonic_nanoseconds(), 0, false
	};
	message->data = (unsigned char *)message->data + sizeof request;
	message->size -= sizeof request;
	return true;
}

int mdg__server_peek(struct mdg_channel *channel, struct mdg_message *ret, uint64_t deadline)
{
	if (channel->held.count != 0)
		return -EBUSY;
	for (;;) {
		int rc = mdg__peek_any(channel, ret, 1, deadline);
		if (rc < 0)
			return rc;
		if (accept_request(channel, ret))
			return 0;
		mdg__release_any(channel); /* nobody waits for it any more */
	}
}

/* Why the reply is not wanted. */
static int unwanted(struct mdg_channel *channel)
{
	const struct mdg__asked *asked = &channel->asked;
	(void)mdg__look_after(channel);
	return mdg__box_has_caller(&channel->seats[asked->seat], asked->use) ? -ECANCELED
	                                                                     : MDG_PEER_DIED;
}

/* The box of the request that is held is this server's to write. */
static int reply_begin(struct mdg_channel *channel, size_t size)
{
	struct mdg__asked *asked = &channel->asked;
	struct mdg__seat *seat = &channel->seats[asked->seat];
	if (channel->held.count == 0)
		return -EINVAL;
	if (size > channel->capacity)
		return -EMSGSIZE;
	if (asked->writing)
		return -EBUSY;
	if (mdg__monotonic_nanoseconds() - asked->since > LONG_NS)
		(void)mdg__look_after(channel);
	if (!mdg__box_has_caller(seat, asked->use) ||
	    !mdg__box_change(seat, asked->call, MDG__BOX_WAITING, MDG__BOX_WRITING)) {
		int rc = unwanted(channel);
		mdg__release_any(channel);
		return rc;
	}
	asked->writing = true;
	asked->size = size;
	return 0;
}

int mdg__server_commit(struct mdg_channel *channel, size_t size)
{
	struct mdg__asked *asked = &channel->asked;
	struct mdg__seat *seat = &channel->seats[asked->seat];
	if (!asked->writing || size > asked->size)
		return -EINVAL;
	asked->writing = false;
	atomic_store_explicit(&seat->box_size, (uint32_t)size, memory_order_relaxed);
	/* Release: pairs with the acquire of own_box. */
	bool done = mdg__box_change(seat, asked->call, MDG__BOX_WRITING, MDG__BOX_DONE);
	/* If the caller is no more, its seat was kept only for this reply. */
	bool gone = mdg__relaxed32(&seat->slot1) == 0;
	if (done)
		mdg__wake_caller(channel, seat);
	mdg__release_any(channel);
	if (gone)
		(void)mdg__look_after(channel);
	return done && !gone ? 0 : MDG_PEER_DIED;
}

int mdg__server_cancel(struct mdg_channel *channel)
{
	struct mdg__asked *asked = &channel->asked;
	if (!asked->writing)
		return -EINVAL;
	asked->writing = false;
	struct mdg__seat *seat = &channel->seats[asked->seat];
	if (mdg__box_change(seat, asked->call, MDG__BOX_WRITING, MDG__BOX_WAITING))
		mdg__wake_caller(channel, seat); /* it may want to ask something else */
	return 0;
}

int mdg__server_send(struct mdg_channel *channel, const void *data, size_t size)
{
	int rc = reply_begin(channel, size);
	if (rc < 0)
		return rc;
	if (size != 0)
		memcpy(mdg__box_of(channel, channel->asked.seat), data, size);
	return mdg__server_commit(channel, size);
}

int mdg__server_reserve(struct mdg_channel *channel, size_t size, void **ret_data)
{
	int rc = reply_begin(channel, size);
	if (rc == 0)
		*ret_data = mdg__box_of(channel, channel->asked.seat);
	return rc;
}

/* Releases the request without a reply. */
int mdg__server_release(struct mdg_channel *channel)
{
	if (channel->held.count == 0)
		return -EINVAL;
	struct mdg__asked *asked = &channel->asked;
	struct mdg__seat *seat = &channel->seats[asked->seat];
	(void)mdg__server_cancel(channel);
	if (mdg__box_has_caller(seat, asked->use) &&
	    mdg__box_change(seat, asked->call, MDG__BOX_WAITING, MDG__BOX_REFUSED))
		mdg__wake_caller(channel, seat);
	mdg__release_any(channel);
	return 0;
}
