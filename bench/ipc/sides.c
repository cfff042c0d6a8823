/* SPDX-License-Identifier: MIT */
/*
 * sides.c - the three ways to semaphores and queues that are compared.
 *
 * Madang's System V calls are called by their names, as any program linked with libmadang-sysv
 * would. The kernel's are made by the bare system call, because their names are taken. All are
 * reached through one table of pointers, so that the compiler favours none.
 */
#include "bench/ipc/ipc.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include <madang/msg.h>
#include <madang/sem.h>

#include "platform/raw.h"

union semun {
	int value;
	struct semid_ds *about;
	void *room;
};

/* ---- Madang's System V names ------------------------------------------------------------ */

static int madang_set_value(int id, int number)
{
	return semctl(id, number, GETVAL);
}

static int madang_set_waiting(int id, int number)
{
	return semctl(id, number, GETNCNT);
}

static int madang_set_give(int id, int number, int value)
{
	return semctl(id, number, SETVAL, (union semun){ .value = value });
}

static int madang_set_stat(int id)
{
	struct semid_ds about;

	return semctl(id, 0, IPC_STAT, (union semun){ .about = &about });
}

static int madang_set_remove(int id)
{
	return semctl(id, 0, IPC_RMID);
}

static int madang_queue_send(int id, const void *message, size_t size)
{
	return msgsnd(id, message, size, 0);
}

static ssize_t madang_queue_receive(int id, void *message, size_t size, long type)
{
	return msgrcv(id, message, size, type, 0);
}

static int madang_queue_stat(int id)
{
	struct msqid_ds about;

	return msgctl(id, IPC_STAT, &about);
}

static int madang_queue_remove(int id)
{
	return msgctl(id, IPC_RMID, NULL);
}

static const struct ipc_side madang = {
	.name = "madang",
	.set_get = semget,
	.set_op = semop,
	.set_value = madang_set_value,
	.set_waiting = madang_set_waiting,
	.set_give = madang_set_give,
	.set_stat = madang_set_stat,
	.set_remove = madang_set_remove,
	.queue_get = msgget,
	.queue_send = madang_queue_send,
	.queue_receive = madang_queue_receive,
	.queue_stat = madang_queue_stat,
	.queue_remove = madang_queue_remove,
};

/* ---- Madang's native functions ---------------------------------------------------------- */

static mdg_namespace *native_namespace;

static long answer(long result)
{
	if (result >= 0)
		return result;
	errno = result >= -4095 ? (int)-result : EIO;
	return -1;
}

static int native_set_get(key_t key, int count, int flags)
{
	mdg_id id;
	long bad = mdg_semset_get(native_namespace, key, (uint32_t)count, (unsigned)flags, &id);

	return bad != 0 ? (int)answer(bad) : (int)id;
}

static int native_set_op(int id, struct sembuf *ops, size_t count)
{
	const void *same_layout = ops;

	return (int)answer(
		mdg_semset_op(native_namespace, (mdg_id)id, same_layout, count, MDG_FOREVER));
}

static int native_set_value(int id, int number)
{
	return (int)answer(mdg_semset_value(native_namespace, (mdg_id)id, (uint32_t)number));
}

static int native_set_waiting(int id, int number)
{
	return (int)answer(mdg_semset_waiting(native_namespace, (mdg_id)id, (uint32_t)number, 0));
}

static int native_set_give(int id, int number, int value)
{
	return (int)answer(
		mdg_semset_set_value(native_namespace, (mdg_id)id, (uint32_t)number, value));
}

static int native_set_stat(int id)
{
	struct mdg_semset_info about = { .size = sizeof about };

	return (int)answer(mdg_semset_stat(native_namespace, (mdg_id)id, 0, &about));
}

static int native_set_remove(int id)
{
	return (int)answer(mdg_semset_remove(native_namespace, (mdg_id)id));
}

static int native_queue_get(key_t key, int flags)
{
	mdg_id id;
	long bad = mdg_msgqueue_get(native_namespace, key, (unsigned)flags, &id);

	return bad != 0 ? (int)answer(bad) : (int)id;
}

static int native_queue_send(int id, const void *message, size_t size)
{
	const struct msgbuf *typed = message;

	return (int)answer(mdg_msgqueue_send(native_namespace, (mdg_id)id, typed->mtype,
	                                     typed->mtext, size, MDG_FOREVER));
}

static ssize_t native_queue_receive(int id, void *message, size_t size, long type)
{
	struct msgbuf *typed = message;
	int64_t found = 0;
	size_t length = 0;
	long bad = mdg_msgqueue_receive(native_namespace, (mdg_id)id, type, typed->mtext, size, 0,
	                                MDG_FOREVER, &found, &length);

	typed->mtype = (long)found;
	return bad != 0 ? answer(bad) : (ssize_t)length;
}

static int native_queue_stat(int id)
{
	struct mdg_msgqueue_info about = { .size = sizeof about };

	return (int)answer(mdg_msgqueue_stat(native_namespace, (mdg_id)id, 0, &about));
}

static int native_queue_remove(int id)
{
	return (int)answer(mdg_msgqueue_remove(native_namespace, (mdg_id)id));
}

static const struct ipc_side native = {
	.name = "native",
	.set_get = native_set_get,
	.set_op = native_set_op,
	.set_value = native_set_value,
	.set_waiting = native_set_waiting,
	.set_give = native_set_give,
	.set_stat = native_set_stat,
	.set_remove = native_set_remove,
	.queue_get = native_queue_get,
	.queue_send = native_queue_send,
	.queue_receive = native_queue_receive,
	.queue_stat = native_queue_stat,
	.queue_remove = native_queue_remove,
};

