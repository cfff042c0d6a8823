/* SPDX-License-Identifier: MIT */
/*
 * hostmap.c - what the program does to its mappings by itself.
 *
 * The kernel counts what is mapped. So libmadang-sysv passes the program's
 * munmap, mmap with MAP_FIXED and mremap through here: they do what they always
 * do, and an attachment that they touch is cut, moved or counted accordingly.
 * A call that touches none takes no lock: it may come from an allocator, below
 * a lock that a forking thread wants, which has ours.
 *
 * Not seen: system calls that the program makes without the C library, and
 * mprotect, mlock and madvise, which split a mapping for the kernel's count.
 *
 * Unlike the rest of the native library these behave as the calls they stand
 * for: -1 or MAP_FAILED, and errno.
 */
#include <errno.h>
#include <sys/mman.h>

#include "segment/hostcalls.h"
#include "segment/internal.h"

#define STRANGERS_MOST ((size_t)1 << 30) /* bytes that are looked at page by page */
#define MAP_FIXED_ANY (MAP_FIXED | 0x100000 /* MAP_FIXED_NOREPLACE */)

static void enter_all(mdg__sigmask *mask)
{
	mdg__signals_block(mask);
	mdg__list_lock();
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		mdg__enter_blocked(ns);
}

static void leave_all(const mdg__sigmask *mask)
{
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		mdg__leave_blocked(ns);
	mdg__list_unlock();
	mdg__signals_restore(mask);
}

/* Before the program's map is changed: what must not fail afterwards. */
static int reserve_all(void)
{
	int rc = 0;
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL && rc == 0; ns = ns->next)
		rc = mdg__pieces_reserve(ns, 2);
	return rc < 0 ? -ENOMEM : 0;
}

static void cut_all(uintptr_t start, size_t length)
{
	size_t page = mdg__page_size();
	length = (length + page - 1) / page * page;
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		if (length != 0)
			mdg__pieces_cut(ns, start, length);
}

int mdg__host_munmap(void *address, size_t length)
{
	mdg__sigmask mask;
	int rc;
	mdg__before_munmap((uintptr_t)address, length);
	if (!mdg__pieces_touch((uintptr_t)address, length)) {
		rc = mdg__sys_munmap(address, length);
	} else {
		enter_all(&mask);
		rc = reserve_all();
		if (rc == 0)
			rc = mdg__sys_munmap(address, length);
		if (rc == 0)
			cut_all((uintptr_t)address, length);
		leave_all(&mask);
	}
	if (rc < 0)
		errno = -rc;
	return rc < 0 ? -1 : 0;
}

void *mdg__host_mmap(void *address, size_t length, int protection, int flags, int fd,
                     uint64_t offset)
{
	mdg__sigmask mask;
	void *memory = MAP_FAILED;
	int rc;
	mdg__before_mmap((uintptr_t)address, length, protection, flags, fd, offset);
	if (!(flags & MAP_FIXED_ANY) || !mdg__pieces_touch((uintptr_t)address, length)) {
		rc = mdg__sys_mmap(address, length, protection, flags, fd, offset, &memory);
	} else {
		enter_all(&mask);
		rc = reserve_all();
		if (rc == 0)
			rc = mdg__sys_mmap(address, length, protection, flags, fd, offset, &memory);
		if (rc == 0)
			cut_all((uintptr_t)memory, length);
		leave_all(&mask);
	}
	if (rc < 0)
		errno = -rc;
	return rc < 0 ? MAP_FAILED : memory;
}

void mdg__others_cut(const struct mdg_namespace *but, uintptr_t start, size_t length)
{
	mdg__sigmask mask;
	if (mdg__namespaces->next == NULL)
		return; /* there is no other */
	enter_all(&mask);
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		if (ns != but && mdg__pieces_reserve(ns, 2) == 0)
			mdg__pieces_cut(ns, start, length);
	leave_all(&mask);
}

/* ---- mremap ----------------------------------------------------------------- */

/* The piece that holds `address`, if one of this namespace does. */
static struct mdg__piece *piece_at(struct mdg_namespace *ns, uintptr_t address)
{
	uint32_t at = mdg__piece_after(ns, address);
	if (at == ns->piece_count || ns->pieces[at].start > address)
		return NULL;
	return &ns->pieces[at];
}

/* The piece that holds `from`, whose end it is, became longer where it lies. */
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

static bool fit(const struct mdg__piece *left, const struct mdg__piece *right)
{
	return left->call == right->call && left->start + left->length == right->start &&
	       left->offset + left->length == right->offset;
}

/* Newer kernels make no new area of what mremap puts beside the rest of the same
 * attachment where it came from, but let the rest grow: no attach. Not on both sides at
 * once, as one of two areas would be gone. */
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

/* [from, from+old_length) now lies at [to, to+length). */
static void moved(struct mdg_namespace *ns, struct mdg__piece was, uintptr_t from,
                  size_t old_length, uintptr_t to, size_t length, bool copied)
{
	struct mdg__piece piece = was;
	piece.start = to;
	piece.length = length;
	piece.offset = was.offset + (from - was.start);
	mdg__pieces_cut(ns, to, length);
	/* Counted before it is uncounted, so that a removed segment stays. */
	if (!joined(ns, &piece) && mdg__count_attached(ns, was.index, was.sequence) == 0) {
		mdg__stamp_attached(ns, was.index);
		mdg__piece_insert(ns, piece);
	}
	if (!copied)
		mdg__pieces_cut(ns, from, old_length);
}

static size_t pages(size_t length)
{
	size_t page = mdg__page_size();
	return (length + page - 1) / page * page;
}

