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
 * What makes the call in the end is the system call, with our locks held; or a
 * function of a library behind us that wants to see it as well (a profiler, a
 * cache of registered memory). Such a function may do anything: call malloc,
 * take a lock that another thread holds while that waits for ours, call shmdt.
 * So it is called with no lock of ours and with the program's own signal mask,
 * and what it did is noted afterwards. In between:
 *
 * - another thread may get the addresses that were just unmapped. A piece that
 *   is younger than the call is none of those that it unmapped, and attach.c
 *   takes an older one out where the kernel has given the addresses out anew.
 * - a process may be forked. The child looks at its first call which of the
 *   pieces it has (mdg__host_look_again); until then one may be counted that
 *   was unmapped already, never the other way round.
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

static bool touches(const void *address, size_t length)
{
	return mdg__pieces_touch((uintptr_t)address, length);
}

static bool remap_touches(const void *address, size_t old_length, size_t length, int flags,
                          const void *new_address)
{
	return touches(address, old_length + 1) ||
	       ((flags & MREMAP_FIXED) && touches(new_address, length));
}

/* ---- before the call ---------------------------------------------------------- */

bool mdg__host_before_munmap(const void *address, size_t length)
{
	mdg__before_munmap((uintptr_t)address, length);
	return touches(address, length);
}

bool mdg__host_before_mmap(const void *address, size_t length, int protection, int flags, int fd,
                           uint64_t offset)
{
	mdg__before_mmap((uintptr_t)address, length, protection, flags, fd, offset);
	return (flags & MDG__MAP_FIXED_ANY) && touches(address, length);
}

bool mdg__host_before_mremap(const void *address, size_t old_length, size_t length, int *flags,
                             const void *new_address)
{
	*flags = mdg__before_mremap((uintptr_t)address, old_length, length, *flags,
	                            (uintptr_t)new_address);
	return remap_touches(address, old_length, length, *flags, new_address);
}

/* ---- passing on --------------------------------------------------------------- */

/* One call of the program's. */
struct host {
	mdg__sigmask mask;
	uint32_t moment; /* pieces that are younger are not meant */
	int error;       /* errno after the last call of `next`; -1: there was none */
};

static _Atomic uint32_t under_way;

static void begin(struct host *host)
{
	enter_all(&host->mask);
	host->moment = mdg__pieces_now();
	host->error = -1;
}

/* Gives all back; errno as the call has left it. */
static void end(struct host *host, int rc)
{
	leave_all(&host->mask);
	if (host->error >= 0)
		errno = host->error;
	else if (rc < 0)
		errno = -rc;
}

static void step_out(struct host *host)
{
	host->moment = mdg__pieces_end_moment();
	(void)atomic_fetch_add(&under_way, 1);
	leave_all(&host->mask);
}

static int step_in(struct host *host, bool failed)
{
	host->error = errno;
	enter_all(&host->mask);
	(void)atomic_fetch_sub(&under_way, 1);
	(void)reserve_all(); /* others may have used what was; cutting does without */
	return !failed ? 0 : host->error > 0 ? -host->error : -EINVAL;
}

static int call_munmap(struct host *host, mdg__munmap_function *next, void *address, size_t length)
{
	if (next == NULL)
		return mdg__sys_munmap(address, length);
	step_out(host);
	int rc = next(address, length);
	return step_in(host, rc != 0);
}

static int call_mremap(struct host *host, mdg__mremap_function *next, void *address,
                       size_t old_length, size_t length, int flags, void *new_address, void **ret)
{
	if (next == NULL)
		return mdg__sys_mremap(address, old_length, length, flags, new_address, ret);
	step_out(host);
	*ret = next(address, old_length, length, flags, new_address);
	return step_in(host, *ret == MAP_FAILED);
}

static void cut_all(const struct host *host, uintptr_t start, size_t length)
{
	size_t page = mdg__page_size();
	length = (length + page - 1) / page * page;
	for (struct mdg_namespace *ns = mdg__namespaces; ns != NULL; ns = ns->next)
		if (length != 0)
			mdg__pieces_cut_since(ns, start, length, host->moment);
}

