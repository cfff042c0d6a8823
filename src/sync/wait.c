/* SPDX-License-Identifier: MIT */
/*
 * wait.c - deadlines, and the sleepers' notes. See wait.h.
 */
#include "sync/wait.h"

#include "madang/sync.h"
#include "sync/owned.h"

uint64_t mdg_deadline(uint64_t nanoseconds)
{
	uint64_t now = mdg__monotonic_nanoseconds();
	return nanoseconds > MDG_FOREVER - now ? MDG_FOREVER : now + nanoseconds;
}

static bool note_put(_Atomic uint64_t *place, uint64_t was, uint64_t note)
{
	return atomic_compare_exchange_strong_explicit(place, &was, note, memory_order_relaxed,
	                                               memory_order_relaxed);
}

_Atomic uint64_t *mdg__note_sleep(struct mdg__notes *notes, uint32_t tid)
{
	uint64_t now = mdg__monotonic_nanoseconds() / 1000000u;
	uint64_t note = (uint64_t)tid << 32 | (uint32_t)now;
	for (int i = 0; i < MDG__NOTES; i++)
		if (atomic_load_explicit(&notes->note[i], memory_order_relaxed) == 0 &&
		    note_put(&notes->note[i], 0, note))
			return &notes->note[i];
	for (int i = 0; i < MDG__NOTES; i++) {
		uint64_t old = atomic_load_explicit(&notes->note[i], memory_order_relaxed);
		if (!mdg__sys_process_exists((int32_t)(old >> 32 & MDG__TID)) &&
		    note_put(&notes->note[i], old, note))
			return &notes->note[i];
	}
	return NULL;
}
