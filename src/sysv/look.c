/* SPDX-License-Identifier: MIT */
/*
 * look.c - what stat and access say of the files in proc.h, and which file a descriptor is.
 *
 * The answer is the same by path and by descriptor, because programs compare: cp refuses a file
 * whose descriptor is that of another file. Where the kernel has the file, device, inode and times
 * are the kernel's, so that they also agree with what the directory lists. Elsewhere they are made
 * up, and are the same each time.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/sys.h"
#include "segment/hostcalls.h"
#include "sysv/internal.h"
#include "sysv/proc.h"

#define FIRST_INODE 4226531840u /* the kernel gives those of /proc from 4026531840 on */

static void copy_times(struct mdg__proc_status *ret, const struct stat *from)
{
	ret->atime[0] = from->st_atim.tv_sec;
	ret->atime[1] = from->st_atim.tv_nsec;
	ret->mtime[0] = from->st_mtim.tv_sec;
	ret->mtime[1] = from->st_mtim.tv_nsec;
	ret->ctime[0] = from->st_ctim.tv_sec;
	ret->ctime[1] = from->st_ctim.tv_nsec;
}

void mdg__proc_status(int which, struct mdg__proc_status *ret)
{
	const struct mdg__proc_file *file = mdg__proc_file(which);
	struct stat status = { 0 };
	*ret = (struct mdg__proc_status){ .mode = S_IFREG | file->mode, .links = 1 };
	if (mdg__sys_statat(AT_FDCWD, file->path, true, &status) == 0 && S_ISREG(status.st_mode)) {
		ret->inode = status.st_ino;
	} else {
		ret->inode = FIRST_INODE + (unsigned)which;
		if (mdg__sys_statat(AT_FDCWD, "/proc", true, &status) < 0)
			return;
	}
	ret->device = status.st_dev;
	copy_times(ret, &status);
}

int mdg__proc_of_file(uint64_t device, uint64_t inode, uint64_t links, int64_t mtime,
                      int64_t mtime_nanoseconds)
{
	if (links == 0 && mtime == MDG__PROC_SECOND) {
		int64_t which = mtime_nanoseconds - MDG__PROC_NANOSECOND;
		return which >= 0 && which < mdg__proc_files() ? (int)which : -1;
	}
	mdg_namespace *ns = mdg__sysv_namespace_if_open();
	int setting = ns == NULL ? -1 : mdg__host_setting_of_file(ns, device, inode);
	int which = setting < 0 ? -1 : mdg__proc_files() - 1;
	while (which >= 0 && mdg__proc_file(which)->setting != setting)
		which--;
	return which;
}

int mdg__proc_access(int which, int ask)
{
	const struct mdg__proc_file *file = mdg__proc_file(which);
	mdg_namespace *ns;
	if (ask & ~(R_OK | W_OK | X_OK))
		return EINVAL;
	if (ask & X_OK)
		return EACCES;
	if (!(ask & W_OK))
		return 0;
	return file->setting != MDG__PROC_READ_ONLY && mdg__sysv_namespace(&ns) == 0 &&
	                       mdg__host_setting_allowed(ns)
	               ? 0
	               : EACCES;
}
