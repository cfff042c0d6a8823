/* SPDX-License-Identifier: MIT */
/*
 * highfd.h - descriptors that the library keeps get numbers that programs do not expect.
 *
 * Programs use low numbers by name (0 to 2; shells up to 255), or close all up to some number.
 */
#ifndef MADANG_PLATFORM_HIGHFD_H
#define MADANG_PLATFORM_HIGHFD_H

/* If fd is low, duplicates it to such a number, closes fd, and returns the new descriptor. If the
 * process may not have such a number, fd is kept, unless it is 0, 1 or 2: then it gets another low
 * number. A negative fd is returned unchanged. On failure fd is closed, and -errno is returned. */
int mdg__fd_out_of_the_way(int fd);

#endif
