/* SPDX-License-Identifier: MIT */
/*
 * absent.h - channels that an exact rule names, that another host has, and that are not here yet.
 *
 * They are made in the shape that the group knows. What cannot be made is tried again after a
 * second, and then more and more seldom. The keeper's alone.
 */
#ifndef BRIDGE_WATCH_ABSENT_H
#define BRIDGE_WATCH_ABSENT_H

#include "bridge.h"

/* A channel that was removed here is left alone for so long, so that its owner can make it anew. */
enum { LEFT_ALONE_MS = 10000, LEFT_ALONE_MAX = 32 };

struct absent {
	struct absent_name *names; /* that could not be made */
	int64_t ask_at;            /* before that the server is not asked: it did not answer */
	int64_t when;              /* when to look again; INT64_MAX: never */
	struct {
		char name[MDG_NAME_MAX + 1];
		int64_t until;
	} removed[LEFT_ALONE_MAX]; /* the latest */
	unsigned removals;
};

void absent_leave_alone(struct absent *absent, const char *name);
/* Makes them. `is_here` says what needs not to be made, `enter` is told of each that was made. */
void absent_make(struct absent *absent, struct bridge *bridge,
                 bool (*is_here)(void *context, const char *name),
                 void (*enter)(void *context, const char *name), void *context);
/* Something is new: all of them are tried again at once. Also frees what there is. */
void absent_retry(struct absent *absent);

#endif
