/* SPDX-License-Identifier: MIT */
/*
 * wrap_stat.c - stat and its kin, for the files of proc.h: by path, and by descriptor.
 *
 * The next definition is asked first, and one comparison tells whether the answer may be
 * about a file of ours, reached by a descriptor or through /proc/self/fd. If not, the
 * answer goes to the caller as it is. For a path of ours we answer instead. Only absolute
 * paths are recognised.
 *
 * The C library has a structure for each width of sizes and times, and a name for each.
 * Macros make all of these functions. This file is compiled without _FILE_OFFSET_BITS, so
 * that `stat` and `stat64` stay two functions. It is compiled a second time
 * (wrap_stat_time64.c) for 64-bit times on 32-bit glibc.
 *
 * Programs that were built with glibc before 2.33 call __xstat and its like. Later glibc
 * keeps these for such programs, but hides them from look-ups. There we pass the call on to
 * the newer function.
 */
#if !defined(MDG__STAT_TIME64)
#undef _FILE_OFFSET_BITS
#endif
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "sysv/names.h"
#include "sysv/internal.h"
#include "sysv/proc.h"

#undef stat
#undef lstat
#undef fstat
#undef fstatat
#undef stat64
#undef lstat64
#undef fstat64
#undef fstatat64

static int no_such_function(void)
{
	errno = ENOSYS;
	return -1;
}

/* Both forms of the structure have the same members. */
#define FILL_IN(ret, which)                                                                        \
	do {                                                                                       \
		struct mdg__proc_status status_;                                                   \
		mdg__proc_status(which, &status_);                                                 \
		memset(ret, 0, sizeof *(ret));                                                     \
		(ret)->st_dev = (__typeof__((ret)->st_dev))status_.device;                         \
		(ret)->st_ino = (__typeof__((ret)->st_ino))status_.inode;                          \
		(ret)->st_mode = (__typeof__((ret)->st_mode))status_.mode;                         \
		(ret)->st_nlink = (__typeof__((ret)->st_nlink))status_.links;                      \
		(ret)->st_blksize = 1024;                                                          \
		(ret)->st_atim.tv_sec = (__typeof__((ret)->st_atim.tv_sec))status_.atime[0];       \
		(ret)->st_atim.tv_nsec = (__typeof__((ret)->st_atim.tv_nsec))status_.atime[1];     \
		(ret)->st_mtim.tv_sec = (__typeof__((ret)->st_mtim.tv_sec))status_.mtime[0];       \
		(ret)->st_mtim.tv_nsec = (__typeof__((ret)->st_mtim.tv_nsec))status_.mtime[1];     \
		(ret)->st_ctim.tv_sec = (__typeof__((ret)->st_ctim.tv_sec))status_.ctime[0];       \
		(ret)->st_ctim.tv_nsec = (__typeof__((ret)->st_ctim.tv_nsec))status_.ctime[1];     \
	} while (0)

/* Answers for a path of ours, and for a file with our mark that was reached in another way. Both
 * are rare, so this is a function of its own. */
#define DEFINE_ANSWERS(structure)                                                                  \
	static __attribute__((noinline, cold)) int answer_##structure(int which,                   \
	                                                              struct structure *ret)       \
	{                                                                                          \
		int before = errno;                                                                \
		FILL_IN(ret, which);                                                               \
		errno = before;                                                                    \
		return 0;                                                                          \
	}                                                                                          \
	static __attribute__((noinline, cold)) int look_again_##structure(struct structure *ret)   \
	{                                                                                          \
		int which = mdg__proc_of_file(                                                     \
			(uint64_t)ret->st_dev, (uint64_t)ret->st_ino, (uint64_t)ret->st_nlink,     \
			(int64_t)ret->st_mtim.tv_sec, (int64_t)ret->st_mtim.tv_nsec);              \
		return which < 0 ? 0 : answer_##structure(which, ret);                             \
	}

#define LOOK(structure, rc, ret)                                                                   \
	((rc) == 0 && mdg__proc_is_marked((unsigned)(ret)->st_mode) ? look_again_##structure(ret)  \
	                                                            : (rc))

#define DECIDE(structure, rc, path, ret, before)                                                   \
	__extension__({                                                                            \
		int which_ = mdg__proc_is_refused(rc) ? -1 : mdg__proc_of(path);                   \
		if (which_ >= 0)                                                                   \
			errno = (before);                                                          \
		which_ >= 0 ? answer_##structure(which_, ret) : LOOK(structure, rc, ret);          \
	})

