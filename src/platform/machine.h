/* SPDX-License-Identifier: MIT */
/*
 * machine.h - where machines differ in how a system call takes its arguments.
 *
 * Most differences are hidden by the C library, whose functions are not called here
 * (sys.h says why). What is left of them, all in this file:
 *
 *   - A 64-bit argument of a 32-bit machine goes in two registers, the half first
 *     that lies first in memory. Some machines want the pair to begin at an even
 *     place in the list of arguments, and leave out a register where need be.
 *   - s390's mmap takes one pointer to its six arguments.
 *   - SYS_mmap2 counts the offset in units of 4096 bytes, and on a few machines in
 *     pages, which are larger there.
 *   - A time is two longs, or on 32-bit machines also two 64-bit numbers. Newer
 *     machines (32-bit RISC-V) and some kernels have the second form only.
 *   - Addresses for shmat are multiples of more than a page where caches want it.
 *
 * Processors with 64-bit registers and 32-bit pointers (x32, MIPS n32, 64-bit ARM
 * ILP32) are left out: the kernel takes some arguments there in a third way.
 */
#ifndef MADANG_PLATFORM_MACHINE_H
#define MADANG_PLATFORM_MACHINE_H

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/raw.h"

#if !defined(__LP64__) && (defined(__x86_64__) || defined(__aarch64__) ||                          \
                           (defined(__mips__) && _MIPS_SIM != _ABIO32))
#error "64-bit registers with 32-bit pointers: Madang does not know this kernel interface"
#endif
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "Madang needs 64-bit atomic instructions: a lock of "
                                            "the C library reaches no other process");

/* ---- 64-bit arguments ------------------------------------------------------ */

/* MDG__WIDE after an even number of other words, MDG__WIDE_ODD after an odd number. */
#if defined(__LP64__)
#define MDG__WIDE(value) (long)(value)
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define MDG__WIDE(value) (long)(uint32_t)((uint64_t)(value) >> 32), (long)(uint32_t)(value)
#else
#define MDG__WIDE(value) (long)(uint32_t)(value), (long)(uint32_t)((uint64_t)(value) >> 32)
#endif

/* SuperH leaves a word out in pread64 and pwrite64, which are the only ones used here. */
#if defined(__arm__) || (defined(__mips__) && !defined(__LP64__)) ||                               \
	(defined(__powerpc__) && !defined(__LP64__)) || defined(__xtensa__) || defined(__sh__)
#define MDG__WIDE_ODD(value) 0L, MDG__WIDE(value)
#else
#define MDG__WIDE_ODD(value) MDG__WIDE(value)
#endif

/* ---- mmap -------------------------------------------------------------------- */

#if defined(__m68k__) || defined(__arc__) || defined(__or1k__)
#define MDG__MMAP2_UNIT(page) ((uint64_t)(page))
#else
#define MDG__MMAP2_UNIT(page) ((void)(page), UINT64_C(4096))
#endif

static inline long mdg__raw_mmap(void *address, size_t length, int protection, int flags, int fd,
                                 uint64_t offset, size_t page)
{
#if defined(SYS_mmap2)
	const uint64_t unit = MDG__MMAP2_UNIT(page), place = offset / unit;
	const long call = SYS_mmap2;
	if (place > ULONG_MAX || offset % unit != 0)
		return -EINVAL;
#else
	const uint64_t place = offset;
	const long call = SYS_mmap;
	(void)page;
#endif
#if defined(__s390__)
	const unsigned long six[6] = { (unsigned long)address,    length,
		                       (unsigned long)protection, (unsigned long)flags,
		                       (unsigned long)fd,         (unsigned long)place };
	return MDG__RAW(call, six);
#else
	return MDG__RAW(call, address, length, protection, flags, fd, (unsigned long)place);
#endif
}

/* ---- times ------------------------------------------------------------------- */

/* SYS_futex with a time in nanoseconds; NULL: none. A C library for machines without the
 * old call may have given its name to the new one. */
static inline long mdg__raw_futex(_Atomic uint32_t *word, int operation, uint32_t value,
                                  const uint64_t *nanoseconds, uint32_t bits)
{
	const uint64_t time = nanoseconds != NULL ? *nanoseconds : 0, second = 1000000000u;
	long result = -ENOSYS;
#if defined(SYS_futex) && (!defined(SYS_futex_time64) || SYS_futex != SYS_futex_time64)
	/* What 32 bits cannot say is 68 years off. */
	const struct {
		long seconds, nanoseconds;
	} longs = { time / second > LONG_MAX ? LONG_MAX : (long)(time / second),
		    (long)(time % second) };
	result = MDG__RAW(SYS_futex, word, operation, value, nanoseconds != NULL ? &longs : NULL,
	                  NULL, bits);
#endif
#if defined(SYS_futex_time64)
	const struct {
		int64_t seconds, nanoseconds;
	} wide = { (int64_t)(time / second), (int64_t)(time % second) };
	if (result == -ENOSYS)
		result = MDG__RAW(SYS_futex_time64, word, operation, value,
		                  nanoseconds != NULL ? &wide : NULL, NULL, bits);
#endif
	return result;
}

/* The operations of SYS_futex with counts in the place of the time. */
static inline long mdg__raw_futex_count(_Atomic uint32_t *word, int operation, uint32_t count,
                                        long other_count, _Atomic uint32_t *other, uint32_t value)
{
	long result = -ENOSYS;
#if defined(SYS_futex)
	result = MDG__RAW(SYS_futex, word, operation, count, other_count, other, value);
#endif
#if defined(SYS_futex_time64)
	if (result == -ENOSYS)
		result = MDG__RAW(SYS_futex_time64, word, operation, count, other_count, other,
		                  value);
#endif
	return result;
}

/* Takes a pending signal of the set, or returns -EAGAIN at once. */
static inline long mdg__raw_take_signal(const void *set, void *info, size_t set_size)
{
	static const int64_t at_once[2] = { 0, 0 }; /* in either form */
	long result = -ENOSYS;
#if defined(SYS_rt_sigtimedwait)
	result = MDG__RAW(SYS_rt_sigtimedwait, set, info, at_once, set_size);
#endif
#if defined(SYS_rt_sigtimedwait_time64)
	if (result == -ENOSYS)
		result = MDG__RAW(SYS_rt_sigtimedwait_time64, set, info, at_once, set_size);
#endif
	return result;
}

/* ---- addresses for shmat ------------------------------------------------------- */

/* The kernel's SHMLBA, where it insists on it; a C library may say something else. */
#if defined(__arm__)
#define MDG__SHMLBA(page) (4 * (uintptr_t)(page))
#elif defined(__mips__)
#define MDG__SHMLBA(page) ((void)(page), (uintptr_t)0x40000)
#elif defined(__loongarch__)
#define MDG__SHMLBA(page) ((void)(page), (uintptr_t)0x10000)
#elif defined(__sh__)
#define MDG__SHMLBA(page) ((void)(page), (uintptr_t)0x4000)
#else
#define MDG__SHMLBA(page) ((uintptr_t)(page))
#endif

#endif
