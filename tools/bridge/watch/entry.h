/* SPDX-License-Identifier: MIT */
/*
 * entry.h - one channel that the keeper keeps: what is here, and its pumps.
 */
#ifndef BRIDGE_WATCH_ENTRY_H
#define BRIDGE_WATCH_ENTRY_H

#include "pump/pump.h"
#include "watch/here.h"

struct entry {
	struct entry *next;
	struct here *here;
	char name[MDG_NAME_MAX + 1];
	bool agreed;  /* the group knows the channel's shape, and it is not unlike */
	bool refused; /* it is unlike: nothing crosses */
	bool asked;   /* the group was asked, and has answered */
	bool told;    /* the heartbeat tells of it */
	struct pump *pumps[BRIDGE_DIRECTIONS];
	struct status_row *rows[BRIDGE_DIRECTIONS];
	struct pump_turn turn;   /* of a topic */
	_Atomic uint64_t stream; /* when the server's stream was made, as a pump saw last */
	int64_t ask_at;          /* the group is asked again then */
	int64_t not_before[BRIDGE_DIRECTIONS]; /* a pump that failed starts again then */
	unsigned pause[BRIDGE_DIRECTIONS];
};

/* NULL: it cannot be entered; the log has said why. */
struct entry *entry_open(struct bridge *bridge, const char *name);
/* Tells its pumps to end, and does not wait. Afterwards only entry_close. */
void entry_end(struct entry *entry);
/* Waits for the end of its pumps. */
void entry_close(struct entry *entry);
/* Looks again at everything, and starts and stops pumps. False: the channel is gone; close it. */
bool entry_review(struct entry *entry);
/* Its connection was made again. */
void entry_wake(struct entry *entry);
/* The group is asked again for the shape. Until it has answered, what crosses goes on. */
void entry_ask_again(struct entry *entry);
/* A bridge elsewhere has ended. */
void entry_lost(struct entry *entry, const char *host, const char *instance);
/* When it wants to be reviewed although nothing happens; INT64_MAX: never. */
int64_t entry_when(const struct entry *entry);

#endif
