/* SPDX-License-Identifier: MIT */
/*
 * listen.c - receiving.
 *
 * A listener goes from record to record. What it peeks it holds: it tells in shared memory what it
 * still needs, in a way that depends on the kind. Release moves that on, and nothing else frees
 * room. Receiving by copy is the same: peek, copy, release. The common case, a small message of a
 * stream or of a topic, does all three at once, inlined.
 */
#include "channel/kind.h"
#include "channel/messages.h"
#include "channel/peers.h"
#include "channel/ring.h"
#include "channel/wake.h"

/* ---- holding messages ---------------------------------------------------------------------- */

static inline int take(struct mdg_channel *channel, struct mdg_message *messages, unsigned count)
{
	int rc = channel->ops->take(channel, messages, count);
	if (rc > 0)
		channel->held.count = (uint32_t)rc;
	return rc;
}

void mdg__release_any(struct mdg_channel *channel)
{
	struct mdg__taken *held = &channel->held;
	mdg__received(channel, held->count);
	if (channel->kind == MDG_STREAM)
		mdg__stream_release(channel);
	else
		channel->ops->release(channel);
	held->from = held->upto;
	held->count = 0;
	mdg__made_room(channel, held->upto);
}

/* The caller gets only `count` of those that were taken; the next of them begins at `next`. */
static void give_less(struct mdg_channel *channel, unsigned count, uint64_t next, uint64_t sequence)
{
	struct mdg__taken *held = &channel->held;
	held->count = count;
	held->upto = next;
	held->sequence = sequence;
	if (channel->ops->gave_less != NULL)
		channel->ops->gave_less(channel);
}

void mdg__give_nothing(struct mdg_channel *channel)
{
	give_less(channel, 0, channel->held.from, channel->held.sequence);
}

/* The record that a spinning listener looks at. If each message goes to one listener, others move
 * on from it too. */
static void watch(struct mdg_channel *channel, struct mdg__waiting *waiting)
{
	uint64_t at =
		channel->way == MDG__TO_ONE ? mdg__position(&channel->head->taken) : channel->next;
	waiting->watch = &mdg__record(channel, at)->state;
	waiting->watched = mdg__relaxed32(waiting->watch);
	if (!mdg__is_waiting(waiting->watched))
		waiting->watch = NULL;
}

static __attribute__((noinline)) int take_waiting(struct mdg_channel *channel,
                                                  struct mdg_message *messages, unsigned count,
                                                  uint64_t deadline)
{
	struct mdg__waiting waiting = mdg__wait_init(MDG__FOR_MESSAGE, deadline);
	int rc = 0;
	while (rc == 0) {
		watch(channel, &waiting);
		rc = mdg__wait_more(channel, &waiting);
		if (rc == 0)
			rc = take(channel, messages, count);
	}
	mdg__wait_end(channel, &waiting, rc > 0);
	return rc;
}

int mdg__peek_any(struct mdg_channel *channel, struct mdg_message *messages, unsigned count,
                  uint64_t deadline)
{
	int rc = take(channel, messages, count);
	return rc != 0 ? rc : take_waiting(channel, messages, count, deadline);
}

static inline int peek(struct mdg_channel *channel, struct mdg_message *messages, unsigned count,
                       uint64_t deadline)
{
	int rc = mdg__usable(channel, MDG_LISTENER);
	if (rc < 0)
		return rc;
	if (channel->held.count != 0)
		return -EBUSY;
	rc = mdg__peek_any(channel, messages, count, deadline);
	mdg__settle(channel);
	return rc;
}

/* Whether the next message is surely not redelivered, and not overwritten while it is copied. */
static inline bool is_straight(const struct mdg_channel *channel)
{
	if (channel->kind == MDG_STREAM)
		return channel->next >= channel->handed;
	return channel->kind == MDG_TOPIC && channel->full == MDG_FULL_WAIT && !channel->jumped;
}

static inline struct mdg__record *next_straight(const struct mdg_channel *channel,
                                                uint32_t *ret_size)
{
	return is_straight(channel) ? mdg__record_straight(channel, channel->next, ret_size) : NULL;
}

/* The common case of mdg_channel_peek in a stream. False: this is another case, and nothing was
 * done. */
static inline bool peek_straight(struct mdg_channel *channel, struct mdg_message *ret_message)
{
	struct mdg__taken *held = &channel->held;
	uint32_t size;
	if (channel->kind != MDG_STREAM || held->count != 0 || channel->pipe >= 0)
		return false;
	struct mdg__record *record = next_straight(channel, &size);
	if (record == NULL)
		return false;
	mdg__describe(record, size, ret_message);
	held->from = channel->next;
	held->upto = channel->next + mdg__span(size);
	held->sequence = ret_message->sequence + 1;
	held->count = 1;
	mdg__stream_hand_out(channel, held->upto);
	return true;
}

