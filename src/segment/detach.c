/* SPDX-License-Identifier: MIT */
/*
 * detach.c - shmdt, and the native detach, which refuses where the calling thread holds a lock.
 *
 * As the kernel finds them: the first piece whose start lies as far above the
 * address as its content above the segment's start tells the segment; it and
 * all further such pieces of the same shmat within its length go. So a start that the
 * program unmapped itself is still good for the rest.
 */
#include <errno.h>

#include "platform/unmapping.h"
#include "segment/hostcalls.h"
#include "segment/internal.h"

static bool belongs(const struct mdg__piece *piece, uintptr_t address)
{
	return piece->start >= address && piece->start - address == piece->offset;
}

/* A call of shmdt: the pieces that it takes away. */
struct detaching {
	uintptr_t address;
	struct mdg__piece first;
	uint64_t length; /* of the segment */
};

/* The first piece of it from `at` on; piece_count: there is none. */
static uint32_t next_piece(const struct mdg_namespace *ns, const struct detaching *detaching,
                           uint32_t at)
{
	for (; at < ns->piece_count; at++) {
		const struct mdg__piece *piece = &ns->pieces[at];
		/* The first one goes whatever the length says: it is what was found. */
		if (piece->start != detaching->first.start &&
		    piece->start - detaching->address + piece->length > detaching->length)
			return ns
			        ->piece_count; /* also one that mremap has grown beyond the segment */
		/* Of one shmat: another one's that fits stays. */
		if (belongs(piece, detaching->address) && piece->call == detaching->first.call)
			return at;
	}
	return at;
}

/* Whether the thread may go on: locks that it holds there keep it, or are let go. */
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

int mdg__detach_anyway(struct mdg_namespace *ns, const void *memory)
{
	return detach(ns, memory, true);
}

int mdg__host_detach(mdg_namespace *ns, const void *memory)
{
	return detach(ns, memory, true);
}
