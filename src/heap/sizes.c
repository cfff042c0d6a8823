/* SPDX-License-Identifier: MIT */
/*
 * sizes.c - the sizes of blocks, and where the parts of a heap begin.
 *
 * There are 48 classes. Small ones: 16 to 128 bytes in steps of 16, then four to each doubling up
 * to 8 KiB. Medium ones: four to each doubling up to 128 KiB. So less than a fifth of a block is
 * left over, except for the smallest ones.
 *
 * Every part has pages of its own. It lies at a multiple of 64 KiB, because that is the largest
 * page of any machine that Madang runs on.
 *
 * The tables with a word or a bit for each unit do not begin where their pages do. Processors
 * compare the lowest 12 bits of addresses first, to find whether what is loaded was just stored.
 * Programs have much that begins where a page does, and store to it between two calls. If the words
 * of the first units had the same lowest bits, each call would wait for those stores. It took 20 ns
 * then, and 14 where the tables begin now.
 */
#include "heap/internal.h"

/* ---- classes ------------------------------------------------------------------------------- */

/* 2^32 / size, rounded up. It gives the exact index for every offset below 2^20 where a block
 * begins. Elsewhere it gives a number that is one too large at most. */
#define INVERSE(size) (uint32_t)(((UINT64_C(1) << 32) + (uint32_t)(size)-1) / (uint32_t)(size))
#define WORD(blocks)  ((blocks) >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << ((blocks)&63)) - 1)
#define CLASS(size, bytes, units)                                                                  \
	{                                                                                          \
		size, INVERSE(size), (bytes) / (size), ((bytes) / (size) + 63) / 64, units, 0,     \
			WORD((bytes) / (size))                                                     \
	}
#define SMALL(size)  CLASS(size, MDG__UNIT_BYTES, 1)
#define MEDIUM(size) CLASS(size, MDG__UNIT_BYTES *MDG__MEDIUM_UNITS, MDG__MEDIUM_UNITS)
/* The four from `base` to its double. */
#define FOUR(kind, base)                                                                           \
	kind((base) / 4 * 5), kind((base) / 4 * 6), kind((base) / 4 * 7), kind((base)*2)

const struct mdg__size_class mdg__heap_classes[MDG__CLASS_ROOM] = {
	SMALL(16),           SMALL(32),           SMALL(48),          SMALL(64),
	SMALL(80),           SMALL(96),           SMALL(112),         SMALL(128),
	FOUR(SMALL, 128),    FOUR(SMALL, 256),    FOUR(SMALL, 512),   FOUR(SMALL, 1024),
	FOUR(SMALL, 2048),   FOUR(SMALL, 4096),   FOUR(MEDIUM, 8192), FOUR(MEDIUM, 16384),
	FOUR(MEDIUM, 32768), FOUR(MEDIUM, 65536),
};

#define TWICE(class)      class, class
#define TIMES4(class)     TWICE(class), TWICE(class)
#define TIMES8(class)     TIMES4(class), TIMES4(class)
#define TIMES16(class)    TIMES8(class), TIMES8(class)
#define TIMES32(class)    TIMES16(class), TIMES16(class)
#define TIMES64(class)    TIMES32(class), TIMES32(class)
#define EACH(many, class) many(class), many((class) + 1), many((class) + 2), many((class) + 3)

const uint8_t mdg__heap_small[MDG__SMALL_MOST / 16 + 1] = {
	0,
	0,
	1,
	2,
	3,
	4,
	5,
	6,
	7, /* 0 to 128 */
	EACH(TWICE, 8),
	EACH(TIMES4, 12),
	EACH(TIMES8, 16),
	EACH(TIMES16, 20),
	EACH(TIMES32, 24),
	EACH(TIMES64, 28),
};

/* ---- parts --------------------------------------------------------------------------------- */

/* Where a part of so many bytes begins. Moves *end behind it. */
static uint64_t part(uint64_t *end, uint64_t bytes)
{
	uint64_t at = *end;
	*end = (at + bytes + MDG__UNIT_BYTES - 1) & ~(uint64_t)(MDG__UNIT_BYTES - 1);
	return at;
}

/* The same for one that begins so many bytes behind the beginning of its first page. */
static uint64_t part_apart(uint64_t *end, uint64_t bytes, uint64_t apart)
{
	return part(end, bytes + apart) + apart;
}

void mdg__parts_of(uint64_t capacity, uint32_t slots, struct mdg__parts *ret)
{
	uint64_t end = 0;
	(void)part(&end, 0);
	ret->roots = 4096;
	end = ret->roots + MDG_ROOTS_MOST * sizeof(struct mdg__heap_root);
	(void)part(&end, 0);
	ret->slots = part(&end, slots * (uint64_t)sizeof(struct mdg__heap_slot));
	ret->heads = part_apart(&end, capacity * 8, 0x980);
	ret->hints = part_apart(&end, capacity * 8, 0xa40);
	for (int i = 0; i < MDG__BITS_ALL; i++)
		ret->bits[i] = part_apart(&end, (capacity + 63) / 64 * 8, 0xb00);
	ret->free = part(&end, capacity * MDG__SLAB_WORDS * 8);
	ret->remote = part(&end, capacity * MDG__SLAB_WORDS * 8);
	ret->labels = part(&end, capacity * MDG__LABELS_OF_UNIT * 8);
	ret->data = part(&end, capacity << MDG__UNIT_SHIFT);
	ret->end = end;
}
