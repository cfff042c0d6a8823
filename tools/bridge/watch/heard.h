/* SPDX-License-Identifier: MIT */
/*
 * heard.h - reads the text of a heartbeat (elsewhere.h).
 */
#ifndef BRIDGE_WATCH_HEARD_H
#define BRIDGE_WATCH_HEARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/token.h"

struct bridge;

enum { INSTANCE_ROOM = 33 };

struct heard_channel {
	char token[TOKEN_ROOM];
	uint32_t kind;
	unsigned talkers, listeners, directions;
	uint64_t position;
	/* For elsewhere.c: when the host said this position itself, and whether it does not now. */
	int64_t known;
	bool kept;
};

enum heard_word {
	HEARD_CHANNELS, /* a heartbeat with all channels */
	HEARD_BYE,
	HEARD_ALIVE, /* nothing is said of channels: all is as it was */
	HEARD_TAKEN, /* to another bridge of the same name: the name is taken */
};

struct heard {
	char instance[INSTANCE_ROOM];
	enum heard_word word;
	char other[INSTANCE_ROOM]; /* of HEARD_TAKEN: who is meant */
	uint64_t age;              /* of HEARD_TAKEN: for how many milliseconds the sender runs */
	struct heard_channel *channels; /* to be freed */
	size_t count;
};

/* False: it is no heartbeat, and *ret has nothing to be freed. */
bool heard_parse(struct heard *ret, const char *text, size_t length);
/* A decimal number and nothing else. */
bool heard_number(const char *text, size_t length, uint64_t *ret);
/* A heartbeat under our own name: another bridge has the same name if the instance is not ours. Who
 * has run for longer tells the other, and that one ends. */
void heard_own(struct bridge *bridge, const char *text, size_t length);

#endif
