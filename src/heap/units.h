/* SPDX-License-Identifier: MIT */
/*
 * units.h - what units.c and pieces.c share. All of it needs the heap's lock.
 */
#ifndef MADANG_HEAP_UNITS_H
#define MADANG_HEAP_UNITS_H

#include "heap/guard.h"

/* Sets or clears the bits from `at` to `end`. Only the holder of the lock writes FREE and
 * COMMITTED. */
static inline void mdg__put_bits(struct mdg__heap *heap, enum mdg__unit_bits which, uint64_t at,
                                 uint64_t end, bool set)
{
	while (at < end) {
		_Atomic uint64_t *word = &heap->bits[which][at / 64];
		uint64_t count = 64 - at % 64 < end - at ? 64 - at % 64 : end - at;
		uint64_t mask = (count == 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1)
		                << (at % 64);
		uint64_t now = MDG__LOAD(*word);
		MDG__STORE(*word, set ? now | mask : now & ~mask);
		at += count;
	}
}

/* ---- pieces.c ------------------------------------------------------------------------------ */

/* Tells the segment how much memory the heap has when it has so many units: that counts against the
 * namespace's limit of pages (shmall). -ENOMEM: the limit is reached. */
int mdg__units_charge(struct mdg__heap *heap, uint64_t committed);
/* The tables of all units below `least` have memory after this. `high`: how many have it now. */
int mdg__units_raise(struct mdg__heap *heap, uint64_t high, uint64_t least);
/* These units have memory after this, and others of the same pieces if there is enough. All that
 * have none are free. 0, -EDQUOT or -ENOMEM. */
int mdg__units_commit(struct mdg__heap *heap, uint64_t at, uint64_t units);
/* The units from `from` to `to` have become free. Gives back pieces that are wholly free, beyond
 * the lowest ones, of which head.keep units stay. What is free in other pieces cannot be given
 * back, and does not count: else a heap that has much of it would give back each piece at once, and
 * need it again a moment later. The lowest ones stay because they are taken first. */
void mdg__units_shed(struct mdg__heap *heap, uint64_t from, uint64_t to);

#endif
