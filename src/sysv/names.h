/* SPDX-License-Identifier: MIT */
/*
 * names.h - the names that libmadang-sysv.so exports, and what is behind each.
 *
 * A new wrapper is added here, in libmadang-sysv.map, and in
 * tests/package/libmadang-sysv.symbols. Modules that were loaded with
 * RTLD_DEEPBIND (rebind.c) and look-ups (wrap_look.c) go by this list.
 *
 * No code in this room calls one of these names. It does not call our own
 * definition, because other libraries overwrite the first bytes of such
 * functions (UCX writes a jump to a hook of its own there). And it does not call
 * another library's definition, except to pass the program's own call on to it,
 * as `next`.
 */
#ifndef MADANG_SYSV_NAMES_H
#define MADANG_SYSV_NAMES_H

#include <features.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Lists, and not calls: */
/* clang-format off */
/* ALL: the names that every C library has. GLIBC: those that only glibc has. TIME64: those of
 * 32-bit glibc for 64-bit times. OLD: those of glibc before 2.33; programs that were built with
 * such a glibc still call them. */
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

/* ENDS: the call ends here, in our definition. PASSES: a call that does not concern us goes on to
 * the next definition behind us. So several libraries may define the name, one behind the other. */
#define MDG__NAMES(ENDS, PASSES) \
	ENDS(shmget) ENDS(shmat) ENDS(shmdt) ENDS(shmctl) ENDS(__shmctl64) \
	ENDS(semget) ENDS(semop) ENDS(semtimedop) ENDS(semctl) \
	ENDS(__semctl64) ENDS(__semtimedop64) ENDS(__semtimedop_time64) \
	ENDS(msgget) ENDS(msgsnd) ENDS(msgrcv) ENDS(msgctl) ENDS(__msgctl64) \
	PASSES(ftok) PASSES(munmap) PASSES(mmap) PASSES(mmap64) PASSES(mremap) PASSES(mlockall) \
	PASSES(open) PASSES(open64) PASSES(openat) PASSES(openat64) \
	PASSES(__open_2) PASSES(__open64_2) PASSES(__openat_2) PASSES(__openat64_2) \
	PASSES(fopen) PASSES(fopen64) PASSES(creat) PASSES(creat64) \
	PASSES(freopen) PASSES(freopen64) \
	MDG__FILE_NAMES(PASSES) \
	PASSES(dlopen) PASSES(dlsym) PASSES(dlvsym) PASSES(syscall) PASSES(fork) \
	PASSES(setuid) PASSES(seteuid) PASSES(setreuid) PASSES(setresuid) \
	PASSES(setgid) PASSES(setegid) PASSES(setregid) PASSES(setresgid) \
	PASSES(setgroups) PASSES(initgroups) PASSES(capset) PASSES(unshare) PASSES(setns)
/* clang-format on */

#define MDG__NAME_INDEX(name) MDG__OF_##name,
enum mdg__name_index { MDG__NAMES(MDG__NAME_INDEX, MDG__NAME_INDEX) MDG__NAMES_COUNT };

struct mdg__name {
	const char *name;
	bool passes;
	/* 0: there is none. */
	_Atomic uintptr_t ours; /* our own definition, even if another library's comes first */
	_Atomic uintptr_t next; /* the first one behind us */
	_Atomic uintptr_t libc; /* the C library's */
};

extern struct mdg__name mdg__names[MDG__NAMES_COUNT];

/* Fills in the table, once. This happens when the library starts, or earlier if another library's
 * start needs it. Any thread may call it at any time, also in a signal handler. */
void mdg__names_prepare(void);
/* The entry of a name, in a table that has been filled in; NULL: the name is not ours. */
const struct mdg__name *mdg__name_find(const char *name);

/* Most look-ups are for other names. The first three letters are enough to tell. */
extern _Atomic uint32_t mdg__first_letters[32];
static inline unsigned mdg__letters_of(const char *name)
{
	unsigned letters = (unsigned char)name[0];
	if (name[0] != '\0' && name[1] != '\0')
		letters += (unsigned char)name[1] * 7u + (unsigned char)name[2] * 31u;
	return letters & 1023;
}
static inline bool mdg__name_may_be_ours(const char *name)
{
	unsigned letters = mdg__letters_of(name);
	return atomic_load_explicit(&mdg__first_letters[letters / 32], memory_order_relaxed) >>
	               letters % 32 &
	       1;
}

/* The next definition; before the library has started it may be 0 although there is one. */
static inline uintptr_t mdg__next(enum mdg__name_index which)
{
	return atomic_load_explicit(&mdg__names[which].next, memory_order_relaxed);
}
/* The same, found out now if need be. */
uintptr_t mdg__next_ready(enum mdg__name_index which);
#define MDG__NEXT(type, name) ((type *)mdg__next_ready(MDG__OF_##name))
/* What the real dlsym finds for a handle, for RTLD_DEFAULT, and for RTLD_NEXT as seen from this
 * library. It may take the dynamic linker's lock. */
void *mdg__real_dlsym(void *handle, const char *name);

/* The object whose code is at an address: its base and, with glibc, its link map, which is a
 * handle. This asks the C library's dladdr, because a sanitizer's cannot run while the sanitizer
 * starts. */
bool mdg__object_of(const void *code, uintptr_t *ret_base, void **ret_map);

#endif
