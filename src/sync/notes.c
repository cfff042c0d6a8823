/* SPDX-License-Identifier: MIT */
/*
 * notes.c - finds room for a sleeper's note. See notes.h.
 */
#include "sync/notes.h"

#include "platform/sys.h"
#include "sync/owned.h"

static bool note_put(_Atomic uint64_t *note, uint64_t old, uint64_t with)
{
	return atomic_compare_exchange_strong_explicit(note, &old, with, memory_order_relaxed,
	                                               memory_order_relaxed);
}

_Atomic uint64_t *mdg__note_sleep(struct mdg__notes *notes, uint32_t tid)
{
	uint64_t now = mdg__monotonic_nanoseconds() / 1000000u;
	uint64_t with = (uint64_t)tid << 32 | (uint32_t)now;
	for (int i = 0; i < MDG__NOTES; i++)
		if (atomic_load_explicit(&notes->note[i], memory_order_relaxed) == 0 &&
		    note_put(&notes->note[i], 0, with))
			return &notes->note[i];
	/* None is free: take that of a thread that has died. */
	for (int i = 0; i < MDG__NOTES; i++) {
		uint64_t old = atomic_load_explicit(&notes->note[i], memory_order_relaxed);
		if (!mdg__sys_process_exists((int32_t)(old >> 32 & MDG__TID)) &&
		    note_put(&notes->note[i], old, with))
			return &notes->note[i];
	}
	return NULL;
}
