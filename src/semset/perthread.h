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
	uint32_t slip1; /* 0: none */
};

/* What this thread sleeps in, oldest first. `ended`: how sleeps ended whose calls seem to have been
 * left by longjmp. A call that goes on all the same finds it there. */
enum { MDG__SLEEPS_MOST = 8, MDG__SLEEPS_ENDED = 4 };
struct mdg__sleeps {
	uint32_t last_serial;
	struct {
		struct mdg__robust *robust;
		uintptr_t frame;         /* of the call that sleeps */
		_Atomic uint32_t serial; /* of the sleep; 0: it is over */
	} place[MDG__SLEEPS_MOST];
	struct {
		uint32_t serial, word;
	} ended[MDG__SLEEPS_ENDED];
};

/* Only the thread reads and writes it, except for the first two fields. */
struct mdg__per_thread {
	struct mdg__per_thread *next; /* constant */
	_Atomic uint32_t tid;         /* whose it is [A] */
	/* express.c. A signal handler may use them in the middle of a call. */
	uint32_t slip_next;
	struct mdg__slip_kept slip[MDG__SLIPS_KEPT];
	struct mdg__sleeps sleeps; /* sleep.c; the same is true of these */
	/* session.c: the memories in which the thread is a witness, and when that was noted: in this
	 * process, or before a fork. */
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
