/* SPDX-License-Identifier: MIT */
/*
 * readable.h - whether memory that a program names may be read.
 */
#ifndef MADANG_PLATFORM_READABLE_H
#define MADANG_PLATFORM_READABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether all of it can be read at this moment. Another thread may unmap it right after. */
bool mdg__is_readable(const void *memory, size_t size);

#endif
