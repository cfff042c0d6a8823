/* SPDX-License-Identifier: MIT */
/*
 * call.c - requests and their replies.
 *
 * Requests go through the ring, as the messages of a queue, each with the seat of its caller in
 * front. Replies do not: each seat has a box of the channel's capacity, and one word says what is in
 * it, call number << 8 | state:
 *
 *     IDLE      nothing is asked                      caller
 *     WAITING   asked; nobody writes                  caller, before the request is sent
 *     WRITING   a server writes the reply             server, from WAITING of that call
 *     DONE      it is there                           that server
 *     DIED      the server that held it died          whoever buries it, from WAITING, WRITING
 *     REFUSED   it was released without a reply       server, from WAITING
 *
 * A server can write only for the call that it was asked: the number has to be the same. A caller
 * that does not want to wait any more asks something else, or leaves: the number is another one.
 * Only while a server writes it has to wait for that server, or its death; and the seat of a
 * caller that died is not free before that.
 *
 * A request is released after its reply. So a server that dies before has the caller told.
 */
#include "channel/internal.h"

#include <string.h>

enum { LONG_NS = 10000000 }; /* after it a server looks whether its caller lives */

static uint64_t word_of(uint64_t call, enum mdg__box_state state)
{
	return call << 8 | (uint64_t)state;
}

static bool box_change(struct mdg__seat *seat, uint64_t call, enum mdg__box_state from,
                       enum mdg__box_state to)
{
	uint64_t seen = word_of(call, from);
	return atomic_compare_exchange_strong(&seat->box, &seen, word_of(call, to));
}

void mdg__call_wake(struct mdg_channel *channel, struct mdg__seat *seat)
{
	mdg__fence();
	if (mdg__relaxed32(&seat->box_waits) != 0 && atomic_exchange(&seat->box_waits, 0) != 0) {
		atomic_fetch_add(&seat->box_bell, 1);
		(void)mdg__sys_futex_wake_bits(&seat->box_bell, 1, (uint32_t)MDG__ANYONE);
	}
	if (mdg__relaxed32(&seat->polls) != 0)
		mdg__pipe_ring_one(channel, (uint32_t)(seat - channel->seats));
}

static unsigned char *box_of(struct mdg_channel *channel, uint32_t place)
{
	return channel->boxes + place * channel->box_size;
}

/* ---- callers ---------------------------------------------------------------------- */

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
		         box_change(channel->seat, channel->call, state, MDG__BOX_IDLE))
			break;
	}
	mdg__wait_end(channel, &waiting, false);
	if (rc == 0)
		channel->waits_reply = false;
	return rc;
}

/* A number that no server has, and a box that is ready for its reply. */
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
	atomic_store(&channel->seat->box, word_of(channel->call, MDG__BOX_WAITING));
	channel->waits_reply = true;
}

static void await_nothing(struct mdg_channel *channel)
{
	atomic_store(&channel->seat->box, word_of(channel->call, MDG__BOX_IDLE));
	channel->waits_reply = false;
}

static int ask(struct mdg_channel *channel, const void *data, size_t size, uint64_t deadline)
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

bool mdg__call_has(struct mdg_channel *channel)
{
	if (!channel->waits_reply || channel->has_reply)
		return false;
	enum mdg__box_state state =
		own_box(channel); /* once: a server may go from one to the other */
	return state != MDG__BOX_WAITING && state != MDG__BOX_WRITING;
}

