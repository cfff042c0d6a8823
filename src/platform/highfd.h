/* SPDX-License-Identifier: MIT */
/*
 * highfd.h - the library's descriptors get numbers that programs do not use.
 *
 * Programs use low numbers by name (0 to 2; shells up to 255), or close all up to some number. What
 * the library keeps goes above these. But also a file that is open for a moment must not be number
 * 0, 1 or 2, which are free in a program that has closed them: what another thread writes to stderr
 * would go into the file.
 */
#ifndef MADANG_PLATFORM_HIGHFD_H
#define MADANG_PLATFORM_HIGHFD_H

/* If fd is low, duplicates it to such a number, closes fd, and returns the new descriptor. If the
 * process may not have such a number, fd is kept, unless it is 0, 1 or 2: then it gets another low
 * number. A negative fd is returned unchanged. On failure fd is closed, and -errno is returned. */
int mdg__fd_out_of_the_way(int fd);

/* As mdg__sys_openat, but if it is for writing too, the number is never 0, 1 or 2. All files that
 * keep what is written to them are opened in this way, but for those that the program itself opens.
 * -EMFILE: the process may have no other number. */
int mdg__open_own(int dirfd, const char *path, int flags, unsigned mode);

#endif