/* This code calls none of the exported names, because other libraries overwrite them.
 *
 * It asks the next definition first, also for a path of ours. That tells a bad pointer and
 * invalid flags. NULL is such a pointer, but the headers promise the compiler that there is none,
 * so this code cannot test for it. */
#define DEFINE_BY_PATH(name, structure)                                                            \
	MDG_EXPORT int name(const char *path, struct structure *ret);                              \
	static inline int own_##name(const char *path, struct structure *ret)                      \
	{                                                                                          \
		typedef int function(const char *, struct structure *);                            \
		int before = errno;                                                                \
		function *next = MDG__NEXT(function, name);                                        \
		int rc = next != NULL ? next(path, ret) : no_such_function();                      \
		return DECIDE(structure, rc, path, ret, before);                                   \
	}                                                                                          \
	MDG_EXPORT int name(const char *path, struct structure *ret)                               \
	{                                                                                          \
		return own_##name(path, ret);                                                      \
	}

#define DEFINE_BY_FD(name, structure)                                                              \
	MDG_EXPORT int name(int fd, struct structure *ret);                                        \
	static inline int own_##name(int fd, struct structure *ret)                                \
	{                                                                                          \
		typedef int function(int, struct structure *);                                     \
		function *next = MDG__NEXT(function, name);                                        \
		int rc = next != NULL ? next(fd, ret) : no_such_function();                        \
		return LOOK(structure, rc, ret);                                                   \
	}                                                                                          \
	MDG_EXPORT int name(int fd, struct structure *ret)                                         \
	{                                                                                          \
		return own_##name(fd, ret);                                                        \
	}

#define DEFINE_AT(name, structure)                                                                 \
	MDG_EXPORT int name(int dirfd, const char *path, struct structure *ret, int flags);        \
	static inline int own_##name(int dirfd, const char *path, struct structure *ret,           \
	                             int flags)                                                    \
	{                                                                                          \
		typedef int function(int, const char *, struct structure *, int);                  \
		int before = errno;                                                                \
		function *next = MDG__NEXT(function, name);                                        \
		int rc = next != NULL ? next(dirfd, path, ret, flags) : no_such_function();        \
		return DECIDE(structure, rc, path, ret, before);                                   \
	}                                                                                          \
	MDG_EXPORT int name(int dirfd, const char *path, struct structure *ret, int flags)         \
	{                                                                                          \
		return own_##name(dirfd, path, ret, flags);                                        \
	}

#if defined(MDG__STAT_TIME64)

DEFINE_ANSWERS(stat)
DEFINE_BY_PATH(__stat64_time64, stat)
DEFINE_BY_PATH(__lstat64_time64, stat)
DEFINE_BY_FD(__fstat64_time64, stat)
DEFINE_AT(__fstatat64_time64, stat)

#else

DEFINE_ANSWERS(stat)
DEFINE_BY_PATH(stat, stat)
DEFINE_BY_PATH(lstat, stat)
DEFINE_BY_FD(fstat, stat)
DEFINE_AT(fstatat, stat)

#if defined(__GLIBC__)

DEFINE_ANSWERS(stat64)
DEFINE_BY_PATH(stat64, stat64)
DEFINE_BY_PATH(lstat64, stat64)
DEFINE_BY_FD(fstat64, stat64)
DEFINE_AT(fstatat64, stat64)

/* The value of _STAT_VER that was compiled into callers. */
#if defined(__i386__) || defined(__arm__)
#define IS_USUAL_VERSION(version) ((version) == 3)
#else
#define IS_USUAL_VERSION(version) ((version) == 0 || (version) == 1)
#endif

static int unknown_version(void)
{
	errno = EINVAL;
	return -1;
}

#define DEFINE_OLD(name, newer, structure, place_type)                                             \
	MDG_EXPORT int name(int version, place_type place, struct structure *ret);                 \
	MDG_EXPORT int name(int version, place_type place, struct structure *ret)                  \
	{                                                                                          \
		typedef int function(int, place_type, struct structure *);                         \
		function *next = MDG__NEXT(function, name);                                        \
		bool usual = IS_USUAL_VERSION(version);                                            \
		int before = errno;                                                                \
		if (usual && next == NULL)                                                         \
			return own_##newer(place, ret);                                            \
		int rc = next != NULL ? next(version, place, ret) : unknown_version();             \
		return usual ? MDG__DECIDE_OLD(structure, rc, place, ret, before) : rc;            \
	}
