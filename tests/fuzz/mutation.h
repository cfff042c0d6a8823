/* SPDX-License-Identifier: MIT */
/*
 * mutation.h - what is written into a registry to damage it.
 *
 * A mutation is drawn from dice and from the saved registry alone, so that its
 * seed and number say all about it. Some are bytes at random; most know the
 * format and write what hurts: indexes at and over a table's end, links that
 * lead in a circle, impossible tags, an odd version, notes in the journal about
 * anything, a lock that somebody is said to hold.
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
