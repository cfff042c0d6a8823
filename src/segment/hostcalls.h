/* SPDX-License-Identifier: MIT */
/*
 * hostcalls.h - what libmadang offers to libmadang-sysv and to nobody else:
 * exported under the version MADANG_PRIVATE. See hostmap.c.
 */
#ifndef MADANG_SEGMENT_HOSTCALLS_H
#define MADANG_SEGMENT_HOSTCALLS_H

#include <stdbool.h>

#include "madang/segment.h"

MDG_API int mdg__host_munmap(void *address, size_t length);
MDG_API void *mdg__host_mmap(void *address, size_t length, int protection, int flags, int fd,
                             uint64_t offset);
MDG_API void *mdg__host_mremap(void *address, size_t old_length, size_t length, int flags,
                               void *new_address);

/* A setting of the namespace (enum mdg__setting, see settings.c) as text that ends with a
 * newline: its length, or a negative code. */
MDG_API int mdg__host_setting_text(mdg_namespace *ns, unsigned setting, char ret[32]);
/* Whether the caller may write it. */
MDG_API bool mdg__host_setting_allowed(mdg_namespace *ns);
/* A descriptor to write it through, numbered as open(2) numbers it, with its `flags`; or
 * -errno. */
MDG_API int mdg__host_setting_open(mdg_namespace *ns, unsigned setting, int flags);
/* Which setting's file that is, -1 for none. */
MDG_API int mdg__host_setting_of_file(mdg_namespace *ns, uint64_t device, uint64_t inode);

#endif
