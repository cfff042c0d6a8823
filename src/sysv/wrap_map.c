/* SPDX-License-Identifier: MIT */
/*
 * wrap_map.c - munmap, mmap, mremap of the program.
 *
 * A call that touches no attachment goes on to the next definition, as it is. The rest is
 * segment/hostmap.c's, in one of two ways:
 *   - Usually hostmap.c makes the system call with its locks held, so that nobody sees anything in
 *     between. That is right where nobody else wants to see the call: the next definition is the C
 *     library's, and begins with the same bytes as when we were loaded. A cache of registered
 *     memory may have written a jump over these bytes since.
 *   - Otherwise hostmap.c calls the next definition, without its locks.
 *
 * The static library makes the system call. So does the shared library before it has started: the
 * caller may then be an allocator that holds locks which the dynamic linker wants, so this code
 * must not ask the linker which definition is next.
 *
 * 32-bit: mmap takes a 32-bit offset, mmap64 a 64-bit one. This file is compiled without
 * _FILE_OFFSET_BITS, so that the two names stay two.
 */
#undef _FILE_OFFSET_BITS
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "segment/hostcalls.h"
#include "sysv/internal.h"

#if defined(MDG__SHARED)
#include "sysv/names.h"

enum { FIRST_BYTES = 16 };
static unsigned char first_bytes[MDG__NAMES_COUNT][FIRST_BYTES];

static const void *code_of(enum mdg__name_index which)
{
	return (const void *)mdg__next(which);
}

static bool is_libcs(enum mdg__name_index which)
{
	return mdg__next(which) != 0 &&
	       mdg__next(which) ==
	               atomic_load_explicit(&mdg__names[which].libc, memory_order_relaxed);
}

__attribute__((constructor)) static void note_first_bytes(void)
{
	static const enum mdg__name_index ours[] = { MDG__OF_munmap, MDG__OF_mmap, MDG__OF_mmap64,
		                                     MDG__OF_mremap };
	mdg__names_prepare();
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (is_libcs(ours[i]))
			memcpy(first_bytes[ours[i]], code_of(ours[i]), FIRST_BYTES);
}

/* The definition to call with an attachment's addresses; 0: nobody else wants to see the call. */
static uintptr_t observer(enum mdg__name_index which)
{
	return is_libcs(which) && memcmp(first_bytes[which], code_of(which), FIRST_BYTES) == 0
	               ? 0
	               : mdg__next(which);
}

#define NEXT(type, name)     ((type *)mdg__next(MDG__OF_##name))
#define OBSERVER(type, name) ((type *)observer(MDG__OF_##name))

#else

#define NEXT(type, name)     ((type *)NULL)
#define OBSERVER(type, name) NULL

#endif

MDG_EXPORT int munmap(void *address, size_t length)
{
	mdg__munmap_function *next = NEXT(mdg__munmap_function, munmap);
	bool touches = mdg__host_before_munmap(address, length);
	if (next != NULL && !touches)
		return next(address, length);
	return mdg__host_munmap(OBSERVER(mdg__munmap_function, munmap), address, length);
}

static bool is_harmless(const void *address, size_t length, int protection, int flags, int fd,
                        uint64_t offset)
{
	return !(flags & MDG__MAP_FIXED_ANY) ||
	       !mdg__host_before_mmap(address, length, protection, flags, fd, offset);
}

static __attribute__((noinline)) void *map(mdg__mmap_function *next, void *address, size_t length,
                                           int protection, int flags, int fd, uint64_t offset)
{
	if (next == NULL && offset % 4096 != 0) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	return mdg__host_mmap(next, address, length, protection, flags, fd, offset);
}

typedef void *mmap_function(void *, size_t, int, int, int, off_t);

#if !defined(__LP64__) && defined(MDG__SHARED)
/* The offset has 32 bits. The C library takes it as an unsigned number of pages. */
static void *short_observer(void *address, size_t length, int protection, int flags, int fd,
                            uint64_t offset)
{
	return NEXT(mmap_function, mmap)(address, length, protection, flags, fd, (off_t)offset);
}
#define MMAP_OBSERVER (observer(MDG__OF_mmap) == 0 ? NULL : short_observer)
#else
#define MMAP_OBSERVER OBSERVER(mdg__mmap_function, mmap)
#endif

MDG_EXPORT void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	mmap_function *next = NEXT(mmap_function, mmap);
	uint64_t wide = sizeof offset == 4 ? (uint64_t)(uint32_t)offset : (uint64_t)offset;
	bool harmless = is_harmless(address, length, protection, flags, fd, wide);
	if (next != NULL && harmless)
		return next(address, length, protection, flags, fd, offset);
	return map(MMAP_OBSERVER, address, length, protection, flags, fd, wide);
}

#if defined(__GLIBC__) || !defined(__LP64__)
#undef mmap64
MDG_EXPORT void *mmap64(void *address, size_t length, int protection, int flags, int fd,
                        off64_t offset);
MDG_EXPORT void *mmap64(void *address, size_t length, int protection, int flags, int fd,
                        off64_t offset)
{
	mdg__mmap_function *next = NEXT(mdg__mmap_function, mmap64);
	bool harmless = is_harmless(address, length, protection, flags, fd, (uint64_t)offset);
	if (next != NULL && harmless)
		return next(address, length, protection, flags, fd, (uint64_t)offset);
	return map(OBSERVER(mdg__mmap_function, mmap64), address, length, protection, flags, fd,
	           (uint64_t)offset);
}
#endif

static void *remap(void *address, size_t old_length, size_t length, int flags, void *new_address,
                   bool touches)
{
	mdg__mremap_function *next = NEXT(mdg__mremap_function, mremap);
	if (next != NULL && !touches)
		return next(address, old_length, length, flags, new_address);
	return mdg__host_mremap(OBSERVER(mdg__mremap_function, mremap), address, old_length, length,
	                        flags, new_address);
}

MDG_EXPORT void *mremap(void *address, size_t old_length, size_t length, int flags, ...)
{
	va_list arguments;
	void *new_address = NULL;
	va_start(arguments, flags);
	if (flags & MREMAP_FIXED)
		new_address = va_arg(arguments, void *);
	va_end(arguments);
	int wished = flags, before = errno;
	bool touches = mdg__host_before_mremap(address, old_length, length, &flags, new_address);
	void *memory = remap(address, old_length, length, flags, new_address, touches);
	if (memory == MAP_FAILED && mdg__host_mremap_again(address, old_length, wished, &flags)) {
		errno = before;
		memory = remap(address, old_length, length, flags, new_address, touches);
	}
	return memory;
}
