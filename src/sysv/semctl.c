/* SPDX-License-Identifier: MIT */
/*
 * semctl.c - see semctl(2).
 *
 * Some C libraries have two forms of the structure, one with 32-bit and one with 64-bit times.
 * There this file is compiled a second time, as semctl64.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "madang/sem.h"
#include "segment/hostcalls.h"
#include "sysv/internal.h"
#include "sysv/ipc.h"
#include "sysv/missing.h"
#include "sysv/seen.h"

#if defined(__x86_64__) && defined(__LP64__)
_Static_assert(sizeof(struct semid_ds) == 104 && offsetof(struct semid_ds, sem_otime) == 48 &&
                       offsetof(struct semid_ds, sem_ctime) == 64 &&
                       offsetof(struct semid_ds, sem_nsems) == 80,
               "the kernel's layout");
#elif defined(__i386__) && defined(__GLIBC__) && !defined(__USE_TIME_BITS64)
_Static_assert(sizeof(struct semid_ds) == 64 && offsetof(struct semid_ds, sem_otime) == 36 &&
                       offsetof(struct semid_ds, sem_ctime) == 44 &&
                       offsetof(struct semid_ds, sem_nsems) == 52,
               "the kernel's layout");
#endif
_Static_assert(sizeof(struct seminfo) == 40, "the kernel's layout");

/* Figures that nothing depends on: semmnu and semmap, semume, semusz. The kernel gives these. */
enum { FIGURE_SEMMNS = 1024000000, FIGURE_SEMOPM = 500, FIGURE_SEMUSZ = 20 };

static void fill_in(struct semid_ds *ds, const struct mdg_semset_info *info)
{
	memset(ds, 0, sizeof *ds);
	ds->sem_perm.__key = info->key;
	ds->sem_perm.uid = info->uid;
	ds->sem_perm.gid = info->gid;
	ds->sem_perm.cuid = info->cuid;
	ds->sem_perm.cgid = info->cgid;
	ds->sem_perm.mode = (__typeof__(ds->sem_perm.mode))info->mode;
	ds->sem_perm.__seq = (__typeof__(ds->sem_perm.__seq))(info->id / 32768);
	ds->sem_otime = (time_t)info->otime;
	ds->sem_ctime = (time_t)info->ctime;
	ds->sem_nsems = (__typeof__(ds->sem_nsems))info->count;
}

static int status(mdg_namespace *ns, int id, unsigned flags, struct semid_ds *ds)
{
	struct mdg_semset_info info = { .size = sizeof info };
	int rc = mdg_semset_stat(ns, id, flags, &info);
	if (rc < 0)
		return rc;
	if (ds == NULL)
		return -EFAULT;
	fill_in(ds, &info);
	return flags & MDG_STAT_INDEX ? info.id : 0;
}

static int set(mdg_namespace *ns, int id, const struct semid_ds *ds)
{
	if (ds == NULL)
		return -EFAULT; /* the kernel copies before it looks at the id */
	return mdg_semset_set(ns, id, ds->sem_perm.uid, ds->sem_perm.gid,
	                      (unsigned)ds->sem_perm.mode & 0777);
}

/* IPC_INFO; and SEM_INFO, which says in two of the fields how much is in use. */
static int limits(mdg_namespace *ns, bool in_use, struct seminfo *ret)
{
	struct mdg__host_totals totals;
	int rc = mdg__host_totals(ns, MDG__SEMAPHORE_SETS, &totals);
	if (rc < 0)
		return rc;
	if (ret == NULL)
		return -EFAULT;
	*ret = (struct seminfo){ .semmap = FIGURE_SEMMNS,
		                 .semmni = (int)totals.limit[3],
		                 .semmns = (int)totals.limit[1],
		                 .semmnu = FIGURE_SEMMNS,
		                 .semmsl = (int)totals.limit[0],
		                 .semopm = (int)totals.limit[2],
		                 .semume = FIGURE_SEMOPM,
		                 .semusz = in_use ? (int)totals.used : FIGURE_SEMUSZ,
		                 .semvmx = MDG_SEM_VALUE_MAX,
		                 .semaem = in_use ? (int)totals.total : MDG_SEM_VALUE_MAX };
	return totals.highest;
}

