/* SPDX-License-Identifier: MIT */
/*
 * rwlock.h - how a rwlock lies in memory; rwlock.c says how it is used.
 */
#ifndef MADANG_SYNC_RWLOCK_H
#define MADANG_SYNC_RWLOCK_H

#include "sync/owned.h"

/* A reader's line. The word is as in owned.h: the reader's thread id; WAITERS: somebody may be asleep
 * until it leaves; OWNER_DIED: it died, and nobody needs to know. Taken by CAS, with the
 * mark WAITERS if it had one or was a dead one's. */
struct mdg__reader {
	uint32_t none;
	struct mdg__robust robust;
	uint32_t more[3];
};

struct mdg__rwlock {
	/* Who writes, or keeps new readers out until it can; its word is also what readers that were
	 * kept out sleep on. `state` as in mutex.c. */
	struct mdg__owned writer;
	/* 1: the data are in a writer's hands, or in those of a dead one of whom nobody was told.
	 * Owner of the writer's word, relaxed: goes with the word. */
	_Atomic uint32_t inside;
	/* Slots that were ever taken. Whoever takes one sets its bit, seq_cst; never cleared. */
	_Atomic uint32_t used[MDG_READERS_MAX / 32];
	/* What those sleep on who found every slot taken. Odd: there may be some. They make it
	 * odd; a reader that leaves a marked slot makes it even, and wakes them; both by CAS. */
	_Atomic uint32_t crowd;
	uint32_t none[12];
	struct mdg__reader slot[MDG_READERS_MAX];
};

_Static_assert(sizeof(struct mdg__reader) == 64, "");
_Static_assert(offsetof(struct mdg__reader, robust.word) == 8,
               "a node is aligned as in mdg__owned");
_Static_assert(offsetof(struct mdg__rwlock, inside) == 128, "");
_Static_assert(offsetof(struct mdg__rwlock, used) == 132, "");
_Static_assert(offsetof(struct mdg__rwlock, crowd) == 140, "");
_Static_assert(offsetof(struct mdg__rwlock, slot) == 192, "");
_Static_assert(sizeof(struct mdg__rwlock) == 4288, "");
_Static_assert(sizeof(mdg_rwlock) == sizeof(struct mdg__rwlock), "");

#endif
