/* SPDX-License-Identifier: MIT */
/*
 * handle.h - a replica that this process has open, and what the files of this room share.
 */
#ifndef MADANG_REPLICA_HANDLE_H
#define MADANG_REPLICA_HANDLE_H

#include <stdbool.h>

#include "replica/layout.h"

/* Stored when the handle is made, and never changed, but for `homed` and `home_copy`. What was
 * read from the replica at that time is not read again: nobody can make it wrong later. */
struct mdg_replica {
	mdg_namespace *ns;
	mdg_id id;
	uint32_t flags;
	uint64_t bytes; /* of the replicated segment */
	struct mdg__replica_parts parts;
	struct mdg__replica_head *head;
	const unsigned char *segment; /* COMMIT: the replicated segment; else NULL */
	mdg_id source;                /* COMMIT: its id */
	void *home;                   /* HOME: where views lie */
	_Atomic uint32_t homed;       /* 1: a view is out */
	uint32_t home_copy;           /* which copy lies there, plus 1; 0: none */
	char name[MDG_NAME_MAX + 1];
};

typedef _Atomic uint64_t mdg__stamp;

static inline unsigned char *mdg__replica_at(const struct mdg_replica *replica, uint64_t offset)
{
	return (unsigned char *)replica->head + (size_t)offset;
}

static inline mdg__stamp *mdg__stamps(const struct mdg_replica *replica)
{
	return (mdg__stamp *)(void *)mdg__replica_at(replica, replica->parts.at_stamps);
}

static inline mdg__stamp *mdg__groups(const struct mdg_replica *replica)
{
	return (mdg__stamp *)(void *)mdg__replica_at(replica, replica->parts.at_groups);
}

static inline unsigned char *mdg__copy(const struct mdg_replica *replica, unsigned copy)
{
	return mdg__replica_at(replica, replica->parts.at_copy[copy & 1]);
}

/* ---- bytes.c ------------------------------------------------------------------------------ */

/* Copies between a replica and memory of the caller's, so that a reader may read what a writer
 * stores. */
void mdg__bytes_load(void *to, const unsigned char *from, size_t length);
void mdg__bytes_store(unsigned char *to, const void *from, size_t length);

/* ---- change.c ----------------------------------------------------------------------------- */

/* A generation that is being made. [lock] */
struct mdg__making {
	struct mdg_replica *replica;
	uint64_t shown, next; /* generations */
	unsigned from, to;    /* copies */
};

/* Takes the lock. 0, or an error of mdg_mutex_lock_until. */
int mdg__making_lock(struct mdg_replica *replica, uint64_t deadline);
void mdg__making_unlock(struct mdg_replica *replica);
/* Begins generation `next`, or with 0 the one after the last. MDG_BROKEN: no number is left. */
int mdg__making_begin(struct mdg__making *change, struct mdg_replica *replica, uint64_t next);
/* These bytes become those at `data`, which lie in one block. */
void mdg__making_put(struct mdg__making *change, uint64_t offset, const void *data, size_t length);
/* The same, if they differ. */
void mdg__making_compare(struct mdg__making *change, uint64_t offset, const void *data,
                         size_t length);
/* Shows the generation. */
void mdg__making_show(struct mdg__making *change, uint64_t time, uint64_t fence, uint64_t cursor);
/* Lets all sleepers look. */
void mdg__replica_wake(struct mdg_replica *replica);

/* ---- wait.c ------------------------------------------------------------------------------- */

/* Whether the replica was removed. Who finds that its segment was removed by other calls says so
 * in the head, if it may write there. */
bool mdg__replica_is_removed(struct mdg_replica *replica);

/* ---- home.c ------------------------------------------------------------------------------- */

int mdg__home_reserve(struct mdg_replica *replica, uint64_t home);
/* The copy lies at home after this. */
int mdg__home_show(struct mdg_replica *replica, unsigned copy);
void mdg__home_free(struct mdg_replica *replica);

#endif
