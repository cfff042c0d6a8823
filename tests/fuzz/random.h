/* SPDX-License-Identifier: MIT */
/*
 * random.h - numbers that look random and are the same for the same seed, on
 * every machine and C library: splitmix64.
 */
#ifndef MADANG_TESTS_FUZZ_RANDOM_H
#define MADANG_TESTS_FUZZ_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

static inline uint64_t roll(struct dice *dice)
{
	uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 to below-1. */
static inline uint32_t roll_below(struct dice *dice, uint32_t below)
{
	return (uint32_t)((roll(dice) >> 32) * below >> 32);
}

static inline bool one_in(struct dice *dice, uint32_t many)
{
	return roll_below(dice, many) == 0;
}

/* The dice of the n-th thing drawn from a seed: each is drawn alone. */
static inline struct dice dice_of(uint64_t seed, uint64_t n)
{
	struct dice dice = { seed * UINT64_C(0xd1342543de82ef95) + n };
	dice.state = roll(&dice);
	return dice;
}

#endif
