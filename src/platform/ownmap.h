/* SPDX-License-Identifier: MIT */
/*
 * ownmap.h - memory of the library's own, which does not count against the program's limits.
 *
 * After mlockall(MCL_FUTURE) the kernel locks each new mapping, fills it with pages, and counts it
 * against RLIMIT_MEMLOCK. That is right for what the program maps, and segments are part of that.
 * It is wrong for the registry, which is a few MiB of addresses with only a few pages in use. And
 * it is wrong for a heap: that has as many addresses as it can ever have memory, and would have all
 * of that memory at once. A channel for calls is sparse too: it has room for the replies to all
 * callers that can ever come.
 */
#ifndef MADANG_PLATFORM_OWNMAP_H
#define MADANG_PLATFORM_OWNMAP_H

#include <stddef.h>
#include <stdint.h>

/* A new mapping to read and write, unlocked; `flags` MAP_SHARED with `fd` and `offset`, or
 * MAP_PRIVATE | MAP_ANONYMOUS with -1 and 0. `hint`: where it should be if there is room; NULL:
 * anywhere. Unmapped with mdg__sys_munmap. 0 or -errno; -ENOMEM also if not even one page may
 * be locked for a moment. */
int mdg__map_own(void *hint, size_t length, int flags, int fd, uint64_t offset, void **ret);

/* As mmap(2), but unlocked also after mlockall(MCL_FUTURE): for what is sparse. -EEXIST: something
 * lies there (MAP_FIXED_NOREPLACE). -ENOMEM, as above. */
int mdg__map_unlocked(void *address, size_t length, int protection, int flags, int fd, void **ret);

/* After an mlockall(MCL_CURRENT): unlocks such a mapping again. What is unlocked stays so. */
void mdg__unlock_own(void *memory, size_t length);

#endif
