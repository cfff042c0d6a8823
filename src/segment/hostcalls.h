/* SPDX-License-Identifier: MIT */
/*
 * hostcalls.h - what libmadang offers to libmadang-sysv and to nobody else:
 * exported under the version MADANG_PRIVATE. See hostmap.c and forked.c.
 */
#ifndef MADANG_SEGMENT_HOSTCALLS_H
#define MADANG_SEGMENT_HOSTCALLS_H

#include "madang/segment.h"

MDG_API int mdg__host_munmap(void *address, size_t length);
MDG_API void *mdg__host_mmap(void *address, size_t length, int protection, int flags, int fd,
                             uint64_t offset);
MDG_API void *mdg__host_mremap(void *address, size_t old_length, size_t length, int flags,
                               void *new_address);
/* This thread's fork has returned the pid of a child. */
MDG_API void mdg__host_forked(int pid);

#endif
