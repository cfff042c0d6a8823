/* SPDX-License-Identifier: MIT */
/*
 * bridge.h - what the rooms of the bridge share: one struct bridge, and who uses what.
 *
 *     base/     command line, log, names as tokens
 *     rules/    what may cross                          status/  what others see of this bridge
 *     link/     the connection, streams, shapes         server/  a server of its own, for trying
 *     watch/    what there is here (here.h) and elsewhere (elsewhere.h)
 *     pack/     the messages' format on their way
 *     pump/     what moves messages of one channel in one direction; pump.h tells how to write one
 *     replica/  segments that one host writes
 *     keeper.h  starts and stops pumps, as rules, peers and other hosts come and go
 *
 * The main thread is the keeper. Each pump has a thread of its own, which blocks in the library or
 * in libnats. Callbacks of libnats only note something, and wake the keeper (bridge_wake).
 */
#ifndef BRIDGE_BRIDGE_H
#define BRIDGE_BRIDGE_H

#include <madang/channel.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/options.h"
#include "base/token.h"
#include "status/status.h"

struct link;
struct elsewhere;

struct bridge {
	const struct options *options; /* never change */
	char host[TOKEN_ROOM];         /* its token */
	char instance[33];             /* of this run: 32 hexadecimal digits */
	mdg_namespace *ns;             /* threads share it */
	char directory[1024];          /* of the namespace */
	struct status *status;
	struct link *link;           /* link/link.h */
	struct elsewhere *elsewhere; /* watch/elsewhere.h */
	struct rules *rules;         /* the keeper's alone */
	int wake;                    /* eventfd */
	int server;                  /* a pipe that ends with the server of --with-server; or -1 */
	int64_t began;               /* bridge_now, when this run began; never changes */
	unsigned told;               /* channels that the heartbeat tells of; the keeper's alone */
	atomic_bool heard;           /* something happened elsewhere, or in a channel here */
	atomic_bool reconnected;
	atomic_bool remade; /* a stream of the server is another one: it may have lost its store */
	atomic_int refused; /* exit code: the server does not let us in any more */
};

/* Makes the keeper look again. From any thread. */
void bridge_wake(struct bridge *bridge);

/* SIGTERM and SIGINT. */
sigset_t bridge_ending_signals(void);
/* Waits so many milliseconds. Returns at once, and true, if the bridge was asked to end. For the
 * main thread, before the keeper runs. */
bool bridge_wait_or_end(struct bridge *bridge, int ms);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t bridge_now(void);

#endif
