/* SPDX-License-Identifier: MIT */
/*
 * pieces.c - which addresses of this process are attachments.
 *
 * The kernel counts mapped areas, not shmat calls, and shmdt goes by what is
 * mapped: all areas of the same segment whose start lies as far above the
 * address as their content lies above the segment's start. So this keeps the
 * areas ("pieces"): one at attach, cut, split and moved by munmap, MAP_FIXED
 * and mremap (hostmap.c).
 *
 * A sorted array, moved as a whole when it grows; memory from mmap, because
 * malloc is not for signal handlers. Programs have few attachments, and
 * thousands still cost less to move than one system call.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "segment/internal.h"

/* All pieces of all namespaces lie in [low, high). Only grows, so that it can
 * be read without a lock by every munmap of the program. */
static _Atomic uintptr_t low = UINTPTR_MAX, high;

static void widen(uintptr_t start, uintptr_t end)
{
	uintptr_t seen = atomic_load(&low);
	while (start < seen && !atomic_compare_exchange_weak(&low, &seen, start))
		;
	seen = atomic_load(&high);
	while (end > seen && !atomic_compare_exchange_weak(&high, &seen, end))
		;
}

bool mdg__pieces_may_touch(uintptr_t start, size_t length)
{
	uintptr_t end = length < UINTPTR_MAX - start ? start + length : UINTPTR_MAX;
	return start < atomic_load_explicit(&high, memory_order_relaxed) &&
	       end > atomic_load_explicit(&low, memory_order_relaxed);
}

int mdg__pieces_reserve(struct mdg_namespace *ns, uint32_t more)
{
	if (ns->piece_count + more <= ns->piece_room)
		return 0;
	uint32_t room = ns->piece_room == 0 ? 128 : ns->piece_room * 2;
	void *memory;
	int rc = mdg__sys_mmap(NULL, room * sizeof ns->pieces[0], PROT_READ | PROT_WRITE,
	                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory);
	if (rc < 0)
		return rc;
	if (ns->pieces != NULL) {
		memcpy(memory, ns->pieces, ns->piece_count * sizeof ns->pieces[0]);
		(void)mdg__sys_munmap(ns->pieces, ns->piece_room * sizeof ns->pieces[0]);
	}
	ns->pieces = memory;
	ns->piece_room = room;
	return 0;
}

uint32_t mdg__piece_after(const struct mdg_namespace *ns, uintptr_t address)
{
	uint32_t from = 0, to = ns->piece_count;
	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		const struct mdg__piece *piece = &ns->pieces[middle];
		if (piece->start + (piece->length - 1) >= address)
			to = middle;
		else
			from = middle + 1;
	}
	return from;
}

void mdg__piece_insert(struct mdg_namespace *ns, struct mdg__piece piece)
{
	uint32_t at = mdg__piece_after(ns, piece.start);
	memmove(&ns->pieces[at + 1], &ns->pieces[at],
	        (ns->piece_count - at) * sizeof ns->pieces[0]);
	ns->pieces[at] = piece;
	ns->piece_count++;
	widen(piece.start, piece.start + piece.length);
}

void mdg__piece_remove(struct mdg_namespace *ns, uint32_t at)
{
	ns->piece_count--;
	memmove(&ns->pieces[at], &ns->pieces[at + 1],
	        (ns->piece_count - at) * sizeof ns->pieces[0]);
}

void mdg__pieces_cut(struct mdg_namespace *ns, uintptr_t start, size_t length)
{
	uintptr_t last = start + (length - 1);
	for (uint32_t at = mdg__piece_after(ns, start); at < ns->piece_count;) {
		struct mdg__piece *piece = &ns->pieces[at], whole = *piece;
		uintptr_t piece_last = whole.start + (whole.length - 1);
		if (whole.start > last)
			return;
		bool head_stays = whole.start < start, tail_stays = piece_last > last;
		struct mdg__piece tail = whole;
		tail.start = last + 1;
		tail.length = piece_last - last;
		tail.offset = whole.offset + (tail.start - whole.start);
		if (head_stays) {
			piece->length = start - whole.start;
			at++;
			if (tail_stays &&
			    mdg__count_attached(ns, whole.index, whole.sequence) == 0) {
				mdg__stamp_attached(ns, whole.index);
				mdg__piece_insert(ns, tail);
			}
		} else if (tail_stays) {
			*piece = tail;
			at++;
		} else {
			mdg__piece_remove(ns, at);
			mdg__stamp_detached(ns, whole.index);
			mdg__count_detached(ns, whole.index, whole.sequence);
		}
	}
}
