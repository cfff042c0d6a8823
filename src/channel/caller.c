/* SPDX-License-Identifier: MIT */
/*
 * caller.c - the callers of a channel for calls: asking, and receiving the reply.
 *
 * A request goes through the ring as the messages of a queue do, with the seat of its caller in
 * front. The reply comes into the box of that seat (box.c).
 */
#include "channel/call.h"

#include "channel/messages.h"
#include "channel/peers.h"

static enum mdg__box_state own_box(const struct mdg_channel *channel)
{
	uint64_t box = atomic_load(&channel->seat->box);
	return box >> 8 == channel->call ? (enum mdg__box_state)(box & 0xff) : MDG__BOX_IDLE;
}

/* The last call is not waited for any more. */
static int abandon(struct mdg_channel *channel, uint64_t deadline)
{
	struct mdg__waiting waiting = mdg__wait_init(MDG__FOR_REPLY, deadline);
	int rc = 0;
	while (rc == 0) {
		enum mdg__box_state state = own_box(channel);
		if (state == MDG__BOX_WRITING)
			rc = mdg__wait_more(channel, &waiting);
		else if (state == MDG__BOX_IDLE ||
		         mdg__box_change(channel->seat, channel->call, state, MDG__BOX_IDLE))
			break;
	}
	mdg__wait_end(channel, &waiting, false);
	if (rc == 0)
		channel->waits_reply = false;
	return rc;
}

/* A call with a number that no server has. */
static int new_call(struct mdg_channel *channel, uint64_t deadline, struct mdg__request *ret)
{
	if (channel->has_reply || channel->reserved.count != 0)
		return -EBUSY;
	int rc = channel->waits_reply ? abandon(channel, deadline) : 0;
	if (rc < 0)
		return rc;
	channel->call++;
	*ret = (struct mdg__request){ channel->place, mdg__relaxed32(&channel->seat->use),
		                      channel->call };
	return 0;
}

static void await(struct mdg_channel *channel)
{
	atomic_store(&channel->seat->box, mdg__box_word(channel->call, MDG__BOX_WAITING));
	channel->waits_reply = true;
}

static void await_nothing(struct mdg_channel *channel)
{
	atomic_store(&channel->seat->box, mdg__box_word(channel->call, MDG__BOX_IDLE));
	channel->waits_reply = false;
}

int mdg__caller_send(struct mdg_channel *channel, const void *data, size_t size, uint64_t deadline)
{
	struct mdg__request request;
	int rc = new_call(channel, deadline, &request);
	if (rc < 0)
		return rc;
	await(channel);
	rc = mdg__send_record(channel, &request, data, size, deadline);
	if (rc < 0)
		await_nothing(channel);
	return rc;
}

int mdg__caller_reserve(struct mdg_channel *channel, size_t size, void **ret_data,
                        uint64_t deadline)
{
	struct mdg__request request;
	void *place = NULL;
	int rc = new_call(channel, deadline, &request);
	if (rc == 0)
		rc = mdg__reserve_record(channel, size + sizeof request, &place, deadline);
	if (rc == 0) {
		memcpy(place, &request, sizeof request);
		*ret_data = (unsigned char *)place + sizeof request;
	}
	return rc;
}

int mdg__caller_commit(struct mdg_channel *channel, size_t size)
{
	if (channel->reserved.count == 0 || size > channel->capacity)
		return -EINVAL;
	await(channel);
	int rc = mdg__commit_record(channel, size + sizeof(struct mdg__request));
	if (rc < 0)
		await_nothing(channel);
	return rc;
}

bool mdg__caller_has(struct mdg_channel *channel)
{
	if (!channel->waits_reply || channel->has_reply)
		return false;
	/* Read once: a server may go from one to the other. */
	enum mdg__box_state state = own_box(channel);
	return state != MDG__BOX_WAITING && state != MDG__BOX_WRITING;
}

/* Waits for the reply: 0, and it is in the box; or what became of it. */
static int await_reply(struct mdg_channel *channel, uint64_t deadline)
{
	if (!channel->waits_reply)
		return -EINVAL;
	struct mdg__waiting waiting = mdg__wait_init(MDG__FOR_REPLY, deadline);
	int rc = 0;
	while (rc == 0 && !mdg__caller_has(channel))
		rc = mdg__wait_more(channel, &waiting);
	mdg__wait_end(channel, &waiting, rc == 0);
	if (rc < 0)
		return rc;
	enum mdg__box_state state = own_box(channel);
	if (state == MDG__BOX_DONE)
		return mdg__relaxed32(&channel->seat->box_size) <= channel->capacity ? 0
		                                                                     : MDG_BROKEN;
	await_nothing(channel);
	if (state == MDG__BOX_DIED)
		return MDG_PEER_DIED;
	return state == MDG__BOX_REFUSED ? -ECANCELED : MDG_BROKEN;
}

int mdg__caller_peek(struct mdg_channel *channel, struct mdg_message *ret, uint64_t deadline)
{
	if (channel->has_reply)
		return -EBUSY;
	int rc = await_reply(channel, deadline);
	if (rc == 0) {
		uint32_t size = mdg__relaxed32(&channel->seat->box_size);
		*ret = (struct mdg_message){ .data = mdg__box_of(channel, channel->place),
			                     .size = size <= channel->capacity ? size : 0,
			                     .sequence = channel->call - channel->first_call - 1 };
		channel->has_reply = true;
	}
	return rc;
}

int mdg__caller_release(struct mdg_channel *channel)
{
	if (!channel->has_reply)
		return -EINVAL;
	mdg__caller_received(channel, true);
	return 0;
}

void mdg__caller_received(struct mdg_channel *channel, bool fits)
{
	channel->has_reply = false;
	if (fits)
		await_nothing(channel);
}
