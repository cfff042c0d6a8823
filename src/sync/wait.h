/* SPDX-License-Identifier: MIT */
/*
 * wait.h - how long to spin, and the notes that sleepers leave for those who look.
 *
 * A thread that goes to sleep notes its id and the time in one of eight words of
 * the object; when all are taken it sleeps without. Nothing depends on a note: it is
 * for mdg_sync_look. That of a thread that was killed asleep stays until another
 * needs its place; whoever shows it asks whether the thread is there.
 */
#ifndef MADANG_SYNC_WAIT_H
#define MADANG_SYNC_WAIT_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/sys.h"

/* Pauses before the first sleep, with looks between them: a few microseconds, more than a short
 * critical section on another processor, less than a sleep and its wake-up. */
enum { MDG__SPINS = 100 };

static inline void mdg__cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory"); /* "yield" does next to nothing */
#endif
}

enum { MDG__NOTES = 8 };
struct mdg__notes {
	/* Thread id << 32 | milliseconds of CLOCK_MONOTONIC; 0: free. Taken by CAS, given back by
	 * the same thread; relaxed, nothing else is read by it. */
	_Atomic uint64_t note[MDG__NOTES];
};

/* A note's place, or NULL. */
_Atomic uint64_t *mdg__note_sleep(struct mdg__notes *notes, uint32_t tid);

static inline void mdg__note_awake(_Atomic uint64_t *note)
{
	if (note != NULL)
		atomic_store_explicit(note, 0, memory_order_relaxed);
}

/* Whom to wake; the kernel, at a death, wakes any. TAKERS: those who want to own the word;
 * READERS: those who wait until nobody does (rwlock.c). */
enum { MDG__ANYONE = -1 /* FUTEX_BITSET_MATCH_ANY */, MDG__TAKERS = 1, MDG__READERS = 2 };

/* Sleeps while the word has that value. 0: look again; -ETIMEDOUT; -EINTR. */
static inline int mdg__sleep(_Atomic uint32_t *word, uint32_t value, uint64_t deadline,
                             uint32_t bits)
{
	int rc = mdg__sys_futex_wait_until(word, value, deadline, bits);
	return rc == -ETIMEDOUT || rc == -EINTR ? rc : 0;
}

/* Between two looks for a death of which the kernel does not wake this sleeper. */
enum { MDG__LOOK_AGAIN_NS = 20000000 };

/* The same, for so long at most: then look again. */
static inline int mdg__sleep_and_look(_Atomic uint32_t *word, uint32_t value, uint64_t deadline)
{
	uint64_t again = mdg__monotonic_nanoseconds() + MDG__LOOK_AGAIN_NS;
	int rc =
		mdg__sleep(word, value, deadline < again ? deadline : again, (uint32_t)MDG__ANYONE);
	return rc == -ETIMEDOUT && again < deadline ? 0 : rc;
}

#endif
