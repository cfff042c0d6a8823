/* SPDX-License-Identifier: MIT */
/*
 * call.c - the kind `call`: requests, and their replies.
 *
 * A talker of such a channel is a caller (caller.c), a listener is a server (server.c). Requests go
 * through the ring, each to one server (hold.c). Replies go through boxes (box.c).
 */
#include "channel/call.h"

#include "channel/kind.h"
#include "channel/messages.h"
#include "channel/peers.h"
#include "madang/relay.h"

/* ---- messages ------------------------------------------------------------------------------ */

static inline int may_call(const struct mdg_channel *channel, size_t size)
{
	int rc = mdg__usable(channel, MDG_TALKER | MDG_LISTENER);
	return rc == 0 && size > channel->capacity ? -EMSGSIZE : rc;
}

static int call_send(struct mdg_channel *channel, const void *data, size_t size, uint64_t deadline)
{
	int rc = may_call(channel, size);
	if (rc < 0)
		return rc;
	return channel->role == MDG_TALKER ? mdg__caller_send(channel, data, size, deadline)
	                                   : mdg__server_send(channel, data, size);
}

static int call_reserve(struct mdg_channel *channel, size_t size, void **ret_data,
                        uint64_t deadline)
{
	int rc = may_call(channel, size);
	if (rc < 0)
		return rc;
	return channel->role == MDG_LISTENER
	               ? mdg__server_reserve(channel, size, ret_data)
	               : mdg__caller_reserve(channel, size, ret_data, deadline);
}

static int call_commit(struct mdg_channel *channel, size_t size)
{
	int rc = may_call(channel, 0);
	if (rc < 0)
		return rc;
	return channel->role == MDG_LISTENER ? mdg__server_commit(channel, size)
	                                     : mdg__caller_commit(channel, size);
}

static int call_cancel(struct mdg_channel *channel)
{
	int rc = may_call(channel, 0);
	if (rc < 0)
		return rc;
	return channel->role == MDG_LISTENER ? mdg__server_cancel(channel)
	                                     : mdg__cancel_all(channel);
}

static int call_peek(struct mdg_channel *channel, struct mdg_message *ret, uint64_t deadline)
{
	int rc = may_call(channel, 0);
	if (rc < 0)
		return rc;
	rc = channel->role == MDG_TALKER ? mdg__caller_peek(channel, ret, deadline)
	                                 : mdg__server_peek(channel, ret, deadline);
	mdg__settle(channel);
	return rc;
}

static int call_release(struct mdg_channel *channel)
{
	int rc = may_call(channel, 0);
	if (rc < 0)
		return rc;
	return channel->role == MDG_TALKER ? mdg__caller_release(channel)
	                                   : mdg__server_release(channel);
}

/* A server holds the request until it has answered it. A message that is too large for the room
 * stays, to be peeked or received again. */
static int call_recv(struct mdg_channel *channel, void *data, size_t room, struct mdg_message *ret,
                     uint64_t deadline)
{
	struct mdg_message message = { .size = 0 };
	int rc = call_peek(channel, &message, deadline);
	if (rc < 0)
		return rc;
	if (ret != NULL) {
		*ret = message;
		ret->data = data;
	}
	bool fits = message.size <= room;
	if (fits)
		mdg__copy(data, message.data, message.size);
	if (channel->role == MDG_TALKER) {
		mdg__caller_received(channel, fits);
	} else if (!fits) {
		mdg__give_nothing(channel);
	}
	if (!fits)
		mdg__settle(channel);
	return fits ? (int)message.size : -EMSGSIZE;
}

int mdg_channel_call(mdg_channel *channel, const void *request, size_t size, void *reply,
                     size_t room, struct mdg_message *ret_message, uint64_t deadline)
{
	if (channel->kind != MDG_CALL || channel->role != MDG_TALKER)
		return -EPERM;
	int rc = mdg_channel_send(channel, request, size, deadline);
	return rc < 0 ? rc : mdg_channel_recv(channel, reply, room, ret_message, deadline);
}

static inline int may_serve(const struct mdg_channel *channel)
{
	return channel->kind != MDG_CALL ? -EPERM : mdg__usable(channel, MDG_LISTENER);
}

int mdg_channel_abandon(mdg_channel *channel)
{
	int rc = may_serve(channel);
	return rc < 0 ? rc : mdg__server_abandon(channel);
}

int mdg_channel_awaited(mdg_channel *channel)
{
	int rc = may_serve(channel);
	return rc < 0 ? rc : mdg__server_awaited(channel);
}

/* ---- the kind ------------------------------------------------------------------------------ */

/* The callers of the requests that the server held are told. */
static int call_drop_listener(struct mdg_channel *channel, struct mdg__seat *seat, bool died,
                              uint64_t deadline)
{
	int rc = mdg__take_lock(channel, deadline);
	if (rc < 0)
		return rc;
	mdg__box_tell(channel, seat, died ? MDG__BOX_DIED : MDG__BOX_REFUSED);
	atomic_store(&seat->from, MDG__NOWHERE);
	mdg__channel_unlock(&channel->head->take_lock);
	return 0;
}

static bool call_has(struct mdg_channel *channel)
{
	return channel->role == MDG_TALKER ? mdg__caller_has(channel) : mdg__hold_has(channel);
}

static const struct mdg__door door = {
	.send = call_send,
	.reserve = call_reserve,
	.commit = call_commit,
	.cancel = call_cancel,
	.recv = call_recv,
	.peek = call_peek,
	.release = call_release,
};

const struct mdg__channel_kind mdg__kind_call = {
	.number = MDG_CALL,
	.way = MDG__TO_ONE,
	.has_boxes = true,
	.in_front = sizeof(struct mdg__request),
	.polls = MDG_TALKER | MDG_LISTENER,
	.door = &door,
	.join = mdg__box_take,
	.drop_talker = mdg__box_drop,
	.drop_listener = call_drop_listener,
	.repair = mdg__hold_repair,
	.needed = mdg__hold_needed,
	.take = mdg__hold_take,
	.release = mdg__hold_release,
	.has = call_has,
};
