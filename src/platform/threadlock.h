/* SPDX-License-Identifier: MIT */
/*
 * threadlock.h - a lock between the threads of one process, in private memory.
 *
 * The lock is one word: 0 free, 1 taken, 2 taken and waited for. Take it with all
 * signals blocked, so that no handler of the same thread can want it. It is not
 * robust. It need not be, because the threads of a process die together.
 */
#ifndef MADANG_PLATFORM_THREADLOCK_H
#define MADANG_PLATFORM_THREADLOCK_H

#include <stdatomic.h>
#include <stdint.h>

#include "platform/sys.h"

static inline void mdg__thread_lock(_Atomic uint32_t *lock)
{
	uint32_t seen = 0;
	/* Acquire: pairs with the release in mdg__thread_unlock. */
	if (atomic_compare_exchange_strong_explicit(lock, &seen, 1, memory_order_acquire,
	                                            memory_order_relaxed))
		return;
	while (atomic_exchange_explicit(lock, 2, memory_order_acquire) != 0)
		(void)mdg__sys_futex_wait(lock, 2, false, 1000000000u);
}

static inline void mdg__thread_unlock(_Atomic uint32_t *lock)
{
	if (atomic_exchange_explicit(lock, 0, memory_order_release) == 2)
		(void)mdg__sys_futex_wake(lock, 1, false);
}

#endif
