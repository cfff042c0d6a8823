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
