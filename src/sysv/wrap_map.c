/* SPDX-License-Identifier: MIT */
/*
 * wrap_map.c - munmap, mmap, mremap of the program: segment/hostmap.c does it.
 *
 * 32-bit: mmap takes a 32-bit offset, mmap64 a 64-bit one. This file is
 * compiled without _FILE_OFFSET_BITS, so that the two names stay two.
 */
#undef _FILE_OFFSET_BITS
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "segment/hostcalls.h"
#include "sysv/internal.h"

MDG_EXPORT int munmap(void *address, size_t length)
{
	return mdg__host_munmap(address, length);
}

static void *map(void *address, size_t length, int protection, int flags, int fd, uint64_t offset)
{
	if (offset % 4096 != 0) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	return mdg__host_mmap(address, length, protection, flags, fd, offset);
}

MDG_EXPORT void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	/* A 32-bit offset is as the C library passes it on: pages, unsigned. */
	return map(address, length, protection, flags, fd,
	           sizeof offset == 4 ? (uint64_t)(uint32_t)offset : (uint64_t)offset);
}

#if defined(__GLIBC__) || !defined(__LP64__)
#undef mmap64
MDG_EXPORT void *mmap64(void *address, size_t length, int protection, int flags, int fd,
                        off64_t offset);
MDG_EXPORT void *mmap64(void *address, size_t length, int protection, int flags, int fd,
                        off64_t offset)
{
	return map(address, length, protection, flags, fd, (uint64_t)offset);
}
#endif

MDG_EXPORT void *mremap(void *address, size_t old_length, size_t length, int flags, ...)
{
	va_list arguments;
	void *new_address = NULL;
	va_start(arguments, flags);
	if (flags & MREMAP_FIXED)
		new_address = va_arg(arguments, void *);
	va_end(arguments);
	return mdg__host_mremap(address, old_length, length, flags, new_address);
}
