/* SPDX-License-Identifier: MIT */
/*
 * text.h - the little text work of a library that may not call stdio.
 */
#ifndef MADANG_PLATFORM_TEXT_H
#define MADANG_PLATFORM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Knows %s (string), %d (int32_t), %u (uint32_t), %x (uint32_t, 8 digits).
 * Always ends the text; returns false when it had to be cut. */
bool mdg__format(char *out, size_t room, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Reads digits at *at and moves behind them; false without any. */
bool mdg__parse_number(const char **at, unsigned base, uint64_t *ret);

uint64_t mdg__hash(const void *bytes, size_t length); /* FNV-1a, 64 bits */

#endif
