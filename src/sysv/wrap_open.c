/* SPDX-License-Identifier: MIT */
/*
 * wrap_open.c - open, openat, creat, fopen, freopen and their kin, for the paths of proc.h.
 *
 * Everything else goes on to the next definition, the C library's, with the
 * caller's arguments as they are.
 *
 * Only in the shared library: a program that contains libc has no "next".
 */
#undef _FILE_OFFSET_BITS
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "platform/sys.h"
#include "sysv/internal.h"
#include "sysv/names.h"
#include "sysv/proc.h"

typedef int open_function(const char *, int, ...);
typedef int openat_function(int, const char *, int, ...);
typedef int creat_function(const char *, mode_t);
typedef FILE *fopen_function(const char *, const char *);
typedef FILE *freopen_function(const char *, const char *, FILE *);

/* The next definition of a name, or of the other name where the C library does not have the
 * first. */
static uintptr_t next_or(enum mdg__name_index which, enum mdg__name_index other)
{
	uintptr_t next = mdg__next_ready(which);
	return next != 0 ? next : mdg__next_ready(other);
}

#define NEXT(type, name, other) ((type *)next_or(MDG__OF_##name, MDG__OF_##other))

/* The caller gives a third argument only when a file may be made. */
#define MODE_AFTER(flags)                                                                          \
	__extension__({                                                                            \
		mode_t mode_ = 0;                                                                  \
		if (((flags)&O_CREAT) || ((flags)&O_TMPFILE) == O_TMPFILE) {                       \
			va_list arguments_;                                                        \
			va_start(arguments_, flags);                                               \
			mode_ = (mode_t)va_arg(arguments_, int);                                   \
			va_end(arguments_);                                                        \
		}                                                                                  \
		mode_;                                                                             \
	})

#define DEFINE_OPEN(name, other)                                                                   \
	MDG_EXPORT int name(const char *path, int flags, ...);                                     \
	MDG_EXPORT int name(const char *path, int flags, ...)                                      \
	{                                                                                          \
		mode_t mode = MODE_AFTER(flags);                                                   \
		int fd = mdg__sysv_open_table(AT_FDCWD, path, flags);                              \
		return fd != -2 ? fd : NEXT(open_function, name, other)(path, flags, mode);        \
	}

#define DEFINE_OPENAT(name, other)                                                                 \
	MDG_EXPORT int name(int dirfd, const char *path, int flags, ...);                          \
	MDG_EXPORT int name(int dirfd, const char *path, int flags, ...)                           \
	{                                                                                          \
		mode_t mode = MODE_AFTER(flags);                                                   \
		int fd = mdg__sysv_open_table(dirfd, path, flags);                                 \
		return fd != -2 ? fd                                                               \
		                : NEXT(openat_function, name, other)(dirfd, path, flags, mode);    \
	}

/* Under _FORTIFY_SOURCE, <fcntl.h> turns an open() without a mode into this. */
#define DEFINE_OPEN_2(name, other)                                                                 \
	MDG_EXPORT int name(const char *path, int flags);                                          \
	MDG_EXPORT int name(const char *path, int flags)                                           \
	{                                                                                          \
		int fd = mdg__sysv_open_table(AT_FDCWD, path, flags);                              \
		return fd != -2 ? fd : NEXT(open_function, name, other)(path, flags);              \
	}

#define DEFINE_OPENAT_2(name, other)                                                               \
	MDG_EXPORT int name(int dirfd, const char *path, int flags);                               \
	MDG_EXPORT int name(int dirfd, const char *path, int flags)                                \
	{                                                                                          \
		int fd = mdg__sysv_open_table(dirfd, path, flags);                                 \
		return fd != -2 ? fd : NEXT(openat_function, name, other)(dirfd, path, flags);     \
	}

#define DEFINE_CREAT(name, other)                                                                  \
	MDG_EXPORT int name(const char *path, mode_t mode);                                        \
	MDG_EXPORT int name(const char *path, mode_t mode)                                         \
	{                                                                                          \
		int fd = mdg__sysv_open_table(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC);       \
		return fd != -2 ? fd : NEXT(creat_function, name, other)(path, mode);              \
	}

static FILE *stream_of(int fd, const char *mode)
{
	FILE *stream = fd >= 0 ? fdopen(fd, mode) : NULL;
	if (stream == NULL && fd >= 0)
		(void)mdg__sys_close(fd);
	return stream;
}

static int open_flags(const char *mode)
{
	int access = strchr(mode, '+') != NULL ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
	return access | (strchr(mode, 'e') != NULL ? O_CLOEXEC : 0) | (*mode != 'r' ? O_CREAT : 0) |
	       (*mode == 'w' ? O_TRUNC : 0) | (strchr(mode, 'x') != NULL ? O_EXCL : 0);
}

static bool put_onto(int fd, int number, int flags)
{
	int rc = mdg__sys_dup_onto(fd, number);
	if (rc >= 0 && !(flags & O_CLOEXEC))
		(void)mdg__sys_keep_in_exec(number);
	if (rc < 0)
		errno = -rc;
	return rc >= 0;
}

/* Opens the stream for a file that is always there, and then gives it our descriptor. */
static FILE *reopen(FILE *stream, int fd, const char *mode, freopen_function *real)
{
	int before = errno;
	FILE *same = fd < 0 ? NULL : real("/dev/null", mode, stream);
	if (same != NULL && !put_onto(fd, fileno(same), open_flags(mode) & O_CLOEXEC))
		same = NULL;
	if (fd >= 0) {
		(void)mdg__sys_close(fd);
	} else {
		(void)fclose(stream); /* as freopen does */
		errno = before;
	}
	return same;
}

#define DEFINE_FREOPEN(name, other)                                                                \
	MDG_EXPORT FILE *name(const char *path, const char *mode, FILE *stream);                   \
	MDG_EXPORT FILE *name(const char *path, const char *mode, FILE *stream)                    \
	{                                                                                          \
		freopen_function *next_ = NEXT(freopen_function, name, other);                     \
		int fd = mdg__sysv_open_table(AT_FDCWD, path, open_flags(mode));                   \
		return fd != -2 ? reopen(stream, fd, mode, next_) : next_(path, mode, stream);     \
	}

#define DEFINE_FOPEN(name, other)                                                                  \
	MDG_EXPORT FILE *name(const char *path, const char *mode);                                 \
	MDG_EXPORT FILE *name(const char *path, const char *mode)                                  \
	{                                                                                          \
		int fd = mdg__sysv_open_table(AT_FDCWD, path, open_flags(mode));                   \
		return fd != -2 ? stream_of(fd, mode)                                              \
		                : NEXT(fopen_function, name, other)(path, mode);                   \
	}

#undef open
#undef open64
#undef openat
#undef openat64
#undef fopen
#undef fopen64
#undef creat
#undef creat64
#undef freopen
#undef freopen64
DEFINE_OPEN(open, open)
DEFINE_OPEN(open64, open)
DEFINE_OPENAT(openat, openat)
DEFINE_OPENAT(openat64, openat)
DEFINE_OPEN_2(__open_2, open)
DEFINE_OPEN_2(__open64_2, open64)
DEFINE_OPENAT_2(__openat_2, openat)
DEFINE_OPENAT_2(__openat64_2, openat64)
DEFINE_FOPEN(fopen, fopen)
DEFINE_FOPEN(fopen64, fopen)
DEFINE_CREAT(creat, creat)
DEFINE_CREAT(creat64, creat)
DEFINE_FREOPEN(freopen, freopen)
DEFINE_FREOPEN(freopen64, freopen)
