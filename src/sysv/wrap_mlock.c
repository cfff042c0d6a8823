/* SPDX-License-Identifier: MIT */
/*
 * wrap_mlock.c - mlockall of the program: what is the library's own is unlocked again after it
 * (segment/ownlock.c). All else is the next definition's business, the C library's.
 *
 * Only in the shared library: a program that contains libc has no "next".
 */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "segment/hostcalls.h"
#include "sysv/internal.h"

typedef int mlockall_function(int);

static mlockall_function *next_mlockall;

/* While nothing else runs; a look-up later could come in a signal handler. */
__attribute__((constructor)) static void find_next(void)
{
	void *found = dlsym(RTLD_NEXT, "mlockall");
	memcpy(&next_mlockall, &found, sizeof found);
}

MDG_EXPORT int mlockall(int flags)
{
	if (next_mlockall == NULL)
		find_next(); /* another library's constructor came first */
	if (next_mlockall == NULL) {
		errno = ENOSYS;
		return -1;
	}
	int rc = next_mlockall(flags);
	if (rc == 0 && (flags & MCL_CURRENT) != 0)
		mdg__host_unlock_own();
	return rc;
}
