/* SPDX-License-Identifier: MIT */
/*
 * highfd.h - descriptors that the library keeps get numbers that programs do not expect.
 *
 * Programs use low numbers by name (0 to 2; shells up to 255), or close all up to some number.
 */
#ifndef MADANG_PLATFORM_HIGHFD_H
#define MADANG_PLATFORM_HIGHFD_H

/* Moves fd, which is closed, to such a number, and returns that. If the process may have none, fd
 * stays as it is, but is never 0, 1 or 2. A negative fd is returned as it is. Or -errno; then fd is
 * closed, too. */
int mdg__fd_out_of_the_way(int fd);

#endif
