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

/* What a word says of the last call. */
static enum mdg__box_state state_in(const struct mdg_channel *channel, uint64_t word)
{
	if (word >> 8 == channel->call)
		return (enum mdg__box_state)(word & 0xff);
	return word >> 8 < channel->call ? MDG__BOX_WAITS : MDG__BOX_IDLE;
}

static uint64_t own_word(const struct mdg_channel *channel)
{
	return atomic_load(&mdg__box_of(channel, channel->place)->word);
}

static bool is_under_way(enum mdg__box_state state)
{
	return state == MDG__BOX_WAITS || state == MDG__BOX_WRITING;
}

/* The last call is not waited for any more. */
static int abandon(struct mdg_channel *channel, uint64_t deadline)
{
	struct mdg__waiting waiting = mdg__wait_init(MDG__FOR_REPLY, deadline);
	int rc = 0;
	while (rc == 0) {
		uint64_t word = own_word(channel);
		enum mdg__box_state state = state_in(channel, word);
		if (state == MDG__BOX_WRITING)
			rc = mdg__wait_more(channel, &waiting);
		else if (state != MDG__BOX_WAITS ||
		         atomic_compare_exchange_strong(
				 &mdg__box_of(channel, channel->place)->word, &word,
				 mdg__box_word(channel->call, MDG__BOX_IDLE)))
			break;
	}
	mdg__wait_end(channel, &waiting, false);
	if (rc == 0)
		channel->waits_reply = false;
	return rc;
}

/* The word has a later number than this caller has ever asked with. Somebody has scribbled over it,
 * or over a request. A server believes no call then. With the seat lock, the seat stays this
 * caller's. */
static int __attribute__((cold, noinline)) mend_box(struct mdg_channel *channel, uint64_t deadline)
{
	mdg__c64 *word = &mdg__box_of(channel, channel->place)->word;
	int rc = mdg__seat_lock(channel, deadline);
	if (rc < 0)
		return rc;
	if (mdg__is_seated(channel))
		atomic_store(word, mdg__box_word(channel->call, MDG__BOX_IDLE));
	else
		rc = -ESTALE;
	mdg__channel_unlock(&channel->head->seat_lock);
	return rc;
}

/* A call with a number that no server has. */
static inline int new_call(struct mdg_channel *channel, uint64_t deadline, struct mdg__request *ret)
{
	if (channel->has_reply || channel->reserved.count != 0)
		return -EBUSY;
	int rc = channel->waits_reply ? abandon(channel, deadline) : 0;
	if (rc == 0 && __builtin_expect(own_word(channel) >> 8 > channel->call, 0))
		rc = mend_box(channel, deadline);
	if (rc < 0)
		return rc;
	channel->call++;
	*ret = (struct mdg__request){ channel->place, mdg__relaxed32(&channel->seat->use),
		                      channel->call };
	return 0;
}

int mdg__caller_send(struct mdg_channel *channel, const void *data, size_t size, uint64_t deadline)
{
	struct mdg__request request;
	int rc = new_call(channel, deadline, &request);
	if (rc < 0)
		return rc;
	if (size > MDG__SMALL - sizeof request ||
	    !mdg__send_straight(channel, &request, data, size))
		rc = mdg__send_record(channel, &request, data, size, deadline);
	channel->waits_reply = rc == 0;
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
	int rc = mdg__commit_record(channel, size + sizeof(struct mdg__request));
	channel->waits_reply = rc == 0;
	return rc;
}

bool mdg__caller_has(struct mdg_channel *channel)
{
	if (!channel->waits_reply || channel->has_reply)
		return false;
	return !is_under_way(state_in(channel, own_word(channel)));
}

/* Waits until the call has come to an end: what the word says then, in ret_word. */
static int await_end(struct mdg_channel *channel, uint64_t deadline, uint64_t *ret_word)
{
	struct mdg__waiting waiting = mdg__wait_init(MDG__FOR_REPLY, deadline);
	int rc = 0;
	waiting.box = &mdg__box_of(channel, channel->place)->word;
	while (rc == 0) {
		waiting.word = *ret_word = own_word(channel);
		if (!is_under_way(state_in(channel, *ret_word)))
			break;
		rc = mdg__wait_more(channel, &waiting);
	}
	mdg__wait_end(channel, &waiting, rc == 0);
	return rc;
}

/* Waits for the reply: its size, and it is in the box; or what became of it. */
static int await_reply(struct mdg_channel *channel, uint64_t deadline)
{
	uint64_t word = 0;
	if (!channel->waits_reply)
		return -EINVAL;
	int rc = await_end(channel, deadline, &word);
	if (rc < 0)
		return rc;
	enum mdg__box_state state = state_in(channel, word);
	if (state == MDG__BOX_DONE) {
		uint32_t size = mdg__relaxed32(&mdg__box_of(channel, channel->place)->size);
		return size <= channel->capacity ? (int)size : MDG_BROKEN;
	}
	channel->waits_reply = false;
	if (state == MDG__BOX_DIED)
		return MDG_PEER_DIED;
	return state == MDG__BOX_REFUSED ? -ECANCELED : MDG_BROKEN;
}

int mdg__caller_peek(struct mdg_channel *channel, struct mdg_message *ret, uint64_t deadline)
{
	if (channel->has_reply)
		return -EBUSY;
	int size = await_reply(channel, deadline);
	if (size < 0)
		return size;
	*ret = (struct mdg_message){ .data = mdg__reply_of(channel, channel->place),
		                     .size = (size_t)size,
		                     .sequence = channel->call - channel->first_call - 1 };
	channel->has_reply = true;
	return 0;
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
		channel->waits_reply = false;
}
