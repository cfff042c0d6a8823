/* SPDX-License-Identifier: MIT */
/*
 * heap_time.c - the time that passes for a heap which is fuzzed: who waits is told at once that the
 * time is over.
 *
 * Only one thread of the program runs at a time, and the heap is nobody else's. So nobody ever
 * wakes a sleeper, and a lock that does not come free is nobody's. The linker puts these functions
 * in the place of those of src/platform (--wrap). Random numbers are the same for each input, so
 * that an input does the same whenever it runs.
 */
#include "fuzz/heap_scene.h"

#include <errno.h>
#include <unistd.h>

static struct {
	uint64_t slept; /* nanoseconds, since the input began */
	struct dice dice;
} now;

void heap_time_begin(void)
{
	now.dice = dice_of(1, 1);
}

uint64_t heap_time_slept(void)
{
	return now.slept;
}

static int sleep_until(const _Atomic uint32_t *word, uint32_t value, uint64_t nanoseconds)
{
	if (atomic_load(word) != value)
		return -EAGAIN;
	now.slept += nanoseconds;
	return -ETIMEDOUT;
}

#define WRAP(type, name, ...)                                                                      \
	type __real_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__)

WRAP(uint64_t, mdg__monotonic_nanoseconds, void)
{
	return __real_mdg__monotonic_nanoseconds() + now.slept;
}

WRAP(int, mdg__sys_futex_wait, _Atomic uint32_t *word, uint32_t value, bool shared,
     uint64_t nanoseconds)
{
	(void)shared;
	return sleep_until(word, value, nanoseconds);
}

WRAP(int, mdg__sys_futex_wait_until, _Atomic uint32_t *word, uint32_t value, uint64_t deadline,
     uint32_t bits)
{
	uint64_t before = __wrap_mdg__monotonic_nanoseconds();
	(void)bits;
	return sleep_until(word, value, deadline > before ? deadline - before : 0);
}

/* Beside this process there is none that may have a lock. */
WRAP(bool, mdg__sys_process_exists, int32_t pid)
{
	return pid == getpid() && __real_mdg__sys_process_exists(pid);
}

WRAP(uint64_t, mdg__random, void)
{
	return roll(&now.dice);
}
