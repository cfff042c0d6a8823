/* SPDX-License-Identifier: MIT */
/*
 * madang/relay.h - what a bridge between channels of several hosts needs, on top of channel.h.
 *
 * A bridge stands for those on other hosts. It is for them a listener or a talker of the channel,
 * as any other process is. Errors are as in channel.h.
 */
#ifndef MADANG_RELAY_H
#define MADANG_RELAY_H

#include <madang/channel.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- origins ---------------------------------------------------------------------- */

/* Where messages were first sent: the identity and the epoch of a channel (mdg_channel_info). A
 * bridge may use others, that it makes up, for counts of its own. */
struct mdg_origin {
	uint64_t identity[2];
	uint64_t epoch;
};

/* A channel remembers so many origins. */
#define MDG_POSITIONS_MAX 64u

/* The number after the last message that was taken from this origin. 0; -ENOENT: nothing was. (In a
 * stream others than the talker may see the last message before they see its number here.) */
MDG_API int mdg_channel_position(mdg_channel *channel, const struct mdg_origin *origin,
                                 uint64_t *ret_next);
/* Sets it, without a message. In a stream only the talker can (-EPERM). 0; -EINVAL: it would go
 * back; -ENOSPC: the channel remembers MDG_POSITIONS_MAX others, see mdg_channel_forget. */
MDG_API int mdg_channel_commit_position(mdg_channel *channel, const struct mdg_origin *origin,
                                        uint64_t next);

struct mdg_position {
	struct mdg_origin origin;
	uint64_t next;
	int64_t when; /* of the last change: seconds since 1970 */
};
/* Gives up to `room` of them, in no order. Returns how many there are. */
MDG_API int mdg_channel_positions(mdg_channel *channel, struct mdg_position *ret_positions,
                                  unsigned room);
/* From then on the channel does not know the origin. In a stream only the talker can (-EPERM).
 * 0; -ENOENT: it did not know it. */
MDG_API int mdg_channel_forget(mdg_channel *channel, const struct mdg_origin *origin);

/* ---- messages --------------------------------------------------------------------- */

struct mdg_relayed {
	const void *data;
	size_t size;
	struct mdg_origin origin;
	uint64_t number; /* at the origin */
	uint32_t flags;  /* MDG_REDELIVERED: it may have been worked on; its listener sees that.
	                    In the last one of a call also MDG_RELAY_MORE */
	uint32_t reserved;
};

/* More messages are at hand, and are relayed next. */
#define MDG_RELAY_MORE 0x100u

/* Talker, not in MDG_CALL: puts messages of one origin into the channel, in this order. They are
 * marked MDG_RELAYED. In the same step the origin's position becomes the number after the last of
 * them: if the process dies at any moment, both have happened or neither has.
 *
 * In a stream and a topic the numbers have to grow, and messages with numbers below the position
 * are repeats, and are dropped. A queue drops nothing, since a message may come back to it.
 *
 * While this call waits for room in a topic with MDG_FULL_WAIT, other talkers leave the room that
 * becomes free to it, and wait. They do so for 0.1 s more if it has failed for want of room, has
 * put less than `count`, or MDG_RELAY_MORE was given. It ends at once with the handle, and with a
 * call that has put all.
 *
 * Returns how many of the messages are done, put or dropped, 1 to `count`; and in *ret_repeats,
 * which may be NULL, how many of these were dropped. Or as mdg_channel_send_many; -EINVAL: the
 * messages are not as said here; -ENOSPC: as above. */
MDG_API int mdg_channel_relay(mdg_channel *channel, const struct mdg_relayed *messages,
                              unsigned count, unsigned *ret_repeats, uint64_t deadline);
/* The number in this channel that follows the last message that this handle has relayed: for
 * mdg_channel_settled. 0: it has relayed none. */
MDG_API int mdg_channel_relayed_next(const mdg_channel *channel, uint64_t *ret_number);

/* Listener: origin and number of a message that it holds and that is marked MDG_RELAYED. -EINVAL:
 * it is not. */
MDG_API int mdg_channel_relayed(const mdg_channel *channel, const struct mdg_message *held,
                                struct mdg_relayed *ret_relayed);

/* Looks at the messages that lie in the channel, one with each call, and takes none: those that no
 * listener has released, or that a topic keeps. *cursor is 0 at first. Copies the message to `data`
 * (NULL: not). `ret_message` and `ret_relayed` may be NULL; the second is of use if the message is
 * marked MDG_RELAYED. An observer cannot look into a stream (-EPERM). Returns 1; 0: there is no
 * other; -EMSGSIZE: it has more bytes than `room`, and the cursor stays. */
MDG_API int mdg_channel_browse(mdg_channel *channel, uint64_t *cursor, void *data, size_t room,
                               struct mdg_message *ret_message, struct mdg_relayed *ret_relayed);

/* Talker, not in MDG_CALL: waits until all messages before `number` (of this channel) were released
 * by their listeners; in a topic: until the listeners that are there have received them. 0;
 * -EAGAIN, -ETIMEDOUT, -EINTR. It may notice that up to 25 ms late. */
MDG_API int mdg_channel_settled(mdg_channel *channel, uint64_t number, uint64_t deadline);

/* ---- calls ----------------------------------------------------------------------- */

/* Server: whoever worked on the request that is held has died elsewhere. So no reply can come. The
 * caller gets MDG_PEER_DIED, as if this server had died, and the request is released. 0; -EINVAL:
 * no request is held. */
MDG_API int mdg_channel_abandon(mdg_channel *channel);
/* Server: whether the caller of the request that is held still waits for the reply. It neither
 * waits nor releases anything. 0: the caller waits; MDG_PEER_DIED: it died or left; -ECANCELED: it
 * has given up; -EINVAL: no request is held. */
MDG_API int mdg_channel_awaited(mdg_channel *channel);

#ifdef __cplusplus
}
#endif

#endif
