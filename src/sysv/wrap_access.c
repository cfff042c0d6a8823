/* SPDX-License-Identifier: MIT */
/*
 * wrap_access.c - access and its kin, readlink and realpath, for the paths of proc.h.
 *
 * Where the kernel lacks these files, the C library would say that there are none. Scripts that
 * look before they read (test -r) would then not read the table.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sysv/names.h"
#include "sysv/internal.h"
#include "sysv/proc.h"

static int no_such_function(void)
{
	errno = ENOSYS;
	return -1;
}

/* Called after the next definition, which has found out whether the pointer is bad (also NULL) and
 * whether the flags are valid. `before` is errno from before that call. */
static int answer(int rc, const char *path, int ask, int before)
{
	int which = mdg__proc_is_refused(rc) ? -1 : mdg__proc_of(path);
	if (which < 0)
		return rc;
	int code = mdg__proc_access(which, ask);
	errno = code != 0 ? code : before;
	return code != 0 ? -1 : 0;
}

#define DEFINE_ACCESS(name)                                                                        \
	MDG_EXPORT int name(const char *path, int ask);                                            \
	MDG_EXPORT int name(const char *path, int ask)                                             \
	{                                                                                          \
		typedef int function(const char *, int);                                           \
		int before = errno;                                                                \
		function *next = MDG__NEXT(function, name);                                        \
		int rc = next != NULL ? next(path, ask) : no_such_function();                      \
		return answer(rc, path, ask, before);                                              \
	}
DEFINE_ACCESS(access)
DEFINE_ACCESS(euidaccess)
DEFINE_ACCESS(eaccess)

MDG_EXPORT int faccessat(int dirfd, const char *path, int ask, int flags)
{
	typedef int function(int, const char *, int, int);
	int before = errno;
	function *next = MDG__NEXT(function, faccessat);
	int rc = next != NULL ? next(dirfd, path, ask, flags) : no_such_function();
	return answer(rc, path, ask, before);
}

/* They are no links. */
static ssize_t no_link(ssize_t rc, const char *path)
{
	if (mdg__proc_is_refused(rc) || mdg__proc_of(path) < 0)
		return rc;
	errno = EINVAL;
	return -1;
}

MDG_EXPORT ssize_t readlink(const char *restrict path, char *restrict ret, size_t room)
{
	typedef ssize_t function(const char *, char *, size_t);
	function *next = MDG__NEXT(function, readlink);
	return no_link(next != NULL ? next(path, ret, room) : no_such_function(), path);
}

MDG_EXPORT ssize_t readlinkat(int dirfd, const char *restrict path, char *restrict ret, size_t room)
{
	typedef ssize_t function(int, const char *, char *, size_t);
	function *next = MDG__NEXT(function, readlinkat);
	return no_link(next != NULL ? next(dirfd, path, ret, room) : no_such_function(), path);
}

/* realpath gives the paths in the list back as they are. */
static char *resolved_path(const char *path, char *ret)
{
	size_t size = strlen(path) + 1;
	if (ret == NULL)
		ret = malloc(size);
	return ret == NULL ? NULL : memcpy(ret, path, size);
}

static char *own_realpath(const char *path, char *ret)
{
	typedef char *function(const char *, char *);
	function *next = MDG__NEXT(function, realpath);
	if (mdg__proc_of(path) >= 0)
		return resolved_path(path, ret);
	if (next != NULL)
		return next(path, ret);
	(void)no_such_function();
	return NULL;
}

MDG_EXPORT char *realpath(const char *restrict path, char *restrict ret)
{
	return own_realpath(path, ret);
}

#if defined(__GLIBC__)

/* The headers turn calls into these under _FORTIFY_SOURCE. If the buffer is too small, the C
 * library reports it in its own way. */

MDG_EXPORT ssize_t __readlink_chk(const char *path, char *ret, size_t room, size_t size);
MDG_EXPORT ssize_t __readlink_chk(const char *path, char *ret, size_t room, size_t size)
{
	typedef ssize_t function(const char *, char *, size_t, size_t);
	function *next = MDG__NEXT(function, __readlink_chk);
	return no_link(next != NULL ? next(path, ret, room, size) : no_such_function(), path);
}

MDG_EXPORT ssize_t __readlinkat_chk(int dirfd, const char *path, char *ret, size_t room,
                                    size_t size);
MDG_EXPORT ssize_t __readlinkat_chk(int dirfd, const char *path, char *ret, size_t room,
                                    size_t size)
{
	typedef ssize_t function(int, const char *, char *, size_t, size_t);
	function *next = MDG__NEXT(function, __readlinkat_chk);
	return no_link(next != NULL ? next(dirfd, path, ret, room, size) : no_such_function(),
	               path);
}

MDG_EXPORT char *__realpath_chk(const char *path, char *ret, size_t size);
MDG_EXPORT char *__realpath_chk(const char *path, char *ret, size_t size)
{
	typedef char *function(const char *, char *, size_t);
	function *next = MDG__NEXT(function, __realpath_chk);
	if (mdg__proc_of(path) >= 0 && size >= PATH_MAX)
		return resolved_path(path, ret);
	return next != NULL ? next(path, ret, size) : own_realpath(path, ret);
}

MDG_EXPORT char *canonicalize_file_name(const char *path)
{
	return own_realpath(path, NULL);
}

#endif
