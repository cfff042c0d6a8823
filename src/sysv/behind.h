/* SPDX-License-Identifier: MIT */
/*
 * behind.h - the functions that wrap_stat.c and wrap_access.c stand for, and what is behind
 * each: the next definition of the name, the C library's or another preloaded library's.
 *
 * A name that is added here is added to libmadang-sysv.map and to
 * tests/package/libmadang-sysv.symbols as well; rebind.c takes this list.
 */
#ifndef MADANG_SYSV_BEHIND_H
#define MADANG_SYSV_BEHIND_H

#include <stdatomic.h>
#include <stddef.h>

/* Those of every C library, of glibc, and of glibc for 32-bit times; the last are of
 * glibc before 2.33, which programs that were built then still call. */
#define MDG__FILE_NAMES_ALL(X) \
	X(stat) X(lstat) X(fstat) X(fstatat) X(statx) \
	X(access) X(faccessat) X(euidaccess) X(eaccess) X(readlink) X(readlinkat) X(realpath)
#if defined(__GLIBC__)
#define MDG__FILE_NAMES_GLIBC(X) \
	X(stat64) X(lstat64) X(fstat64) X(fstatat64) \
	X(__readlink_chk) X(__readlinkat_chk) X(__realpath_chk) X(canonicalize_file_name)
#define MDG__FILE_NAMES_OLD(X) \
	X(__xstat) X(__lxstat) X(__fxstat) X(__fxstatat) \
	X(__xstat64) X(__lxstat64) X(__fxstat64) X(__fxstatat64)
#else
#define MDG__FILE_NAMES_GLIBC(X)
#define MDG__FILE_NAMES_OLD(X)
#endif
#if defined(__GLIBC__) && __SIZEOF_LONG__ == 4
#define MDG__FILE_NAMES_TIME64(X) \
	X(__stat64_time64) X(__lstat64_time64) X(__fstat64_time64) X(__fstatat64_time64)
#else
#define MDG__FILE_NAMES_TIME64(X)
#endif
#define MDG__FILE_NAMES(X) \
	MDG__FILE_NAMES_ALL(X) MDG__FILE_NAMES_GLIBC(X) MDG__FILE_NAMES_TIME64(X) \
	MDG__FILE_NAMES_OLD(X)

#define MDG__BEHIND_INDEX(name) MDG__BEHIND_##name,
enum mdg__behind_index { MDG__FILE_NAMES(MDG__BEHIND_INDEX) MDG__BEHIND_COUNT };

/* NULL: there is none. No lock of ours; errno stays. */
void *mdg__behind(enum mdg__behind_index which);

/* Its function, of the type given. */
#define MDG__BEHIND(type, which) \
	__extension__({ \
		void *found_ = mdg__behind(which); \
		__typeof__(type *) function_; \
		__builtin_memcpy(&function_, &found_, sizeof found_); \
		function_; \
	})

#endif
