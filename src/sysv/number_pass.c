/* SPDX-License-Identifier: MIT */
/*
 * number_pass.c - passes on a system call that a program made by its number.
 *
 * The call goes to the next syscall(2) behind ours. Before the library has
 * started, that one is not known yet. Then the call goes to the kernel by the
 * instruction itself, because the name syscall(2) would lead to ours.
 * wrap_syscall.c jumps here, so the rules at its head hold here too.
 *
 * No other file outside of platform makes a system call by itself (the test house.seam). This one
 * may, because the call is not Madang's: it is the program's, whatever its number is.
 */
#include "sysv/numbers.h"

#include <errno.h>
#include <stddef.h>

#include "platform/raw.h"
#include "sysv/names.h"

#if MDG__HAS_NUMBERS

mdg__syscall_function *mdg__next_syscall;

__attribute__((constructor(102))) static void find_next(void)
{
	mdg__names_prepare();
	mdg__next_syscall = (mdg__syscall_function *)mdg__next(MDG__OF_syscall);
}

long mdg__number_to_kernel(long number, long a, long b, long c, long d, long e, long f)
{
	long result = mdg__raw(number, a, b, c, d, e, f);
	if ((unsigned long)result < (unsigned long)-4095L)
		return result;
	errno = (int)-result;
	return -1;
}

long mdg__number_pass(long number, long a, long b, long c, long d, long e, long f)
{
	mdg__syscall_function *next = mdg__next_syscall;
	return (next != NULL ? next : mdg__number_to_kernel)(number, a, b, c, d, e, f);
}

#else
typedef int mdg__nothing_here;
#endif
