/* SPDX-License-Identifier: MIT */
/*
 * detach.c - shmdt.
 *
 * As the kernel finds them: the first piece whose start lies as far above the
 * address as its content above the segment's start tells the segment; it and
 * all further such pieces of the same shmat within its length go. So a start that the
 * program unmapped itself is still good for the rest.
 */
#include <errno.h>

#include "segment/internal.h"

static bool belongs(const struct mdg__piece *piece, uintptr_t address)
{
	return piece->start >= address && piece->start - address == piece->offset;
}

static int detach_entered(struct mdg_namespace *ns, uintptr_t address)
{
	uint32_t at = mdg__piece_after(ns, address);
	while (at < ns->piece_count && !belongs(&ns->pieces[at], address))
		at++;
	if (at == ns->piece_count)
		return -EINVAL;
	const struct mdg__piece first = ns->pieces[at];
	uint64_t length = mdg__get64(&ns->registry.segments[first.index].mapped);
	while (at < ns->piece_count) {
		const struct mdg__piece piece = ns->pieces[at];
		/* The first one goes whatever the length says: it is what was found. */
		if (piece.start != first.start &&
		    piece.start - address + piece.length > length)
			break; /* also one that mremap has grown beyond the segment */
		/* Of one shmat: another one's that fits stays. */
		if (!belongs(&piece, address) || piece.call != first.call) {
			at++;
			continue;
		}
		(void)mdg__sys_munmap((void *)piece.start, piece.length);
		mdg__piece_remove(ns, at);
		mdg__stamp_detached(ns, piece.index);
		mdg__count_detached(ns, piece.index, piece.sequence);
	}
	return 0;
}

int mdg_segment_detach(mdg_namespace *ns, const void *memory)
{
	uintptr_t address = (uintptr_t)memory;
	if (address % mdg__page_size() != 0)
		return -EINVAL;
	mdg__enter(ns);
	int rc = detach_entered(ns, address);
	mdg__leave(ns);
	return rc;
}
