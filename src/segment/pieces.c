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
#include <string.h>
#include <sys/mman.h>

#include "segment/internal.h"

#define LOOKS 1000

static _Atomic uint32_t moment_now; /* changed with an object's lock held */

uint32_t mdg__pieces_now(void)
{
	return atomic_load(&moment_now);
}

uint32_t mdg__pieces_end_moment(void)
{
	return atomic_fetch_add(&moment_now, 1);
}

/* ---- for those who only ask -------------------------------------------------- */

/* Tells of the pieces from `at` on; all of them when the array is new. */
static void publish(struct mdg_namespace *ns, uint32_t at)
{
	struct mdg__span *spans = ns->spans;
	uint32_t version = atomic_load_explicit(&ns->span_version, memory_order_relaxed);
	/* S1: odd while it changes; all stores are releases, see asks(). */
	atomic_store_explicit(&ns->span_version, version + 1, memory_order_release);
	for (uint32_t i = at; i < ns->piece_count; i++) {
		const struct mdg__piece *piece = &ns->pieces[i];
		atomic_store_explicit(&spans[i].start, piece->start, memory_order_release);
		atomic_store_explicit(&spans[i].last, piece->start + (piece->length - 1),
		                      memory_order_release);
	}
	atomic_store_explicit(&ns->span_count, ns->piece_count, memory_order_release);
	atomic_store_explicit(&ns->span_version, version + 2, memory_order_release);
}

/* One look, by halving. All loads are acquires: whoever sees a store of a change
 * also sees its odd version (S1). */
static bool look(struct mdg_namespace *ns, uintptr_t start, uintptr_t last)
{
	struct mdg__span *spans = atomic_load_explicit(&ns->spans, memory_order_acquire);
	uint32_t from = 0, count = atomic_load_explicit(&ns->span_count, memory_order_acquire);
	uint32_t to = count;
	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		if (atomic_load_explicit(&spans[middle].last, memory_order_acquire) >= start)
			to = middle;
		else
			from = middle + 1;
	}
	return from < count &&
	       atomic_load_explicit(&spans[from].start, memory_order_acquire) <= last;
}

static bool asks(struct mdg_namespace *ns, uintptr_t start, uintptr_t last)
{
	if (atomic_load_explicit(&ns->span_count, memory_order_acquire) == 0)
		return false;
	for (uint32_t i = 0; i < LOOKS; i++) {
		uint32_t version = atomic_load_explicit(&ns->span_version, memory_order_acquire);
		if (version & 1)
			continue;
		bool touched = look(ns, start, last);
		if (atomic_load_explicit(&ns->span_version, memory_order_relaxed) == version)
			return touched;
	}
	return true; /* whoever is changing it does not go on: look under the lock */
}

bool mdg__pieces_touch(uintptr_t start, size_t length)
{
	uintptr_t last = length == 0                         ? start
	                 : length - 1 <= UINTPTR_MAX - start ? start + (length - 1)
	                                                     : UINTPTR_MAX;
	for (struct mdg_namespace *ns =
	             atomic_load_explicit(&mdg__namespaces, memory_order_acquire);
	     ns != NULL; ns = ns->next)
		if (asks(ns, start, last))
			return true;
	return false;
}

/* ---- the table ----------------------------------------------------------------- */

int mdg__pieces_reserve(struct mdg_namespace *ns, uint32_t more)
{
	if (ns->piece_count + more <= ns->piece_room)
		return 0;
	uint32_t room = ns->piece_room == 0 ? 128 : ns->piece_room * 2;
	void *memory;
	int rc = mdg__map_own(NULL, room * (sizeof ns->pieces[0] + sizeof(struct mdg__span)),
	                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory);
	if (rc < 0)
		return rc;
	/* The former array stays: somebody may be looking at its spans. Each is
	 * twice the one before, so all of them are as much as the last. */
	struct mdg__piece *pieces = memory;
	if (ns->pieces != NULL)
		memcpy(pieces, ns->pieces, ns->piece_count * sizeof pieces[0]);
	ns->pieces = pieces;
	ns->piece_room = room;
	atomic_store_explicit(&ns->spans, (struct mdg__span *)(void *)(pieces + room),
	                      memory_order_release);
	publish(ns, 0);
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
	publish(ns, at);
}

void mdg__piece_remove(struct mdg_namespace *ns, uint32_t at)
{
	ns->piece_count--;
	memmove(&ns->pieces[at], &ns->pieces[at + 1],
	        (ns->piece_count - at) * sizeof ns->pieces[0]);
	publish(ns, at);
}

void mdg__pieces_cut(struct mdg_namespace *ns, uintptr_t start, size_t length)
{
	mdg__pieces_cut_since(ns, start, length, mdg__pieces_now());
}

void mdg__pieces_cut_since(struct mdg_namespace *ns, uintptr_t start, size_t length,
                           uint32_t moment)
{
	uintptr_t last = start + (length - 1);
	for (uint32_t at = mdg__piece_after(ns, start); at < ns->piece_count;) {
		struct mdg__piece *piece = &ns->pieces[at], whole = *piece;
		uintptr_t piece_last = whole.start + (whole.length - 1);
		if (whole.start > last)
			return;
		if ((int32_t)(whole.born - moment) > 0) {
			at++;
			continue;
		}
		bool head_stays = whole.start<start, tail_stays = piece_last> last;
		struct mdg__piece tail = whole;
		tail.start = last + 1;
		tail.length = piece_last - last;
		tail.offset = whole.offset + (tail.start - whole.start);
		/* The kernel splits the area at each end of the cut, an attach, and lets
		 * go of what lies between, a detach. */
		if (head_stays || tail_stays) {
			mdg__stamp_attached(ns, whole.index);
			mdg__stamp_detached(ns, whole.index);
		}
		if (head_stays) {
			piece->length = start - whole.start;
			publish(ns, at);
			at++;
			if (tail_stays && mdg__pieces_reserve(ns, 1) == 0 &&
			    mdg__count_attached(ns, whole.index, whole.sequence) == 0)
				mdg__piece_insert(ns, tail);
		} else if (tail_stays) {
			*piece = tail;
			publish(ns, at);
			at++;
		} else {
			mdg__piece_remove(ns, at);
			mdg__stamp_detached(ns, whole.index);
			mdg__count_detached(ns, whole.index, whole.sequence);
		}
	}
}
