/* SPDX-License-Identifier: MIT */
/*
 * hostremap.c - mremap of the program: attachments that it moves, cuts or makes longer.
 */
#include <errno.h>
#include <sys/mman.h>

#include "segment/hostcall.h"
#include "segment/hostcalls.h"

#define STRANGERS_MOST ((size_t)1 << 30) /* bytes that are looked at page by page */

static bool remap_touches(const void *address, size_t old_length, size_t length, int flags,
                          const void *new_address)
{
	return mdg__pieces_touch((uintptr_t)address, old_length + 1) ||
	       ((flags & MREMAP_FIXED) && mdg__pieces_touch((uintptr_t)new_address, length));
}

bool mdg__host_before_mremap(const void *address, size_t old_length, size_t length, int *flags,
                             const void *new_address)
{
	*flags = mdg__before_mremap((uintptr_t)address, old_length, length, *flags,
	                            (uintptr_t)new_address);
	return remap_touches(address, old_length, length, *flags, new_address);
}

/* There was room to grow when hostheld.c tried. Another thread has taken the room since. */
bool mdg__host_mremap_again(const void *address, size_t old_length, int wished, int *flags)
{
	if (*flags == wished || errno != ENOMEM)
		return false;
	mdg__before_move((uintptr_t)address, old_length);
	*flags = wished;
	return true;
}

static int call_mremap(struct host *host, mdg__mremap_function *next, void *address,
                       size_t old_length, size_t length, int flags, void *new_address, void **ret)
{
	if (next == NULL)
		return mdg__sys_mremap(address, old_length, length, flags, new_address, ret);
	mdg__host_step_out(host);
	*ret = next(address, old_length, length, flags, new_address);
	return mdg__host_step_in(host, *ret == MAP_FAILED);
}

/* The piece of this namespace that contains `address`; NULL: there is none. */
static struct mdg__piece *piece_at(struct mdg_namespace *ns, uintptr_t address)
{
	uint32_t at = mdg__piece_after(ns, address);
	if (at == ns->piece_count || ns->pieces[at].start > address)
		return NULL;
	return &ns->pieces[at];
}

/* The piece that contains `from` became longer where it lies. */
static void grown(struct mdg_namespace *ns, uintptr_t from, size_t more)
{
	struct mdg__piece *found = piece_at(ns, from);
	if (found == NULL || more == 0)
		return;
	struct mdg__piece piece = *found;
	piece.length += more;
	mdg__piece_remove(ns, (uint32_t)(found - ns->pieces));
	mdg__piece_insert(ns, piece);
}

/* Whether two pieces of the same attachment lie side by side, as they do in the segment. */
static bool fit(const struct mdg__piece *left, const struct mdg__piece *right)
{
	return left->call == right->call && left->start + left->length == right->start &&
	       left->offset + left->length == right->offset;
}

/* mremap may put a piece back beside the rest of its attachment. Newer kernels then make the rest
 * longer, and no new area, so that is no attach. The piece joins one neighbour only: to join both
 * would make one area of two. */
static bool joined(struct mdg_namespace *ns, const struct mdg__piece *piece)
{
	uint32_t at = mdg__piece_after(ns, piece->start);
	struct mdg__piece whole;
	if (at > 0 && fit(&ns->pieces[at - 1], piece)) {
		whole = ns->pieces[--at];
	} else if (at < ns->piece_count && fit(piece, &ns->pieces[at])) {
		whole = ns->pieces[at];
		whole.start = piece->start;
		whole.offset = piece->offset;
	} else {
		return false;
	}
	whole.length += piece->length;
	mdg__piece_remove(ns, at);
	mdg__piece_insert(ns, whole);
	return true;
}

/* [from, from+old_length) of the piece `was` now lies at [to, to+length). */
static void moved(const struct host *host, struct mdg_namespace *ns, struct mdg__piece was,
                  uintptr_t from, size_t old_length, uintptr_t to, size_t length, bool copied)
{
	struct mdg__piece piece = was;
	piece.start = to;
	piece.length = length;
	piece.offset = was.offset + (from - was.start);
	mdg__pieces_cut_since(ns, to, length, host->moment);
	/* The new piece is counted before the old one is uncounted, so that a removed segment
	 * stays. */
	if (!joined(ns, &piece) && mdg__count_attached(ns, was.index, was.sequence) == 0) {
		mdg__stamp_attached(ns, was.index);
		piece.born = mdg__pieces_now();
		mdg__piece_insert(ns, piece);
	}
	if (!copied)
		mdg__pieces_cut_since(ns, from, old_length, host->moment);
}

/* Whether the kernel refuses these arguments whatever is mapped. */
static bool remap_is_wrong(uintptr_t from, size_t old_length, size_t length, int flags,
                           uintptr_t to)
{
	size_t page = mdg__page_size();
	if (from % page != 0 || length == 0)
		return true;
	return (flags & MREMAP_FIXED) && (!(flags & MREMAP_MAYMOVE) || to % page != 0 ||
	                                  (from < to + length && to < from + old_length));
}

/* For the kernel's segments, mremap never moves or grows an attachment together with what lies
 * behind it. Files have no such limit: Linux 6.17 moves several mappings at once, and neighbours of
 * one file are one mapping. So the limit is kept here. */
