/* SPDX-License-Identifier: MIT */
/*
 * table.h - the names of a segment's objects, as they lie in the segment's data file.
 *
 * The table lies behind the segment's last page, where nobody maps it. The first name makes the
 * file 16 KiB longer. So names end with the segment, the file's mode guards them, and a segment
 * without names costs nothing. The bytes are the same for 32 and 64 bits.
 *
 *     head      64 bytes
 *     entries   255 of 64 bytes, in no order
 *
 * WRITING. Only the holder of the registry's writer lock writes. It may die after any store. It
 * first sets the entry's kind to 0 (free), then fills the entry, and then stores the kind, with
 * release. So at each moment an entry is free or whole.
 *
 * READING. A reader copies an entry by pread(2). It does not map the file, because whoever may
 * write the file may also make it shorter, and a read from mapped memory beyond the end kills.
 * The reader copies twice, with a fence in between, and believes what is the same both times: an
 * entry that was being changed was free in between, or differs. After that it checks kind, offset
 * and name, because everybody who may write the segment can write here.
 */
#ifndef MADANG_LOCKS_TABLE_H
#define MADANG_LOCKS_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

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
	/* enum mdg_sync_kind; 0: free. Stored with release, which pairs with the reader's fence. */
	_Atomic uint32_t kind;
	uint32_t unused;
	uint64_t offset;           /* of the object, in the segment */
	char name[MDG__NAME_ROOM]; /* text, filled up with zeros */
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

/* A fence that also orders the processor: a writer's between two stores, a reader's between two
 * calls of pread. It is not C11's fence, because ThreadSanitizer warns about that one. */
static inline void mdg__names_fence(void)
{
	__sync_synchronize();
}

/* ---- table.c ---- */
/* The size of an object of this enum mdg_sync_kind; 0: there is no such kind. */
uint32_t mdg__names_object_size(uint32_t kind);
/* Whether an object of this kind can lie at the offset. */
bool mdg__names_lies_inside(const struct mdg__entry *segment, uint32_t kind, uint64_t offset);
/* False: no segment has these sizes, and they would lead anywhere in the file. */
bool mdg__names_segment_is_possible(const struct mdg__entry *segment);
/* Whether the file is long enough to have names. */
bool mdg__names_has_table(const struct mdg__entry *segment, const struct stat *status);

#endif
