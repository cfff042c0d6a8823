/* SPDX-License-Identifier: MIT */
/*
 * region.h - what the engine remembers for each thread: its region in the thread's page.
 *
 * See platform/perthread.h. A few words that each call needs are memory of the thread itself.
 */
#ifndef MADANG_SEMSET_REGION_H
#define MADANG_SEMSET_REGION_H

#include <stdint.h>

#include "platform/perthread.h"
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

/* Only the thread reads and writes it. */
struct mdg__set_region {
	uint32_t turn; /* of the page: whose the rest is */
	/* express.c. A signal handler may use them in the middle of a call. */
	uint32_t slip_next;
	struct mdg__slip_kept slip[MDG__SLIPS_KEPT];
	struct mdg__sleeps sleeps; /* sleep.c; the same is true of these */
	/* session.c: the memories in which the thread is a witness, and when that was noted: in
	 * this process, or before a fork. */
	uint32_t epoch, kept_count;
	struct {
		struct mdg__memory memory;
		struct mdg__robust *witness;
	} kept[MDG__MEMORIES_KEPT];
};
_Static_assert(sizeof(struct mdg__set_region) <= MDG__REGION_OF_SETS, "it has to fit");

/* The calling thread's, or NULL: it has none yet. */
static inline struct mdg__set_region *mdg__set_region(void)
{
	struct mdg__per_thread *page = mdg__per_thread(mdg__this_thread.tid);
	struct mdg__set_region *region =
		page == NULL ? NULL : (struct mdg__set_region *)(void *)page->of_sets;
	return region != NULL && region->turn == page->turn ? region : NULL;
}
/* The same, and makes it. All signals are blocked. NULL: no memory. */
struct mdg__set_region *mdg__set_region_make(void);

#endif