static bool leaves_piece(const struct mdg__piece *was, uintptr_t from, size_t old_length,
                         size_t length, int flags)
{
	bool moves =
		(flags & MREMAP_FIXED) || (flags & 4 /* MREMAP_DONTUNMAP */) || length > old_length;
	size_t kept = old_length < length ? old_length : length;
	return moves && kept > was->start + was->length - from;
}

/* The first address from this one on that lies in a piece of any namespace. */
static uintptr_t next_attached(uintptr_t address)
{
	uintptr_t first = UINTPTR_MAX;
	for (const struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next) {
		uint32_t at = mdg__piece_after(ns, address);
		if (at < ns->piece_count && ns->pieces[at].start < first)
			first = ns->pieces[at].start;
	}
	return first > address ? first : address;
}

/* Moves memory that does not begin with an attachment, and does not change its length. Linux 6.17
 * moves all mappings up to the first attachment, with the holes between them. An attachment at the
 * new place stays where a hole comes to lie over it. So the mappings are moved one by one. */
static int move_strangers(struct host *host, mdg__mremap_function *next, uintptr_t from,
                          size_t length, int flags, uintptr_t to)
{
	size_t page = mdg__page_size();
	uintptr_t piece = next_attached(from), end = from + length, stop;
	void *ignored;
	int rc = mdg__host_is_mapped(from) ? 0 : -EFAULT;
	for (uintptr_t at = from; rc == 0 && at < end; at = stop) {
		if (at >= piece)
			return -EFAULT;
		stop = at + page;
		if (!mdg__host_is_mapped(at))
			continue;
		while (stop < end && stop < piece && mdg__host_is_mapped(stop))
			stop += page;
		rc = call_mremap(host, next, (void *)at, stop - at, stop - at, flags,
		                 (void *)(to + (at - from)), &ignored);
		if (rc == 0)
			mdg__host_cut(host, to + (at - from), stop - at);
	}
	return rc;
}

/* An mremap that fails may have unmapped already what was at its new address. */
static void cut_unmapped(const struct host *host, uintptr_t start, size_t length)
{
	size_t page = mdg__page_size();
	uintptr_t at = next_attached(start);
	for (; at < start + length; at = next_attached(at + page))
		if (!mdg__host_is_mapped(at))
			mdg__host_cut(host, at, page);
}

static int remap_entered(struct host *host, mdg__mremap_function *next, uintptr_t from,
                         size_t old_length, size_t length, int flags, void *new_address, void **ret)
{
	struct mdg_namespace *ns = mdg__namespaces;
	while (ns != NULL && piece_at(ns, from) == NULL)
		ns = ns->next;
	struct mdg__piece was = { 0 };
	if (mdg__host_reserve() < 0)
		return -ENOMEM;
	if (ns != NULL) {
		was = *piece_at(ns, from);
		int rc = mdg__pieces_reserve(ns, 4);
		if (rc < 0)
			return rc;
	}
	uintptr_t to = (uintptr_t)new_address;
	bool wrong = remap_is_wrong(from, mdg__whole_pages(old_length), mdg__whole_pages(length),
	                            flags, to);
	if (!wrong && ns != NULL &&
	    leaves_piece(&was, from, mdg__whole_pages(old_length), mdg__whole_pages(length), flags))
		return -EFAULT;
	if (!wrong && ns == NULL && (flags & MREMAP_FIXED) &&
	    mdg__whole_pages(old_length) == mdg__whole_pages(length) && length <= STRANGERS_MOST) {
		*ret = new_address;
		return move_strangers(host, next, from, mdg__whole_pages(length), flags, to);
	}
	int rc = call_mremap(host, next, (void *)from, old_length, length, flags, new_address, ret);
	if (rc < 0 && !wrong && (flags & MREMAP_FIXED))
		cut_unmapped(host, to, mdg__whole_pages(length));
	if (rc < 0)
		return rc;
	old_length = mdg__whole_pages(old_length);
	length = mdg__whole_pages(length);
	if (flags & MREMAP_FIXED) /* whatever was there is gone */
		mdg__host_cut(host, (uintptr_t)*ret, length);
	if (old_length > length) { /* first the kernel unmaps what is too much */
		mdg__host_cut(host, from + length, old_length - length);
		old_length = length;
	}
	bool copied = old_length == 0 || (flags & 4 /* MREMAP_DONTUNMAP */) != 0;
	if (ns != NULL && !copied && (uintptr_t)*ret == from)
		grown(ns, from, length - old_length);
	else if (ns != NULL)
		moved(host, ns, was, from, old_length, (uintptr_t)*ret, length, copied);
	return 0;
}

void *mdg__host_mremap(mdg__mremap_function *next, void *address, size_t old_length, size_t length,
                       int flags, void *new_address)
{
	struct host host;
	void *memory = MAP_FAILED;
	int rc;
	if (next == NULL && !remap_touches(address, old_length, length, flags, new_address)) {
		rc = mdg__sys_mremap(address, old_length, length, flags, new_address, &memory);
		return rc == 0 ? memory : (errno = -rc, MAP_FAILED);
	}
	mdg__host_begin(&host);
	rc = remap_entered(&host, next, (uintptr_t)address, old_length, length, flags, new_address,
	                   &memory);
	mdg__host_end(&host, rc);
	return rc < 0 ? MAP_FAILED : memory;
}