int mdg_channel_peek(mdg_channel *channel, struct mdg_message *ret_message, uint64_t deadline)
{
	if (__builtin_expect(channel->door != NULL, 0))
		return channel->door->peek(channel, ret_message, deadline);
	if (mdg__usable(channel, MDG_LISTENER) == 0 && peek_straight(channel, ret_message))
		return 0;
	int rc = peek(channel, ret_message, 1, deadline);
	return rc > 0 ? 0 : rc;
}

int mdg_channel_peek_many(mdg_channel *channel, struct mdg_message *ret_messages, unsigned count,
                          uint64_t deadline)
{
	if (channel->door != NULL)
		return -EPERM;
	if (count == 0 || count > MDG_MANY_MAX)
		return -EINVAL;
	return peek(channel, ret_messages, count, deadline);
}

int mdg_channel_release(mdg_channel *channel)
{
	if (channel->door != NULL)
		return channel->door->release(channel);
	int rc = mdg__usable(channel, MDG_LISTENER);
	if (rc < 0)
		return rc;
	if (channel->held.count == 0)
		return -EINVAL;
	mdg__release_any(channel);
	return 0;
}

/* ---- copies -------------------------------------------------------------------------------- */

/* The common case of mdg_channel_recv: a small message, and nothing else to see to. -EAGAIN: this
 * is another case, and nothing was done. */
static inline int recv_straight(struct mdg_channel *channel, void *data, size_t room,
                                struct mdg_message *ret_message)
{
	uint32_t size;
	struct mdg__record *record = next_straight(channel, &size);
	if (record == NULL || size > room || size > MDG__SMALL)
		return -EAGAIN;
	struct mdg__taken *held = &channel->held;
	held->upto = channel->next + mdg__span(size);
	held->sequence = mdg__relaxed64(&record->sequence) + 1;
	if (channel->kind == MDG_STREAM)
		mdg__stream_hand_out(channel, held->upto);
	mdg__copy_out(record, size, data, ret_message);
	mdg__received(channel, 1);
	if (channel->kind == MDG_STREAM)
		mdg__stream_release(channel);
	else
		mdg__topic_release(channel);
	mdg__made_room(channel, held->upto);
	return (int)size;
}

/* A listener of a queue that keeps take_lock holds up nobody while it copies. What is copied before
 * it is taken need not be held. If this process dies before it is taken, the caller has nothing of
 * it, and another listener gets it as if for the first time. */
static inline bool kept_enter(struct mdg_channel *channel)
{
	return mdg__hold_is_plain(channel) && mdg__keep_enter(channel, &channel->head->take_lock);
}

/* What is before `upto` was copied. */
static inline void kept_take(struct mdg_channel *channel, uint64_t upto)
{
	mdg__note64(&channel->head->taken_sequence, channel->held.sequence);
	mdg__hold_taken(channel, upto);
	mdg__keep_exit(channel);
}

static inline int recv_kept(struct mdg_channel *channel, void *data, size_t room,
                            struct mdg_message *ret_message)
{
	uint32_t size;
	if (!kept_enter(channel))
		return -EAGAIN;
	struct mdg__record *record = mdg__record_straight(channel, channel->next, &size);
	if (record == NULL || size > room || size > MDG__SMALL) {
		mdg__keep_exit(channel);
		return -EAGAIN;
	}
	channel->held.sequence = mdg__relaxed64(&record->sequence) + 1;
	mdg__copy_out(record, size, data, ret_message);
	kept_take(channel, channel->next + mdg__span(size));
	mdg__received(channel, 1);
	mdg__made_room(channel, channel->next);
	return (int)size;
}

static inline int recv_small(struct mdg_channel *channel, void *data, size_t room,
                             struct mdg_message *ret_message)
{
	if (channel->kind != MDG_QUEUE)
		return recv_straight(channel, data, room, ret_message);
	return channel->keeping.word != 0 ? recv_kept(channel, data, room, ret_message)
	                                  : mdg__hold_recv(channel, data, room, ret_message);
}

int mdg_channel_recv(mdg_channel *channel, void *data, size_t room, struct mdg_message *ret_message,
                     uint64_t deadline)
{
	struct mdg_message message;
	if (channel->door != NULL)
		return channel->door->recv(channel, data, room, ret_message, deadline);
	if (mdg__usable(channel, MDG_LISTENER) == 0 && channel->held.count == 0 &&
	    channel->pipe < 0) {
		int size = recv_small(channel, data, room, ret_message);
		if (size >= 0)
			return size;
	}
	int rc = peek(channel, &message, 1, deadline);
	if (rc < 0)
		return rc;
	if (ret_message != NULL) {
		*ret_message = message;
		ret_message->data = data;
	}
	if (__builtin_expect(message.size > room, 0)) {
		mdg__give_nothing(channel);
		mdg__settle(channel);
		return -EMSGSIZE;
	}
	if (message.size != 0)
		memcpy(data, message.data, message.size);
	mdg__release_any(channel);
	return (int)message.size;
}

