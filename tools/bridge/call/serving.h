/* SPDX-License-Identifier: MIT */
/*
 * serving.h - the side that serves, as its files see it: serve.c, backlog.c, job.c.
 */
#ifndef BRIDGE_CALL_SERVING_H
#define BRIDGE_CALL_SERVING_H

#include "call/parts.h"

/* A request from elsewhere. */
struct job {
	struct job *next;
	natsMsg *message;
	const char *request; /* its reply subject, in the message */
	uint64_t said;       /* when the one who asks last heard of it */
	bool given_up;
	bool leads; /* whoever works on it is the leader */
};

struct serve {
	const struct call_setup *setup;
	char inbox[CALL_SUBJECT_MAX]; /* for questions */
	pthread_mutex_t lock;
	pthread_cond_t change;
	natsSubscription *requests; /* NULL: none. The leader alone destroys it */
	struct job *working, *backlog, **backlog_end;
	unsigned waiting; /* in the backlog */
	mdg_channel *free[CALL_SEATS_MAX];
	unsigned free_count, open;
	uint64_t crowded;  /* when no place was free */
	uint64_t used;     /* when a seat was last given back */
	uint64_t unserved; /* since when there is no server here, if `active` is not set */
	pthread_t workers[CALL_SEATS_MAX + 1];
	unsigned started, idle;
	bool active, draining, leading, stop, told;
	uint64_t end; /* after `stop`: when all is given up */
	struct kept kept;
	struct call_counts counts;
};

void serve_say(struct serve *serve, const char *request, enum call_word word);

/* ---- job.c ----------------------------------------------------------------------- */

/* Works on it to its end, and destroys it. [lock; without it while it works] */
void job_do(struct serve *serve, struct job *job, mdg_channel *handle);
void job_destroy(struct job *job);

/* ---- backlog.c ------------------------------------------------------------------- */

/* [lock, all of these] */
void backlog_add(struct serve *serve, struct job *job);
struct job *backlog_next(struct serve *serve);
void backlog_tend(struct serve *serve);

/* ---- serve.c --------------------------------------------------------------------- */

/* Another worker is to lead. [lock] */
void serve_hand_on(struct serve *serve);
/* Done with a place. [lock] */
void serve_give_seat(struct serve *serve, mdg_channel *handle, bool usable);

#endif
