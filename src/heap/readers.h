/* SPDX-License-Identifier: MIT */
/*
 * readers.h - how somebody knows that read sections have ended, and the retired blocks that wait
 * for that.
 */
#ifndef MADANG_HEAP_READERS_H
#define MADANG_HEAP_READERS_H

#include "heap/own.h"

/* ---- readers.c ----------------------------------------------------------------------------- */

/* Counts the epoch up. Returns the one before: what was taken out of its place until now may be
 * freed when mdg__readers_oldest is larger than that. */
uint64_t mdg__readers_turn(struct mdg__heap *heap);
/* The epoch in which the oldest read section that is open began. UINT64_MAX: none is open. */
uint64_t mdg__readers_oldest(struct mdg__heap *heap);
/* [sweeper of the dead slot] Whether every read section has ended that could have seen what the
 * dead thread took out of its place. False: the slot stays dead, and the sweeper comes again. */
bool mdg__readers_passed(struct mdg__heap *heap, struct mdg__heap_slot *dead);
/* Whether the slot was found dead before, and it is seen at once that readers have not passed.
 * False proves nothing. */
bool mdg__readers_hold_up(const struct mdg__heap *heap, const struct mdg__heap_slot *dead);

/* ---- bags.c -------------------------------------------------------------------------------- */

/* [sweeper of the dead slot, after mdg__readers_passed] Frees what the dead thread had retired.
 * Twice does no harm. False: not all of it was freed, the slot stays dead. */
bool mdg__sweep_retired(struct mdg__heap *heap, struct mdg__heap_slot *dead);
/* The bag to which the reference leads; NULL: it leads to none. */
struct mdg__bag *mdg__bag_at(struct mdg__heap *heap, uint64_t ref);
/* Frees what this thread has retired, as far as readers allow: how many blocks. For who needs
 * memory, and for mdg_heap_sweep. */
uint32_t mdg__retired_free(struct mdg__heap *heap, struct mdg__heap_own *own);

#endif
