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

void mdg__piece_change(struct mdg_namespace *ns, uint32_t at, struct mdg__piece piece)
{
	ns->pieces[at] = piece;
	publish(ns, at);
}
