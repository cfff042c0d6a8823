/* SPDX-License-Identifier: MIT */
/*
 * promise.c - memory for parts of a segment that takes its memory as it grows.
 *
 * The segment is a sparse file. An access to a piece that has no memory asks the file system for
 * it, and raises SIGBUS if there is none. So every piece gets its memory before it is touched.
 *
 * Linux 5.14 does that for a mapping: MADV_POPULATE_WRITE says that there is no memory, where an
 * access would raise SIGBUS. On older kernels the file is opened, and fallocate(2) reserves the
 * piece. Some emulators know no advice and say yes to all. So the first call asks for something
 * that cannot be done.
 *
 * tmpfs finds the pages of a large piece faster for fallocate(2) than for one fault after another.
 * So a large piece is reserved first, if a descriptor of the file is at hand, and then populated.
 * No file is opened for that.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "platform/filesize.h"
#include "platform/sys.h"
#include "segment/segment.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

enum { UNKNOWN, WORKS, WORKS_NOT };

/* From so many bytes on, reserving the piece costs little beside the pages. */
#define LARGE ((uint64_t)1 << 18)

/* Whether the kernel knows MADV_POPULATE_WRITE. It says that nothing is mapped at the end of the
 * addresses. A kernel that does not know it says that the advice is not valid. */
static bool populate_works(void)
{
	static _Atomic uint32_t known = UNKNOWN;
	uint32_t seen = atomic_load_explicit(&known, memory_order_relaxed);
	if (seen == UNKNOWN) {
		size_t page = mdg__page_size();
		void *nowhere = (void *)((uintptr_t)0 - 2 * page);
		int rc = mdg__sys_madvise(nowhere, page, MADV_POPULATE_WRITE);
		seen = rc == -ENOMEM || rc == -EFAULT ? WORKS : WORKS_NOT;
		atomic_store_explicit(&known, seen, memory_order_relaxed);
	}
	return seen == WORKS;
}

static int populate(unsigned char *from, size_t length, int advice)
{
	int rc;
	do
		rc = mdg__sys_madvise(from, length, advice);
	while (rc == -EINTR || rc == -EAGAIN);
	return rc == 0 ? 0 : -ENOMEM;
}

/* `open`: the file is opened if no descriptor is at hand. 0, -ENOSPC, or why it cannot be done in
 * this way. */
static int reserve(mdg_namespace *ns, mdg_id id, uint64_t offset, uint64_t length, bool open)
{
	struct mdg__entry entry;
	uint64_t inode;
	mdg__enter(ns);
	int rc = mdg__entry_read(ns, id, false, &entry);
	int kept = rc < 0 ? rc : mdg__data_at_hand(ns, &entry), fd = kept;
	if (rc == 0 && kept < 0 && open)
		fd = mdg__data_open(ns, &entry, true, &inode);
	if (fd >= 0)
		rc = mdg__sys_allocate(fd, offset, length);
	if (fd >= 0 && fd != kept)
		(void)mdg__sys_close(fd);
	mdg__leave(ns);
	return fd < 0 ? fd : rc;
}

/* Moves both ends outwards to pages. */
static void widen(uint64_t *offset, uint64_t *length)
{
	uint64_t page = mdg__page_size(), from = *offset & ~(page - 1);
	*length = ((*offset + *length + page - 1) & ~(page - 1)) - from;
	*offset = from;
}

int mdg__segment_promise(mdg_namespace *ns, mdg_id id, void *memory, uint64_t offset,
                         uint64_t length)
{
	if (length == 0)
		return 0;
	widen(&offset, &length);
	bool works = populate_works();
	if (!works || length >= LARGE) {
		int rc = reserve(ns, id, offset, length, !works);
		if (!works || rc == -ENOSPC)
			return rc < 0 ? -ENOMEM : 0;
	}
	return populate((unsigned char *)memory + (size_t)offset, (size_t)length,
	                MADV_POPULATE_WRITE);
}

int mdg__segment_promise_read(void *memory, uint64_t offset, uint64_t length)
{
	widen(&offset, &length);
	return populate_works() ? populate((unsigned char *)memory + (size_t)offset, (size_t)length,
	                                   MADV_POPULATE_READ)
	                        : 0;
}
