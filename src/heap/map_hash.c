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
