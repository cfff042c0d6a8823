/* SPDX-License-Identifier: MIT */
/*
 * hostheld.c - locks that the calling thread holds where the program changes its mappings.
 *
 * Before the program's munmap, mmap or mremap (hostmap.c) takes memory away, the locks that the
 * thread holds there are let go (platform/unmapping.h). A call that is going to fail must not cost
 * a lock. So the arguments are checked as the kernel checks them, and what the call would map is
 * mapped elsewhere for a moment. All this is done only if the thread holds a lock there.
 */
#include <sys/mman.h>

#include "platform/unmapping.h"
#include "segment/internal.h"

static bool is_stretch(uintptr_t start, size_t length)
{
	return start % mdg__page_size() == 0 && mdg__whole_pages(length) != 0 &&
	       start <= UINTPTR_MAX - (mdg__whole_pages(length) - 1);
}

void mdg__before_munmap(uintptr_t start, size_t length)
{
	if (is_stretch(start, length))
		mdg__unmapping_let_go(start, mdg__whole_pages(length));
}

void mdg__before_mmap(uintptr_t start, size_t length, int protection, int flags, int fd,
                      uint64_t offset)
{
	void *memory;
	if (!(flags & MAP_FIXED) || !is_stretch(start, length) ||
	    !mdg__unmapping_holds(start, mdg__whole_pages(length)))
		return;
	int trial = (flags & ~(MAP_FIXED | MAP_POPULATE | MAP_LOCKED)) | MAP_NORESERVE;
	if (mdg__sys_mmap(NULL, length, protection, trial, fd, offset, &memory) < 0)
		return; /* the program's own call will fail, too */
	(void)mdg__sys_munmap(memory, mdg__whole_pages(length));
	mdg__unmapping_let_go(start, mdg__whole_pages(length));
}

/* Whether the mapping can become longer where it lies. */
static bool can_grow(uintptr_t start, size_t old_length, size_t length)
{
	void *same;
	if (mdg__sys_mremap((void *)start, old_length, length, 0, NULL, &same) < 0)
		return false;
	(void)mdg__sys_mremap((void *)start, length, old_length, 0, NULL, &same);
	return true;
}

void mdg__before_move(uintptr_t start, size_t length)
{
	mdg__unmapping_let_go(start, mdg__whole_pages(length));
}

int mdg__before_mremap(uintptr_t start, size_t old_length, size_t length, int flags, uintptr_t to)
{
	const int dont_unmap = 4; /* MREMAP_DONTUNMAP */
	old_length = mdg__whole_pages(old_length);
	length = mdg__whole_pages(length);
	if (!is_stretch(start, length) || old_length > UINTPTR_MAX - start)
		return flags;
	if (flags & MREMAP_FIXED) {
		bool overlaps = start < to + length && to < start + old_length;
		if (!(flags & MREMAP_MAYMOVE) || !is_stretch(to, length) || overlaps)
			return flags;
		mdg__unmapping_let_go(to, length);
	}
	if (old_length == 0 || !mdg__unmapping_holds(start, old_length))
		return flags;
	if (flags & (MREMAP_FIXED | dont_unmap)) {
		mdg__unmapping_let_go(start, old_length);
	} else if (length < old_length) {
		mdg__unmapping_let_go(start + length, old_length - length);
	} else if (length > old_length && (flags & MREMAP_MAYMOVE)) {
		if (can_grow(start, old_length, length))
			return flags & ~MREMAP_MAYMOVE; /* it stays, and so do the locks */
		mdg__unmapping_let_go(start, old_length);
	}
	return flags;
}
