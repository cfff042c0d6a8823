/* SPDX-License-Identifier: MIT */
/*
 * map_hash.h - the hash of keys: SipHash, from its specification (Aumasson and Bernstein, 2012).
 *
 * Without the secret nobody can find keys that have the same hash, and so nobody who chooses keys
 * can fill one bucket. Maps use one round for each word and three at the end (SipHash-1-3), as
 * tables of others do: what is at stake is time, not a signature. With two rounds, and four at the
 * end (SipHash-2-4), the published results can be compared.
 */
#ifndef MADANG_HEAP_MAP_HASH_H
#define MADANG_HEAP_MAP_HASH_H

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
static inline __attribute__((always_inline)) uint64_t
mdg__sip_hash(const uint64_t secret[2], const void *key, size_t length, int rounds)
{
	struct mdg__sip s = { secret[0] ^ UINT64_C(0x736f6d6570736575),
		              secret[1] ^ UINT64_C(0x646f72616e646f6d),
		              secret[0] ^ UINT64_C(0x6c7967656e657261),
		              secret[1] ^ UINT64_C(0x7465646279746573) };
	const unsigned char *bytes = key;
	uint64_t last = (uint64_t)length << 56;
	size_t left = length;
	/* Such keys are common. Without a loop the processor looks further ahead, and begins to
	 * read for the next look-up while it waits for this one. */
	if (length == 16 || length == 8) {
		mdg__sip_word(&s, mdg__sip_read(bytes), rounds);
		if (length == 16)
			mdg__sip_word(&s, mdg__sip_read(bytes + 8), rounds);
		left = 0;
	}
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

#endif
