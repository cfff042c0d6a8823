/* SPDX-License-Identifier: MIT */
/*
 * journal.c - the undo journal. journal.h says how it is used and why it works.
 */
#include "registry/journal.h"
#include "madang/segment.h"

#define SPINS 200 /* looks at an odd version before a reader gives up */

void mdg__journal_begin(const struct mdg__journal *journal)
{
	/* W1 */
	uint32_t version = atomic_load_explicit(journal->version, memory_order_relaxed);
	atomic_store_explicit(journal->version, version | 1, memory_order_release);
}

/* Notes the old value of a field. The first note begins the change. */
static void note(const struct mdg__journal *journal, uintptr_t field, uint32_t width, uint64_t old)
{
	uint32_t count = atomic_load_explicit(journal->count, memory_order_relaxed);
	if (count == 0)
		mdg__journal_begin(journal);
	if (count >= journal->room)
		count = journal->room - 1; /* the count was forged: stay in bounds */
	struct mdg__undo *undo = &journal->undo[count];
	atomic_store_explicit(&undo->offset, (uint32_t)(field - (uintptr_t)journal->base),
	                      memory_order_release);
	atomic_store_explicit(&undo->width, width, memory_order_release);
	atomic_store_explicit(&undo->old, old, memory_order_release);
	atomic_store_explicit(journal->count, count + 1, memory_order_release);
}

void mdg__journal_put32(const struct mdg__journal *journal, mdg__a32 *field, uint32_t value)
{
	uint32_t old = atomic_load_explicit(field, memory_order_relaxed);
	if (old == value)
		return;
	note(journal, (uintptr_t)field, 4, old);
	atomic_store_explicit(field, value, memory_order_release);
}

void mdg__journal_put64(const struct mdg__journal *journal, mdg__a64 *field, uint64_t value)
{
	uint64_t old = atomic_load_explicit(field, memory_order_relaxed);
	if (old == value)
		return;
	note(journal, (uintptr_t)field, 8, old);
	atomic_store_explicit(field, value, memory_order_release);
}

void mdg__journal_commit(const struct mdg__journal *journal)
{
	uint32_t version = atomic_load_explicit(journal->version, memory_order_relaxed);
	if ((version & 1) == 0)
		return; /* nothing was put */
	/* From here on the change has happened. A death before the next store leaves
	 * an odd version and no notes; the roll back then only makes it even. */
	atomic_store_explicit(journal->count, 0, memory_order_release);
	atomic_store_explicit(journal->version, version + 1, memory_order_release);
}

/* Stores one noted value again; false if the note cannot be true. */
static bool put_back(const struct mdg__journal *journal, const struct mdg__undo *undo)
{
	uint32_t offset = atomic_load_explicit(&undo->offset, memory_order_acquire);
	uint32_t width = atomic_load_explicit(&undo->width, memory_order_acquire);
	uint64_t old = atomic_load_explicit(&undo->old, memory_order_acquire);
	if ((width != 4 && width != 8) || offset % width != 0 || offset < journal->first ||
	    offset + (uint64_t)width > journal->end)
		return false;
	void *field = journal->base + offset;
	if (width == 4)
		atomic_store_explicit((mdg__a32 *)field, (uint32_t)old, memory_order_release);
	else
		atomic_store_explicit((mdg__a64 *)field, old, memory_order_release);
	return true;
}

int mdg__journal_rollback(const struct mdg__journal *journal)
{
	uint32_t count = atomic_load_explicit(journal->count, memory_order_acquire);
	bool believable = count <= journal->room;
	for (uint32_t i = believable ? count : 0; i-- > 0;)
		if (!put_back(journal, &journal->undo[i]))
			believable = false;
	atomic_store_explicit(journal->count, 0, memory_order_release);
	uint32_t version = atomic_load_explicit(journal->version, memory_order_acquire);
	if (version & 1)
		atomic_store_explicit(journal->version, version + 1, memory_order_release);
	return believable ? 0 : MDG_DAMAGED;
}

bool mdg__journal_read_begin(const struct mdg__journal *journal, uint32_t *ret_version)
{
	for (int i = 0; i < SPINS; i++) {
		*ret_version = atomic_load_explicit(journal->version, memory_order_acquire);
		if ((*ret_version & 1) == 0)
			return true;
	}
	return false;
}
