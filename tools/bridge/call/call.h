/* SPDX-License-Identifier: MIT */
/*
 * call.h - calls over hosts: requests of callers here that servers elsewhere answer, and the other
 * way about.
 *
 * A channel of kind MDG_CALL that is bridged has one struct call. It has two sides:
 *
 *   ask    (ask.c) While there are servers elsewhere and none here, the bridge is a server of the
 *          channel. It holds each request until the reply comes from elsewhere.
 *   serve  (serve.c) While there are servers here, the bridge is in the queue group of those who
 *          take requests. It is a caller of the channel, and sends the replies back.
 *
 * What goes over NATS (core, no JetStream):
 *
 *   PREFIX.c.CHANNEL                          a request; its bytes and nothing else. Its reply
 *                                             subject is INBOX.NUMBER of the bridge that asks.
 *   INBOX.NUMBER.WORD                         what became of it: see enum call_word
 *   INBOX.0.WORD                              to the bridge that took the request: a question.
 *                                             Its bytes are the request's reply subject.
 *
 * AT MOST ONCE. A request is sent once. It is sent again, with a new number, only if it surely was
 * not taken: NATS says that nobody was there, or the bridge that got it says `busy`. In all other
 * cases it is given up when nobody has said a word about it for CALL_SILENCE. The bridge that took
 * it says a word each second, and keeps its last replies for those who missed them.
 */
#ifndef BRIDGE_CALL_CALL_H
#define BRIDGE_CALL_CALL_H

#include <madang/channel.h>
#include <nats/nats.h>
#include <stdbool.h>
#include <stdint.h>

struct call;

enum { CALL_OUT = 1, CALL_IN = 2 };

struct call_setup {
	natsConnection *connection;
	mdg_namespace *ns;
	const char *channel; /* its name */
	const char *subject; /* of requests */
	const char *inbox;   /* of this bridge and this channel: nobody else has the same, ever */
	const char *inboxes; /* what all inboxes of the group begin with */
	unsigned directions; /* CALL_OUT: requests from here; CALL_IN: requests to here */
	/* Something was counted for the first time since call_look. Holds a lock: only notes it. */
	void (*counted)(void *context);
	void *context;
};

struct call_counts {
	uint64_t asked;    /* requests that went out, each once */
	uint64_t answered; /* of these: with a reply, or refused by their server */
	uint64_t died;     /* of these: MDG_PEER_DIED */
	uint64_t given_up; /* of these: by their callers */
	uint64_t again;    /* how often one was sent again because nobody had taken it */
	uint64_t served;   /* requests that came in, and their replies went out */
	uint64_t failed;   /* requests that came in, and have no reply */
	unsigned out, in;  /* on the way now */
	unsigned seats;    /* places in the channel that the bridge has now */
	int error;         /* why the channel cannot be used any more, or 0 */
};

/* Begins. Nothing crosses before call_update. 0, or a negative code. */
int call_start(struct call **ret_call, const struct call_setup *setup);
/* Who has servers now, other than bridges. */
void call_update(struct call *call, bool here, bool elsewhere);
/* The bridge with this inbox, or all whose inboxes begin so, is known to have ended: whoever waits
 * for it is told now. */
void call_lost(struct call *call, const char *inbox);
void call_look(struct call *call, struct call_counts *ret_counts);
/* Ends. Calls on their way have `grace` nanoseconds to come to their end. NULL is allowed. */
void call_stop(struct call *call, uint64_t grace);

#endif
