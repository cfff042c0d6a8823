/* SPDX-License-Identifier: MIT */
/*
 * wrap_mlock.c - mlockall of the program. Afterwards, memory of the library's own is unlocked again
 * (segment/ownlock.c). All else is done by the next definition, the C library's.
 *
 * Only in the shared library: a program that contains libc has no "next".
 */
#include <errno.h>
#include <sys/mman.h>

#include "segment/hostcalls.h"
#include "sysv/internal.h"
#include "sysv/names.h"

typedef int mlockall_function(int);

MDG_EXPORT int mlockall(int flags)
{
	mlockall_function *next = (mlockall_function *)mdg__next_ready(MDG__OF_mlockall);
	if (next == NULL) {
		errno = ENOSYS;
		return -1;
	}
	int rc = next(flags);
	if (rc == 0 && (flags & MCL_CURRENT) != 0)
		mdg__host_unlock_own();
	return rc;
}
