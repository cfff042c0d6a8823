/* SPDX-License-Identifier: MIT */
/*
 * lookups.c - programs that look for the calls by themselves, with dlsym.
 *
 *     lookups MODULE WRAPPER
 *
 * This runs with the preload, and on the kernel, where it has to hold as well. MODULE is module.c.
 * WRAPPER is a library that has an shmget and an munmap of its own, which have to be found where a
 * program looks for them. The kernel's calls are forbidden, so a segment that can be made is
 * Madang's.
 */
#include "support/check.h"
#include "module.h"

#include <dlfcn.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>

#include "platform/raw.h"

typedef int get_function(key_t, size_t, int);
typedef int ctl_function(int, int, struct shmid_ds *);
typedef long syscall_function(long, ...);

#if defined(__GLIBC__)
#define C_LIBRARY "libc.so.6"
#if defined(__x86_64__)
#define VERSION "GLIBC_2.2.5"
#elif defined(__i386__)
#define VERSION "GLIBC_2.2" /* shmctl's; GLIBC_2.0 has other structures */
#else
#define VERSION "GLIBC_2.17"
#endif
#else
#define C_LIBRARY "libc.so"
#endif

/* dlsym gives data; a function's address is copied out of it. */
static bool copy(void *found, void *ret_function)
{
	memcpy(ret_function, &found, sizeof found);
	return CHECK(found != NULL);
}

static bool makes_segments(void *found)
{
	get_function *get;
	int id = copy(found, &get) ? get(IPC_PRIVATE, 100, 0600) : -1;
	return id >= 0 && shmctl(id, IPC_RMID, NULL) == 0;
}

static void test_handle(void *libc)
{
	static const char *const names[] = { "shmget",     "shmat",  "shmdt",   "shmctl", "ftok",
		                             "munmap",     "mmap",   "mremap",  "open",   "fopen",
		                             "dlopen",     "dlsym",  "syscall", "semget", "semop",
		                             "semtimedop", "semctl", "msgget",  "msgsnd", "msgrcv",
		                             "msgctl" };
	CHECK(makes_segments(dlsym(libc, "shmget")));
	/* Whoever asks, of whomever: it is one function. */
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!CHECK(dlsym(libc, names[i]) == dlsym(RTLD_DEFAULT, names[i])))
			fprintf(stderr, "... %s\n", names[i]);
	CHECK(dlsym(libc, "malloc") == dlsym(RTLD_DEFAULT, "malloc"));
	CHECK(dlsym(libc, "shmge") == NULL && dlerror() != NULL && dlerror() == NULL);
	CHECK(dlsym(libc, "") == NULL && dlerror() != NULL);
	CHECK(dlsym(libc, "s") == NULL && dlerror() != NULL);
	syscall_function *call;
	if (copy(dlsym(libc, "syscall"), &call))
		CHECK(call(SYS_getppid) == getppid());
	CHECK(dlerror() == NULL);
}

#if defined(__GLIBC__)
static void test_version(void *libc)
{
	void *const handles[] = { libc, RTLD_DEFAULT, RTLD_NEXT };
	for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
		ctl_function *ctl;
		CHECK(dlvsym(handles[i], "shmget", "GLIBC_7.7") == NULL && dlerror() != NULL);
#if !defined(__i386__) /* whose shmget has another version than its shmctl */
		CHECK(makes_segments(dlvsym(handles[i], "shmget", VERSION)));
#endif
		int id = shmget(IPC_PRIVATE, 100, 0600);
		if (copy(dlvsym(handles[i], "shmctl", VERSION), &ctl))
			CHECK(ctl(id, IPC_RMID, NULL) == 0);
	}
#if defined(__i386__)
	/* A former form: not the one that we have. */
	void *former = dlvsym(libc, "shmctl", "GLIBC_2.0");
	CHECK(former != NULL && former != dlsym(libc, "shmctl"));
#endif
	CHECK(dlerror() == NULL);
}
#else
static void test_version(void *libc)
{
	(void)libc;
}
#endif

/* Looks from within a library that is behind us, and may have been bound past us. */
static void look_in_module(const char *path, int mode, void *libc)
{
	void *module = dlopen(path, mode);
	void *(*find)(void *, const char *);
	void *handles[] = { libc, RTLD_DEFAULT, RTLD_NEXT };
	if (!CHECK(module != NULL) || !copy(dlsym(module, "module_find"), &find))
		return;
	for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
		if (!CHECK(makes_segments(find(handles[i], "shmget"))))
			fprintf(stderr, "... mode %#x, way %zu\n", (unsigned)mode, i);
	CHECK(find(RTLD_DEFAULT, "module_use") == NULL || (mode & RTLD_GLOBAL) ||
	      dlerror() == NULL);
}

/* What another library defines is found if it is looked for with that library's handle, or from
 * inside that library. */
static void test_wrapper(const char *path)
{
	void *wrapper = dlopen(path, RTLD_NOW | RTLD_LOCAL), *is_own;
	get_function *get;
	int (*calls)(void);
	if (!CHECK(wrapper != NULL) || !copy(dlsym(wrapper, "shmget"), &get) ||
	    !copy(dlsym(wrapper, "wrapper_calls"), &calls))
		return;
	is_own = dlsym(wrapper, "munmap");
	CHECK(is_own != NULL && is_own != dlsym(RTLD_DEFAULT, "munmap"));
	int before = calls(), id = get(IPC_PRIVATE, 100, 0600);
	CHECK(id >= 0 && calls() == before + 1 && shmctl(id, IPC_RMID, NULL) == 0);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	void *libc = dlopen(C_LIBRARY, RTLD_LAZY);
	if (!CHECK(libc != NULL))
		return test_result();
	test_handle(libc);
	test_version(libc);
	CHECK(makes_segments(dlsym(RTLD_NEXT, "shmget")));
	CHECK(makes_segments(dlsym(RTLD_DEFAULT, "shmget")));
	look_in_module(argv[1], RTLD_NOW, libc);
#if defined(RTLD_DEEPBIND)
	look_in_module(argv[1], RTLD_LAZY | RTLD_DEEPBIND, libc);
#endif
	test_wrapper(argv[2]);
	return test_result();
}
