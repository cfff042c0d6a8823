/* SPDX-License-Identifier: MIT */
/*
 * dir.h - the names in a directory.
 */
#ifndef MADANG_PLATFORM_DIR_H
#define MADANG_PLATFORM_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Entries of an open directory as getdents64(2) gives them. */
int64_t mdg__sys_getdents(int fd, void *buffer, size_t room);

#endif
