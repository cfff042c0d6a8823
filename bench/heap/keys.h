/* SPDX-License-Identifier: MIT */
/*
 * keys.h - the keys of the tables: 16 bytes, made of a number.
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

#endif
