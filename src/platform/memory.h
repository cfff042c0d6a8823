/* SPDX-License-Identifier: MIT */
/*
 * memory.h - system calls on the address space.
 *
 * The rules of sys.h hold. An address as the result would be ambiguous on failure,
 * so it goes through `ret`.
 */
#ifndef MADANG_PLATFORM_MEMORY_H
#define MADANG_PLATFORM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

int mdg__sys_mmap(void *address, size_t length, int protection, int flags, int fd, uint64_t offset,
                  void **ret);
int mdg__sys_munmap(void *address, size_t length);
int mdg__sys_mremap(void *address, size_t old_length, size_t length, int flags, void *new_address,
                    void **ret);
int mdg__sys_mprotect(void *address, size_t length, int protection);
int mdg__sys_madvise(void *address, size_t length, int advice);
int mdg__sys_munlock(void *address, size_t length);

size_t mdg__page_size(void);
/* The kernel's SHMLBA: addresses for shmat are multiples of it. */
size_t mdg__attach_step(void);

#endif
