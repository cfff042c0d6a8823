/* SPDX-License-Identifier: MIT */
/*
 * sized.h - structures of the interface that begin with their size and may
 * grow. <madang/base.h> tells the rules to the caller; here they are carried
 * out, once for all functions.
 *
 * A function takes options like this:
 *
 *     struct mdg_channel_options own;
 *     int rc = mdg__sized_take(&own, sizeof own, FIRST, options);
 *
 * and fills in a structure like this:
 *
 *     struct mdg_peer_event own = { 0 };
 *     if (!mdg__sized_is_valid(ret_event->size))
 *             return -EINVAL;
 *     ... own.pid = pid; ...
 *     mdg__sized_give(ret_event, &own, sizeof own);
 *
 * `size` lies at offset 0 of every such structure.
 */
#ifndef MADANG_PLATFORM_SIZED_H
#define MADANG_PLATFORM_SIZED_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "madang/base.h"

static inline uint32_t mdg__sized_size(const void *given)
{
	uint32_t size;
	memcpy(&size, given, sizeof size);
	return size;
}

/* Whether the size of a structure to fill in is valid. */
static inline bool mdg__sized_is_valid(uint32_t size)
{
	return size >= MDG_SIZE_LEAST && size <= MDG_SIZE_MOST;
}

/* The caller has written all bytes. The analyser cannot know that. */
static inline bool mdg__sized_is_zero(const unsigned char *bytes, size_t count)
{
	unsigned char all = 0;
	for (size_t i = 0; i < count; i++)
		all |= bytes[i]; /* NOLINT(clang-analyzer-core.uninitialized.Assign) */
	return all == 0;
}

/* Copies the caller's options to `own`, which has `size` bytes. `first` is the size that the
 * structure had when it was first released. Returns 0, -EINVAL or -E2BIG; then `own` has not
 * changed. */
static inline int mdg__sized_take(void *own, size_t size, size_t first, const void *given)
{
	uint32_t given_size = mdg__sized_size(given), own_size = (uint32_t)size;
	if (given_size < first || given_size > MDG_SIZE_MOST)
		return -EINVAL;
	if (given_size > size &&
	    !mdg__sized_is_zero((const unsigned char *)given + size, given_size - size))
		return -E2BIG;
	memset(own, 0, size);
	memcpy(own, given, given_size < size ? given_size : size);
	memcpy(own, &own_size, sizeof own_size);
	return 0;
}

/* Copies `own`, which has `size` bytes, to the structure of the caller, whose size is valid and
 * stays as it is. */
static inline void mdg__sized_give(void *given, const void *own, size_t size)
{
	const size_t head = sizeof(uint32_t);
	size_t given_size = mdg__sized_size(given);
	size_t both = given_size < size ? given_size : size;
	memcpy((unsigned char *)given + head, (const unsigned char *)own + head, both - head);
	memset((unsigned char *)given + both, 0, given_size - both);
}

#endif
