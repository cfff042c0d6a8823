/* SPDX-License-Identifier: MIT */
/*
 * wrap_open.c - open, openat, fopen and their kin, for the paths of table.c.
 *
 * Everything else goes on to the next definition, the C library's, with the
 * caller's arguments as they are. Only absolute paths are recognised: that is
 * how every reader of these files writes them.
 *
 * Only in the shared library: a program that contains libc has no "next".
 */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sysv/internal.h"

typedef int open_function(const char *, int, ...);
typedef int openat_function(int, const char *, int, ...);
typedef FILE *fopen_function(const char *, const char *);

/* The next definition of a name; `other` where the library has no such one. */
static void *next(void *_Atomic *kept, const char *name, const char *other)
{
	void *found = atomic_load_explicit(kept, memory_order_relaxed);
	if (found == NULL) {
		int before = errno;
		found = dlsym(RTLD_NEXT, name);
		if (found == NULL)
			found = dlsym(RTLD_NEXT, other);
		atomic_store_explicit(kept, found, memory_order_relaxed);
		errno = before;
	}
	return found;
}

#define NEXT(type, name, other) \
	__extension__({ \
		static void *_Atomic kept_; \
		void *found_ = next(&kept_, name, other); \
		__typeof__(type *) function_; \
		memcpy(&function_, &found_, sizeof found_); \
		function_; \
	})

/* The third argument is there only when a file may be made. */
#define MODE_AFTER(flags) \
	__extension__({ \
		mode_t mode_ = 0; \
		if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) { \
			va_list arguments_; \
			va_start(arguments_, flags); \
			mode_ = (mode_t)va_arg(arguments_, int); \
			va_end(arguments_); \
		} \
		mode_; \
	})

#define DEFINE_OPEN(name) \
	MDG_EXPORT int name(const char *path, int flags, ...); \
	MDG_EXPORT int name(const char *path, int flags, ...) \
	{ \
		mode_t mode = MODE_AFTER(flags); \
		int fd = mdg__sysv_open_table(path, flags); \
		return fd != -2 ? fd : NEXT(open_function, #name, "open")(path, flags, mode); \
	}

#define DEFINE_OPENAT(name) \
	MDG_EXPORT int name(int dirfd, const char *path, int flags, ...); \
	MDG_EXPORT int name(int dirfd, const char *path, int flags, ...) \
	{ \
		mode_t mode = MODE_AFTER(flags); \
		int fd = mdg__sysv_open_table(path, flags); \
		return fd != -2 ? fd \
		                : NEXT(openat_function, #name, "openat")(dirfd, path, flags, mode); \
	}

/* What <fcntl.h> makes of open() without a mode under _FORTIFY_SOURCE. */
#define DEFINE_OPEN_2(name, plain) \
	MDG_EXPORT int name(const char *path, int flags); \
	MDG_EXPORT int name(const char *path, int flags) \
	{ \
		int fd = mdg__sysv_open_table(path, flags); \
		return fd != -2 ? fd : NEXT(open_function, #name, plain)(path, flags); \
	}

#define DEFINE_OPENAT_2(name, plain) \
	MDG_EXPORT int name(int dirfd, const char *path, int flags); \
	MDG_EXPORT int name(int dirfd, const char *path, int flags) \
	{ \
		int fd = mdg__sysv_open_table(path, flags); \
		return fd != -2 ? fd : NEXT(openat_function, #name, plain)(dirfd, path, flags); \
	}

static FILE *stream_of(int fd)
{
	FILE *stream = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (stream == NULL && fd >= 0)
		(void)close(fd);
	return stream;
}

static int open_flags(const char *mode)
{
	int access = strchr(mode, '+') != NULL ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
	return access | (strchr(mode, 'e') != NULL ? O_CLOEXEC : 0);
}

#define DEFINE_FOPEN(name) \
	MDG_EXPORT FILE *name(const char *path, const char *mode); \
	MDG_EXPORT FILE *name(const char *path, const char *mode) \
	{ \
		int fd = mdg__sysv_open_table(path, open_flags(mode)); \
		return fd != -2 ? stream_of(fd) : NEXT(fopen_function, #name, "fopen")(path, mode); \
	}

#undef open
#undef open64
#undef openat
#undef openat64
#undef fopen
#undef fopen64
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)
DEFINE_OPEN_2(__open_2, "open")
DEFINE_OPEN_2(__open64_2, "open64")
DEFINE_OPENAT_2(__openat_2, "openat")
DEFINE_OPENAT_2(__openat64_2, "openat64")
DEFINE_FOPEN(fopen)
DEFINE_FOPEN(fopen64)
