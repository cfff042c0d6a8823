/* SPDX-License-Identifier: MIT */
/* behind.c - see behind.h. Only in the shared library: a program that contains libc has no "next". */
#include <features.h>

#include "sysv/behind.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>

#define NAME(name) #name,
static const char *const names[] = { MDG__FILE_NAMES(NAME) };
static void *_Atomic found[MDG__BEHIND_COUNT];
static const char none;

void *mdg__behind(enum mdg__behind_index which)
{
	void *function = atomic_load_explicit(&found[which], memory_order_relaxed);
	if (function == NULL) {
		int before = errno;
		function = dlsym(RTLD_NEXT, names[which]);
		if (function == NULL) {
			(void)dlerror(); /* that it is missing is not the program's error */
			function = (void *)(uintptr_t)&none;
		}
		atomic_store_explicit(&found[which], function, memory_order_relaxed);
		errno = before;
	}
	return function == (const void *)&none ? NULL : function;
}

#if defined(__GLIBC__)
enum { USUAL = MDG__BEHIND___xstat };
#else
enum { USUAL = MDG__BEHIND_COUNT };
#endif

/* While nothing else runs: later the first call may come in a signal handler, or in a child
 * whose other threads had the dynamic linker's lock. The old names wait until somebody needs
 * them: to look for what is not there takes longest. */
__attribute__((constructor)) static void find_all(void)
{
	for (int which = 0; which < USUAL; which++)
		(void)mdg__behind((enum mdg__behind_index)which);
}
