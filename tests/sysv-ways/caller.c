/* SPDX-License-Identifier: MIT */
/* caller.c - a library with a RUNPATH of its own, that loads others. See runpath.c. */
#include <dlfcn.h>

void *caller_open(const char *name, int mode);

void *caller_open(const char *name, int mode)
{
	/* Volatile: the call has to come from here, and not be left to our caller. */
	void *volatile handle = dlopen(name, mode);
	return handle;
}
