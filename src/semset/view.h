/* SPDX-License-Identifier: MIT */
/*
 * view.h - what is inside a set: its semaphores, who sleeps, and whose operations will be undone.
 * For the tool.
 *
 * The view takes no lock and changes nothing, so that it may be had of a namespace that was opened
 * for a look, and of a set whose lock somebody keeps. What it says was there, but not all of it at
 * the same moment. What a dead process has left is shown until the next call on the set settles it.
 */
#ifndef MADANG_SEMSET_VIEW_H
#define MADANG_SEMSET_VIEW_H

#include <stdbool.h>

#include "madang/sem.h"

/* A process as the set knows it: in the pid namespace of that process. */
struct mdg__set_process {
	int32_t pid;
	bool is_seen; /* the pid means this process here too, and it lives */
	bool is_dead; /* it has ended */
};

#define MDG__SET_SINCE_MASK 0x3fffffffu /* of `since` */

/* A sleeper waits at one of its operations: the first that cannot be done. */
struct mdg__set_sleeper {
	struct mdg__set_process process;
	uint32_t number; /* of the semaphore */
	int32_t change;  /* 0: it waits for zero */
	uint32_t count;  /* operations in its call */
	int32_t lacks;   /* by how much the value is too small; or, for zero, too large */
	uint32_t tid;    /* the thread */
	uint32_t since;  /* when it lay down: milliseconds of the monotonic clock, modulo 2^30 */
	bool is_timed;   /* the sleep has a deadline */
};

/* A process owes the opposite of what it has done. `sum` will be added at its end. */
struct mdg__set_undo {
	struct mdg__set_process process;
	uint32_t number;
	int32_t sum; /* not 0 */
};

/* What the view calls, in this order of the three; NULL: not wanted. */
struct mdg__set_viewer {
	void (*semaphore)(void *context, uint32_t number, int32_t value, int32_t last_pid);
	void (*sleeper)(void *context, const struct mdg__set_sleeper *sleeper);
	void (*undo)(void *context, const struct mdg__set_undo *undo);
	void *context;
};

/* 0; -EINVAL: no such set; -EACCES: permission to look, or the memory's file is closed to the
 * caller; and the others of <madang/sem.h>. A set that nobody has used has semaphores of 0. */
int mdg__semset_view(mdg_namespace *ns, mdg_id id, const struct mdg__set_viewer *viewer);

#endif
