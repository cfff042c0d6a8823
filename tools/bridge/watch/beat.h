/* SPDX-License-Identifier: MIT */
/*
 * beat.h - sends the heartbeat of this bridge (elsewhere.h has its text).
 */
#ifndef BRIDGE_WATCH_BEAT_H
#define BRIDGE_WATCH_BEAT_H

#include "watch/entry.h"

struct beat {
	char *text;
	size_t length;
	uint64_t news, said; /* a hash of what others should know at once: now, in the last one */
	int64_t when;        /* of the last one */
};

/* Sends it if something but a position has changed (but not more than 50 times a second), or if it
 * is time. Returns when to call again at the latest. */
int64_t beat_send(struct beat *beat, struct bridge *bridge, const struct entry *entries);
/* The last one. */
void beat_bye(struct beat *beat, struct bridge *bridge);

#endif
