/* SPDX-License-Identifier: MIT */
/*
 * sizes.h - the sizes of blocks, and where the parts of a heap begin.
 */
#ifndef MADANG_HEAP_SIZES_H
#define MADANG_HEAP_SIZES_H

#include <stddef.h>
#include <stdint.h>

#include "heap/layout.h"

/* All that follows from a class. Constant. */
struct mdg__size_class {
	uint32_t size;    /* bytes of a block */
	uint32_t inverse; /* (offset * inverse) >> 32 is the index of the block that begins there */
	uint32_t blocks;  /* of a slab */
	uint32_t words;   /* of its bitmap */
	uint32_t units;   /* of a slab: 1 or MDG__MEDIUM_UNITS */
	uint32_t none;
	uint64_t whole; /* a word of the bitmap with all blocks free; not always true of the last */
};
/* A class as it is read from `heads` may be any number below MDG__CLASS_ROOM. Those that do not
 * exist have no blocks. */
enum { MDG__CLASS_ROOM = 64 };
extern const struct mdg__size_class mdg__heap_classes[MDG__CLASS_ROOM];
/* The least class of small blocks with room for 16 * index bytes. */
extern const uint8_t mdg__heap_small[MDG__SMALL_MOST / 16 + 1];
/* The least class whose blocks have `size` bytes, for sizes up to MDG__MEDIUM_MOST. */
static inline uint32_t mdg__heap_class_of(size_t size)
{
	if (__builtin_expect(size <= MDG__SMALL_MOST, 1))
		return mdg__heap_small[(size + 15) / 16];
	uint32_t last = (uint32_t)size - 1, high = 31 - (uint32_t)__builtin_clz(last);
	return MDG__SMALL_CLASSES + (high - 13) * 4 + (last >> (high - 2) & 3);
}
/* The word at this index of the bitmap of a slab whose blocks are all free. */
static inline uint64_t mdg__class_word(const struct mdg__size_class *class, uint32_t at)
{
	uint32_t left = class->blocks - at * 64;
	return left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;
}

/* Offsets of the parts. They follow from the capacity and the number of slots. */
struct mdg__parts {
	uint64_t roots, slots, heads, hints, bits[MDG__BITS_ALL], free, remote, labels, data, end;
};
void mdg__parts_of(uint64_t capacity, uint32_t slots, struct mdg__parts *ret);
/* Bytes of the head and the roots, which have memory from the start. */
static inline uint64_t mdg__parts_head(const struct mdg__parts *parts)
{
	return parts->roots + MDG_ROOTS_MOST * sizeof(struct mdg__heap_root);
}

#endif
