/* SPDX-License-Identifier: MIT */
/*
 * ownmap.c - see ownmap.h.
 *
 * No flag of mmap(2) keeps a mapping from being locked. But a mapping that has been unlocked grows
 * unlocked, and what it grows by is not counted. So this code maps the first page, unlocks it, and
 * then grows the mapping. The limit has to leave room for that one page only.
 *
 * Some programs forbid themselves all system calls but a few. So munlock(2) is called only when the
 * page is locked. madvise(2), which tells whether the page is locked, and mremap(2) are calls that
 * malloc makes too. Where mremap is refused, the whole mapping is made at once.
 */
#include "platform/ownmap.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "platform/memory.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum { READ_AND_WRITE = PROT_READ | PROT_WRITE };

/* The kernel refuses to drop pages of a locked mapping. Nothing is in this one yet. */
static bool is_locked(void *memory, size_t length)
{
	return mdg__sys_madvise(memory, length, MADV_DONTNEED) == -EINVAL;
}

void mdg__unlock_own(void *memory, size_t length)
{
	(void)mdg__sys_munlock(memory, length);
}

/* Grows the mapping where it is if `stay` is set, and otherwise wherever there is room. */
static int grow(void *first, size_t page, size_t length, int stay, void **ret)
{
	int rc = stay ? mdg__sys_mremap(first, page, length, 0, NULL, ret) : -ENOMEM;
	return rc == 0 ? rc : mdg__sys_mremap(first, page, length, MREMAP_MAYMOVE, NULL, ret);
}

int mdg__map_own(void *hint, size_t length, int flags, int fd, uint64_t offset, void **ret)
{
	size_t page = mdg__page_size(), whole = (length + page - 1) / page * page;
	void *first;
	int rc = mdg__sys_mmap(hint, page, READ_AND_WRITE, flags, fd, offset, &first);
	if (rc < 0)
		return rc == -EAGAIN ? -ENOMEM : rc;
	if (is_locked(first, page))
		mdg__unlock_own(first, page);
	if (whole == page) {
		*ret = first;
		return 0;
	}
	rc = grow(first, page, whole, hint != NULL, ret);
	if (rc == 0)
		return 0;
	(void)mdg__sys_munmap(first, page);
	if (rc != -EPERM && rc != -ENOSYS && rc != -EACCES)
		return rc;
	rc = mdg__sys_mmap(hint, whole, READ_AND_WRITE, flags, fd, offset, ret);
	return rc == -EAGAIN ? -ENOMEM : rc;
}

/* ---- what is sparse ------------------------------------------------------------------------ */

/* Whether the kernel locks what is mapped now. */
static bool maps_are_locked(void)
{
	void *memory;
	size_t page = mdg__page_size();
	int rc = mdg__sys_mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory);
	if (rc < 0)
		return rc == -EAGAIN;
	bool locked = is_locked(memory, page);
	(void)mdg__sys_munmap(memory, page);
	return locked;
}

/* Grows the mapping of one page, which was made with these flags, to its length and place. */
static int grow_sparse(void *first, size_t length, void *address, int flags, void **ret)
{
	size_t page = mdg__page_size();
	if ((flags & MAP_FIXED) != 0)
		return mdg__sys_mremap(first, page, length, MREMAP_MAYMOVE | MREMAP_FIXED, address,
		                       ret);
	if ((flags & MAP_FIXED_NOREPLACE) == 0)
		return grow(first, page, length, 0, ret);
	if (mdg__sys_mremap(first, page, length, 0, NULL, ret) == 0)
		return 0;
	/* Is there no room there, or nowhere? */
	void *elsewhere;
	int rc = mdg__sys_mremap(first, page, length, MREMAP_MAYMOVE, NULL, &elsewhere);
	if (rc < 0)
		return rc;
	(void)mdg__sys_munmap(elsewhere, length);
	return -EEXIST;
}

int mdg__map_unlocked(void *address, size_t length, int protection, int flags, int fd, void **ret)
{
	size_t page = mdg__page_size(), whole = (length + page - 1) / page * page;
	void *first;
	if (!maps_are_locked())
		return mdg__sys_mmap(address, length, protection, flags, fd, 0, ret);
	bool replace = (flags & MAP_FIXED) != 0;
	int rc = mdg__sys_mmap(replace ? NULL : address, page, protection, flags & ~MAP_FIXED, fd,
	                       0, &first);
	if (rc < 0)
		return rc == -EAGAIN ? -ENOMEM : rc;
	mdg__unlock_own(first, page);
	rc = grow_sparse(first, whole, address, flags, ret);
	if (rc < 0 && rc != -EEXIST)
		(void)mdg__sys_munmap(first, page);
	return rc;
}