int mdg__host_munmap(mdg__munmap_function *next, void *address, size_t length)
{
	struct host host;
	int rc;
	if (next == NULL && !touches(address, length)) {
		rc = mdg__sys_munmap(address, length);
		return rc == 0 ? 0 : (errno = -rc, -1);
	}
	begin(&host);
	rc = reserve_all();
	if (rc == 0)
		rc = call_munmap(&host, next, address, length);
	if (rc == 0)
		cut_all(&host, (uintptr_t)address, length);
	end(&host, rc);
	return rc < 0 ? -1 : 0;
}

void *mdg__host_mmap(mdg__mmap_function *next, void *address, size_t length, int protection,
                     int flags, int fd, uint64_t offset)
{
	struct host host;
	void *memory = MAP_FAILED;
	int rc;
	if (next == NULL && (!(flags & MDG__MAP_FIXED_ANY) || !touches(address, length))) {
		rc = mdg__sys_mmap(address, length, protection, flags, fd, offset, &memory);
		return rc == 0 ? memory : (errno = -rc, MAP_FAILED);
	}
	begin(&host);
	rc = reserve_all();
	if (rc == 0 && next == NULL) {
		rc = mdg__sys_mmap(address, length, protection, flags, fd, offset, &memory);
	} else if (rc == 0) {
		step_out(&host);
		memory = next(address, length, protection, flags, fd, offset);
		rc = step_in(&host, memory == MAP_FAILED);
	}
	if (rc == 0)
		cut_all(&host, (uintptr_t)memory, length);
	end(&host, rc);
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
static void moved(const struct host *host, struct mdg_namespace *ns, struct mdg__piece was,
                  uintptr_t from, size_t old_length, uintptr_t to, size_t length, bool copied)
{
	struct mdg__piece piece = was;
	piece.start = to;
	piece.length = length;
	piece.offset = was.offset + (from - was.start);
	mdg__pieces_cut_since(ns, to, length, host->moment);
	/* Counted before it is uncounted, so that a removed segment stays. */
	if (!joined(ns, &piece) && mdg__count_attached(ns, was.index, was.sequence) == 0) {
		mdg__stamp_attached(ns, was.index);
		piece.born = mdg__pieces_now();
		mdg__piece_insert(ns, piece);
	}
	if (!copied)
		mdg__pieces_cut_since(ns, from, old_length, host->moment);
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
static int move_strangers(struct host *host, mdg__mremap_function *next, uintptr_t from,
                          size_t length, int flags, uintptr_t to)
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
		rc = call_mremap(host, next, (void *)at, stop - at, stop - at, flags,
		                 (void *)(to + (at - from)), &ignored);
		if (rc == 0)
			cut_all(host, to + (at - from), stop - at);
	}
	return rc;
}

/* An mremap that failed may have unmapped what was at its new address before. */
static void cut_unmapped(const struct host *host, uintptr_t start, size_t length)
{
	size_t page = mdg__page_size();
	uintptr_t at = next_attached(start);
	for (; at < start + length; at = next_attached(at + page))
		if (!is_mapped(at))
			cut_all(host, at, page);
}

static int remap_entered(struct host *host, mdg__mremap_function *next, uintptr_t from,
                         size_t old_length, size_t length, int flags, void *new_address,
                         void **ret)
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
		return move_strangers(host, next, from, pages(length), flags, to);
	}
	int rc = call_mremap(host, next, (void *)from, old_length, length, flags, new_address, ret);
	if (rc < 0 && !wrong && (flags & MREMAP_FIXED))
		cut_unmapped(host, to, pages(length));
	if (rc < 0)
		return rc;
	old_length = pages(old_length);
	length = pages(length);
	if (flags & MREMAP_FIXED) /* whatever was there is gone */
		cut_all(host, (uintptr_t)*ret, length);
	if (old_length > length) { /* first the kernel unmaps what is too much */
		cut_all(host, from + length, old_length - length);
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
	begin(&host);
	rc = remap_entered(&host, next, (uintptr_t)address, old_length, length, flags, new_address,
	                   &memory);
	end(&host, rc);
	return rc < 0 ? MAP_FAILED : memory;
}

/* ---- forked while a call was on its way ------------------------------------------- */

bool mdg__host_is_under_way(void)
{
	return atomic_load(&under_way) != 0;
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
			if (!is_mapped(hole))
				mdg__pieces_cut(ns, hole, page);
		if (from == 0)
			return;
	}
}
