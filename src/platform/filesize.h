/* SPDX-License-Identifier: MIT */
/*
 * filesize.h - how large a file is, and how much memory it has.
 *
 * Call all of these with signals blocked. Beyond RLIMIT_FSIZE they then return
 * -EFBIG, and the signal SIGXFSZ that the kernel sends with it is taken back.
 */
#ifndef MADANG_PLATFORM_FILESIZE_H
#define MADANG_PLATFORM_FILESIZE_H

#include <stdint.h>

int mdg__sys_ftruncate(int fd, uint64_t size);
/* Reserves memory for [offset, offset+size), and starts over after a signal. What is there stays.
 * -EOPNOTSUPP: there is no fallocate. */
int mdg__sys_allocate(int fd, uint64_t offset, uint64_t size);
/* The same for a part of the file that nobody uses yet. Where there is no fallocate, zeros are
 * written there. */
int mdg__sys_reserve(int fd, uint64_t offset, uint64_t size);
/* Makes a file that ends at `from` longer by `size`, and reserves the new part where the file
 * system can. What another process has written there meanwhile stays. */
int mdg__sys_extend(int fd, uint64_t from, uint64_t size);
/* Writes `size` zeros at the start of the file. */
int mdg__sys_write_zeros(int fd, uint64_t size);
/* Gives back the memory of the file's first `size` bytes. The size of the file stays. */
int mdg__sys_punch(int fd, uint64_t size);
/* The same, of [from, from+size). */
int mdg__sys_punch_part(int fd, uint64_t from, uint64_t size);

#endif
