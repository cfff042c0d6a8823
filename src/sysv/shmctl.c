/* SPDX-License-Identifier: MIT */
/*
 * shmctl.c - see shmctl(2).
 *
 * Some C libraries have two forms of the structure, one with 32-bit and one with
 * 64-bit times. There this file is compiled a second time, as shmctl64.c.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "sysv/internal.h"
#include "sysv/missing.h"
#include "sysv/seen.h"

static void fill_in(struct shmid_ds *ds, const struct mdg_segment_info *info)
{
	memset(ds, 0, sizeof *ds);
	ds->shm_perm.__key = info->key;
	ds->shm_perm.uid = info->uid;
	ds->shm_perm.gid = info->gid;
	ds->shm_perm.cuid = info->cuid;
	ds->shm_perm.cgid = info->cgid;
	ds->shm_perm.mode = (__typeof__(ds->shm_perm.mode))info->mode;
	ds->shm_perm.__seq = (__typeof__(ds->shm_perm.__seq))(info->id / 32768);
	ds->shm_segsz = (size_t)info->bytes;
	ds->shm_atime = (time_t)info->atime;
	ds->shm_dtime = (time_t)info->dtime;
	ds->shm_ctime = (time_t)info->ctime;
	ds->shm_cpid = info->cpid;
	ds->shm_lpid = info->lpid;
	ds->shm_nattch = info->attached;
}

static int status(mdg_namespace *ns, int id, unsigned flags, struct shmid_ds *ds)
{
	struct mdg_segment_info info = { .size = sizeof info };
	int rc = mdg_segment_stat(ns, id, flags, &info);
	if (rc < 0)
		return rc;
	if (ds == NULL)
		return -EFAULT;
	fill_in(ds, &info);
	return flags & MDG_STAT_INDEX ? info.id : 0;
}

static unsigned long clamped(uint64_t value, uint64_t most)
{
	return (unsigned long)(value < most ? value : most);
}

static int limits(mdg_namespace *ns, struct shminfo *ret)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	int rc = mdg_namespace_info(ns, 0, &info);
	if (rc < 0)
		return rc;
	if (ret == NULL)
		return -EFAULT;
	memset(ret, 0, sizeof *ret);
	/* For 32-bit programs the kernel cuts shmmax at INT_MAX. */
	ret->shmmax = clamped(info.shmmax, sizeof(long) == 4 ? INT_MAX : UINT64_MAX);
	ret->shmmin = 1;
	ret->shmmni = info.segments_max;
	ret->shmseg = info.segments_max;
	ret->shmall = (unsigned long)info.shmall;
	return info.highest_index;
}

static int totals(mdg_namespace *ns, struct shm_info *ret)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	int rc = mdg_namespace_info(ns, MDG_INFO_RESIDENT, &info);
	if (rc < 0)
		return rc;
	if (ret == NULL)
		return -EFAULT;
	memset(ret, 0, sizeof *ret);
	ret->used_ids = (int)info.segments_used;
	ret->shm_tot = (unsigned long)info.pages_total;
	ret->shm_rss = (unsigned long)info.pages_resident;
	return info.highest_index;
}

static int set(mdg_namespace *ns, int id, const struct shmid_ds *ds)
{
	if (ds == NULL)
		return -EFAULT; /* the kernel copies before it looks at the id */
	return mdg_segment_set(ns, id, ds->shm_perm.uid, ds->shm_perm.gid,
	                       (unsigned)ds->shm_perm.mode & 0777);
}

static int command(mdg_namespace *ns, int id, int cmd, struct shmid_ds *ds)
{
	void *other = ds; /* IPC_INFO and SHM_INFO pass other structures */
	switch (cmd) {
	case IPC_STAT:
		return status(ns, id, 0, ds);
	case SHM_STAT:
		return status(ns, id, MDG_STAT_INDEX, ds);
	case SHM_STAT_ANY:
		return status(ns, id, MDG_STAT_INDEX | MDG_STAT_ANY, ds);
	case IPC_SET:
		return set(ns, id, ds);
	case IPC_RMID:
		return mdg_segment_remove(ns, id);
	case IPC_INFO:
		return limits(ns, other);
	case SHM_INFO:
		return totals(ns, other);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return mdg_segment_lock(ns, id, cmd == SHM_LOCK);
	default:
		return -EINVAL;
	}
}

static int control(int id, int cmd, struct shmid_ds *ds)
{
	mdg_namespace *ns;
	int rc = id < 0 || cmd < 0 ? -EINVAL : mdg__sysv_namespace(&ns);
	if (rc == 0)
		rc = command(ns, id, cmd, ds);
	return rc < 0 ? mdg__sysv_fail(rc, 0) : rc;
}

int mdg__sysv_shmctl(int id, int cmd, struct shmid_ds *ds)
{
	return MDG__SEEN(shmctl, &mdg__log_shmctl, control(id, cmd, ds), id, cmd, ds, 0, 0);
}

MDG_EXPORT int shmctl(int id, int cmd, struct shmid_ds *ds)
{
	return mdg__sysv_shmctl(id, cmd, ds);
}
