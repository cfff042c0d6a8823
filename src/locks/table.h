/* SPDX-License-Identifier: MIT */
/*
 * table.h - the names of a segment's objects, as they lie in its data file.
 *
 * Behind the segment's last page, where nobody maps it: 16 KiB that the first name
 * adds to the file. So names end with the segment, are guarded by the file's
 * mode, and cost nothing where there are none. The same bytes for 32 and 64 bits.
 *
 *     head      64 bytes
 *     entries   255 of 64 bytes, in no order
 *
 * WHO WRITES: only the holder of the registry's writer lock, who may die at any
 * store. An entry is unpublished (kind 0), filled, and published by its kind, a
 * release; so at any moment it is free or whole.
 *
 * WHO READS copies an entry by pread(2), because who may write the file may also cut it, and
 * memory that is cut kills. It believes what it read twice, with a fence between: one that
 * was being changed was unpublished in the meantime, or is different. Kind, offset and name are
 * checked then: everybody who may write the segment can write here.
 */
#ifndef MADANG_LOCKS_TABLE_H
#define MADANG_LOCKS_TABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "segment/segment.h"

#define MDG__NAMES_MAGIC   UINT64_C(0x53454d414e474d01) /* bytes 01 "MGNAMES" */
#define MDG__NAMES_VERSION 1u
enum { MDG__NAMES = 255, MDG__NAME_ROOM = 40 };

struct mdg__names_head {
	_Atomic uint64_t magic; /* stored last; 0: nothing here yet */
	_Atomic uint32_t version;
	uint32_t unused[13];
};

struct mdg__name {
	_Atomic uint32_t kind; /* enum mdg_sync_kind; 0: free. Release: pairs with the fence of
	                             the reader, see above */
	uint32_t unused;
	uint64_t offset;           /* of the object in the segment */
	char name[MDG__NAME_ROOM]; /* text, zero-filled to the end */
	uint64_t unused2;
};

struct mdg__names {
	struct mdg__names_head head;
	struct mdg__name entry[MDG__NAMES];
};

_Static_assert(sizeof(struct mdg__names_head) == 64, "");
_Static_assert(offsetof(struct mdg__name, offset) == 8, "");
_Static_assert(offsetof(struct mdg__name, name) == 16, "");
_Static_assert(sizeof(struct mdg__name) == 64, "");
_Static_assert(sizeof(struct mdg__names) == MDG__DATA_TAIL, "");

#endif
