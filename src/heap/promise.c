/* SPDX-License-Identifier: MIT */
/*
 * promise.c - memory for pieces of the heap's segment, and giving it back.
 *
 * The segment is a sparse file. Every piece gets its memory before it is touched
 * (segment/promise.c).
 */
#include "heap/internal.h"

#include <sys/mman.h>

#include "platform/filesize.h"
#include "platform/sys.h"

#ifndef MADV_REMOVE
#define MADV_REMOVE 9
#endif

int mdg__heap_promise(struct mdg__heap *heap, uint64_t offset, uint64_t length)
{
	return mdg__segment_promise(heap->ns, heap->id, heap->view.base, offset, length);
}

int mdg__heap_promise_read(struct mdg__heap *heap, uint64_t offset, uint64_t length)
{
	return mdg__segment_promise_read(heap->view.base, offset, length);
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
