/* SPDX-License-Identifier: MIT */
/*
 * beat.h - sends the heartbeat of this bridge (elsewhere.h has its text).
 */
#ifndef BRIDGE_WATCH_BEAT_H
#define BRIDGE_WATCH_BEAT_H

#include <pthread.h>

#include "watch/entry.h"

struct beat {
	struct bridge *bridge;
	/* the keeper's */
	char *text;
	size_t length;
	uint64_t news, said; /* a hash of what others should know at once: now, in the last one */
	int64_t when;        /* of the last one with all channels */
	/* the thread's, and the keeper's */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	int64_t said_at; /* when this bridge was last heard, by whatever word [lock] */
	bool ends;       /* [lock] */
	bool runs;       /* the thread was started; the keeper's */
};

/* Starts the thread that says "alive" whenever the keeper is late. 0, or an exit code: the log has
 * said why. beat_bye is to be called in both cases. */
int beat_start(struct beat *beat, struct bridge *bridge);
/* Sends it if something but a position has changed (but not more than 50 times a second), or if it
 * is time. Returns when to call again at the latest. */
int64_t beat_send(struct beat *beat, const struct entry *entries);
/* The last one. */
void beat_bye(struct beat *beat);
/* Sends one word instead of a heartbeat. Any thread. */
void beat_word(struct bridge *bridge, const char *word);

#endif
