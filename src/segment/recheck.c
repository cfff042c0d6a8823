/* SPDX-License-Identifier: MIT */
/*
 * recheck.c - a fork in the middle of a call that changes the program's map.
 *
 * While another library makes such a call (hostcall.c), none of our locks is
 * held, and a thread may fork. The child cannot know whether the call had
 * unmapped a piece by then. So it looks which of its pieces are mapped, when it
 * first enters the namespace.
 */
#include "segment/internal.h"

static _Atomic uint32_t under_way;

void mdg__host_way_begin(void)
{
	(void)atomic_fetch_add(&under_way, 1);
}

void mdg__host_way_end(void)
{
	(void)atomic_fetch_sub(&under_way, 1);
}

bool mdg__host_is_under_way(void)
{
	return atomic_load(&under_way) != 0;
}

/* Whether anything is mapped there: an mremap that changes nothing tells. */
bool mdg__host_is_mapped(uintptr_t address)
{
	void *same;
	size_t page = mdg__page_size();
	return mdg__sys_mremap((void *)address, page, page, 0, NULL, &same) == 0;
}

static bool is_whole(const struct mdg__piece *piece)
{
	void *same, *start = (void *)piece->start;
	return mdg__sys_mremap(start, piece->length, piece->length, 0, NULL, &same) == 0;
}

void mdg__host_look_again(struct mdg_namespace *ns)
{
	size_t page = mdg__page_size();
	uint32_t at;
	ns->doubtful = false;
	for (uintptr_t from = 0; (at = mdg__piece_after(ns, from)) < ns->piece_count;) {
		const struct mdg__piece piece = ns->pieces[at];
		from = piece.start + piece.length;
		/* Not whole: the program may have protected a part of it. */
		for (uintptr_t hole = piece.start; hole < from && !is_whole(&piece); hole += page)
			if (!mdg__host_is_mapped(hole))
				mdg__pieces_cut(ns, hole, page);
		if (from == 0)
			return;
	}
}
