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
	MDG__BOX_WRITING,
	MDG__BOX_DONE,
	MDG__BOX_DIED,
	MDG__BOX_REFUSED,
	MDG__BOX_GONE,
	MDG__BOX_WAITS /* of a call, never in the word: its number is a later one */
};
/* What the word says when this call is in this state. */
static inline uint64_t mdg__box_word(uint64_t call, enum mdg__box_state state)
{
	return call << 8 | (uint64_t)state;
}
static inline unsigned char *mdg__reply_of(struct mdg_channel *channel, uint32_t place)
{
	return (unsigned char *)mdg__box_of(channel, place) + sizeof(struct mdg__box);
}
/* Whether the caller that a request names is still in its seat. */
static inline bool mdg__box_has_caller(const struct mdg_channel *channel,
                                       const struct mdg__request *request)
{
	const struct mdg__seat *seat = &channel->seats[request->seat];
	return mdg__seat_state(seat) == MDG__SEAT_TALKER &&
	       mdg__relaxed32(&seat->use) == request->use;
}
/* Whether its caller waits for the reply, if the word of the box was this. */
static inline bool mdg__box_is_open(const struct mdg_channel *channel,
                                    const struct mdg__request *request, uint64_t word)
{
	return word >> 8 < request->call && (word & 0xff) != MDG__BOX_WRITING &&
	       (word & 0xff) != MDG__BOX_GONE && mdg__box_has_caller(channel, request);
}
/* A call that waits becomes this. False: it does not wait, or not any more. */
bool mdg__box_change(struct mdg_channel *channel, const struct mdg__request *request,
                     enum mdg__box_state to);
/* The reply that a server writes becomes this. False: this is not the server's box any more. */
static inline bool mdg__box_end(struct mdg_channel *channel, const struct mdg__request *request,
                                enum mdg__box_state to)
{
	uint64_t seen = mdg__box_word(request->call, MDG__BOX_WRITING);
	return atomic_compare_exchange_strong(&mdg__box_of(channel, request->seat)->word, &seen,
	                                      mdg__box_word(request->call, to));
}
/* No caller comes as far as that in its lifetime. A higher number was scribbled into the box. */
#define MDG__CALL_MOST (UINT64_C(1) << 52)
/* The request in front of a message. False: it is none. */
static inline bool mdg__box_request(const struct mdg_channel *channel,
                                    const struct mdg_message *message, struct mdg__request *ret)
{
	if (message->size < sizeof *ret)
		return false;
	memcpy(ret, message->data, sizeof *ret);
	return ret->seat < channel->seat_count;
}
/* Somebody comes: a caller gets the box of its seat. [seat lock] */
int mdg__box_take(struct mdg_channel *channel, uint32_t from);
/* A server leaves or died: tells the callers of the requests that it holds. [take] */
void mdg__box_tell(struct mdg_channel *channel, struct mdg__seat *server, enum mdg__box_state what);
/* A caller leaves or died. False: a server is just writing its reply, nobody may come yet. */
bool mdg__box_drop(struct mdg_channel *channel, uint32_t place);

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
/* The same, and the caller is told that its server died. */
int mdg__server_abandon(struct mdg_channel *channel);
int mdg__server_awaited(struct mdg_channel *channel);

#endif
