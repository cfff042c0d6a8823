/* SPDX-License-Identifier: MIT */
/*
 * file.h - system calls on files and descriptors.
 *
 * The rules of sys.h hold: 0, a number or a negated errno is returned, and the
 * thread's errno stays as it is. stat(2) is in status.c.
 */
#ifndef MADANG_PLATFORM_FILE_H
#define MADANG_PLATFORM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* ---- descriptors ---- */
/* Opens a path. O_CLOEXEC and O_LARGEFILE are added to the flags. For writing: highfd.h. */
int mdg__sys_openat(int dirfd, const char *path, int flags, unsigned mode);
int mdg__sys_close(int fd);
bool mdg__sys_is_open(int fd);
/* What open(2) was given: O_ACCMODE and others, without O_CLOEXEC. Or -errno. */
int mdg__sys_status_flags(int fd);
/* A duplicate that is closed in exec; its number is the first free one from `lowest`. */
int mdg__sys_dup_above(int fd, int lowest);
/* Makes `number` a duplicate of `fd` that is closed in exec. */
int mdg__sys_dup_onto(int fd, int number);
/* The descriptor stays open in exec from now on. */
int mdg__sys_keep_in_exec(int fd);
/* An anonymous file in memory. Its descriptor is the lowest free one, as with open(2). */
int mdg__sys_memfd(const char *name, unsigned flags);

/* ---- names ---- */
/* Makes an empty regular file without opening it; the umask applies. */
int mdg__sys_mknodat(int dirfd, const char *path, unsigned mode);
/* Makes a FIFO; the umask applies. */
int mdg__sys_mkfifoat(int dirfd, const char *path, unsigned mode);
int mdg__sys_mkdir(const char *path, unsigned mode);
int mdg__sys_unlinkat(int dirfd, const char *path);
/* The length of the path with its end, or -errno. */
int mdg__sys_getcwd(char *path, size_t room);
/* The target of a symbolic link, without a zero at its end: its length, or -errno. */
int64_t mdg__sys_readlink(const char *path, char *target, size_t room);

/* ---- status, owner, mode, attributes ---- */
int mdg__sys_fstat(int fd, struct stat *ret);
int mdg__sys_statat(int dirfd, const char *path, bool follow, struct stat *ret);
int mdg__sys_fchmod(int fd, unsigned mode);
int mdg__sys_chmod(const char *path, unsigned mode);               /* follows links */
int mdg__sys_fchmodat(int dirfd, const char *path, unsigned mode); /* follows links */
/* Changes the owner of the file behind a descriptor, which may be one of O_PATH. */
int mdg__sys_fchown(int fd, uint32_t uid, uint32_t gid);
/* Sets the times of last access and change of the file's content. */
int mdg__sys_set_times(int fd, long seconds, long nanoseconds);
int mdg__sys_setxattr(const char *path, const char *name, const void *value, size_t size);
int mdg__sys_getxattr(const char *path, const char *name, void *value, size_t size);
int mdg__sys_removexattr(const char *path, const char *name);

/* ---- content ---- */
/* Reads up to `room` bytes (restarting after signals): bytes read, or -errno. */
int64_t mdg__sys_read(int fd, void *buffer, size_t room);
/* The same from a place in the file. */
int64_t mdg__sys_pread(int fd, void *buffer, size_t room, uint64_t offset);
/* Writes once: bytes written, or -errno. */
int64_t mdg__sys_write(int fd, const void *bytes, size_t size);
/* Writes several parts by one call. They stay together where the kernel writes in one piece. */
int64_t mdg__sys_writev(int fd, const struct iovec *parts, int count);
/* Moves the offset to the start. */
int mdg__sys_rewind(int fd);

/* ---- is a descriptor still ours? ----
 * Programs close descriptors that they do not know. The number then comes back as something
 * else. */
/* Whether the descriptor is open and belongs to this file. */
bool mdg__fd_is(int fd, dev_t device, ino_t inode);
/* A cheaper way to ask the same, in a quarter of the time. It is for a description through which
 * nobody reads or writes. mdg__fd_mark sets its offset to a number that no other description has,
 * and mdg__fd_is_marked asks for the offset. 0: the file cannot be marked in this way. */
uint64_t mdg__fd_mark(int fd);
bool mdg__fd_is_marked(int fd, uint64_t mark);

#endif
