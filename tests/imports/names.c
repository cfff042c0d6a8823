/* SPDX-License-Identifier: MIT */
/*
 * names.c - the C library's names, as a program has them that fakes or watches what it does.
 *
 * Each fails, or says something constant. They are exported, so every library in the process that
 * asks for one of these names gets it; the C library itself has names of its own inside.
 */
#include <errno.h>
#include <stddef.h>

static long refuse(void)
{
	errno = EIO;
	return -1;
}

/* The declarations are not in sight: they differ from one C library to the next. */
#define REFUSES(name)                                                                              \
	long name(void);                                                                           \
	long name(void)                                                                            \
	{                                                                                          \
		return refuse();                                                                   \
	}

#define SAYS(name, value)                                                                          \
	long name(void);                                                                           \
	long name(void)                                                                            \
	{                                                                                          \
		return value;                                                                      \
	}

struct moment {
	long seconds, nanoseconds;
};

/* It stands still, in 2001. */
int clock_gettime(int clock, struct moment *ret);
int clock_gettime(int clock, struct moment *ret)
{
	(void)clock;
	*ret = (struct moment){ 1000000000, 0 };
	return 0;
}

/* As a shell's: nothing is there. */
char *getenv(const char *name);
char *getenv(const char *name)
{
	(void)name;
	return NULL;
}

SAYS(time, 1000000000)
SAYS(nanosleep, 0)
SAYS(getpid, 4711)
SAYS(getuid, 4711)
SAYS(geteuid, 4711)
REFUSES(read)
REFUSES(write)
REFUSES(open)
REFUSES(open64)
REFUSES(openat)
REFUSES(mmap)
REFUSES(mmap64)
REFUSES(munmap)
REFUSES(mremap)
REFUSES(getegid)
REFUSES(gettid)
REFUSES(gettimeofday)
REFUSES(__clock_gettime64)
REFUSES(clock_nanosleep)
REFUSES(sysconf)
REFUSES(getpagesize)
REFUSES(syscall)
REFUSES(getrlimit)
REFUSES(getrlimit64)
REFUSES(sysinfo)
REFUSES(lseek)
REFUSES(lseek64)
REFUSES(ftruncate)
REFUSES(ftruncate64)
REFUSES(fallocate)
REFUSES(fallocate64)
REFUSES(fstat)
REFUSES(fstat64)
REFUSES(fstatat)
REFUSES(fstatat64)
REFUSES(stat)
REFUSES(stat64)
REFUSES(statx)
REFUSES(faccessat)
REFUSES(access)
REFUSES(close)
REFUSES(openat64)
REFUSES(pread)
REFUSES(pread64)
REFUSES(pwrite)
REFUSES(pwrite64)
REFUSES(unlink)
REFUSES(unlinkat)
REFUSES(mkdir)
REFUSES(mknod)
REFUSES(fchmod)
REFUSES(fchown)
REFUSES(dup3)
REFUSES(fcntl)
REFUSES(fcntl64)
REFUSES(mprotect)
REFUSES(madvise)
REFUSES(kill)
REFUSES(sigprocmask)
REFUSES(pthread_sigmask)
REFUSES(getrandom)
REFUSES(memfd_create)
