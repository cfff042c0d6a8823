/* SPDX-License-Identifier: MIT */
/*
 * journal.h - an undo journal in shared memory: a change happens as a whole, or not at all.
 *
 * An object that several processes change (the registry, and whatever else needs it)
 * has room for a journal beside its data. One process at a time changes the object:
 * the holder of the object's lock. It changes each field with a put, and ends the
 * change with a commit:
 *
 *     mdg__journal_put32(&journal, &object->count, 3);
 *     mdg__journal_put64(&journal, &object->total, 17);
 *     mdg__journal_commit(&journal);
 *
 * If it dies before the commit, the next holder of the lock calls
 * mdg__journal_rollback(), and neither of the two has happened.
 *
 * How it works. A put notes the field's offset, width and old value. It counts the
 * note, and only then stores the new value. A commit sets the count of notes to 0. A
 * roll back stores the old values again, the last note first. If the process that
 * rolls back dies too, the next one does the same again, which does no harm.
 *
 * Readers take no lock. `version` is odd from the first put of a change to its commit,
 * or to the end of the roll back. A reader compares it before and after (a seqlock):
 *
 *     do {
 *         if (!mdg__journal_read_begin(&journal, &version))
 *             take the lock instead;
 *         ... loads ...
 *     } while (mdg__journal_read_retry(&journal, version));
 *
 * All stores are releases and all loads acquires. So a reader that sees any value of a
 * change also sees the odd version that was stored before it (R1 with W1 in journal.c).
 *
 * What a reader finds if the writer dies: an odd version, which stays odd until the
 * next holder of the lock has rolled back. The reader takes the lock then.
 */
#ifndef MADANG_REGISTRY_JOURNAL_H
#define MADANG_REGISTRY_JOURNAL_H

#include <stdbool.h>

#include "registry/layout.h"

/* Where a journal and the fields that it covers lie in this process. The structure
 * itself is not shared. It is constant once it is filled in. */
struct mdg__journal {
	mdg__a32 *count;        /* notes that count; only the lock's holder stores it */
	mdg__a32 *version;      /* odd during a change; only the lock's holder stores it */
	struct mdg__undo *undo; /* the notes; only the lock's holder stores them */
	uint32_t room;          /* how many notes there is room for */
	char *base;             /* offsets in the notes count from here, */
	uint64_t first, end;    /* and those of true notes lie in [first, end) */
};

/* All of these but the two for readers want the object's lock held. */

/* Begins a change before its first put. A put does that by itself. */
void mdg__journal_begin(const struct mdg__journal *journal);
void mdg__journal_put32(const struct mdg__journal *journal, mdg__a32 *field, uint32_t value);
void mdg__journal_put64(const struct mdg__journal *journal, mdg__a64 *field, uint64_t value);
/* Ends a change: all puts since the last commit have happened, together. */
void mdg__journal_commit(const struct mdg__journal *journal);
/* Whether the last holder of the lock left a change half done. Two loads. */
static inline bool mdg__journal_is_dirty(const struct mdg__journal *journal)
{
	return atomic_load_explicit(journal->count, memory_order_acquire) != 0 ||
	       (atomic_load_explicit(journal->version, memory_order_acquire) & 1) != 0;
}
/* Undoes what a dead holder left half done. The notes are not trusted: MDG_DAMAGED if
 * one of them cannot be true. The true ones are put back in either case. */
int mdg__journal_rollback(const struct mdg__journal *journal);

/* False: changes come too fast, or the last writer died. Taking the lock settles both. */
bool mdg__journal_read_begin(const struct mdg__journal *journal, uint32_t *ret_version);
/* True: a change came between, so what was loaded may not belong together. */
static inline bool mdg__journal_read_retry(const struct mdg__journal *journal, uint32_t version)
{
	/* R1: the loads before were acquires, so this load comes after them. */
	return atomic_load_explicit(journal->version, memory_order_relaxed) != version;
}

#endif
