/* SPDX-License-Identifier: MIT */
/* See observer.h. */
#include "observer.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>

#undef mmap64

struct observer observer;
int wrapper_calls(void);

int wrapper_calls(void)
{
	return observer.gets;
}

/* dlsym gives data; a function's address is copied out of it. */
#define NEXT(type, name)                                                                           \
	type *next;                                                                                \
	do {                                                                                       \
		void *found = dlsym(RTLD_NEXT, name);                                              \
		memcpy(&next, &found, sizeof found);                                               \
	} while (0)

static int refused(void)
{
	int error = observer.hook != NULL ? observer.hook(0) : 0;
	if (error != 0)
		errno = error;
	return error;
}

static void passed(void)
{
	int before = errno;
	if (observer.hook != NULL)
		(void)observer.hook(1);
	errno = before;
}

typedef void *mmap_function(void *, size_t, int, int, int, off_t);
typedef int munmap_function(void *, size_t);
typedef void *mremap_function(void *, size_t, size_t, int, ...);
typedef int shmget_function(key_t, size_t, int);

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	NEXT(mmap_function, "mmap");
	observer.maps++;
	if ((flags & MAP_FIXED) && refused() != 0)
		return MAP_FAILED;
	void *memory = next(address, length, protection, flags, fd, offset);
	if (flags & MAP_FIXED)
		passed();
	return memory;
}

int munmap(void *address, size_t length)
{
	NEXT(munmap_function, "munmap");
	observer.unmaps++;
	if (refused() != 0)
		return -1;
	int rc = next(address, length);
	passed();
	return rc;
}

void *mremap(void *address, size_t old_length, size_t length, int flags, ...)
{
	NEXT(mremap_function, "mremap");
	va_list arguments;
	void *to = NULL;
	va_start(arguments, flags);
	if (flags & MREMAP_FIXED)
		to = va_arg(arguments, void *);
	va_end(arguments);
	observer.remaps++;
	if (refused() != 0)
		return MAP_FAILED;
	void *memory = next(address, old_length, length, flags, to);
	passed();
	return memory;
}

int shmget(key_t key, size_t size, int flags)
{
	NEXT(shmget_function, "shmget");
	observer.gets++;
	return next(key, size, flags);
}
