/* SPDX-License-Identifier: MIT */
/*
 * view.h - who is in a channel, without entering it. For the tool.
 *
 * The view reads the data file. It attaches nothing, takes no lock and changes nothing, so that it
 * may be had of a namespace that was opened for a look, and its reader may stop at any place
 * without harm. What it says was there, but not all of it at the same moment.
 */
#ifndef MADANG_CHANNEL_VIEW_H
#define MADANG_CHANNEL_VIEW_H

#include "madang/channel.h"

/* As mdg_channel_peers, of the channel in a segment. Who has died is there only if it held a
 * message. Returns how many there are; or -EACCES: the caller may not read it; -ENOENT: there is no
 * such channel; or another negative code. */
int mdg__channel_view_peers(mdg_namespace *ns, mdg_id id, struct mdg_peer *ret_peers,
                            unsigned room);

#endif
