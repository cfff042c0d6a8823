/* SPDX-License-Identifier: MIT */
/*
 * server.c - the servers of a channel for calls: receiving a request, and answering it.
 *
 * A server holds a request as a listener of a queue holds a message (hold.c), and releases it after
 * it has written the reply into the caller's box (box.c). So if the server dies before, whoever
 * buries it finds the request, and tells the caller.
 */
#include "channel/call.h"

#include "channel/kind.h"
#include "channel/messages.h"
#include "channel/peers.h"
#include "channel/wake.h"

/* Of a request that was just taken: whether its caller still waits for it. */
static bool accept_request(struct mdg_channel *channel, struct mdg_message *message)
{
	struct mdg__asked *asked = &channel->asked;
	if (!mdg__box_request(channel, message, &asked->request))
		return false;
	struct mdg__box *box = mdg__box_of(channel, asked->request.seat);
	if (!mdg__box_has_caller(channel, &asked->request) ||
	    !mdg__box_is_open(channel, &asked->request, atomic_load(&box->word)))
		return false;
	asked->writing = false;
	message->data = (unsigned char *)message->data + sizeof asked->request;
	message->size -= sizeof asked->request;
	return true;
}

int mdg__server_peek(struct mdg_channel *channel, struct mdg_message *ret, uint64_t deadline)
{
	if (channel->held.count != 0)
		return -EBUSY;
	for (;;) {
		int rc =
			mdg__hold_peek(channel, ret) ? 0 : mdg__peek_any(channel, ret, 1, deadline);
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
	return mdg__box_has_caller(channel, &asked->request) ? -ECANCELED : MDG_PEER_DIED;
}

/* Looks whether its caller lives, once in each tick of the kernel's clock. A tick is 10 ms at most.
 * So a caller that died longer ago has been noticed. */
static inline void look_at_tick(struct mdg_channel *channel)
{
	uint64_t tick = mdg__coarse_nanoseconds();
	if (__builtin_expect(tick == channel->asked.tick, 1))
		return;
	channel->asked.tick = tick;
	(void)mdg__look_after(channel);
}

/* The box of the request that is held is this server's to write. */
static int reply_begin(struct mdg_channel *channel, size_t size)
{
	struct mdg__asked *asked = &channel->asked;
	if (channel->held.count == 0)
		return -EINVAL;
	if (size > channel->capacity)
		return -EMSGSIZE;
	if (asked->writing)
		return -EBUSY;
	look_at_tick(channel);
	if (!mdg__box_change(channel, &asked->request, MDG__BOX_WRITING)) {
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
	uint32_t place = asked->request.seat;
	if (!asked->writing || size > asked->size)
		return -EINVAL;
	asked->writing = false;
	atomic_store_explicit(&mdg__box_of(channel, place)->size, (uint32_t)size,
	                      memory_order_relaxed);
	/* Release, as all of these: pairs with the acquire of own_word. */
	bool done = mdg__box_end(channel, &asked->request, MDG__BOX_DONE);
	/* If the caller is no more, its seat was kept only for this reply. */
	bool gone = mdg__relaxed32(&channel->seats[place].slot1) == 0;
	if (done)
		mdg__wake_caller(channel, place);
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
	uint64_t seen = mdg__box_word(asked->request.call, MDG__BOX_WRITING);
	/* As it was: the call before is done with. */
	if (atomic_compare_exchange_strong(&mdg__box_of(channel, asked->request.seat)->word, &seen,
	                                   mdg__box_word(asked->request.call - 1, MDG__BOX_IDLE)))
		mdg__wake_caller(channel, asked->request.seat); /* to ask something else */
	return 0;
}

int mdg__server_send(struct mdg_channel *channel, const void *data, size_t size)
{
	int rc = reply_begin(channel, size);
	if (rc < 0)
		return rc;
	mdg__copy(mdg__reply_of(channel, channel->asked.request.seat), data, size);
	return mdg__server_commit(channel, size);
}

int mdg__server_reserve(struct mdg_channel *channel, size_t size, void **ret_data)
{
	int rc = reply_begin(channel, size);
	if (rc == 0)
		*ret_data = mdg__reply_of(channel, channel->asked.request.seat);
	return rc;
}

/* Ends the request without a reply. */
static int end_without(struct mdg_channel *channel, enum mdg__box_state why)
{
	if (channel->held.count == 0)
		return -EINVAL;
	const struct mdg__request *request = &channel->asked.request;
	(void)mdg__server_cancel(channel);
	if (mdg__box_change(channel, request, why))
		mdg__wake_caller(channel, request->seat);
	mdg__release_any(channel);
	return 0;
}

int mdg__server_release(struct mdg_channel *channel)
{
	return end_without(channel, MDG__BOX_REFUSED);
}

int mdg__server_abandon(struct mdg_channel *channel)
{
	return end_without(channel, MDG__BOX_DIED);
}

int mdg__server_awaited(struct mdg_channel *channel)
{
	const struct mdg__asked *asked = &channel->asked;
	if (channel->held.count == 0)
		return -EINVAL;
	(void)mdg__look_after(channel);
	if (asked->writing ||
	    mdg__box_is_open(channel, &asked->request,
	                     atomic_load(&mdg__box_of(channel, asked->request.seat)->word)))
		return 0;
	return mdg__box_has_caller(channel, &asked->request) ? -ECANCELED : MDG_PEER_DIED;
}
