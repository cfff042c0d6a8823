/* SPDX-License-Identifier: MIT */
/*
 * detach.c - shmdt, and the native detach. The native one refuses if the calling
 * thread holds a lock in the memory that would go.
 *
 * shmdt(address) unmaps what is left of one attachment. The program may have
 * cut the attachment into pieces with munmap. Each piece remembers its offset
 * in the segment, so `piece start - piece offset` is the address that shmat
 * returned. Like the kernel, shmdt
 *   1. looks for the first piece for which this equals `address`,
 *   2. takes the segment from it, and
 *   3. removes every piece of the same shmat for which it holds, up to the
 *      length of the segment.
 * The piece at `address` itself may be gone already.
 */
#include <errno.h>

#include "platform/unmapping.h"
#include "segment/hostcalls.h"
#include "segment/internal.h"

/* Whether the piece comes from an attachment that began at `address`. */
static bool belongs(const struct mdg__piece *piece, uintptr_t address)
{
	return piece->start >= address && piece->start - address == piece->offset;
}

/* Which pieces a call of shmdt takes away. */
struct detaching {
	uintptr_t address;
	struct mdg__piece first;
	uint64_t length; /* of the segment */
};

/* The first of these pieces from `at` on. piece_count: there is none. */
static uint32_t next_piece(const struct mdg_namespace *ns, const struct detaching *detaching,
                           uint32_t at)
{
	for (; at < ns->piece_count; at++) {
		const struct mdg__piece *piece = &ns->pieces[at];
		/* The length does not matter for the first piece, which was found already. A
		 * later piece ends the search if it lies beyond the segment, because mremap has
		 * grown it. */
		if (piece->start != detaching->first.start &&
		    piece->start - detaching->address + piece->length > detaching->length)
			return ns->piece_count;
		/* A piece of another shmat stays, even if its address fits. */
		if (belongs(piece, detaching->address) && piece->call == detaching->first.call)
			return at;
	}
	return at;
}

/* Whether the pieces may go. A lock that the calling thread holds in one of them prevents that.
 * `anyway`: the locks are let go instead. */
static bool is_free(const struct mdg_namespace *ns, const struct detaching *detaching, uint32_t at,
                    bool anyway)
{
	for (; (at = next_piece(ns, detaching, at)) < ns->piece_count; at++) {
		const struct mdg__piece *piece = &ns->pieces[at];
		if (anyway)
			mdg__unmapping_let_go(piece->start, piece->length);
		else if (mdg__unmapping_holds(piece->start, piece->length))
			return false;
	}
	return true;
}

static int detach_entered(struct mdg_namespace *ns, uintptr_t address, bool anyway)
{
	struct detaching detaching = { .address = address };
	uint32_t at = mdg__piece_after(ns, address);
	while (at < ns->piece_count && !belongs(&ns->pieces[at], address))
		at++;
	if (at == ns->piece_count)
		return -EINVAL;
	detaching.first = ns->pieces[at];
	detaching.length = mdg__get64(&ns->registry.segments[detaching.first.index].mapped);
	if (!is_free(ns, &detaching, at, anyway))
		return -EBUSY;
	while ((at = next_piece(ns, &detaching, at)) < ns->piece_count) {
		const struct mdg__piece piece = ns->pieces[at];
		(void)mdg__sys_munmap((void *)piece.start, piece.length);
		mdg__piece_remove(ns, at);
		mdg__stamp_detached(ns, piece.index);
		mdg__count_detached(ns, piece.index, piece.sequence);
	}
	return 0;
}

static int detach(struct mdg_namespace *ns, const void *memory, bool anyway)
{
	uintptr_t address = (uintptr_t)memory;
	if (address % mdg__page_size() != 0)
		return -EINVAL;
	mdg__enter(ns);
	int rc = detach_entered(ns, address, anyway);
	mdg__leave(ns);
	return rc;
}

int mdg_segment_detach(mdg_namespace *ns, const void *memory)
{
	return detach(ns, memory, false);
}

void mdg__segment_let_go(mdg_namespace *ns, const void *memory)
{
	(void)detach(ns, memory, true);
}

int mdg__host_detach(mdg_namespace *ns, const void *memory)
{
	return detach(ns, memory, true);
}
