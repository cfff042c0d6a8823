/* SPDX-License-Identifier: MIT */
/*
 * futex.h - sleeping on a word of memory, and the list of robust locks.
 */
#ifndef MADANG_PLATFORM_FUTEX_H
#define MADANG_PLATFORM_FUTEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sleeps for at most `nanoseconds` while the word is `value`. 0: woken, perhaps for no reason;
 * -EAGAIN: the word is not `value`; -ETIMEDOUT; -EINTR. `shared`: another process may wake. */
int mdg__sys_futex_wait(_Atomic uint32_t *word, uint32_t value, bool shared, uint64_t nanoseconds);
/* Wakes up to `count` sleepers: how many were woken, or -errno. */
int mdg__sys_futex_wake(_Atomic uint32_t *word, int count, bool shared);

/* The next two functions work between processes. A sleeper and a waker each give a set of bits. The
 * waker wakes only sleepers whose set has a bit in common with its own. */
/* Sleeps until `deadline` on CLOCK_MONOTONIC; UINT64_MAX: for ever. */
int mdg__sys_futex_wait_until(_Atomic uint32_t *word, uint32_t value, uint64_t deadline,
                              uint32_t bits);
int mdg__sys_futex_wake_bits(_Atomic uint32_t *word, int count, uint32_t bits);
/* Moves one sleeper, without waking it, from `word` to `other`, if `word` is `value`: how many were
 * moved, or -errno. Its timeout goes on. */
int mdg__sys_futex_move(_Atomic uint32_t *word, uint32_t value, _Atomic uint32_t *other);
/* Lets up to `count` sleepers on one word sleep on another: how many they were, or -errno. */
int mdg__sys_futex_requeue(_Atomic uint32_t *word, int count, _Atomic uint32_t *other);
/* Stores 0 in the word and wakes all who sleep on it: how many they were, or -errno. Both are one
 * step: nobody falls asleep on the word in between, and the caller cannot be killed in between. */
int mdg__sys_futex_free(_Atomic uint32_t *word);
/* Whether a thread of any process sleeps on the word. Also true if the kernel cannot tell. */
bool mdg__sys_futex_has_sleepers(_Atomic uint32_t *word);

/* The calling thread's list of robust locks, `struct robust_list_head` of <linux/futex.h>. When
 * the thread ends, the kernel marks the locks in the list. */
int mdg__sys_set_robust_list(void *head, size_t size);
int mdg__sys_get_robust_list(void **ret_head, size_t *ret_size);
/* Whether this thread of the calling process has such a list. The kernel takes it from a thread
 * that ends, when it has marked its locks. Also true if the kernel does not tell. */
bool mdg__sys_thread_has_robust_list(int32_t tid);

#endif
