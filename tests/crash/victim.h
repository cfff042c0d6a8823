/* SPDX-License-Identifier: MIT */
/*
 * victim.h - a process that can be held after every store it makes to a
 * registry, to be killed or stopped there.
 *
 *     struct victim victim;
 *     victim_start(&victim, "/dev/shm/x/registry", body, argument);
 *     while (victim_next(&victim) == VICTIM_POINT)
 *             if (it is far enough) break;
 *     victim_kill(&victim);
 *
 * `body` runs in a forked, traced process. It prepares what it needs, calls
 * victim_begins(), does the one thing that is examined, and returns its result.
 * Points are the places after each store to the registry and after each system
 * call that others can notice (a file made, a lock taken, a descriptor closed).
 * Together they are every state that a death can leave to others.
 */
#ifndef MADANG_TESTS_CRASH_VICTIM_H
#define MADANG_TESTS_CRASH_VICTIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum victim_event {
	VICTIM_POINT,
	VICTIM_FORKED, /* only with `hold_child`: the child is held at its birth */
	VICTIM_ENDED,  /* the body has returned; the process waits and lives */
	VICTIM_DIED    /* of itself: an error of what is tested */
};

enum { VICTIM_CALLS = 512 };

struct victim {
	pid_t pid;
	pid_t helper;           /* shares the victim's memory, see victim.c */
	pid_t child;            /* that the body forked, 0 none; not killed with the victim */
	int channel;            /* to the helper */
	unsigned stores, calls; /* points until now, by kind */
	/* System calls begun until now (no futex: how many depends on time), and
	 * how many points there had been at each: see victim_skip. */
	unsigned begun, points_at[VICTIM_CALLS];
	const char *registry;
	bool hold_child, skipping;
	/* To be sure that no store is missed: whether to look, and what was found. */
	bool watched;
	unsigned missed;
	/* Of the system call under way. */
	bool in_call;
	uint64_t call, argument[6];
	uint64_t mask; /* signals it blocks */
	int ranges;    /* mappings of the registry that the helper knows */
	struct victim_range {
		uint64_t start, end;
	} range[8];
};

typedef int victim_body(void *argument);

/* Whether this process may trace its children. Where not, reason says why. */
bool victim_possible(const char **reason);
/* To be called once, before any victim: where results are kept. */
void victim_init(void);

/* Runs the body up to victim_begins(). False: it died or returned before. */
bool victim_start(struct victim *victim, const char *registry, victim_body *body, void *argument);
void victim_begins(void);
/* Lets the victim go on to its next point. */
enum victim_event victim_next(struct victim *victim);
/* Lets it run, faster, to about so many points, and not beyond: to the last
 * system call before that. `former` came there at the slow pace. */
enum victim_event victim_skip(struct victim *victim, const struct victim *former, unsigned points);
static inline unsigned victim_points(const struct victim *victim)
{
	return victim->stores + victim->calls;
}
/* What the body returned; after VICTIM_ENDED. */
int victim_result(void);

/* SIGKILL; it is gone, and waited for, afterwards. */
void victim_kill(struct victim *victim);
/* SIGSTOP, and no longer traced. */
void victim_stop(struct victim *victim);
/* SIGCONT after victim_stop, and waits for the end of the body. False: it died
 * or did not end in so many milliseconds. */
bool victim_go_on(struct victim *victim, int milliseconds);

/* A child held at its birth is driven on its own: to the next change of the
 * registry, instruction by instruction. */
enum victim_event victim_child_next(struct victim *victim);
void victim_child_kill(struct victim *victim);

#endif
