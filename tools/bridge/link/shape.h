/* SPDX-License-Identifier: MIT */
/*
 * shape.h - the shape of a channel, as the whole group knows it: in the bucket madang_GROUP, under
 * the key channel.CHANNEL, as text:
 *
 *     kind=topic full=overwrite capacity=65536 peers=32
 *
 * The first host that has the channel writes it. A host whose channel has another kind may not take
 * part. Another capacity or number of peers is allowed.
 */
#ifndef BRIDGE_LINK_SHAPE_H
#define BRIDGE_LINK_SHAPE_H

#include <madang/channel.h>

#include "link/link.h"

enum { SHAPE_UNLIKE = 1, SHAPE_AGAIN = 2, SHAPE_NONE = 3 };

/* Writes our shape, or compares. 0; SHAPE_UNLIKE (the log has said so); SHAPE_AGAIN: the server
 * cannot be asked now. */
int shape_announce(struct link *link, const char *channel_token,
                   const struct mdg_channel_info *info);
/* Gets it. 0; SHAPE_NONE; SHAPE_AGAIN. */
int shape_get(struct link *link, const char *channel_token, struct mdg_channel_options *ret);

/* For shape_get, tests and fuzzing: reads the text; it is trusted in nothing. */
bool shape_parse(struct mdg_channel_options *ret, const char *text);

#endif
