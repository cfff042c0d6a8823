/* SPDX-License-Identifier: MIT */
/*
 * storm.h - what the storm's killer (storm.c) shares with its workers (storm_work.c).
 *
 * These are the objects, a place for each worker, and the books that both keep.
 */
#ifndef MADANG_TESTS_SYNC_STORM_H
#define MADANG_TESTS_SYNC_STORM_H

#include "sync/shared.h"

enum {
	WORKERS_MOST = 64,
	HANG_S = 30,
	VALUE = 200,
	/* What has one owner: these numbers, in the order in which several are held. */
	MUTEXES = 3,
	RWLOCKS = 2,
	ONCES = 2,
	CELLS = 1,
	MUTEX = 0,
	RWLOCK = MUTEX + MUTEXES,
	ONCE = RWLOCK + RWLOCKS,
	CELL = ONCE + ONCES,
	OWNED = CELL + CELLS,
	/* And what is counted besides. */
	TOKEN = OWNED,
	PUT,
	GOT,
	THINGS,
	TOKENS = 3,
	ROOM = 5
};
enum phase { IDLE, TAKING, HOLDING, GIVING };

struct guarded {
	uint64_t count, twin; /* the same, but while the owner is at it */
	_Atomic uint32_t alone;
};

struct place {
	pid_t pid;
	_Atomic uint32_t operation; /* what it is doing, for who looks into a hang */
	_Atomic uint32_t phase[THINGS];
	_Atomic uint32_t intent[THINGS];
	uint64_t tally[THINGS]; /* stays with the place */
};

extern struct storm {
	mdg_mutex mutex[MUTEXES];
	mdg_rwlock rwlock[RWLOCKS];
	mdg_once once[ONCES];
	_Alignas(64) unsigned char cell[MDG_CELL_SIZE(VALUE)];
	mdg_sem tokens;
	mdg_event turn;
	mdg_mutex store; /* of `stored`, and of the two conditions */
	mdg_cond more, less;
	uint32_t stored;
	struct guarded guarded[OWNED];
	_Atomic uint32_t told[OWNED], rest, failures, operations;
	struct place place[WORKERS_MOST];
} * storm;

/* Counts, and says what; the call's code, or 0. */
void fail(const char *what, int code);
#define MUST(expression)                                                                           \
	do {                                                                                       \
		if (!(expression))                                                                 \
			fail(#expression, 0);                                                      \
	} while (0)

/* ---- a worker (storm_work.c) ------------------------------------------------------------- */

extern struct place *me; /* where this process notes what it does */

/* Does one operation after the other until all are to rest. */
void work(uint64_t random);

/* For the code that looks at everything when the workers have ended: */
void in_phase(int thing, enum phase phase);
/* Whether `rc` says that the object was taken. If its last owner died, that is noted. False: it was
 * not taken, which is no error. */
bool took(int thing, int rc);
bool enter_store(void);
mdg_cell *the_cell(void);

#endif
