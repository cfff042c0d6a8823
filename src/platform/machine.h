/* SPDX-License-Identifier: MIT */
/*
 * machine.h - where machines differ in how a system call takes its arguments.
 *
 * The functions of the C library hide these differences, but the library does not
 * call them (sys.h says why). So all differences that matter are in this file:
 *
 *   - On a 32-bit machine a 64-bit argument takes two registers. The half that lies
 *     first in memory comes first. Some machines want the pair to begin at an even
 *     place in the list of arguments, and skip a register if necessary.
 *   - s390's mmap takes one pointer to its six arguments.
 *   - SYS_mmap2 counts the offset in units of 4096 bytes. On a few machines it
 *     counts in pages, which are larger there.
 *   - A time is two longs. On 32-bit machines it can also be two 64-bit numbers, and
 *     newer machines (32-bit RISC-V) and some kernels have only that form.
 *   - Addresses for shmat are multiples of a page, or of more where the processor's
 *     caches need that.
 *
 * Processors with 64-bit registers and 32-bit pointers (x32, MIPS n32, 64-bit ARM
 * ILP32) do not work: the kernel takes some arguments in yet another way there.
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

/* A 64-bit argument. Use MDG__WIDE after an even number of other words, and MDG__WIDE_ODD after an
 * odd number. */
#if defined(__LP64__)
#define MDG__WIDE(value) (long)(value)
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define MDG__WIDE(value) (long)(uint32_t)((uint64_t)(value) >> 32), (long)(uint32_t)(value)
#else
#define MDG__WIDE(value) (long)(uint32_t)(value), (long)(uint32_t)((uint64_t)(value) >> 32)
#endif

/* SuperH skips a word in pread64 and pwrite64. Madang makes no other calls of that kind there. */
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

/* SYS_futex with a time in nanoseconds; NULL: no time. On machines that have only the new call, the
 * C library may give it the name of the old one. */
static inline long mdg__raw_futex(_Atomic uint32_t *word, int operation, uint32_t value,
                                  const uint64_t *nanoseconds, uint32_t bits)
{
	const uint64_t time = nanoseconds != NULL ? *nanoseconds : 0, second = 1000000000u;
	long result = -ENOSYS;
#if defined(SYS_futex) && (!defined(SYS_futex_time64) || SYS_futex != SYS_futex_time64)
	/* A time that 32 bits cannot hold is 68 years away. */
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

/* The operations of SYS_futex that take counts in place of the time. */
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

/* Waits until one of the descriptors can be used: how many, 0: the time is over, or -errno. */
static inline long mdg__raw_poll(void *descriptors, unsigned count, unsigned milliseconds)
{
	const struct {
		long seconds, nanoseconds;
	} longs = { (long)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000 };
	const struct {
		int64_t seconds, nanoseconds;
	} wide = { longs.seconds, longs.nanoseconds };
	long result = -ENOSYS;
#if defined(SYS_ppoll)
	result = MDG__RAW(SYS_ppoll, descriptors, count, &longs, NULL, 0);
#endif
#if defined(SYS_ppoll_time64)
	if (result == -ENOSYS)
		result = MDG__RAW(SYS_ppoll_time64, descriptors, count, &wide, NULL, 0);
#endif
	(void)wide;
	return result;
}

/* ---- addresses for shmat ------------------------------------------------------- */

/* The kernel's SHMLBA on the machines where the kernel insists on it. The C library's value may
 * differ. */
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
