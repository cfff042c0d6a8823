/* SPDX-License-Identifier: MIT */
/*
 * numbers.c - what stands for a system call that a program makes by its number.
 *
 * The arguments are what the kernel would take from the registers. On every
 * machine that comes here, the kernel's structures are those of the C library.
 *
 * 32-bit x86 has a second, older way to System V objects: ipc(2), see number_ipc.c. There semop,
 * and semtimedop with 32-bit times, have no numbers of their own.
 */
#include "sysv/numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "platform/sys.h"
#include "segment/hostcalls.h"
#include "sysv/internal.h"
#include "sysv/ipc.h"
#include "sysv/names.h"
#include "sysv/proc.h"

#if MDG__HAS_NUMBERS

#define UNUSED(a, b, c) (void)(a), (void)(b), (void)(c)

/* Older headers of 32-bit x86 lack the numbers from 393 on. There ipc(2) is all that there is. */
#if defined(SYS_shmget)

static long number_shmget(long key, long size, long flags, long d, long e, long f)
{
	UNUSED(d, e, f);
	return mdg__sysv_shmget((key_t)key, (size_t)size, (int)flags);
}

static long number_shmat(long id, long address, long flags, long d, long e, long f)
{
	UNUSED(d, e, f);
	return (long)mdg__sysv_shmat((int)id, (const void *)address, (int)flags);
}

static long number_shmdt(long address, long b, long c, long d, long e, long f)
{
	(void)b;
	(void)c;
	UNUSED(d, e, f);
	return mdg__sysv_shmdt((const void *)address);
}

static long number_shmctl(long id, long command, long structure, long d, long e, long f)
{
	UNUSED(d, e, f);
	return mdg__sysv_shmctl((int)id, (int)command, (struct shmid_ds *)structure);
}

static long number_semget(long key, long count, long flags, long d, long e, long f)
{
	UNUSED(d, e, f);
	return mdg__sysv_semget((key_t)key, (int)count, (int)flags);
}

static long number_semctl(long id, long number, long command, long argument, long e, long f)
{
	union {
		long word;
		union mdg__semun value;
	} its = { argument };
	(void)e;
	(void)f;
	return mdg__sysv_semctl((int)id, (int)number, (int)command, its.value);
}

#if defined(SYS_semop)
static long number_semop(long id, long ops, long count, long d, long e, long f)
{
	UNUSED(d, e, f);
	return mdg__sysv_semtimedop((int)id, (const struct sembuf *)ops, (size_t)count, NULL);
}
#endif

#if defined(SYS_semtimedop)
static long number_semtimedop(long id, long ops, long count, long timeout, long e, long f)
{
	(void)e;
	(void)f;
	return mdg__sysv_semtimedop((int)id, (const struct sembuf *)ops, (size_t)count,
	                            (const struct timespec *)timeout);
}
#elif defined(SYS_semtimedop_time64)
static long number_semtimedop_time64(long id, long ops, long count, long timeout, long e, long f)
{
	(void)e;
	(void)f;
	return mdg__sysv_semtimedop64((int)id, (const struct sembuf *)ops, (size_t)count,
	                              (const void *)timeout);
}
#endif

static long number_msgget(long key, long flags, long c, long d, long e, long f)
{
	(void)c;
	UNUSED(d, e, f);
	return mdg__sysv_msgget((key_t)key, (int)flags);
}

static long number_msgsnd(long id, long message, long size, long flags, long e, long f)
{
	(void)e;
	(void)f;
	return mdg__sysv_msgsnd((int)id, (const void *)message, (size_t)size, (int)flags);
}

static long number_msgrcv(long id, long message, long size, long wanted, long flags, long f)
{
	(void)f;
	return mdg__sysv_msgrcv((int)id, (void *)message, (size_t)size, wanted, (int)flags);
}

static long number_msgctl(long id, long command, long structure, long d, long e, long f)
{
	UNUSED(d, e, f);
	return mdg__sysv_msgctl((int)id, (int)command, (struct msqid_ds *)structure);
}

#endif

/* ---- what a program does to its mappings -------------------------------------------- */

static long number_munmap(long address, long length, long c, long d, long e, long f)
{
	if (!mdg__host_before_munmap((void *)address, (size_t)length))
		return mdg__number_pass(SYS_munmap, address, length, c, d, e, f);
	return mdg__host_munmap(NULL, (void *)address, (size_t)length);
}

static long remap(const long call[5], int flags, bool touches)
{
	if (!touches)
		return mdg__number_pass(SYS_mremap, call[0], call[1], call[2], flags, call[4], 0);
	return (long)mdg__host_mremap(NULL, (void *)call[0], (size_t)call[1], (size_t)call[2],
	                              flags, (void *)call[4]);
}

static long number_mremap(long address, long old_length, long length, long flags, long to, long f)
{
	const long call[5] = { address, old_length, length, flags, to };
	int changed = (int)flags, before = errno;
	bool touches = mdg__host_before_mremap((void *)address, (size_t)old_length, (size_t)length,
	                                       &changed, (void *)to);
	long result = remap(call, changed, touches);
	(void)f;
	if (result == -1 &&
	    mdg__host_mremap_again((void *)address, (size_t)old_length, (int)flags, &changed)) {
		errno = before;
		result = remap(call, changed, touches);
	}
	return result;
}

