/* SPDX-License-Identifier: MIT */
/*
 * wait.h - how a thread waits for a word to change: it spins for a moment, and then sleeps.
 *
 * Rooms above may include this header.
 */
#ifndef MADANG_SYNC_WAIT_H
#define MADANG_SYNC_WAIT_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/sys.h"

/* How many pauses a thread makes before its first sleep, looking at the word in between. They take
 * a few microseconds. That is longer than a short critical section on another processor, and
 * shorter than a sleep with its wake-up. */
enum { MDG__SPINS = 100 };

static inline void mdg__cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory"); /* "yield" does next to nothing */
#endif
}

/* Which sleepers a wake-up is for. TAKERS want to own the word. READERS wait until nobody owns it
 * (rwlock_read.c). When a thread dies, the kernel wakes a sleeper of any kind. */
enum { MDG__ANYONE = -1 /* FUTEX_BITSET_MATCH_ANY */, MDG__TAKERS = 1, MDG__READERS = 2 };

/* Sleeps while the word has this value. Returns 0: look again; -ETIMEDOUT; -EINTR. */
static inline int mdg__sleep(_Atomic uint32_t *word, uint32_t value, uint64_t deadline,
                             uint32_t bits)
{
	int rc = mdg__sys_futex_wait_until(word, value, deadline, bits);
	return rc == -ETIMEDOUT || rc == -EINTR ? rc : 0;
}

/* As mdg__sleep, but returns 0 after so many nanoseconds at the latest. */
static inline int mdg__sleep_at_most(_Atomic uint32_t *word, uint32_t value, uint64_t deadline,
                                     uint32_t bits, uint64_t nanoseconds)
{
	uint64_t again = mdg__monotonic_nanoseconds() + nanoseconds;
	int rc = mdg__sleep(word, value, deadline < again ? deadline : again, bits);
	return rc == -ETIMEDOUT && again < deadline ? 0 : rc;
}

/* The time between two looks for a death for which the kernel does not wake this sleeper. */
enum { MDG__LOOK_AGAIN_NS = 20000000 };

/* As mdg__sleep, but returns 0 after MDG__LOOK_AGAIN_NS at the latest. */
static inline int mdg__sleep_and_look(_Atomic uint32_t *word, uint32_t value, uint64_t deadline)
{
	return mdg__sleep_at_most(word, value, deadline, (uint32_t)MDG__ANYONE, MDG__LOOK_AGAIN_NS);
}

#endif
