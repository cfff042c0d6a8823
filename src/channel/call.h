/* SPDX-License-Identifier: MIT */
/*
 * call.h - the parts of the kind `call`: boxes, callers, servers.
 */
#ifndef MADANG_CHANNEL_CALL_H
#define MADANG_CHANNEL_CALL_H

#include "channel/handle.h"

/* ---- box.c ------------------------------------------------------------------------------ */

enum mdg__box_state {
	MDG__BOX_IDLE,
	MDG__BOX_WAITING,
	MDG__BOX_WRITING,
	MDG__BOX_DONE,
	MDG__BOX_DIED,
	MDG__BOX_REFUSED
};
/* What a seat's word says when the box is in this state for this call. */
static inline uint64_t mdg__box_word(uint64_t call, enum mdg__box_state state)
{
	return call << 8 | (uint64_t)state;
}
/* False: the box was not in the state `from`, or is not of that call. */
static inline bool mdg__box_change(struct mdg__seat *seat, uint64_t call, enum mdg__box_state from,
                                   enum mdg__box_state to)
{
	uint64_t seen = mdg__box_word(call, from);
	return atomic_compare_exchange_strong(&seat->box, &seen, mdg__box_word(call, to));
}
static inline unsigned char *mdg__box_of(struct mdg_channel *channel, uint32_t place)
{
	return channel->boxes + place * channel->box_size;
}
/* Whether the caller that a request names is still in its seat. */
static inline bool mdg__box_has_caller(const struct mdg__seat *seat, uint32_t use)
{
	return mdg__seat_state(seat) == MDG__SEAT_TALKER && mdg__relaxed32(&seat->use) == use;
}
/* The request in front of a message. False: it is none. */
static inline bool mdg__box_request(const struct mdg_channel *channel,
                                    const struct mdg_message *message, struct mdg__request *ret)
{
	if (message->size < sizeof *ret)
		return false;
	memcpy(ret, message->data, sizeof *ret);
	return ret->seat < channel->seat_count;
}
/* A server leaves or died: tells the callers of the requests that it holds. [take] */
void mdg__box_tell(struct mdg_channel *channel, struct mdg__seat *server, enum mdg__box_state what);
/* A caller leaves or died. False: a server is just writing its reply, nobody may come yet. */
bool mdg__box_drop(struct mdg__seat *seat);

/* ---- caller.c ----------------------------------------------------------------------------- */

int mdg__caller_send(struct mdg_channel *channel, const void *data, size_t size, uint64_t deadline);
int mdg__caller_reserve(struct mdg_channel *channel, size_t size, void **ret_data,
                        uint64_t deadline);
int mdg__caller_commit(struct mdg_channel *channel, size_t size);
/* The reply, in the box. */
int mdg__caller_peek(struct mdg_channel *channel, struct mdg_message *ret, uint64_t deadline);
int mdg__caller_release(struct mdg_channel *channel);
/* The reply is not given out after all. `fits`: it was copied, and is done with. */
void mdg__caller_received(struct mdg_channel *channel, bool fits);
bool mdg__caller_has(struct mdg_channel *channel);

/* ---- server.c ------------------------------------------------------------------------------ */

int mdg__server_send(struct mdg_channel *channel, const void *data, size_t size);
int mdg__server_reserve(struct mdg_channel *channel, size_t size, void **ret_data);
int mdg__server_commit(struct mdg_channel *channel, size_t size);
int mdg__server_cancel(struct mdg_channel *channel);
int mdg__server_peek(struct mdg_channel *channel, struct mdg_message *ret, uint64_t deadline);
int mdg__server_release(struct mdg_channel *channel);

#endif
