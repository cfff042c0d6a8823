/* SPDX-License-Identifier: MIT */
/*
 * asking.h - the side that asks, as its files see it: ask.c, heard.c.
 *
 * States of a seat, and who may use its handle:
 *
 *   EMPTY     no handle                         ask_main
 *   FREE      nothing is held                   ask_main
 *   TAKING    ask_main receives with it         ask_main
 *   WAITING   holds a request that surely nobody has taken, to be sent again   ask_main
 *   ASKED     holds a request that was sent     whoever has the lock
 *   ENDING    its caller is just told           the thread that made it so
 *   BROKEN    its handle is of no use           ask_main
 */
#ifndef BRIDGE_CALL_ASKING_H
#define BRIDGE_CALL_ASKING_H

#include "call/parts.h"

enum ask_state { EMPTY, FREE, TAKING, WAITING, ASKED, ENDING, BROKEN };

struct ask_seat {
	mdg_channel *handle;
	enum ask_state state;
	unsigned tries;     /* how often this request was sent in vain */
	uint64_t number;    /* of this attempt. The low byte is the index of the seat */
	uint64_t heard;     /* when somebody said something about it, or it was sent */
	uint64_t questions; /* when its bridge was last asked about it */
	uint64_t again;     /* WAITING: when it is sent again; FREE: since when */
	struct mdg_message request;
	char taker[CALL_SUBJECT_MAX]; /* inbox of the bridge that works on it; or "" */
};

struct ask {
	const struct call_setup *setup;
	pthread_mutex_t lock;
	pthread_cond_t change; /* for ask_main */
	pthread_t thread;
	struct ask_seat seats[CALL_SEATS_MAX];
	unsigned open;    /* handles */
	unsigned held;    /* WAITING, ASKED, ENDING */
	uint64_t counter; /* of attempts */
	uint64_t looked, crowded;
	uint64_t soon; /* the earliest `again` of those WAITING */
	bool active, stop, waits, told;
	unsigned wishes, granted; /* somebody wants ask_main to look at `active` and `stop` */
	uint64_t end;             /* after `stop`: when all is given up */
	struct call_counts counts;
};

/* ---- heard.c ---------------------------------------------------------------------- */

/* The ends of a request. [lock, all of these] */
/* Its caller was told: `rc` is what the library said. */
void ask_end_seat(struct ask *ask, struct ask_seat *seat, int rc);
/* Its caller gets MDG_PEER_DIED. */
void ask_abandon(struct ask *ask, struct ask_seat *seat, const char *why);
/* Its caller gets -ECANCELED. */
void ask_refuse(struct ask *ask, struct ask_seat *seat);
/* Surely nobody has taken it: it will be sent again. */
void ask_again(struct ask *ask, struct ask_seat *seat);
/* Tells a bridge something about a request of this one. */
void ask_tell(struct ask *ask, const char *taker, uint64_t number, enum call_word word);

#endif