/* Waits for the reply: 0, and it is in the box; or what became of it. */
static int await_reply(struct mdg_channel *channel, uint64_t deadline)
{
	if (!channel->waits_reply)
		return -EINVAL;
	struct mdg__waiting waiting = mdg__wait_init(MDG__FOR_REPLY, deadline);
	int rc = 0;
	while (rc == 0 && !mdg__call_has(channel))
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

static int reply_peek(struct mdg_channel *channel, struct mdg_message *ret, uint64_t deadline)
{
	if (channel->has_reply)
		return -EBUSY;
	int rc = await_reply(channel, deadline);
	if (rc == 0) {
		uint32_t size = mdg__relaxed32(&channel->seat->box_size);
		*ret = (struct mdg_message){ .data = box_of(channel, channel->place),
			                     .size = size <= channel->capacity ? size : 0,
			                     .sequence = channel->call - channel->first_call - 1 };
		channel->has_reply = true;
	}
	return rc;
}

static void reply_release(struct mdg_channel *channel)
{
	channel->has_reply = false;
	await_nothing(channel);
}

bool mdg__call_drop(struct mdg__seat *seat)
{
	uint64_t box = atomic_load(&seat->box);
	do {
		if ((box & 0xff) == MDG__BOX_WRITING)
			return false;
		/* The next one in this seat counts on from here. */
	} while (!atomic_compare_exchange_strong(&seat->box, &box,
	                                         word_of((box >> 8) + 1, MDG__BOX_IDLE)));
	return true;
}

/* ---- servers ------------------------------------------------------------------------ */

/* A request in the ring: false: it is none. */
static bool read_request(const struct mdg_channel *channel, const struct mdg_message *message,
                         struct mdg__request *ret)
{
	if (message->size < sizeof *ret)
		return false;
	memcpy(ret, message->data, sizeof *ret);
	return ret->seat < channel->seat_count;
}

static bool is_there(const struct mdg__seat *seat, uint32_t use)
{
	return mdg__seat_state(seat) == MDG__SEAT_TALKER && mdg__relaxed32(&seat->use) == use;
}

/* Of a request that was just taken: whether its caller still waits for it. */
static bool accept_request(struct mdg_channel *channel, struct mdg_message *message)
{
	struct mdg__request request;
	if (!read_request(channel, message, &request))
		return false;
	struct mdg__seat *seat = &channel->seats[request.seat];
	if (!is_there(seat, request.use) ||
	    atomic_load(&seat->box) != word_of(request.call, MDG__BOX_WAITING))
		return false;
	channel->asked = (struct mdg__asked){
		request.seat, request.use, request.call, mdg__monotonic_nanoseconds(), 0, false
	};
	message->data = (unsigned char *)message->data + sizeof request;
	message->size -= sizeof request;
	return true;
}

static int request_peek(struct mdg_channel *channel, struct mdg_message *ret, uint64_t deadline)
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
	return is_there(&channel->seats[asked->seat], asked->use) ? -ECANCELED : MDG_PEER_DIED;
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
	if (!is_there(seat, asked->use) ||
	    !box_change(seat, asked->call, MDG__BOX_WAITING, MDG__BOX_WRITING)) {
		int rc = unwanted(channel);
		mdg__release_any(channel);
		return rc;
	}
	asked->writing = true;
	asked->size = size;
	return 0;
}

static int reply_end(struct mdg_channel *channel, size_t size)
{
	struct mdg__asked *asked = &channel->asked;
	struct mdg__seat *seat = &channel->seats[asked->seat];
	if (!asked->writing || size > asked->size)
		return -EINVAL;
	asked->writing = false;
	atomic_store_explicit(&seat->box_size, (uint32_t)size, memory_order_relaxed);
	/* Release: pairs with the acquire of own_box. */
	bool done = box_change(seat, asked->call, MDG__BOX_WRITING, MDG__BOX_DONE);
	/* The seat of a caller that is no more was kept for this reply alone. */
	bool gone = mdg__relaxed32(&seat->slot1) == 0;
	if (done)
		mdg__call_wake(channel, seat);
	mdg__release_any(channel);
	if (gone)
		(void)mdg__look_after(channel);
	return done && !gone ? 0 : MDG_PEER_DIED;
}

static int reply_cancel(struct mdg_channel *channel)
{
	struct mdg__asked *asked = &channel->asked;
	if (!asked->writing)
		return -EINVAL;
	asked->writing = false;
	struct mdg__seat *seat = &channel->seats[asked->seat];
	if (box_change(seat, asked->call, MDG__BOX_WRITING, MDG__BOX_WAITING))
		mdg__call_wake(channel, seat); /* it may want to ask something else */
	return 0;
}

static int reply(struct mdg_channel *channel, const void *data, size_t size)
{
	int rc = reply_begin(channel, size);
	if (rc < 0)
		return rc;
	if (size != 0)
		memcpy(box_of(channel, channel->asked.seat), data, size);
	return reply_end(channel, size);
}

/* Without a reply. */
static void refuse(struct mdg_channel *channel)
{
	struct mdg__asked *asked = &channel->asked;
	struct mdg__seat *seat = &channel->seats[asked->seat];
	(void)reply_cancel(channel);
	if (is_there(seat, asked->use) &&
	    box_change(seat, asked->call, MDG__BOX_WAITING, MDG__BOX_REFUSED))
		mdg__call_wake(channel, seat);
	mdg__release_any(channel);
}

