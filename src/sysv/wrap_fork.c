/* SPDX-License-Identifier: MIT */
/*
 * wrap_fork.c - fork of the program: tells segment/forked.c the child's pid.
 *
 * The next definition makes the fork. Nothing here changes what the program sees. Only in the
 * shared library: a program that contains libc has no "next".
 */
#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "segment/hostcalls.h"
#include "sysv/internal.h"
#include "sysv/names.h"

typedef pid_t fork_function(void);

MDG_EXPORT pid_t fork(void)
{
	fork_function *next = (fork_function *)mdg__next_ready(MDG__OF_fork);
	if (next == NULL) {
		errno = ENOSYS;
		return -1;
	}
	pid_t pid = next();
	if (pid > 0)
		mdg__host_forked(pid);
	return pid;
}
