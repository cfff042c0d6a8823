/* SPDX-License-Identifier: MIT */
/*
 * mutation.h - what is written into a registry to damage it.
 *
 * A mutation depends on its dice and on the saved registry alone. So its seed and
 * its number are enough to repeat it. Some mutations write bytes at random. Most
 * know the format and write what does harm: an index at or beyond the end of a
 * table, links that lead in a circle, impossible tags, an odd version, notes in the
 * journal about anything, or a lock that somebody seems to hold.
 */
#ifndef MADANG_TESTS_FUZZ_MUTATION_H
#define MADANG_TESTS_FUZZ_MUTATION_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "fuzz/random.h"

enum { EDITS_MAX = 256 };

struct edit {
	uint32_t offset, width; /* 1, 4 or 8 bytes */
	uint64_t value;
};

struct mutation {
	uint32_t count;
	struct edit edits[EDITS_MAX];
};

void mutation_draw(struct mutation *mutation, const unsigned char *image, size_t size,
                   struct dice *dice);
void mutation_apply(const struct mutation *mutation, unsigned char *map);
void mutation_print(const struct mutation *mutation, const unsigned char *image, size_t size,
                    FILE *out);

#endif
