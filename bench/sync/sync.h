/* SPDX-License-Identifier: MIT */
/*
 * sync.h - what the files of `madang-bench --sync` share; C and C++.
 *
 * A SIDE is one implementation of the objects: Madang's, the C library's, Boost's.
 * Each side's file names its objects and calls, then includes blocks.h: so
 * the same text is compiled for each side, with direct calls.
 *
 * A GAME is one case on one side while it is being measured: objects in shared
 * memory, and PARTNERS, processes that take part in blocks. Between blocks they
 * sleep, so that the other sides have the processors to themselves.
 */
#ifndef MADANG_BENCH_SYNC_H
#define MADANG_BENCH_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sync_side { SYNC_MADANG, SYNC_LIBC, SYNC_BOOST, SYNC_SIDES };

enum sync_case_name {
	SYNC_MUTEX,
	SYNC_MUTEX_2,
	SYNC_READ,
	SYNC_WRITE,
	SYNC_READ_2,
	SYNC_SEM,
	SYNC_CELL_READ,
	SYNC_CELL_WRITER,
	SYNC_EVENT,
	SYNC_SEM_PAIR,
	SYNC_EVENT_PAIR,
	SYNC_COND_PAIR,
	SYNC_COND_SIGNAL,
	SYNC_COND_BROADCAST,
	SYNC_BARRIER,
	SYNC_TXN,
	SYNC_CASES
};

enum { SYNC_PARTNERS_MAX = 16, SYNC_OBJECTS_SIZE = 65536, SYNC_VALUE = 64 };

/* What the objects guard: a part of every side's `struct objects`. */
struct sync_data {
	char before[64];
	uint32_t guarded;              /* by the mutex, in the case of two processes */
	uint32_t token, waiting, over; /* by the mutex, for the conditions */
	uint32_t generation;
	char between[64];
	uint64_t words[2]; /* of the transaction */
	uint32_t version;  /* with `value`: of a side without cells */
	unsigned char value[SYNC_VALUE];
	unsigned char copy[SYNC_VALUE]; /* what was read */
	char after[64];
};

/* In shared memory. Two lines for what all read, one for each partner. */
struct sync_control {
	uint32_t turn; /* driver: one more for each block; partners sleep on it */
	uint32_t rounds, quit;
	uint32_t go, stop; /* driver: the block that may begin; that it is over */
	char rest[108];
	struct {
		uint32_t ready, idle; /* this partner: the block that it is ready for, done with */
		uint32_t operations;  /* of that block */
		uint32_t preempted;   /* in that block: times that another took its processor */
		char rest[112];
	} partner[SYNC_PARTNERS_MAX];
};

struct sync_game {
	struct sync_control *control;
	void *objects; /* SYNC_OBJECTS_SIZE bytes, zeros at first */
	unsigned partners;
	uint32_t note; /* what run wants to tell: new values seen by a reader */
};

struct sync_play {
	/* The driver's block: nanoseconds, 0 when a call failed. NULL: not on this side. */
	uint64_t (*run)(struct sync_game *game, unsigned n);
	/* A partner's: operations, or UINT32_MAX when a call failed. */
	uint32_t (*partner)(struct sync_game *game, unsigned number);
};

/* A waiter sleeps and a waker wakes it, once: for counting system calls (calls.c). */
enum sync_wake { SYNC_WAKE_SEM, SYNC_WAKE_EVENT, SYNC_WAKE_MUTEX, SYNC_WAKE_COND, SYNC_WAKES };
enum sync_act { SYNC_WARM, SYNC_WAITER_READY, SYNC_WAKER_READY, SYNC_WAIT, SYNC_WAKE };

/* What a side brings: its name, how to make its objects, and its plays. */
struct sync_side_about {
	const char *name; /* NULL: not built */
	bool (*make)(void *objects);
	struct sync_play play[SYNC_CASES];
	int (*wake)(void *objects, enum sync_wake what, enum sync_act act); /* 0, or failed */
};

void sync_madang_fill(struct sync_side_about *about);
void sync_libc_fill(struct sync_side_about *about);
void sync_boost_fill(struct sync_side_about *about);

/* ---- for blocks -------------------------------------------------------------------- */

static inline uint64_t sync_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline bool sync_stopped(const struct sync_game *game)
{
	return __atomic_load_n(&game->control->stop, __ATOMIC_RELAXED) != 0;
}

#ifdef __cplusplus
}
#endif

#endif
