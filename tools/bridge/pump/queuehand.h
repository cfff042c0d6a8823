/* SPDX-License-Identifier: MIT */
/*
 * queuehand.h - packs of a queue that this host has taken, and has not yet told the server to be
 * done. Used by one thread.
 */
#ifndef BRIDGE_PUMP_QUEUEHAND_H
#define BRIDGE_PUMP_QUEUEHAND_H

#include "pump/carry.h"

enum { HAND_PACKS = 2 /* at most */ };

struct hand {
	struct carry *carry;
	struct {
		struct pulled pulled;
		uint64_t upto; /* all of it has a number here below this */
	} packs[HAND_PACKS];
	unsigned count;
	struct pulled putting; /* the pack that is just being put; message NULL: there is none */
	int64_t told;
	bool looked;         /* `reconnects` and the carry's store are as the server is now */
	uint64_t reconnects; /* of the link, when that was looked at; 0 at first: a look is due if
	                        it was made again before this pump began */
	uint64_t doubtful;   /* packs up to this one were there at a reconnect, or at first */
};

/* Whether the server may be told of packs: it is there, and the stream has been looked at since the
 * connection was made last. Packs of a stream that was there before this one are forgotten. */
bool hand_may_tell(struct hand *hand);
/* Has the stream looked at once more. */
void hand_doubt(struct hand *hand);
/* Whether somebody may have worked on the pack. A server that died and is back may not know that it
 * has given a pack to somebody, nor that the pack was done. So all that it had then is in doubt. */
bool hand_had_before(const struct hand *hand, const struct pulled *pulled);

/* A pack that the server gives to us once more, because it did not hear of us in time. True: it was
 * that, and the hand has it. */
bool hand_has(struct hand *hand, const struct pulled *pulled);
/* Takes the pack that was put. */
void hand_add(struct hand *hand, const struct pulled *pulled, uint64_t upto);
/* Tells the server that all is being worked on, if it is time to. */
void hand_tell(struct hand *hand);
/* Tells the server which packs are done. Waits for the first of them until the deadline. 0, or a
 * code of the library. */
int hand_settle(struct hand *hand, uint64_t deadline);
/* The pump ends. The server hears a last time that the rest is being worked on. */
void hand_leave(struct hand *hand);

#endif