#if defined(SYS_mmap2)
#define NUMBER_MMAP SYS_mmap2
#define MMAP_UNIT   4096u
#else
#define NUMBER_MMAP SYS_mmap
#define MMAP_UNIT   1u
#endif

static long number_mmap(long address, long length, long protection, long flags, long fd,
                        long offset)
{
	uint64_t bytes = (uint64_t)(unsigned long)offset * MMAP_UNIT;
	if (!(flags & MDG__MAP_FIXED_ANY) || bytes % mdg__page_size() != 0 ||
	    !mdg__host_before_mmap((void *)address, (size_t)length, (int)protection, (int)flags,
	                           (int)fd, bytes))
		return mdg__number_pass(NUMBER_MMAP, address, length, protection, flags, fd,
		                        offset);
	return (long)mdg__host_mmap(NULL, (void *)address, (size_t)length, (int)protection,
	                            (int)flags, (int)fd, bytes);
}

/* ---- becoming another user --------------------------------------------------------------- */

#define BECOMES(name)                                                                              \
	static long number_##name(long a, long b, long c, long d, long e, long f)                  \
	{                                                                                          \
		int before = errno;                                                                \
		mdg__host_identity_changing();                                                     \
		errno = before;                                                                    \
		long result = mdg__number_pass(SYS_##name, a, b, c, d, e, f);                      \
		mdg__host_identity_changed();                                                      \
		return result;                                                                     \
	}

BECOMES(setuid)
BECOMES(setreuid)
BECOMES(setresuid)
BECOMES(setgid)
BECOMES(setregid)
BECOMES(setresgid)
BECOMES(setgroups)
BECOMES(capset)
BECOMES(unshare)
BECOMES(setns)
#if defined(SYS_setuid32)
BECOMES(setuid32)
BECOMES(setreuid32)
BECOMES(setresuid32)
BECOMES(setgid32)
BECOMES(setregid32)
BECOMES(setresgid32)
BECOMES(setgroups32)
#endif

/* ---- the files of /proc ----------------------------------------------------------------- */

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

static long number_openat(long dirfd, long path, long flags, long mode, long e, long f)
{
	int fd = mdg__sysv_open_table((int)dirfd, (const char *)path, (int)flags);
	return fd != -2 ? fd : mdg__number_pass(SYS_openat, dirfd, path, flags, mode, e, f);
}

static long number_openat2(long dirfd, long path, long how, long size, long e, long f)
{
	int fd = mdg__sysv_openat2((int)dirfd, (const char *)path, (const void *)how, (size_t)size);
	return fd != -2 ? fd : mdg__number_pass(SYS_openat2, dirfd, path, how, size, e, f);
}

#if defined(SYS_open)
static long number_open(long path, long flags, long mode, long d, long e, long f)
{
	int fd = mdg__sysv_open_table(AT_FDCWD, (const char *)path, (int)flags);
	return fd != -2 ? fd : mdg__number_pass(SYS_open, path, flags, mode, d, e, f);
}
#endif

mdg__number_function *const mdg__numbers[] = {
#if defined(SYS_shmget)
	[SYS_shmget] = number_shmget,
	[SYS_shmat] = number_shmat,
	[SYS_shmdt] = number_shmdt,
	[SYS_shmctl] = number_shmctl,
	[SYS_semget] = number_semget,
	[SYS_semctl] = number_semctl,
	[SYS_msgget] = number_msgget,
	[SYS_msgsnd] = number_msgsnd,
	[SYS_msgrcv] = number_msgrcv,
	[SYS_msgctl] = number_msgctl,
#endif
#if defined(SYS_semop)
	[SYS_semop] = number_semop,
#endif
#if defined(SYS_semtimedop)
	[SYS_semtimedop] = number_semtimedop,
#elif defined(SYS_semtimedop_time64)
	[SYS_semtimedop_time64] = number_semtimedop_time64,
#endif
#if defined(SYS_ipc)
	[SYS_ipc] = mdg__number_ipc,
#endif
#if defined(SYS_open)
	[SYS_open] = number_open,
#endif
	[SYS_setuid] = number_setuid,
	[SYS_setreuid] = number_setreuid,
	[SYS_setresuid] = number_setresuid,
	[SYS_setgid] = number_setgid,
	[SYS_setregid] = number_setregid,
	[SYS_setresgid] = number_setresgid,
	[SYS_setgroups] = number_setgroups,
	[SYS_capset] = number_capset,
	[SYS_unshare] = number_unshare,
	[SYS_setns] = number_setns,
#if defined(SYS_setuid32)
	[SYS_setuid32] = number_setuid32,
	[SYS_setreuid32] = number_setreuid32,
	[SYS_setresuid32] = number_setresuid32,
	[SYS_setgid32] = number_setgid32,
	[SYS_setregid32] = number_setregid32,
	[SYS_setresgid32] = number_setresgid32,
	[SYS_setgroups32] = number_setgroups32,
#endif
	[SYS_openat] = number_openat,
	[SYS_openat2] = number_openat2,
	[SYS_munmap] = number_munmap,
	[SYS_mremap] = number_mremap,
	[NUMBER_MMAP] = number_mmap,
};
const unsigned long mdg__numbers_count = sizeof mdg__numbers / sizeof mdg__numbers[0];

#else
typedef int mdg__nothing_here;
#endif
