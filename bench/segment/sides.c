/* SPDX-License-Identifier: MIT */
/*
 * sides.c - the two implementations that are compared.
 *
 * Madang's calls are called by their names, as any program linked with
 * libmadang-sysv would; the kernel's are made by the bare system call, because
 * their names are taken, and syscall(2) too. Both are reached through one table of pointers, so
 * neither is favoured by the compiler.
 */
#include "bench/segment/segment.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/raw.h"

#ifdef SYS_shmget

static long answer(long result)
{
	if ((unsigned long)result < (unsigned long)-4095L)
		return result;
	errno = (int)-result;
	return -1;
}

static int kernel_get(key_t key, size_t size, int flags)
{
	return (int)answer(MDG__RAW(SYS_shmget, key, size, flags));
}

static void *kernel_at(int id, const void *address, int flags)
{
	return (void *)answer(MDG__RAW(SYS_shmat, id, address, flags));
}

static int kernel_dt(const void *address)
{
	return (int)answer(MDG__RAW(SYS_shmdt, address));
}

static int kernel_ctl(int id, int command, struct shmid_ds *data)
{
	return (int)answer(MDG__RAW(SYS_shmctl, id, command, data));
}

#else /* only the old multiplexed ipc(2), or none */

static int kernel_get(key_t key, size_t size, int flags)
{
	(void)key, (void)size, (void)flags;
	errno = ENOSYS;
	return -1;
}

static void *kernel_at(int id, const void *address, int flags)
{
	(void)id, (void)address, (void)flags;
	errno = ENOSYS;
	return (void *)-1;
}

static int kernel_dt(const void *address)
{
	(void)address;
	errno = ENOSYS;
	return -1;
}

static int kernel_ctl(int id, int command, struct shmid_ds *data)
{
	(void)id, (void)command, (void)data;
	errno = ENOSYS;
	return -1;
}

#endif

static struct side madang = { "madang", shmget, shmat, shmdt, shmctl };
static const struct side kernel = { "kernel", kernel_get, kernel_at, kernel_dt, kernel_ctl };

const struct side *const bench_sides[SIDES] = { [MADANG] = &madang, [KERNEL] = &kernel };

void sides_control(void)
{
	madang = kernel;
	madang.name = "kernel-a";
}

bool side_kernel_isolate(void)
{
	return unshare(CLONE_NEWIPC) == 0;
}

bool side_kernel_works(void)
{
	int id = kernel_get(IPC_PRIVATE, 1, IPC_CREAT | 0600);

	if (id < 0)
		return false;
	kernel_ctl(id, IPC_RMID, NULL);
	return true;
}

/* A segment of an odd size, made by name: if the kernel knows it, the kernel
 * made it. An equal id alone proves nothing. */
bool side_madang_answers(void)
{
	enum { ODD_SIZE = 12347 };
	struct shmid_ds about = { 0 };
	int id = shmget(IPC_PRIVATE, ODD_SIZE, IPC_CREAT | 0600);
	bool kernels;

	if (id < 0)
		return false;
	kernels = kernel_ctl(id, IPC_STAT, &about) == 0 && about.shm_segsz == ODD_SIZE &&
	          about.shm_cpid == getpid();
	shmctl(id, IPC_RMID, NULL);
	return !kernels;
}
