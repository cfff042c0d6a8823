/* SPDX-License-Identifier: MIT */
/*
 * link.h - the connection to NATS: one for the bridge, used by all threads.
 *
 * libnats connects again by itself and makes its subscriptions anew. What it cannot do is to bring
 * back a pull request that was on its way: after link_generation has changed, ask again (the keeper
 * calls `wake` of each pump, see pump.h). SendAsap is on: each publish is one write.
 */
#ifndef BRIDGE_LINK_LINK_H
#define BRIDGE_LINK_LINK_H

#include <nats/nats.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bridge;

enum { SUBJECT_ROOM = 512, STREAM_ROOM = 256 };

struct link {
	struct bridge *bridge;
	natsOptions *options;
	natsConnection *connection;
	jsCtx *js;
	const char *group;
	atomic_bool open;           /* `connection` is there; callbacks may come before that */
	atomic_bool closing;        /* the end of the connection is no news */
	char inboxes[SUBJECT_ROOM]; /* what this bridge's inboxes begin with, no dot at the end */
	int64_t denied_said;        /* when; of libnats's callback thread alone */
	sem_t closed;               /* posted by the last callback of libnats */
};

/* Connects. Waits for a server that is not there yet, until the bridge is asked to end. 0; an
 * exit code, and the log has said why; or -1: it was asked to end. */
int link_open(struct link **ret, struct bridge *bridge);
void link_close(struct link *link);

bool link_is_up(const struct link *link);
/* How often the connection was made again. */
uint64_t link_reconnects(const struct link *link);
/* The most bytes of one message that the server takes. */
int64_t link_max_payload(const struct link *link);

/* madang.GROUP.KIND.NAME or madang.GROUP.KIND.NAME.HOST (host NULL: none). KIND is one letter. The
 * other two are tokens, or `*`. */
void link_subject(const struct link *link, char ret[SUBJECT_ROOM], char kind, const char *name,
                  const char *host);

/* The text of a status, and libnats's last words of this thread. */
const char *link_words(natsStatus status);

#endif
