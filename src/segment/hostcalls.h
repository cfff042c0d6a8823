/* SPDX-License-Identifier: MIT */
/*
 * hostcalls.h - what libmadang offers to libmadang-sysv and to nobody else:
 * exported under the version MADANG_PRIVATE. See hostmap.c.
 *
 * `next` is the function that makes the call in the end; NULL: the system call
 * itself.
 */
#ifndef MADANG_SEGMENT_HOSTCALLS_H
#define MADANG_SEGMENT_HOSTCALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "madang/segment.h"

#define MDG__MAP_FIXED_ANY (MAP_FIXED | 0x100000 /* MAP_FIXED_NOREPLACE */)

typedef int mdg__munmap_function(void *, size_t);
typedef void *mdg__mmap_function(void *, size_t, int, int, int, uint64_t);
typedef void *mdg__mremap_function(void *, size_t, size_t, int, ...);

/* Whether [address, address+length) touches an attachment. No lock; what touches none may
 * be passed on at once. */
MDG_API bool mdg__host_touches(const void *address, size_t length);
/* The same for an mremap's arguments. */
MDG_API bool mdg__host_remap_touches(const void *address, size_t old_length, size_t length,
                                     int flags, const void *new_address);
MDG_API int mdg__host_munmap(mdg__munmap_function *next, void *address, size_t length);
MDG_API void *mdg__host_mmap(mdg__mmap_function *next, void *address, size_t length,
                             int protection, int flags, int fd, uint64_t offset);
MDG_API void *mdg__host_mremap(mdg__mremap_function *next, void *address, size_t old_length,
                               size_t length, int flags, void *new_address);

#endif
