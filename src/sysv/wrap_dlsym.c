/* SPDX-License-Identifier: MIT */
/*
 * wrap_dlsym.c - dlsym, for programs that ask the C library itself.
 *
 * Interpreters call C functions by opening "libc.so.6" and looking the name up in
 * it (Python's ctypes, Ruby's Fiddle, Java's and .NET's bridges): past us, although
 * we were loaded first. The answer is exchanged if it would be the C library's own
 * shmget, shmat, shmdt or shmctl; any other answer is what it was. Only these: who
 * asks the C library for its `open` may be another wrapper, which ours calls.
 *
 * RTLD_NEXT and RTLD_DEFAULT depend on who asks, which the real dlsym sees by its
 * return address. As in wrap_dlopen.c that call has to be compiled to a jump; and
 * it comes before anything else, since a sanitizer asks so while it begins. For
 * these two we stand where the dynamic linker has put us.
 *
 * Our own way to the real one is dlvsym, which asks for the C library's version of
 * the name. musl has no versions: there dlsym is left alone.
 */
#include "sysv/real_dlsym.h"

#if defined(MDG__WRAPS_DLSYM)
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/shm.h>

#include "sysv/internal.h"

typedef void *dlsym_function(void *, const char *);

/* The C library's dlsym; found once, and the same for every thread. */
static dlsym_function *next_dlsym(void)
{
	/* Since 2.34 it is in libc itself; before, the version is the machine's first. */
	static const char versions[][12] = { "GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.0", "GLIBC_2.17",
		                             "GLIBC_2.4", "GLIBC_2.27", "GLIBC_2.2", "GLIBC_2.3" };
	static void *_Atomic kept;
	void *found = atomic_load_explicit(&kept, memory_order_relaxed);
	dlsym_function *function;
	for (size_t i = 0; found == NULL && i < sizeof versions / sizeof versions[0]; i++) {
		found = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
		if (found == NULL)
			(void)dlerror(); /* that it is missing is not the program's error */
	}
	atomic_store_explicit(&kept, found, memory_order_relaxed);
	memcpy(&function, &found, sizeof found);
	return function;
}

/* While nothing else runs, as in wrap_open.c. */
__attribute__((constructor)) static void find(void)
{
	(void)next_dlsym();
}

void *mdg__real_dlsym(void *handle, const char *name)
{
	return next_dlsym()(handle, name);
}

/* Ours, for one of the four names. */
static void *own(const char *name)
{
	union { int (*get)(key_t, size_t, int); void *(*at)(int, const void *, int);
	        int (*dt)(const void *); int (*ctl)(int, int, struct shmid_ds *); void *any; } function;
	if (strcmp(name, "shmget") == 0)
		function.get = shmget;
	else if (strcmp(name, "shmat") == 0)
		function.at = shmat;
	else if (strcmp(name, "shmdt") == 0)
		function.dt = shmdt;
	else if (strcmp(name, "shmctl") == 0)
		function.ctl = shmctl;
	else
		return NULL;
	return function.any;
}

static __attribute__((noinline)) void *exchanged(void *handle, const char *name)
{
	void *found = mdg__real_dlsym(handle, name);
	return found != NULL && found == mdg__real_dlsym(RTLD_NEXT, name) ? own(name) : found;
}

MDG_EXPORT void *dlsym(void *restrict handle, const char *restrict name)
{
	if (handle != RTLD_NEXT && handle != RTLD_DEFAULT && own(name) != NULL)
		return exchanged(handle, name);
	return next_dlsym()(handle, name);
}

#else
typedef int mdg__nothing_here;
#endif
