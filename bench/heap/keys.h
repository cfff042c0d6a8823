/* SPDX-License-Identifier: MIT */
/*
 * keys.h - the keys of the tables, and texts: 16 bytes, made of a number.
 */
#ifndef MADANG_BENCH_HEAP_KEYS_H
#define MADANG_BENCH_HEAP_KEYS_H

#include <stdint.h>
#include <string.h>

enum { HEAP_KEY = 16 };

/* [key has HEAP_KEY bytes] */
static inline void heap_key(uint64_t *key, uint32_t number)
{
	key[0] = number * UINT64_C(0x9e3779b97f4a7c15);
	key[1] = ~(uint64_t)number;
}

/* 16 letters, and a NUL behind them. */
static inline void heap_text(char text[HEAP_KEY + 1], uint32_t number)
{
	uint64_t mixed = number * UINT64_C(0x9e3779b97f4a7c15), letters[2];

	letters[0] = (mixed & UINT64_C(0x0f0f0f0f0f0f0f0f)) + UINT64_C(0x6161616161616161);
	letters[1] = (mixed >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f)) + UINT64_C(0x6161616161616161);
	memcpy(text, letters, HEAP_KEY);
	text[HEAP_KEY] = '\0';
}

#endif
