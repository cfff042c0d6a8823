/* SPDX-License-Identifier: MIT */
/*
 * aligned.c - attaching a segment at an address that is a multiple of more than a page.
 *
 * mmap chooses addresses that are multiples of a page. So a larger range is mapped first, to learn
 * where there is room, and unmapped again. Then the segment is attached at the aligned address in
 * that range. Another thread may map something there in between. Nothing is replaced in that case,
 * and another range is looked for.
 */
#include <errno.h>
#include <sys/mman.h>

#include "platform/ownmap.h"
#include "segment/internal.h"

#define TRIES 64

/* An aligned address behind which there was room for `length` bytes a moment ago. */
static int look_for_room(size_t length, size_t alignment, void **ret)
{
	void *memory;
	if (length > SIZE_MAX - alignment)
		return -ENOMEM;
	int rc = mdg__map_unlocked(NULL, length + alignment, PROT_NONE,
	                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, &memory);
	if (rc < 0)
		return rc;
	(void)mdg__sys_munmap(memory, length + alignment);
	*ret = (void *)(((uintptr_t)memory + alignment - 1) & ~(uintptr_t)(alignment - 1));
	return 0;
}

int mdg__segment_attach_aligned(mdg_namespace *ns, mdg_id id, size_t alignment, unsigned flags,
                                void **ret_memory)
{
	struct mdg__entry entry;
	int rc = mdg__entry_find(ns, id, false, &entry);
	if (rc == 0 && entry.mapped > (uint64_t)SIZE_MAX / 2)
		rc = -ENOMEM;
	if (rc < 0)
		return rc;
	for (int tries = 0; tries < TRIES; tries++) {
		void *address;
		rc = look_for_room((size_t)entry.mapped, alignment, &address);
		if (rc == 0)
			rc = mdg_segment_attach(ns, id, address, flags, ret_memory);
		if (rc != -EINVAL || mdg__segment_is_removed(ns, id))
			break;
	}
	return rc;
}
