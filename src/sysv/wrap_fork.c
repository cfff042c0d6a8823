/* SPDX-License-Identifier: MIT */
/*
 * wrap_fork.c - fork of the program: segment/forked.c is told the child's pid.
 *
 * The next definition does it; nothing here changes what the program sees. Only in
 * the shared library: a program that contains libc has no "next".
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "segment/hostcalls.h"
#include "sysv/internal.h"

typedef pid_t fork_function(void);

static fork_function *next(void)
{
	static fork_function *_Atomic found;
	fork_function *function = atomic_load_explicit(&found, memory_order_relaxed);
	if (function == NULL) {
		int before = errno;
		void *symbol = dlsym(RTLD_NEXT, "fork");
		memcpy(&function, &symbol, sizeof function);
		atomic_store_explicit(&found, function, memory_order_relaxed);
		errno = before;
	}
	return function;
}

/* While nothing else runs: fork may be called in a signal handler. */
__attribute__((constructor)) static void find_it(void)
{
	(void)next();
}

MDG_EXPORT pid_t fork(void)
{
	fork_function *function = next();
	if (function == NULL) {
		errno = ENOSYS;
		return -1;
	}
	pid_t pid = function();
	if (pid > 0)
		mdg__host_forked(pid);
	return pid;
}
