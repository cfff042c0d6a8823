/* SPDX-License-Identifier: MIT */
/*
 * raw.h - a system call as the kernel answers it: a result or a negated errno.
 *
 * On the most common machines this is the instruction itself. The C library's
 * syscall(2) would set errno, and this code would have to restore it. In a forked
 * child, that write alone would copy a page, even for a close. All other
 * machines use syscall(2).
 */
#ifndef MADANG_PLATFORM_RAW_H
#define MADANG_PLATFORM_RAW_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__) && defined(__LP64__)

static inline long mdg__raw(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__) && defined(__LP64__)

static inline long mdg__raw(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0"
	                 : "+r"(x0)
	                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
	                 : "memory");
	return x0;
}

#elif defined(__i386__)

/* The sixth argument goes in ebp, where the compiler may keep its frame. */
static __attribute__((noinline, unused)) long mdg__raw(long number, long a, long b, long c, long d,
                                                       long e, long f)
{
	const long call[2] = { number, f };
	long result;
	__asm__ volatile("pushl %%ebp\n\t"
	                 "movl 4(%%eax), %%ebp\n\t"
	                 "movl (%%eax), %%eax\n\t"
	                 "call *%%gs:0x10\n\t" /* called in the way that the C library uses, too */
	                 "popl %%ebp"
	                 : "=a"(result)
	                 : "0"(call), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
	                 : "memory", "cc");
	return result;
}

#else

static inline long mdg__raw(long number, long a, long b, long c, long d, long e, long f)
{
	int saved = errno;
	long result = syscall(number, a, b, c, d, e, f);
	if (result == -1)
		result = -errno;
	errno = saved;
	return result;
}

#endif

#define MDG__ARG(value)       ((long)(value))
#define MDG__RAW0(n)          mdg__raw(n, 0, 0, 0, 0, 0, 0)
#define MDG__RAW1(n, a)       mdg__raw(n, MDG__ARG(a), 0, 0, 0, 0, 0)
#define MDG__RAW2(n, a, b)    mdg__raw(n, MDG__ARG(a), MDG__ARG(b), 0, 0, 0, 0)
#define MDG__RAW3(n, a, b, c) mdg__raw(n, MDG__ARG(a), MDG__ARG(b), MDG__ARG(c), 0, 0, 0)
#define MDG__RAW4(n, a, b, c, d)                                                                   \
	mdg__raw(n, MDG__ARG(a), MDG__ARG(b), MDG__ARG(c), MDG__ARG(d), 0, 0)
#define MDG__RAW5(n, a, b, c, d, e)                                                                \
	mdg__raw(n, MDG__ARG(a), MDG__ARG(b), MDG__ARG(c), MDG__ARG(d), MDG__ARG(e), 0)
#define MDG__RAW6(n, a, b, c, d, e, f)                                                             \
	mdg__raw(n, MDG__ARG(a), MDG__ARG(b), MDG__ARG(c), MDG__ARG(d), MDG__ARG(e), MDG__ARG(f))
#define MDG__RAW_N(_1, _2, _3, _4, _5, _6, _7, name, ...) name
/* MDG__RAW(number, arguments...) with up to six arguments of any scalar type. */
#define MDG__RAW(...)                                                                              \
	MDG__RAW_N(__VA_ARGS__, MDG__RAW6, MDG__RAW5, MDG__RAW4, MDG__RAW3, MDG__RAW2, MDG__RAW1,  \
	           MDG__RAW0, 0)                                                                   \
	(__VA_ARGS__)

#endif