/* Whether the kernel refuses these arguments whatever is mapped. */
static bool remap_is_wrong(uintptr_t from, size_t old_length, size_t length, int flags,
                           uintptr_t to)
{
	size_t page = mdg__page_size();
	if (from % page != 0 || length == 0)
		return true;
	return (flags & MREMAP_FIXED) &&
	       (!(flags & MREMAP_MAYMOVE) || to % page != 0 ||
	        (from < to + length && to < from + old_length));
}

/* No mremap moves or grows an attachment together with what lies behind it. The files that
 * stand for attachments here have no such limit (Linux 6.17 moves several mappings at once,
 * and neighbours of one file are one mapping), so the limit is kept here. */
static bool leaves_piece(const struct mdg__piece *was, uintptr_t from, size_t old_length,
                         size_t length, int flags)
{
	bool moves = (flags & MREMAP_FIXED) || (flags & 4 /* MREMAP_DONTUNMAP */) ||
	             length > old_length;
	size_t kept = old_length < length ? old_length : length;
	return moves && kept > was->start + was->length - from;
}

/* Whether anything is mapped there: an mremap that changes nothing tells. */
static bool is_mapped(uintptr_t address)
{
	void *same;
	size_t page = mdg__page_size();
	return mdg__sys_mremap((void *)address, page, page, 0, NULL, &same) == 0;
}

/* The first address from this one on that a piece has. */
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

/* Something that does not begin with an attachment moves, at its length. Linux 6.17 moves all
 * mappings that are there up to the first attachment; holes between them stay holes, and an
 * attachment that comes to lie under a hole stays: so one after the other. */
static int move_strangers(uintptr_t from, size_t length, int flags, uintptr_t to)
{
	size_t page = mdg__page_size();
	uintptr_t piece = next_attached(from), end = from + length, stop;
	void *ignored;
	int rc = is_mapped(from) ? 0 : -EFAULT;
	for (uintptr_t at = from; rc == 0 && at < end; at = stop) {
		if (at >= piece)
			return -EFAULT;
		stop = at + page;
		if (!is_mapped(at))
			continue;
		while (stop < end && stop < piece && is_mapped(stop))
			stop += page;
		rc = mdg__sys_mremap((void *)at, stop - at, stop - at, flags,
		                     (void *)(to + (at - from)), &ignored);
		if (rc == 0)
			cut_all(to + (at - from), stop - at);
	}
	return rc;
}

/* An mremap that failed may have unmapped what was at its new address before. */
static void cut_unmapped(uintptr_t start, size_t length)
{
	size_t page = mdg__page_size();
	uintptr_t at = next_attached(start);
	for (; at < start + length; at = next_attached(at + page))
		if (!is_mapped(at))
			cut_all(at, page);
}

static int remap_entered(uintptr_t from, size_t old_length, size_t length, int flags,
                         void *new_address, void **ret)
{
	struct mdg_namespace *ns = mdg__namespaces;
	while (ns != NULL && piece_at(ns, from) == NULL)
		ns = ns->next;
	struct mdg__piece was = { 0 };
	if (reserve_all() < 0)
		return -ENOMEM;
	if (ns != NULL) {
		was = *piece_at(ns, from);
		int rc = mdg__pieces_reserve(ns, 4);
		if (rc < 0)
			return rc;
	}
	uintptr_t to = (uintptr_t)new_address;
	bool wrong = remap_is_wrong(from, pages(old_length), pages(length), flags, to);
	if (!wrong && ns != NULL &&
	    leaves_piece(&was, from, pages(old_length), pages(length), flags))
		return -EFAULT;
	if (!wrong && ns == NULL && (flags & MREMAP_FIXED) &&
	    pages(old_length) == pages(length) && length <= STRANGERS_MOST) {
		*ret = new_address;
		return move_strangers(from, pages(length), flags, to);
	}
	int rc = mdg__sys_mremap((void *)from, old_length, length, flags, new_address, ret);
	if (rc < 0 && !wrong && (flags & MREMAP_FIXED))
		cut_unmapped(to, pages(length));
	if (rc < 0)
		return rc;
	old_length = pages(old_length);
	length = pages(length);
	if (flags & MREMAP_FIXED) /* whatever was there is gone */
		cut_all((uintptr_t)*ret, length);
	if (old_length > length) { /* first the kernel unmaps what is too much */
		cut_all(from + length, old_length - length);
		old_length = length;
	}
	bool copied = old_length == 0 || (flags & 4 /* MREMAP_DONTUNMAP */) != 0;
	if (ns != NULL && !copied && (uintptr_t)*ret == from)
		grown(ns, from, length - old_length);
	else if (ns != NULL)
		moved(ns, was, from, old_length, (uintptr_t)*ret, length, copied);
	return 0;
}

void *mdg__host_mremap(void *address, size_t old_length, size_t length, int flags,
                       void *new_address)
{
	mdg__sigmask mask;
	void *memory = MAP_FAILED;
	int rc;
	flags = mdg__before_mremap((uintptr_t)address, old_length, length, flags,
	                           (uintptr_t)new_address);
	if (!mdg__pieces_touch((uintptr_t)address, old_length + 1) &&
	    !((flags & MREMAP_FIXED) && mdg__pieces_touch((uintptr_t)new_address, length))) {
		rc = mdg__sys_mremap(address, old_length, length, flags, new_address, &memory);
	} else {
		enter_all(&mask);
		rc = remap_entered((uintptr_t)address, old_length, length, flags, new_address,
		                   &memory);
		leave_all(&mask);
	}
	if (rc < 0)
		errno = -rc;
	return rc < 0 ? MAP_FAILED : memory;
}
