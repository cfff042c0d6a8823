/* SPDX-License-Identifier: MIT */
/* hugepage.h - segments of huge pages: which size, and where their files go. */
#ifndef MADANG_SEGMENT_HUGEPAGE_H
#define MADANG_SEGMENT_HUGEPAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "registry/layout.h"

/* Reads a file that holds a number, perhaps behind a label; false without. */
bool mdg__read_number(const char *path, const char *label, uint64_t *ret);
/* The page size that shmget's flags ask for, as a power of two. -EINVAL: the
 * machine has none of that size. -EPERM: the caller may not. */
int mdg__huge_choose(unsigned flags, unsigned *ret_shift);
/* The page size in the flags of a segment's entry, as a power of two; 0: ordinary pages. */
static inline unsigned mdg__huge_shift(uint32_t entry_flags)
{
	return entry_flags >> MDG__SEG_HUGE_SHIFT & MDG__SEG_HUGE_MASK;
}
/* Opens the root of a hugetlbfs mount of that page size. -ENOMEM: none. */
int mdg__huge_directory(unsigned shift);

#endif
