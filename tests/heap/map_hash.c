/* SPDX-License-Identifier: MIT */
/*
 * map_hash.c - SipHash gives what its authors published, and spreads keys evenly.
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

int main(void)
{
	published();
	one_round();
	return test_result();
}
