/* SPDX-License-Identifier: MIT */
/*
 * fence.h - a fence between atomic accesses.
 *
 * ThreadSanitizer does not know fences, and gcc warns of each. Where this is used the fields are
 * atomic themselves, so it finds nothing wrong there without knowing the fence.
 */
#ifndef MADANG_PLATFORM_FENCE_H
#define MADANG_PLATFORM_FENCE_H

#include <stdatomic.h>

static inline void mdg__fence(memory_order order)
{
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
	atomic_thread_fence(order);
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
}

#endif
