/* SPDX-License-Identifier: MIT */
/*
 * cell.h - the latest value of something as it lies in memory. cell.c says how it is used.
 *
 * First the head, and then four buffers. Each has the size of the value, rounded up to 64 bytes.
 * The value of version v lies in buffer v % 4.
 */
#ifndef MADANG_SYNC_CELL_H
#define MADANG_SYNC_CELL_H

#include "sync/owned.h"

struct mdg__cell {
	struct mdg__owned writer; /* the thread that writes; own[] is not used */
	/* How many values have been published; and four more each time that the size is taken
	 * back or is recorded again. It never decreases. It has 64 bits, so no reader sleeps
	 * through a full round. The writer stores it with release, when the value is whole. */
	_Atomic uint64_t version;
	/* The size of the value in bytes; 0: no thread has begun to write since the cell was new.
	 * The writer stores it with release, when the present buffer is zeros. mdg_cell_destroy
	 * makes it 0 again, after it has changed the version. */
	_Atomic uint32_t size;
	uint32_t none[13];
};

_Static_assert(offsetof(struct mdg__cell, version) == 128, "");
_Static_assert(offsetof(struct mdg__cell, size) == 136, "");
_Static_assert(sizeof(struct mdg__cell) == 192, "the buffers begin here");
_Static_assert(sizeof(mdg_cell) == sizeof(struct mdg__cell), "");

#endif
