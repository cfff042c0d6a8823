/* SPDX-License-Identifier: MIT */
/*
 * proc.h - the files of /proc that Madang answers for.
 *
 *   table.c      the list of these files
 *   rows.c       what is in /proc/sysvipc
 *   look.c       what stat and access say of them, by path and by descriptor
 *   wrap_open.c wrap_stat.c wrap_look.c
 *                the C library's functions that come here with a path
 *
 * A program that opens such a file gets a descriptor of a file of our own. That file is
 * anonymous, or lies in the namespace's directory. Its sticky bit, which means nothing on an
 * ordinary file, says that the file may be ours. So one comparison is enough for each result of
 * fstat, and the mark outlives dup, fork and exec.
 */
#ifndef MADANG_SYSV_PROC_H
#define MADANG_SYSV_PROC_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "madang/segment.h"

enum { MDG__PROC_READ_ONLY = -1, MDG__PROC_IGNORES = -2 /* what is written to it */ };

struct mdg__proc_file {
	const char *path;
	unsigned mode; /* the permission bits that the kernel's file has; root owns that file */
	int setting;   /* enum mdg__setting; or one of the two below */
	/* Writes the file; 0 or a negative code. NULL: the content is the setting. */
	int (*content)(mdg_namespace *ns, int fd);
};

/* The index of a path in the list; -1: the path is not ours. */
int mdg__proc_find(const char *path);
static inline int mdg__proc_of(const char *path)
{
	return path != NULL && path[0] == '/' && path[1] == 'p' ? mdg__proc_find(path) : -1;
}
/* Whether a call that only looks has failed for a reason that has nothing to do with the path: a
 * bad pointer, or invalid flags. The path must not be read then. */
static inline bool mdg__proc_is_refused(long rc)
{
	return rc < 0 && (errno == EFAULT || errno == EINVAL);
}
const struct mdg__proc_file *mdg__proc_file(int which);
int mdg__proc_files(void); /* how many */

/* rows.c: the contents of the files in /proc/sysvipc. 0 or a negative code. */
int mdg__proc_segments(mdg_namespace *ns, int fd);
int mdg__proc_sets(mdg_namespace *ns, int fd);
int mdg__proc_queues(mdg_namespace *ns, int fd);
/* Writes all of the text. 0 or -errno. */
int mdg__proc_put(int fd, const char *text, size_t length);

/* The values for the caller's own form of struct stat. */
struct mdg__proc_status {
	uint64_t device, inode;
	unsigned mode, links;
	int64_t atime[2], mtime[2], ctime[2]; /* seconds, nanoseconds */
};

/* The time of last change of our anonymous files. No other file has it. */
#define MDG__PROC_SECOND     0x4d616461
#define MDG__PROC_NANOSECOND 219034000

/* By path: always there. */
void mdg__proc_status(int which, struct mdg__proc_status *ret);
/* The index of a file for which mdg__proc_is_marked() is true, from what the kernel said of it; -1:
 * the file is not ours. */
int mdg__proc_of_file(uint64_t device, uint64_t inode, uint64_t links, int64_t mtime,
                      int64_t mtime_nanoseconds);
static inline bool mdg__proc_is_marked(unsigned mode)
{
	return (mode & 0171000) == 0101000; /* S_IFREG and S_ISVTX */
}
/* access(2): 0 or an errno. */
int mdg__proc_access(int which, int ask);

/* If `path` is one of ours: a descriptor of a file with the content that the path would have on a
 * kernel with System V IPC, or -1 and errno if there cannot be one. If not: -2, and errno stays as
 * it is. `dirfd` and `flags` are those of openat(2). */
int mdg__sysv_open_table(int dirfd, const char *path, int flags);
/* The same for openat2(2), which has no function in the C library. `how` and `size` are what the
 * program gives to syscall(2). */
int mdg__sysv_openat2(int dirfd, const char *path, const void *how, size_t size);

#endif