void mdg__call_tell(struct mdg_channel *channel, struct mdg__seat *server, enum mdg__box_state what)
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
		if (!read_request(channel, &message, &request))
			continue;
		struct mdg__seat *seat = &channel->seats[request.seat];
		if (is_there(seat, request.use) &&
		    (box_change(seat, request.call, MDG__BOX_WAITING, what) ||
		     box_change(seat, request.call, MDG__BOX_WRITING, what)))
			mdg__call_wake(channel, seat);
	}
}

/* ---- both ------------------------------------------------------------------------------ */

static inline int may_call(const struct mdg_channel *channel, size_t size)
{
	int rc = mdg__usable(channel, MDG_TALKER | MDG_LISTENER);
	return rc == 0 && size > channel->capacity ? -EMSGSIZE : rc;
}

int mdg__call_send(struct mdg_channel *channel, const void *data, size_t size, uint64_t deadline)
{
	int rc = may_call(channel, size);
	if (rc < 0)
		return rc;
	return channel->role == MDG_TALKER ? ask(channel, data, size, deadline)
	                                   : reply(channel, data, size);
}

int mdg__call_reserve(struct mdg_channel *channel, size_t size, void **ret_data, uint64_t deadline)
{
	struct mdg__request request;
	void *place = NULL;
	int rc = may_call(channel, size);
	if (rc < 0)
		return rc;
	if (channel->role == MDG_LISTENER) {
		rc = reply_begin(channel, size);
		if (rc == 0)
			*ret_data = box_of(channel, channel->asked.seat);
		return rc;
	}
	rc = new_call(channel, deadline, &request);
	if (rc == 0)
		rc = mdg__reserve_record(channel, size + sizeof request, &place, deadline);
	if (rc == 0) {
		memcpy(place, &request, sizeof request);
		*ret_data = (unsigned char *)place + sizeof request;
	}
	return rc;
}

int mdg__call_commit(struct mdg_channel *channel, size_t size)
{
	int rc = may_call(channel, 0);
	if (rc < 0)
		return rc;
	if (channel->role == MDG_LISTENER)
		return reply_end(channel, size);
	if (channel->reserved.count == 0 || size > channel->capacity)
		return -EINVAL;
	await(channel);
	rc = mdg__commit_record(channel, size + sizeof(struct mdg__request));
	if (rc < 0)
		await_nothing(channel);
	return rc;
}

int mdg__call_cancel(struct mdg_channel *channel)
{
	int rc = may_call(channel, 0);
	if (rc < 0)
		return rc;
	return channel->role == MDG_LISTENER ? reply_cancel(channel) : mdg__cancel_all(channel);
}

int mdg__call_peek(struct mdg_channel *channel, struct mdg_message *ret, uint64_t deadline)
{
	int rc = may_call(channel, 0);
	if (rc < 0)
		return rc;
	rc = channel->role == MDG_TALKER ? reply_peek(channel, ret, deadline)
	                                 : request_peek(channel, ret, deadline);
	mdg__settle(channel);
	return rc;
}

int mdg__call_release(struct mdg_channel *channel)
{
	int rc = may_call(channel, 0);
	if (rc < 0)
		return rc;
	if (channel->role == MDG_TALKER) {
		if (!channel->has_reply)
			return -EINVAL;
		reply_release(channel);
		return 0;
	}
	if (channel->held.count == 0)
		return -EINVAL;
	refuse(channel);
	return 0;
}

/* Of a server the request stays held until it is answered. One that is too large for the room
 * stays, too: held, and to be peeked or received again. */
int mdg__call_recv(struct mdg_channel *channel, void *data, size_t room, struct mdg_message *ret,
                   uint64_t deadline)
{
	struct mdg_message message = { .size = 0 };
	int rc = mdg__call_peek(channel, &message, deadline);
	if (rc < 0)
		return rc;
	if (ret != NULL) {
		*ret = message;
		ret->data = data;
	}
	bool fits = message.size <= room;
	if (fits && message.size != 0)
		memcpy(data, message.data, message.size);
	if (channel->role == MDG_TALKER) {
		channel->has_reply = false;
		if (fits)
			await_nothing(channel);
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
