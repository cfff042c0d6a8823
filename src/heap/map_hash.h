/* SPDX-License-Identifier: MIT */
/*
 * map_hash.h - the hash of keys: two multiplications by secret numbers, or SipHash.
 *
 * Without the secret nobody can find keys that have the same hash, and so nobody who chooses keys
 * can fill one bucket. What is at stake is time, not a signature.
 *
 * KEYS OF 8 AND 16 BYTES, two words, are multiplied: (first + secret) * (second + secret). For any
 * two keys that somebody chooses without knowing the secret, the products, of 128 bits, are equal
 * with a probability of 2^-64 (this is the hash NH of Black, Halevi, Krawczyk, Krovetz and Rogaway,
 * 1999). The halves of the product are mixed with two more secret numbers and multiplied with each
 * other, and the halves of that are folded. So what somebody learns of some keys does not simply
 * hold for others. It takes a sixth of the instructions of SipHash.
 *
 * ALL OTHER KEYS go by SipHash, from its specification (Aumasson and Bernstein, 2012), with one
 * round for each word and three at the end (SipHash-1-3), as in tables of others. With two rounds,
 * and four at the end (SipHash-2-4), the published results can be compared.
 */
#ifndef MADANG_HEAP_MAP_HASH_H
#define MADANG_HEAP_MAP_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mdg__sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t mdg__sip_rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void mdg__sip_round(struct mdg__sip *s)
{
	s->v0 += s->v1;
	s->v1 = mdg__sip_rotate(s->v1, 13) ^ s->v0;
	s->v0 = mdg__sip_rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = mdg__sip_rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = mdg__sip_rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = mdg__sip_rotate(s->v1, 17) ^ s->v2;
	s->v2 = mdg__sip_rotate(s->v2, 32);
}

static inline void mdg__sip_word(struct mdg__sip *s, uint64_t word, int rounds)
{
	s->v3 ^= word;
	mdg__sip_round(s);
	if (rounds == 2)
		mdg__sip_round(s);
	s->v0 ^= word;
}

/* Eight bytes, the first one lowest, on every machine. */
static inline uint64_t mdg__sip_read(const unsigned char *bytes)
{
	uint64_t word;
	memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* `rounds` for each word: 1 or 2; and two more at the end. */
static inline uint64_t mdg__sip_hash(const uint64_t secret[2], const void *key, size_t length,
                                     int rounds)
{
	struct mdg__sip s = { secret[0] ^ UINT64_C(0x736f6d6570736575),
		              secret[1] ^ UINT64_C(0x646f72616e646f6d),
		              secret[0] ^ UINT64_C(0x6c7967656e657261),
		              secret[1] ^ UINT64_C(0x7465646279746573) };
	const unsigned char *bytes = key;
	uint64_t last = (uint64_t)length << 56;
	size_t left = length;
	for (; left >= 8; left -= 8, bytes += 8)
		mdg__sip_word(&s, mdg__sip_read(bytes), rounds);
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)bytes[i] << (8 * i);
	mdg__sip_word(&s, last, rounds);
	s.v2 ^= 0xff;
	mdg__sip_round(&s);
	mdg__sip_round(&s);
	mdg__sip_round(&s);
	if (rounds == 2)
		mdg__sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* ---- the secret of a map, and its hash ------------------------------------------------------ */

struct mdg__map_secret {
	uint64_t sip[2];    /* as it stands in the head of the map */
	uint64_t factor[4]; /* made of it */
};

static inline uint64_t mdg__multiply(uint64_t one, uint64_t other, uint64_t *ret_high)
{
#ifdef __SIZEOF_INT128__
	__extension__ typedef unsigned __int128 both;
	both product = (both)one * other;
	*ret_high = (uint64_t)(product >> 64);
	return (uint64_t)product;
#else
	const uint64_t half = UINT32_MAX;
	uint64_t low = (one & half) * (other & half), high = (one >> 32) * (other >> 32);
	uint64_t cross = (one >> 32) * (other & half) + (low >> 32);
	uint64_t more = (one & half) * (other >> 32) + (cross & half);
	*ret_high = high + (cross >> 32) + (more >> 32);
	return more << 32 | (low & half);
#endif
}

static inline uint64_t mdg__fold(uint64_t one, uint64_t other)
{
	uint64_t high, low = mdg__multiply(one, other, &high);
	return low ^ high;
}

/* The hash of a key of one word (`second` is 0) or two. */
static inline __attribute__((always_inline)) uint64_t
mdg__words_hash(const struct mdg__map_secret *secret, uint64_t first, uint64_t second, bool two)
{
	const uint64_t *factor = secret->factor;
	uint64_t high, low = mdg__multiply(first + factor[0], second + factor[1], &high);
	return mdg__fold(low ^ factor[two ? 2 : 3], high ^ factor[two ? 3 : 2]);
}

/* As a part of the caller; map_hash.c has the same as functions. */
static inline __attribute__((always_inline)) uint64_t
mdg__key_hash(const struct mdg__map_secret *secret, const void *key, size_t length)
{
	const unsigned char *bytes = key;
	if (length == 16)
		return mdg__words_hash(secret, mdg__sip_read(bytes), mdg__sip_read(bytes + 8),
		                       true);
	if (length == 8)
		return mdg__words_hash(secret, mdg__sip_read(bytes), 0, false);
	return mdg__sip_hash(secret->sip, key, length, 1);
}

#endif
