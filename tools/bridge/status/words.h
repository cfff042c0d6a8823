/* SPDX-License-Identifier: MIT */
/*
 * words.h - what a bridge says of itself, as lines of text: for `madang-bridge --status` and the
 * tool.
 */
#ifndef BRIDGE_STATUS_WORDS_H
#define BRIDGE_STATUS_WORDS_H

#include "status/read.h"

/* Enough for each of these lines. They return `room`. */
enum { BRIDGE_LINE_ROOM = 4 * (BRIDGE_URL_ROOM + BRIDGE_ERROR_ROOM) + 256 };

/* One direction: "out  moving  sent 12  in flight 0  lag 0". */
char *bridge_row_text(char *room, size_t size, const struct bridge_view_row *row);
/* The bridge: "bridge 815  connected for 5s  3 reconnects  nats://...". */
char *bridge_link_text(char *room, size_t size, const struct bridge_view *view, int64_t now);

#endif
