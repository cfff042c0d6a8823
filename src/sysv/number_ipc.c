/* SPDX-License-Identifier: MIT */
/*
 * number_ipc.c - ipc(2), the older way of 32-bit x86 to all System V objects.
 *
 * The first argument says which call is meant, and in its upper half which version of it. The other
 * arguments come in another order than those of the calls. Calls that want the structures from
 * before IPC_64 get EINVAL.
 */
#include "sysv/numbers.h"

#include <errno.h>
#include <stdint.h>
#include <sys/shm.h>

#include "sysv/internal.h"
#include "sysv/ipc.h"

#if MDG__HAS_NUMBERS && defined(SYS_ipc)

enum {
	IPC_64_BIT = 0x100,
	CALL_SEMOP = 1,
	CALL_SEMGET,
	CALL_SEMCTL,
	CALL_SEMTIMEDOP,
	CALL_MSGSND = 11,
	CALL_MSGRCV,
	CALL_MSGGET,
	CALL_MSGCTL,
	CALL_SHMAT = 21,
	CALL_SHMDT,
	CALL_SHMGET,
	CALL_SHMCTL
};

static long refuse(int error)
{
	errno = error;
	return -1;
}

static long call_shmat(unsigned version, long id, long flags, long place, long address)
{
	if (version == 1) /* of another Unix; never from here */
		return refuse(EINVAL);
	void *memory = mdg__sysv_shmat((int)id, (const void *)address, (int)flags);
	if (memory == (void *)-1)
		return -1;
	*(void **)place = memory;
	return 0;
}

/* Whether the command passes a structure that has an older form. IPC_SET and IPC_STAT are the same
 * numbers for all three. */
static bool has_old_form(long command, int stat, int stat_any)
{
	return command == IPC_STAT || command == IPC_SET || command == stat || command == stat_any;
}

static long call_shmctl(long id, long command, long structure)
{
	long plain = command & ~(long)IPC_64_BIT;
	bool has_structure = plain != IPC_RMID && plain != SHM_LOCK && plain != SHM_UNLOCK;
	if (has_structure && !(command & IPC_64_BIT))
		return refuse(EINVAL);
	return mdg__sysv_shmctl((int)id, (int)plain, (struct shmid_ds *)structure);
}

/* The union lies in memory here. */
static long call_semctl(long id, long number, long command, long place)
{
	long plain = command & ~(long)IPC_64_BIT;
	if (place == 0 || (has_old_form(plain, SEM_STAT, SEM_STAT_ANY) && plain == command))
		return refuse(EINVAL);
	return mdg__sysv_semctl((int)id, (int)number, (int)plain, *(const union mdg__semun *)place);
}

static long call_msgctl(long id, long command, long structure)
{
	long plain = command & ~(long)IPC_64_BIT;
	if (has_old_form(plain, MSG_STAT, MSG_STAT_ANY) && plain == command)
		return refuse(EINVAL);
	return mdg__sysv_msgctl((int)id, (int)plain, (struct msqid_ds *)structure);
}

/* Version 0 takes two of the arguments from memory. */
static long call_msgrcv(unsigned version, long id, long size, long flags, long pointer, long wanted)
{
	if (version == 0) {
		const long *both = (const long *)pointer;
		if (both == NULL)
			return refuse(EINVAL);
		pointer = both[0];
		wanted = both[1];
	}
	return mdg__sysv_msgrcv((int)id, (void *)pointer, (size_t)size, wanted, (int)flags);
}

static long call_semop(long id, long count, long ops, const void *timeout)
{
	return mdg__sysv_semtimedop((int)id, (const struct sembuf *)ops, (size_t)count, timeout);
}

long mdg__number_ipc(long call, long first, long second, long third, long pointer, long fifth)
{
	unsigned version = (unsigned)call >> 16;
	switch (call & 0xffff) {
	case CALL_SEMOP:
		return call_semop(first, second, pointer, NULL);
	case CALL_SEMTIMEDOP:
		return call_semop(first, second, pointer, (const void *)fifth);
	case CALL_SEMGET:
		return mdg__sysv_semget((key_t)first, (int)second, (int)third);
	case CALL_SEMCTL:
		return call_semctl(first, second, third, pointer);
	case CALL_MSGSND:
		return mdg__sysv_msgsnd((int)first, (const void *)pointer, (size_t)second,
		                        (int)third);
	case CALL_MSGRCV:
		return call_msgrcv(version, first, second, third, pointer, fifth);
	case CALL_MSGGET:
		return mdg__sysv_msgget((key_t)first, (int)second);
	case CALL_MSGCTL:
		return call_msgctl(first, second, pointer);
	case CALL_SHMAT:
		return call_shmat(version, first, second, third, pointer);
	case CALL_SHMDT:
		return mdg__sysv_shmdt((const void *)pointer);
	case CALL_SHMGET:
		return mdg__sysv_shmget((key_t)first, (size_t)second, (int)third);
	case CALL_SHMCTL:
		return call_shmctl(first, second, pointer);
	default:
		return refuse(ENOSYS); /* as the kernel */
	}
}

#else
typedef int mdg__nothing_here;
#endif