/* ---- values ------------------------------------------------------------------------------ */

static int pid_of(mdg_namespace *ns, int id, int number)
{
	int32_t pid = 0;
	int rc = mdg_semset_pid(ns, id, (uint32_t)number, &pid);
	return rc < 0 ? rc : pid;
}

static int get_all(mdg_namespace *ns, int id, unsigned short *array)
{
	struct mdg_semset_info info = { .size = sizeof info };
	int rc = mdg_semset_stat(ns, id, 0, &info);
	if (rc < 0)
		return rc;
	if (array == NULL)
		return -EFAULT;
	return mdg_semset_all(ns, id, array, info.count);
}

static int set_all(mdg_namespace *ns, int id, const unsigned short *array)
{
	struct mdg_semset_info info = { .size = sizeof info };
	int rc = mdg_semset_stat(ns, id, MDG_STAT_ANY, &info);
	if (rc < 0)
		return rc;
	if (array != NULL)
		return mdg_semset_set_all(ns, id, array, info.count);
	/* -EACCES, or a complaint about the number. */
	rc = mdg_semset_set_all(ns, id, NULL, 0);
	return rc == -EINVAL ? -EFAULT : rc;
}

/* ---- the call ---------------------------------------------------------------------------- */

static int command(mdg_namespace *ns, int id, int number, int cmd, union mdg__semun argument)
{
	switch (cmd) {
	case GETVAL:
		return mdg_semset_value(ns, id, (uint32_t)number);
	case GETPID:
		return pid_of(ns, id, number);
	case GETNCNT:
	case GETZCNT:
		return mdg_semset_waiting(ns, id, (uint32_t)number, cmd == GETZCNT);
	case GETALL:
		return get_all(ns, id, argument.array);
	case SETVAL:
		return mdg_semset_set_value(ns, id, (uint32_t)number, argument.val);
	case SETALL:
		return set_all(ns, id, argument.array);
	case IPC_STAT:
		return status(ns, id, 0, argument.buf);
	case SEM_STAT:
		return status(ns, id, MDG_STAT_INDEX, argument.buf);
	case SEM_STAT_ANY:
		return status(ns, id, MDG_STAT_INDEX | MDG_STAT_ANY, argument.buf);
	case IPC_SET:
		return set(ns, id, argument.buf);
	case IPC_RMID:
		return mdg_semset_remove(ns, id);
	case IPC_INFO:
	case SEM_INFO:
		return limits(ns, cmd == SEM_INFO, argument.info);
	default:
		return -EINVAL;
	}
}

static int control(int id, int number, int cmd, union mdg__semun argument)
{
	mdg_namespace *ns;
	int rc = id < 0 || cmd < 0 ? -EINVAL : mdg__sysv_namespace(&ns);
	if (rc == 0)
		rc = command(ns, id, number, cmd, argument);
	return rc < 0 ? mdg__sysv_fail(rc, 0) : rc;
}

int mdg__sysv_semctl(int id, int number, int cmd, union mdg__semun argument)
{
	return MDG__SEEN(semctl, &mdg__log_semctl, control(id, number, cmd, argument), id, number,
	                 cmd, argument.buf, argument.val);
}

/* For other commands there may be no fourth argument, and none is read. */
static bool takes_argument(int cmd)
{
	switch (cmd) {
	case GETALL:
	case SETVAL:
	case SETALL:
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
	case IPC_SET:
	case IPC_INFO:
	case SEM_INFO:
		return true;
	default:
		return false;
	}
}

/* The argument is the union itself, which some machines pass in another way than a pointer. */
MDG_EXPORT int semctl(int id, int number, int cmd, ...)
{
	union mdg__semun argument = { .buf = NULL };
	if (takes_argument(cmd)) {
		va_list list;
		va_start(list, cmd);
		argument = va_arg(list, union mdg__semun);
		va_end(list);
	}
	return mdg__sysv_semctl(id, number, cmd, argument);
}
