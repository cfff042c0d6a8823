/* SPDX-License-Identifier: MIT */
/*
 * map_hash.c - the hash of keys (map_hash.h), where it need not be part of the caller.
 */
#include "heap/map_internal.h"

uint64_t mdg__map_siphash(const uint64_t secret[2], const void *bytes, size_t length, int rounds)
{
	return rounds == 1 ? mdg__sip_hash(secret, bytes, length, 1)
	                   : mdg__sip_hash(secret, bytes, length, 2);
}

void mdg__map_secret_make(struct mdg__map_secret *ret, uint64_t first, uint64_t second)
{
	ret->sip[0] = first;
	ret->sip[1] = second;
	for (unsigned char i = 0; i < 4; i++)
		ret->factor[i] = mdg__map_siphash(ret->sip, &i, sizeof i, 2);
}

uint64_t mdg__map_hash(const struct mdg_map *map, const void *key, size_t length)
{
	return mdg__key_hash(&map->secret, key, length);
}
