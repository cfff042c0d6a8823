/* SPDX-License-Identifier: MIT */
/*
 * promise.c - memory for pieces of the heap's segment, and giving it back.
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
#include "heap/internal.h"

#include <sys/mman.h>

#include "platform/filesize.h"
#include "platform/sys.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_REMOVE
#define MADV_REMOVE 9
#endif

enum { UNKNOWN, WORKS, WORKS_NOT };

/* From so many bytes on, reserving the piece costs little beside the pages. */
#define LARGE ((uint64_t)1 << 18)

/* Whether the kernel knows MADV_POPULATE_WRITE. It says that nothing is mapped at the end of the
 * addresses. A kernel that does not know it says that the advice is not valid. */
static bool populate_works(void)
{
	static _Atomic uint32_t known = UNKNOWN;
	uint32_t seen = MDG__LOAD(known);
	if (seen == UNKNOWN) {
		size_t page = mdg__page_size();
		void *nowhere = (void *)((uintptr_t)0 - 2 * page);
		int rc = mdg__sys_madvise(nowhere, page, MADV_POPULATE_WRITE);
		seen = rc == -ENOMEM || rc == -EFAULT ? WORKS : WORKS_NOT;
		MDG__STORE(known, seen);
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
static int reserve(struct mdg__heap *heap, uint64_t offset, uint64_t length, bool open)
{
	struct mdg__entry entry;
	uint64_t inode;
	mdg__enter(heap->ns);
	int rc = mdg__entry_read(heap->ns, heap->id, false, &entry);
	int kept = rc < 0 ? rc : mdg__data_at_hand(heap->ns, &entry), fd = kept;
	if (rc == 0 && kept < 0 && open)
		fd = mdg__data_open(heap->ns, &entry, true, &inode);
	if (fd >= 0)
		rc = mdg__sys_allocate(fd, offset, length);
	if (fd >= 0 && fd != kept)
		(void)mdg__sys_close(fd);
	mdg__leave(heap->ns);
	return fd < 0 ? fd : rc;
}

/* Moves both ends outwards to pages. */
static void widen(uint64_t *offset, uint64_t *length)
{
	uint64_t page = mdg__page_size(), from = *offset & ~(page - 1);
	*length = ((*offset + *length + page - 1) & ~(page - 1)) - from;
	*offset = from;
}

int mdg__heap_promise(struct mdg__heap *heap, uint64_t offset, uint64_t length)
{
	if (length == 0)
		return 0;
	widen(&offset, &length);
	bool works = populate_works();
	if (!works || length >= LARGE) {
		int rc = reserve(heap, offset, length, !works);
		if (!works || rc == -ENOSPC)
			return rc < 0 ? -ENOMEM : 0;
	}
	return populate(heap->view.base + (size_t)offset, (size_t)length, MADV_POPULATE_WRITE);
}

/* Without the advice, nobody can say beforehand whether there is memory. */
int mdg__heap_promise_read(struct mdg__heap *heap, uint64_t offset, uint64_t length)
{
	widen(&offset, &length);
	return populate_works() ? populate(heap->view.base + (size_t)offset, (size_t)length,
	                                   MADV_POPULATE_READ)
	                        : 0;
}

bool mdg__heap_return(struct mdg__heap *heap, uint64_t offset, uint64_t length)
{
	return mdg__sys_madvise(heap->view.base + (size_t)offset, (size_t)length, MADV_REMOVE) == 0;
}

int mdg__labels_promise(struct mdg__heap *heap, uint64_t unit, uint32_t blocks)
{
	if (mdg__bit_is_set(heap, MDG__BITS_LABELLED, unit))
		return 0;
	int rc = mdg__heap_promise(heap, heap->parts.labels + unit * MDG__LABELS_OF_UNIT * 8,
	                           (uint64_t)blocks * 8);
	if (rc == 0)
		mdg__bit_set(heap, MDG__BITS_LABELLED, unit);
	return rc;
}

/* A part that has so many bits for each unit. The page in which `from` lies was promised with the
 * units before, unless it begins there. */
static int part_promise(struct mdg__heap *heap, uint64_t part, uint64_t from, uint64_t to,
                        uint32_t bits)
{
	uint64_t page = mdg__page_size();
	uint64_t begin = (part + from * bits / 8 + (from == 0 ? 0 : page - 1)) & ~(page - 1);
	uint64_t end = (part + (to * bits + 7) / 8 + page - 1) & ~(page - 1);
	return begin >= end ? 0 : mdg__heap_promise(heap, begin, end - begin);
}

int mdg__tables_promise(struct mdg__heap *heap, uint64_t from, uint64_t to)
{
	const struct mdg__parts *parts = &heap->parts;
	int rc = part_promise(heap, parts->heads, from, to, 64);
	if (rc == 0)
		rc = part_promise(heap, parts->hints, from, to, 64);
	for (int i = 0; i < MDG__BITS_ALL && rc == 0; i++)
		rc = part_promise(heap, parts->bits[i], from, to, 1);
	if (rc == 0)
		rc = part_promise(heap, parts->free, from, to, MDG__SLAB_WORDS * 64);
	if (rc == 0)
		rc = part_promise(heap, parts->remote, from, to, MDG__SLAB_WORDS * 64);
	return rc;
}