/* Where the record of a message that is held begins. */
static uint64_t position_of(struct mdg_channel *channel, const struct mdg_message *message)
{
	uint64_t from = channel->held.from, first = mdg__offset(channel, from);
	uint64_t offset = (uint64_t)((unsigned char *)message->data - channel->ring) -
	                  MDG__RECORD_HEAD - ((message->flags & MDG_RELAYED) != 0 ? MDG__TAG : 0);
	return from + (offset >= first ? offset - first : offset + channel->ring_size - first);
}

/* Copies messages until one does not fit. Returns how many it copied. */
static unsigned copy_out(const struct mdg_message *held, struct mdg_message *messages,
                         unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		void *data = messages[i].data;
		size_t room = messages[i].size;
		messages[i] = held[i];
		messages[i].data = data;
		if (held[i].size > room)
			return i;
		mdg__copy(data, held[i].data, held[i].size);
	}
	return count;
}

/* Copies small messages that lie one behind the other from channel->next on, until there is another
 * case: how many. */
static inline unsigned copy_straight(struct mdg_channel *channel, struct mdg_message *messages,
                                     unsigned count, uint64_t *ret_upto)
{
	enum { FETCHED = 2048 }; /* bytes that are fetched ahead from the talker's processor */
	uint64_t at = channel->next;
	unsigned done = 0;
	for (; done < count; done++) {
		struct mdg_message *message = &messages[done];
		uint32_t size;
		struct mdg__record *record = mdg__record_straight(channel, at, &size);
		if (record == NULL || size > message->size || size > MDG__SMALL)
			break;
		__builtin_prefetch((const char *)record + FETCHED);
		__builtin_prefetch((const char *)record + FETCHED + MDG__LINE);
		mdg__copy_out(record, size, message->data, message);
		at += mdg__span(size);
	}
	if (done != 0)
		channel->held.sequence = messages[done - 1].sequence + 1;
	*ret_upto = at;
	return done;
}

/* The common case of mdg_channel_recv_many: copies small messages, and releases them. */
static unsigned recv_many_straight(struct mdg_channel *channel, struct mdg_message *messages,
                                   unsigned count)
{
	uint64_t upto;
	unsigned done = is_straight(channel) ? copy_straight(channel, messages, count, &upto) : 0;
	if (done == 0)
		return 0;
	channel->held.upto = upto;
	/* The caller has nothing of it yet. So if this process dies before all is released, it is
	 * no matter whether what comes again is marked. */
	if (channel->kind == MDG_STREAM)
		mdg__stream_hand_out(channel, upto);
	mdg__received(channel, done);
	if (channel->kind == MDG_STREAM)
		mdg__stream_release(channel);
	else
		mdg__topic_release(channel);
	mdg__made_room(channel, upto);
	return done;
}

/* The same in a queue, see kept_enter: so many at once, so that it holds up others but shortly. */
enum { KEPT_MANY = 64 };
static unsigned recv_many_kept(struct mdg_channel *channel, struct mdg_message *messages,
                               unsigned count)
{
	uint64_t upto;
	if (channel->keeping.word == 0 || !kept_enter(channel))
		return 0;
	unsigned done =
		copy_straight(channel, messages, count < KEPT_MANY ? count : KEPT_MANY, &upto);
	if (done == 0) {
		mdg__keep_exit(channel);
		return 0;
	}
	kept_take(channel, upto);
	mdg__received(channel, done);
	mdg__made_room(channel, upto);
	return done;
}

/* Whether nothing is there yet behind what was received. */
static bool is_at_end(struct mdg_channel *channel)
{
	return mdg__is_waiting(mdg__record_state(mdg__record(channel, channel->next)));
}

int mdg_channel_recv_many(mdg_channel *channel, struct mdg_message *messages, unsigned count,
                          uint64_t deadline)
{
	enum { AT_ONCE = 64 };
	struct mdg_message held[AT_ONCE];
	unsigned done = 0;
	if (channel->door != NULL)
		return -EPERM;
	if (count == 0 || count > MDG_MANY_MAX)
		return -EINVAL;
	if (mdg__usable(channel, MDG_LISTENER) == 0 && channel->held.count == 0 &&
	    channel->pipe < 0)
		done = channel->kind == MDG_QUEUE ? recv_many_kept(channel, messages, count)
		                                  : recv_many_straight(channel, messages, count);
	if (done == count || (done != 0 && is_at_end(channel)))
		return (int)done;
	while (done < count) {
		unsigned most = count - done < AT_ONCE ? count - done : AT_ONCE;
		int rc = peek(channel, held, most, done == 0 ? deadline : 0);
		if (rc < 0)
			return done != 0 ? (int)done : rc;
		unsigned fit = copy_out(held, messages + done, (unsigned)rc);
		if (fit < (unsigned)rc)
			give_less(channel, fit, position_of(channel, &held[fit]),
			          held[fit].sequence);
		if (fit != 0)
			mdg__release_any(channel);
		if (fit < (unsigned)rc)
			mdg__settle(channel);
		done += fit;
		if (fit < (unsigned)rc)
			return done != 0 ? (int)done : -EMSGSIZE;
		if (rc < (int)most)
			break;
	}
	return (int)done;
}
