/* SPDX-License-Identifier: MIT */
/*
 * bytes.h - little-endian numbers in bytes, at any address.
 */
#ifndef BRIDGE_PACK_BYTES_H
#define BRIDGE_PACK_BYTES_H

#include <stdint.h>

static inline void bytes_put32(unsigned char *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (unsigned char)(value >> 8 * i);
}

static inline void bytes_put64(unsigned char *to, uint64_t value)
{
	bytes_put32(to, (uint32_t)value);
	bytes_put32(to + 4, (uint32_t)(value >> 32));
}

static inline uint32_t bytes_get32(const unsigned char *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
	       (uint32_t)from[3] << 24;
}

static inline uint64_t bytes_get64(const unsigned char *from)
{
	return bytes_get32(from) | (uint64_t)bytes_get32(from + 4) << 32;
}

#endif