/* ---- the kernel ------------------------------------------------------------------------- */

#if defined(SYS_semget) && defined(SYS_msgget)

/* Room for what the kernel's structures are on any machine. */
struct about {
	uint64_t words[32];
};

static int kernel_set_get(key_t key, int count, int flags)
{
	return (int)answer(MDG__RAW(SYS_semget, key, count, flags));
}

static int kernel_set_op(int id, struct sembuf *ops, size_t count)
{
#ifdef SYS_semop
	return (int)answer(MDG__RAW(SYS_semop, id, ops, count));
#else
	return (int)answer(MDG__RAW(SYS_semtimedop_time64, id, ops, count, 0));
#endif
}

static int kernel_set_value(int id, int number)
{
	return (int)answer(MDG__RAW(SYS_semctl, id, number, GETVAL, 0));
}

static int kernel_set_waiting(int id, int number)
{
	return (int)answer(MDG__RAW(SYS_semctl, id, number, GETNCNT, 0));
}

static int kernel_set_give(int id, int number, int value)
{
	return (int)answer(MDG__RAW(SYS_semctl, id, number, SETVAL, value));
}

static int kernel_set_stat(int id)
{
	struct about about;

	return (int)answer(MDG__RAW(SYS_semctl, id, 0, IPC_STAT, &about));
}

static int kernel_set_remove(int id)
{
	return (int)answer(MDG__RAW(SYS_semctl, id, 0, IPC_RMID, 0));
}

static int kernel_queue_get(key_t key, int flags)
{
	return (int)answer(MDG__RAW(SYS_msgget, key, flags));
}

static int kernel_queue_send(int id, const void *message, size_t size)
{
	return (int)answer(MDG__RAW(SYS_msgsnd, id, message, size, 0));
}

static ssize_t kernel_queue_receive(int id, void *message, size_t size, long type)
{
	return answer(MDG__RAW(SYS_msgrcv, id, message, size, type, 0));
}

static int kernel_queue_stat(int id)
{
	struct about about;

	return (int)answer(MDG__RAW(SYS_msgctl, id, IPC_STAT, &about));
}

static int kernel_queue_remove(int id)
{
	return (int)answer(MDG__RAW(SYS_msgctl, id, IPC_RMID, 0));
}

static const struct ipc_side kernel = {
	.name = "kernel",
	.set_get = kernel_set_get,
	.set_op = kernel_set_op,
	.set_value = kernel_set_value,
	.set_waiting = kernel_set_waiting,
	.set_give = kernel_set_give,
	.set_stat = kernel_set_stat,
	.set_remove = kernel_set_remove,
	.queue_get = kernel_queue_get,
	.queue_send = kernel_queue_send,
	.queue_receive = kernel_queue_receive,
	.queue_stat = kernel_queue_stat,
	.queue_remove = kernel_queue_remove,
};

/* False where the kernel has no System V IPC, or it is forbidden. */
static bool kernel_works(void)
{
	int set = kernel_set_get(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	int queue = kernel_queue_get(IPC_PRIVATE, IPC_CREAT | 0600);

	if (set >= 0)
		kernel_set_remove(set);
	if (queue >= 0)
		kernel_queue_remove(queue);
	return set >= 0 && queue >= 0;
}

static const struct ipc_side *kernel_side(void)
{
	return kernel_works() ? &kernel : NULL;
}

#else /* only the old multiplexed ipc(2), or none */

static const struct ipc_side *kernel_side(void)
{
	return NULL;
}

#endif

/* ---- all -------------------------------------------------------------------------------- */

static const struct ipc_side *sides[IPC_SIDES] = { [IPC_MADANG] = &madang };

const struct ipc_side *ipc_side(int number)
{
	return sides[number];
}

const char *ipc_side_name(int number)
{
	static const char *const names[] = { "madang", "native", "kernel" };

	return number == IPC_MADANG ? sides[IPC_MADANG]->name : names[number];
}

void ipc_sides_open(const char *namespace_dir)
{
	sides[IPC_KERNEL] = kernel_side();
	if (sides[IPC_MADANG] == &madang &&
	    mdg_namespace_open(&native_namespace, namespace_dir, NULL) == 0)
		sides[IPC_NATIVE] = &native;
}

void ipc_sides_close(void)
{
	mdg_namespace_close(native_namespace);
	native_namespace = NULL;
	sides[IPC_NATIVE] = NULL;
}

void ipc_sides_control(void)
{
	static struct ipc_side again;
	const struct ipc_side *kernels = kernel_side();

	if (kernels == NULL)
		return;
	again = *kernels;
	again.name = "kernel-a";
	sides[IPC_MADANG] = &again;
}

/* Madang's ids go to no kernel's object: a set of an odd number of semaphores is not there. */
bool ipc_madang_answers(void)
{
	enum { ODD_COUNT = 47 };
	const struct ipc_side *kernels = kernel_side();
	int id = semget(IPC_PRIVATE, ODD_COUNT, IPC_CREAT | 0600);
	bool same;

	if (id < 0)
		return false;
	same = kernels != NULL && kernels->set_value(id, ODD_COUNT - 1) >= 0;
	semctl(id, 0, IPC_RMID);
	return !same;
}
