/* SPDX-License-Identifier: MIT */
/*
 * bytelock.h - open-file-description locks on one byte of a file.
 *
 * Such a lock belongs to the open file description, not to the process. A call
 * that a signal interrupts starts over.
 */
#ifndef MADANG_PLATFORM_BYTELOCK_H
#define MADANG_PLATFORM_BYTELOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Locks the byte for writing. Without `wait`: -EAGAIN when another description has it. */
int mdg__sys_lock_byte(int fd, uint64_t offset, bool wait);
int mdg__sys_unlock_byte(int fd, uint64_t offset);
/* Whether another description has locked the byte: 1, 0 or -errno. */
int mdg__sys_byte_is_locked(int fd, uint64_t offset);
/* Whether another description has locked any byte of the file: 1, 0 or -errno. */
int mdg__sys_any_is_locked(int fd);

#endif
