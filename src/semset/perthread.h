/* SPDX-License-Identifier: MIT */
/*
 * perthread.h - what the engine remembers for each thread, beside a few words: see perthread.c.
 */
#ifndef MADANG_SEMSET_PERTHREAD_H
#define MADANG_SEMSET_PERTHREAD_H

#include <stdatomic.h>
#include <stdint.h>

#include "segment/objects.h"
#include "semset/internal.h"
#include "sync/held.h"

enum { MDG__SLIPS_KEPT = 8, MDG__MEMORIES_KEPT = MDG__HELD_MAX };

/* A slip of the thread, in the set that is mapped at `base`. */
struct mdg__slip_kept {
	char *base;
	uint32_t slip1;  /* 0: none */
	uintptr_t frame; /* of the call that uses it; 0: none does */
};

/* Only the thread reads and writes it, except for the first two fields. */
struct mdg__per_thread {
	struct mdg__per_thread *next; /* constant */
	_Atomic uint32_t tid;         /* whose it is [A] */
	/* express.c. A signal handler may use them in the middle of a call. */
	uint32_t slip_next;
	struct mdg__slip_kept slip[MDG__SLIPS_KEPT];
	/* session.c: the memories in which the thread is a witness, and when that was noted: in
	 * this process, or before a fork. */
	uint32_t epoch, kept_count;
	struct {
		struct mdg__memory memory;
		struct mdg__robust *witness;
	} kept[MDG__MEMORIES_KEPT];
};

/* The calling thread's, or NULL: it has none yet. */
struct mdg__per_thread *mdg__per_thread(void);
/* The same, and makes it. All signals are blocked. NULL: no memory. */
struct mdg__per_thread *mdg__per_thread_make(void);

#endif
