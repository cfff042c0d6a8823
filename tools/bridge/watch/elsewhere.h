/* SPDX-License-Identifier: MIT */
/*
 * elsewhere.h - what other hosts of the group have, as their heartbeats say.
 *
 * A bridge sends its heartbeat (beat.c) to madang.GROUP.h.HOST every 2 s, and at once when
 * something has changed. It is text, a line for the bridge and a line for each channel:
 *
 *     madang-bridge 1 INSTANCE
 *     CHANNEL KIND TALKERS LISTENERS DIRECTIONS POSITION
 *
 * DIRECTIONS has bit 1 if a pump carries out of that host, and bit 2 if one carries in. POSITION is
 * what the pump that carries in says: of a topic, the sequence of the stream that it has taken. A
 * host is forgotten 7 s after its last heartbeat, and at once when it says `bye`. Instead of
 * channels, the first line may have a word behind INSTANCE:
 *
 *     bye                  it ends
 *     alive                it has no time for more; all is as it was
 *     taken INSTANCE AGE   to another bridge of the same name, from one that runs for AGE ms
 */
#ifndef BRIDGE_WATCH_ELSEWHERE_H
#define BRIDGE_WATCH_ELSEWHERE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/token.h"

struct bridge;
struct elsewhere;

enum { BEAT_MS = 2000, BEAT_LOST_MS = 7000, ELSEWHERE_HOSTS_MAX = 1024, BEAT_CHANNELS_MAX = 512 };
enum { BEAT_OUT = 1, BEAT_IN = 2 };

/* One channel, over all other hosts that live. */
struct elsewhere_sum {
	unsigned hosts;              /* that have it */
	unsigned talkers, listeners; /* of a call: callers, servers */
	unsigned out, in;            /* hosts that carry out, in */
	uint64_t slowest;            /* the least POSITION of those that carry in; or UINT64_MAX */
	char first_in[TOKEN_ROOM];   /* the least name of those that carry in, or "" */
	uint32_t kind;               /* that they say; 0: none has it */
	bool unlike;                 /* they do not agree on the kind */
};

/* Subscribes to heartbeats. Tries until the server is there. 0; an exit code, and the log has said
 * why; or -1: it was asked to end. */
int elsewhere_open(struct elsewhere **ret, struct bridge *bridge);
void elsewhere_close(struct elsewhere *elsewhere);

void elsewhere_sum(struct elsewhere *elsewhere, const char *channel_token,
                   struct elsewhere_sum *ret);
/* Forgets who is silent. Returns how many were forgotten. The names of those, and of those who said
 * bye or came back as another instance, are given to `lost` (may be NULL) with their instance. */
unsigned elsewhere_forget(struct elsewhere *elsewhere,
                          void (*lost)(void *context, const char *host, const char *instance),
                          void *context);
/* How many hosts live. */
unsigned elsewhere_hosts(struct elsewhere *elsewhere);

/* Takes one heartbeat; the text is trusted in nothing. For the subscription, tests and fuzzing.
 * False: it is none. */
bool elsewhere_take(struct elsewhere *elsewhere, const char *host_token, const char *text,
                    size_t length);
/* Another host's position went on (p.CHANNEL.HOST). */
void elsewhere_position(struct elsewhere *elsewhere, const char *host_token,
                        const char *channel_token, uint64_t position);

#endif
