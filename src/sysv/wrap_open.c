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

#include "platform/sys.h"
#include "sysv/internal.h"

typedef int open_function(const char *, int, ...);
typedef int openat_function(int, const char *, int, ...);
typedef FILE *fopen_function(const char *, const char *);

/* The functions wrapped here: with the name of the next definition, and the
 * name to take where the C library has no such one. */
enum wrapped {
	NEXT_OPEN, NEXT_OPEN64, NEXT_OPENAT, NEXT_OPENAT64, NEXT_OPEN_2, NEXT_OPEN64_2,
	NEXT_OPENAT_2, NEXT_OPENAT64_2, NEXT_FOPEN, NEXT_FOPEN64, NEXTS
};
static const struct { const char *name, *other; } names[NEXTS] = {
	[NEXT_OPEN] = { "open", "open" }, [NEXT_OPEN64] = { "open64", "open" },
	[NEXT_OPENAT] = { "openat", "openat" }, [NEXT_OPENAT64] = { "openat64", "openat" },
	[NEXT_OPEN_2] = { "__open_2", "open" }, [NEXT_OPEN64_2] = { "__open64_2", "open64" },
	[NEXT_OPENAT_2] = { "__openat_2", "openat" },
	[NEXT_OPENAT64_2] = { "__openat64_2", "openat64" },
	[NEXT_FOPEN] = { "fopen", "fopen" }, [NEXT_FOPEN64] = { "fopen64", "fopen" },
};
static void *_Atomic found[NEXTS];

static void *next(enum wrapped which)
{
	void *function = atomic_load_explicit(&found[which], memory_order_relaxed);
	if (function == NULL) {
		int before = errno;
		function = dlsym(RTLD_NEXT, names[which].name);
		if (function == NULL) {
			(void)dlerror(); /* that it is missing is not the program's error */
			function = dlsym(RTLD_NEXT, names[which].other);
		}
		atomic_store_explicit(&found[which], function, memory_order_relaxed);
		errno = before;
	}
	return function;
}

/* While nothing else runs: later the first call may come in a signal handler, or
 * in a child whose other threads had the dynamic linker's lock. */
__attribute__((constructor)) static void find_all(void)
{
	for (enum wrapped which = 0; which < NEXTS; which++)
		(void)next(which);
}

#define NEXT(type, which) \
	__extension__({ \
		void *found_ = next(which); \
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

#define DEFINE_OPEN(name, which) \
	MDG_EXPORT int name(const char *path, int flags, ...); \
	MDG_EXPORT int name(const char *path, int flags, ...) \
	{ \
		mode_t mode = MODE_AFTER(flags); \
		int fd = mdg__sysv_open_table(path, flags); \
		return fd != -2 ? fd : NEXT(open_function, which)(path, flags, mode); \
	}

#define DEFINE_OPENAT(name, which) \
	MDG_EXPORT int name(int dirfd, const char *path, int flags, ...); \
	MDG_EXPORT int name(int dirfd, const char *path, int flags, ...) \
	{ \
		mode_t mode = MODE_AFTER(flags); \
		int fd = mdg__sysv_open_table(path, flags); \
		return fd != -2 ? fd \
		                : NEXT(openat_function, which)(dirfd, path, flags, mode); \
	}

/* What <fcntl.h> makes of open() without a mode under _FORTIFY_SOURCE. */
#define DEFINE_OPEN_2(name, which) \
	MDG_EXPORT int name(const char *path, int flags); \
	MDG_EXPORT int name(const char *path, int flags) \
	{ \
		int fd = mdg__sysv_open_table(path, flags); \
		return fd != -2 ? fd : NEXT(open_function, which)(path, flags); \
	}

#define DEFINE_OPENAT_2(name, which) \
	MDG_EXPORT int name(int dirfd, const char *path, int flags); \
	MDG_EXPORT int name(int dirfd, const char *path, int flags) \
	{ \
		int fd = mdg__sysv_open_table(path, flags); \
		return fd != -2 ? fd : NEXT(openat_function, which)(dirfd, path, flags); \
	}

static FILE *stream_of(int fd)
{
	FILE *stream = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (stream == NULL && fd >= 0)
		(void)mdg__sys_close(fd);
	return stream;
}

static int open_flags(const char *mode)
{
	int access = strchr(mode, '+') != NULL ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
	return access | (strchr(mode, 'e') != NULL ? O_CLOEXEC : 0);
}

#define DEFINE_FOPEN(name, which) \
	MDG_EXPORT FILE *name(const char *path, const char *mode); \
	MDG_EXPORT FILE *name(const char *path, const char *mode) \
	{ \
		int fd = mdg__sysv_open_table(path, open_flags(mode)); \
		return fd != -2 ? stream_of(fd) : NEXT(fopen_function, which)(path, mode); \
	}

#undef open
#undef open64
#undef openat
#undef openat64
#undef fopen
#undef fopen64
DEFINE_OPEN(open, NEXT_OPEN)
DEFINE_OPEN(open64, NEXT_OPEN64)
DEFINE_OPENAT(openat, NEXT_OPENAT)
DEFINE_OPENAT(openat64, NEXT_OPENAT64)
DEFINE_OPEN_2(__open_2, NEXT_OPEN_2)
DEFINE_OPEN_2(__open64_2, NEXT_OPEN64_2)
DEFINE_OPENAT_2(__openat_2, NEXT_OPENAT_2)
DEFINE_OPENAT_2(__openat64_2, NEXT_OPENAT64_2)
DEFINE_FOPEN(fopen, NEXT_FOPEN)
DEFINE_FOPEN(fopen64, NEXT_FOPEN64)
