/* SPDX-License-Identifier: MIT */
/*
 * proc.h - the files of /proc that are Madang's: which they are, and what is said of them.
 *
 *   table.c      their list, and what is in them
 *   look.c       what stat and access say of them, by path and by descriptor
 *   wrap_open.c wrap_stat.c wrap_look.c
 *                the C library's functions that come here with a path
 *
 * A descriptor of one is of a file of our own: anonymous, or in the namespace's directory.
 * Its sticky bit, which means nothing on an ordinary file, tells that it may be ours. So to
 * look at each result of fstat costs one comparison, and holds after dup, fork and exec.
 */
#ifndef MADANG_SYSV_PROC_H
#define MADANG_SYSV_PROC_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "madang/segment.h"

struct mdg__proc_file {
	const char *path;
	unsigned mode; /* the kernel's permission bits, of a file of root */
	int setting;   /* enum mdg__setting, -1: cannot be written */
	/* Writes what the file says; 0 or a negative code. NULL: what the setting says. */
	int (*content)(mdg_namespace *ns, int fd);
};

/* The place of a path in the list, -1: it is none of ours. */
int mdg__proc_find(const char *path);
static inline int mdg__proc_of(const char *path)
{
	return path != NULL && path[0] == '/' && path[1] == 'p' ? mdg__proc_find(path) : -1;
}
/* Whether a call that only looks has failed for something that is wrong with any path: a
 * pointer that leads nowhere, flags that are none. The path is not to be read then. */
static inline bool mdg__proc_is_refused(long rc)
{
	return rc < 0 && (errno == EFAULT || errno == EINVAL);
}
const struct mdg__proc_file *mdg__proc_file(int which);
int mdg__proc_files(void); /* how many */

/* What the caller's own form of struct stat is filled from. */
struct mdg__proc_status {
	uint64_t device, inode;
	unsigned mode, links;
	int64_t atime[2], mtime[2], ctime[2]; /* seconds, nanoseconds */
};

/* Anonymous files have a moment that no other has for the time of their last change. */
#define MDG__PROC_SECOND     0x4d616461
#define MDG__PROC_NANOSECOND 219034000

/* By path: always there. */
void mdg__proc_status(int which, struct mdg__proc_status *ret);
/* By what the kernel said of a file with mdg__proc_is_marked(): -1, it is not ours. */
int mdg__proc_of_file(uint64_t device, uint64_t inode, uint64_t links, int64_t mtime,
                      int64_t mtime_nanoseconds);
static inline bool mdg__proc_is_marked(unsigned mode)
{
	return (mode & 0171000) == 0101000; /* S_IFREG and S_ISVTX */
}
/* access(2): 0 or an errno. */
int mdg__proc_access(int which, int ask);

/* A descriptor of a file with the content that `path` would have on a kernel with System V
 * IPC, if it is one of ours (else -2, errno untouched); -1 and errno when it cannot be had.
 * `dirfd` and `flags` as for openat(2). */
int mdg__sysv_open_table(int dirfd, const char *path, int flags);
/* The same for openat2(2), which the C library has no function for: `how` of `size` bytes as
 * the program gives it to syscall(2). */
int mdg__sysv_openat2(int dirfd, const char *path, const void *how, size_t size);

#endif
