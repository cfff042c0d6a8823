/* SPDX-License-Identifier: MIT */
/*
 * cell.h - how a cell lies in memory; cell.c says how it is used.
 *
 * The head, then four buffers, each the size of the value rounded up to 64 bytes. The value
 * of version v lies in buffer v % 4.
 */
#ifndef MADANG_SYNC_CELL_H
#define MADANG_SYNC_CELL_H

#include "sync/owned.h"

struct mdg__cell {
	struct mdg__owned writer; /* who writes; own[] is not used */
	/* Values published until now, and four for each time that the size is taken back, and
	 * that it is recorded again; it never goes back. 64 bits: no reader sleeps through all of
	 * them. Writer: release, when the value is whole. */
	_Atomic uint64_t version;
	/* Of the value, in bytes; 0: nobody has begun to write since it was new. Writer: release,
	 * when the present buffer is zeros; and back to 0, after the version, in
	 * mdg_cell_destroy. */
	_Atomic uint32_t size;
	uint32_t none[13];
};

_Static_assert(offsetof(struct mdg__cell, version) == 128, "");
_Static_assert(offsetof(struct mdg__cell, size) == 136, "");
_Static_assert(sizeof(struct mdg__cell) == 192, "the buffers begin here");
_Static_assert(sizeof(mdg_cell) == sizeof(struct mdg__cell), "");

#endif
