/* SPDX-License-Identifier: MIT */
/*
 * numbers.c - what stands for a system call that a program makes by its number.
 *
 * The arguments are what the kernel would take from the registers. On every
 * machine that comes here, the kernel's structures are those of the C library.
 *
 * 32-bit x86 has a second, older way to shared memory: ipc(2), which holds all
 * of System V. Its calls for shared memory are ours. Calls that want the
 * structures from before IPC_64 get EINVAL.
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
#include "sysv/names.h"
#include "sysv/proc.h"

#if MDG__HAS_NUMBERS

#define UNUSED(a, b, c) (void)(a), (void)(b), (void)(c)

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
		long result = mdg__number_pass(SYS_##name, a, b, c, d, e, f);                      \
		mdg__host_identity_changed();                                                      \
		return result;                                                                     \
	}

BECOMES(setuid)
BECOMES(setreuid)
BECOMES(setresuid)
BECOMES(unshare)
BECOMES(setns)
#if defined(SYS_setuid32)
BECOMES(setuid32)
BECOMES(setreuid32)
BECOMES(setresuid32)
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

/* ---- ipc(2) ----------------------------------------------------------------------------- */

#if defined(SYS_ipc)

enum { IPC_64_BIT = 0x100, CALL_SHMAT = 21, CALL_SHMDT, CALL_SHMGET, CALL_SHMCTL };

static long ipc_shmat(unsigned version, long id, long flags, long place, long address)
{
	if (version == 1) { /* of another Unix; never from here */
		errno = EINVAL;
		return -1;
	}
	void *memory = mdg__sysv_shmat((int)id, (const void *)address, (int)flags);
	if (memory == (void *)-1)
		return -1;
	*(void **)place = memory;
	return 0;
}

static long ipc_shmctl(long id, long command, long structure)
{
	long plain = command & ~(long)IPC_64_BIT;
	bool has_structure = plain != IPC_RMID && plain != SHM_LOCK && plain != SHM_UNLOCK;
	if (has_structure && !(command & IPC_64_BIT)) {
		errno = EINVAL;
		return -1;
	}
	return mdg__sysv_shmctl((int)id, (int)plain, (struct shmid_ds *)structure);
}

static long number_ipc(long call, long first, long second, long third, long pointer, long fifth)
{
	switch (call & 0xffff) {
	case CALL_SHMAT:
		return ipc_shmat((unsigned)call >> 16, first, second, third, pointer);
	case CALL_SHMDT:
		return mdg__sysv_shmdt((const void *)pointer);
	case CALL_SHMGET:
		return mdg__sysv_shmget((key_t)first, (size_t)second, (int)third);
	case CALL_SHMCTL:
		return ipc_shmctl(first, second, pointer);
	default: /* semaphores, message queues */
		return mdg__number_pass(SYS_ipc, call, first, second, third, pointer, fifth);
	}
}

#endif

mdg__number_function *const mdg__numbers[] = {
#if defined(SYS_shmget)
	[SYS_shmget] = number_shmget,
	[SYS_shmat] = number_shmat,
	[SYS_shmdt] = number_shmdt,
	[SYS_shmctl] = number_shmctl,
#endif
#if defined(SYS_ipc)
	[SYS_ipc] = number_ipc,
#endif
#if defined(SYS_open)
	[SYS_open] = number_open,
#endif
	[SYS_setuid] = number_setuid,
	[SYS_setreuid] = number_setreuid,
	[SYS_setresuid] = number_setresuid,
	[SYS_unshare] = number_unshare,
	[SYS_setns] = number_setns,
#if defined(SYS_setuid32)
	[SYS_setuid32] = number_setuid32,
	[SYS_setreuid32] = number_setreuid32,
	[SYS_setresuid32] = number_setresuid32,
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
