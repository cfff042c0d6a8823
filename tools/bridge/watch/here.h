/* SPDX-License-Identifier: MIT */
/*
 * here.h - one channel of this namespace, as the bridge sees it: its shape, and who is in it.
 *
 * A thread waits for the channel's events and wakes the keeper, so nobody asks again and again.
 * All else here is the keeper's alone.
 */
#ifndef BRIDGE_WATCH_HERE_H
#define BRIDGE_WATCH_HERE_H

#include <pthread.h>

#include "bridge.h"

struct here {
	struct bridge *bridge;
	struct mdg_channel_info info; /* when here_look was called last */
	mdg_channel *looks, *waits;   /* observers: the keeper's, the thread's */
	pthread_t thread;
	atomic_bool stop, ended;
	atomic_int result;           /* of the thread: -EIDRM, ... */
	unsigned talkers, listeners; /* of others than this process */
	char token[TOKEN_ROOM];
};

/* Enters the channel as an observer. 0, or a negative code. */
int here_open(struct here **ret, struct bridge *bridge, const char *name);
/* Looks again. 0; or a code: the channel is of no use any more (-EIDRM: it was removed). */
int here_look(struct here *here);
void here_close(struct here *here);

#endif
