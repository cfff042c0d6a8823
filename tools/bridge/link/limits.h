/* SPDX-License-Identifier: MIT */
/*
 * limits.h - the limits of a stream that the server has.
 */
#ifndef BRIDGE_LINK_LIMITS_H
#define BRIDGE_LINK_LIMITS_H

#include "link/store.h"

/* Takes them into the store, raises what is too small for a topic, and says what differs from what
 * was asked. */
void limits_take(struct store *store, const jsStreamInfo *info);

#endif
