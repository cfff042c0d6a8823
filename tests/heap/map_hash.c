/* SPDX-License-Identifier: MIT */
/*
 * map_hash.c - SipHash gives what its authors published, and the hash spreads keys evenly.
 */
#include "heap/map_internal.h"
#include "support/check.h"

/* SipHash-2-4 of the bytes 0, 1, 2, ... with the key 0 to 15: the lengths 0 to 7, and 15. */
static void published(void)
{
	static const unsigned char wanted[][8] = {
		{ 0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72 },
		{ 0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74 },
		{ 0x5a, 0x4f, 0xa9, 0xd9, 0x09, 0x80, 0x6c, 0x0d },
		{ 0x2d, 0x7e, 0xfb, 0xd7, 0x96, 0x66, 0x67, 0x85 },
		{ 0xb7, 0x87, 0x71, 0x27, 0xe0, 0x94, 0x27, 0xcf },
		{ 0x8d, 0xa6, 0x99, 0xcd, 0x64, 0x55, 0x76, 0x18 },
		{ 0xce, 0xe3, 0xfe, 0x58, 0x6e, 0x46, 0xc9, 0xcb },
		{ 0x37, 0xd1, 0x01, 0x8b, 0xf5, 0x00, 0x02, 0xab },
	};
	const uint64_t secret[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
	unsigned char bytes[16];
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)i;
	for (unsigned i = 0; i < 8; i++) {
		uint64_t hash = mdg__map_siphash(secret, bytes, i, 2), expected = 0;
		for (unsigned k = 0; k < 8; k++)
			expected |= (uint64_t)wanted[i][k] << (8 * k);
		CHECK(hash == expected);
	}
	CHECK(mdg__map_siphash(secret, bytes, 15, 2) == UINT64_C(0xa129ca6149be45e5));
}

/* With one round: the secret decides, and each bit of the input counts. */
static void one_round(void)
{
	const uint64_t secret[2] = { 1, 2 }, other[2] = { 1, 3 };
	unsigned char bytes[24] = { 0 };
	for (size_t length = 0; length <= sizeof bytes; length++) {
		uint64_t hash = mdg__map_siphash(secret, bytes, length, 1);
		CHECK(hash != mdg__map_siphash(other, bytes, length, 1));
		CHECK(length == sizeof bytes ||
		      hash != mdg__map_siphash(secret, bytes, length + 1, 1));
		for (size_t bit = 0; bit < length * 8; bit++) {
			bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
			int unlike = __builtin_popcountll(
				hash ^ mdg__map_siphash(secret, bytes, length, 1));
			CHECK(unlike > 8 && unlike < 56);
			bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
		}
	}
}

/* ---- keys of 8 and 16 bytes ---------------------------------------------------------------- */

static uint64_t hash_of(const struct mdg__map_secret *secret, const uint64_t words[2],
                        size_t length)
{
	unsigned char bytes[16];
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(words[i / 8] >> (8 * (i % 8)));
	return mdg__key_hash(secret, bytes, length);
}

/* Programs of 32 and 64 bits and of either byte order find the same keys. And it is what the head
 * of map_hash.h says, computed here in another way. */
static uint64_t digits(uint64_t one, uint64_t other, uint64_t *ret_high)
{
	uint64_t sum[2] = { 0, 0 };
	for (unsigned bit = 64; bit-- > 0;) {
		sum[1] = sum[1] << 1 | sum[0] >> 63;
		sum[0] <<= 1;
		if ((other >> bit & 1) != 0) {
			sum[0] += one;
			sum[1] += sum[0] < one;
		}
	}
	*ret_high = sum[1];
	return sum[0];
}

static void multiplied(void)
{
	static const uint64_t words[][2] = {
		{ 0, 0 },
		{ 1, 0 },
		{ UINT64_MAX, UINT64_MAX },
		{ UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) },
	};
	struct mdg__map_secret secret;
	mdg__map_secret_make(&secret, UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908));
	/* SipHash-2-4 of one byte: the second of the published ones is that of the byte 0. */
	CHECK(secret.factor[0] == UINT64_C(0x74f839c593dc67fd));
	const uint64_t *factor = secret.factor;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t high,
			low = digits(words[i][0] + factor[0], words[i][1] + factor[1], &high);
		low = digits(low ^ factor[2], high ^ factor[3], &high);
		CHECK(hash_of(&secret, words[i], 16) == (low ^ high));
		low = digits(words[i][0] + factor[0], factor[1], &high);
		low = digits(low ^ factor[3], high ^ factor[2], &high);
		CHECK(hash_of(&secret, words[i], 8) == (low ^ high));
	}
}

/* Each bit of a key counts, and so does the secret. */
static void each_bit(void)
{
	struct mdg__map_secret secret, other;
	mdg__map_secret_make(&secret, 1, 2);
	mdg__map_secret_make(&other, 1, 3);
	for (size_t length = 8; length <= 16; length += 8)
		for (uint64_t number = 0; number < 64; number++) {
			uint64_t words[2] = { number, 0 };
			uint64_t hash = hash_of(&secret, words, length);
			CHECK(hash != hash_of(&other, words, length));
			CHECK(hash != hash_of(&secret, words, 24 - length));
			for (size_t bit = 0; bit < length * 8; bit++) {
				words[bit / 64] ^= UINT64_C(1) << (bit % 64);
				int unlike = __builtin_popcountll(hash ^
				                                  hash_of(&secret, words, length));
				CHECK(unlike > 8 && unlike < 56);
				words[bit / 64] ^= UINT64_C(1) << (bit % 64);
			}
		}
}

/* Keys that differ in a few bits only fill all parts and buckets alike, and have all tags. */
enum { SPREAD = 1 << 16, CELLS = 1 << 12 };

static bool is_even(const struct mdg__map_secret *secret, size_t length, unsigned word,
                    unsigned shift, unsigned from)
{
	static unsigned cell[CELLS];
	unsigned most = 0, least = SPREAD;
	memset(cell, 0, sizeof cell);
	for (uint64_t i = 0; i < SPREAD; i++) {
		uint64_t words[2] = { 0, 0 };
		words[word] = i << shift;
		cell[hash_of(secret, words, length) >> from & (CELLS - 1)]++;
	}
	for (unsigned i = 0; i < CELLS; i++) {
		most = cell[i] > most ? cell[i] : most;
		least = cell[i] < least ? cell[i] : least;
	}
	return most < 48 && least > 0; /* 16 in each, on average */
}

static void spread(void)
{
	struct mdg__map_secret secret;
	for (uint64_t i = 0; i < 2; i++) {
		mdg__map_secret_make(&secret, i, ~i);
		for (unsigned shift = 0; shift <= 48; shift += 12)
			for (unsigned from = 0; from <= 52; from += 52) {
				CHECK(is_even(&secret, 8, 0, shift, from));
				CHECK(is_even(&secret, 16, 0, shift, from));
				CHECK(is_even(&secret, 16, 1, shift, from));
			}
	}
}

int main(void)
{
	published();
	one_round();
	multiplied();
	each_bit();
	spread();
	return test_result();
}