#define DEFINE_OLD_AT(name, newer, structure)                                                      \
	MDG_EXPORT int name(int version, int dirfd, const char *path, struct structure *ret,       \
	                    int flags);                                                            \
	MDG_EXPORT int name(int version, int dirfd, const char *path, struct structure *ret,       \
	                    int flags)                                                             \
	{                                                                                          \
		typedef int function(int, int, const char *, struct structure *, int);             \
		function *next = MDG__NEXT(function, name);                                        \
		bool usual = IS_USUAL_VERSION(version);                                            \
		int before = errno;                                                                \
		if (usual && next == NULL)                                                         \
			return own_##newer(dirfd, path, ret, flags);                               \
		int rc =                                                                           \
			next != NULL ? next(version, dirfd, path, ret, flags) : unknown_version(); \
		return usual ? DECIDE(structure, rc, path, ret, before) : rc;                      \
	}
#define MDG__DECIDE_OLD DECIDE
DEFINE_OLD(__xstat, stat, stat, const char *)
DEFINE_OLD(__lxstat, lstat, stat, const char *)
DEFINE_OLD(__xstat64, stat64, stat64, const char *)
DEFINE_OLD(__lxstat64, lstat64, stat64, const char *)
#undef MDG__DECIDE_OLD
#define MDG__DECIDE_OLD(structure, rc, fd, ret, before) ((void)(before), LOOK(structure, rc, ret))
DEFINE_OLD(__fxstat, fstat, stat, int)
DEFINE_OLD(__fxstat64, fstat64, stat64, int)
DEFINE_OLD_AT(__fxstatat, fstatat, stat)
DEFINE_OLD_AT(__fxstatat64, fstatat64, stat64)

#endif

#if defined(STATX_BASIC_STATS)

static void fill_in_statx(struct statx *ret, int which)
{
	struct mdg__proc_status status;
	mdg__proc_status(which, &status);
	memset(ret, 0, sizeof *ret);
	ret->stx_mask = STATX_BASIC_STATS;
	ret->stx_blksize = 1024;
	ret->stx_nlink = (uint32_t)status.links;
	ret->stx_mode = (uint16_t)status.mode;
	ret->stx_ino = status.inode;
	ret->stx_atime.tv_sec = status.atime[0];
	ret->stx_atime.tv_nsec = (uint32_t)status.atime[1];
	ret->stx_mtime.tv_sec = status.mtime[0];
	ret->stx_mtime.tv_nsec = (uint32_t)status.mtime[1];
	ret->stx_ctime.tv_sec = status.ctime[0];
	ret->stx_ctime.tv_nsec = (uint32_t)status.ctime[1];
	ret->stx_dev_major =
		(uint32_t)((status.device >> 8 & 0xfff) | (status.device >> 32 & 0xfffff000u));
	ret->stx_dev_minor =
		(uint32_t)((status.device & 0xff) | (status.device >> 12 & 0xffffff00u));
}

static __attribute__((noinline, cold)) int answer_statx(int which, struct statx *ret)
{
	int before = errno;
	fill_in_statx(ret, which);
	errno = before;
	return 0;
}

static __attribute__((noinline, cold)) int look_again_statx(struct statx *ret)
{
	uint64_t device = (uint64_t)(ret->stx_dev_major & 0xfff) << 8 |
	                  (uint64_t)(ret->stx_dev_major & ~0xfffu) << 32 |
	                  (ret->stx_dev_minor & 0xff) |
	                  (uint64_t)(ret->stx_dev_minor & ~0xffu) << 12;
	int which = mdg__proc_of_file(device, ret->stx_ino, ret->stx_nlink, ret->stx_mtime.tv_sec,
	                              ret->stx_mtime.tv_nsec);
	return which < 0 ? 0 : answer_statx(which, ret);
}

MDG_EXPORT int statx(int dirfd, const char *restrict path, int flags, unsigned mask,
                     struct statx *restrict ret)
{
	typedef int function(int, const char *, int, unsigned, struct statx *);
	int before = errno;
	function *next = MDG__NEXT(function, statx);
	int rc = next != NULL ? next(dirfd, path, flags, mask, ret) : no_such_function();
	int which = mdg__proc_is_refused(rc) ? -1 : mdg__proc_of(path);
	if (which >= 0) {
		errno = before;
		return answer_statx(which, ret);
	}
	return rc == 0 && mdg__proc_is_marked(ret->stx_mode) ? look_again_statx(ret) : rc;
}

#endif
#endif
