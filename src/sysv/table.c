/* SPDX-License-Identifier: MIT */
/*
 * table.c - the files of /proc that tell of System V objects, and set their limits.
 *
 * ipcs and lsipc read /proc/sysvipc, and the limits in /proc/sys/kernel, before they ask shmctl and
 * its sisters. A program inside Madang gets Madang's files: an anonymous file with what the kernel
 * would print at the moment of the open. A program that opens a limit for writing, and may write
 * it, gets the limit's file in the namespace's directory (segment/settings.c). None of the paths in
 * the list below reaches the kernel. The same holds for any other path that ends in the same name
 * and leads to the same file: a relative one, or one through /proc/self/root.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/sys.h"
#include "platform/text.h"
#include "registry/layout.h"
#include "segment/hostcalls.h"
#include "sysv/internal.h"
#include "sysv/proc.h"

#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1u
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

/* An anonymous file, with the descriptor that open(2) would give. Some systems forbid anonymous
 * files that can be executed, so MFD_NOEXEC_SEAL says that ours cannot. Older kernels do not know
 * this flag. */
static int anonymous_file(void)
{
	int fd = mdg__sys_memfd("sysvipc", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	return fd != -EINVAL ? fd : mdg__sys_memfd("sysvipc", MFD_CLOEXEC);
}

/* Marks the file for mdg__proc_of_file(). If that fails, the file stays unmarked. */
static void mark(int fd, int which)
{
	(void)mdg__sys_fchmod(fd, 01444);
	(void)mdg__sys_set_times(fd, MDG__PROC_SECOND, MDG__PROC_NANOSECOND + which);
}

/* Setting it would destroy each segment that nobody has attached and whose creator has ended: see
 * docs/divergences.md. */
static int write_zero(mdg_namespace *ns, int fd)
{
	(void)ns;
	return mdg__proc_put(fd, "0\n", 2);
}

static const struct mdg__proc_file files[] = {
	{ "/proc/sysvipc/shm", 0444, MDG__PROC_READ_ONLY, mdg__proc_segments },
	{ "/proc/sys/kernel/shmmax", 0644, MDG__SHMMAX, NULL },
	{ "/proc/sys/kernel/shmall", 0644, MDG__SHMALL, NULL },
	{ "/proc/sys/kernel/shmmni", 0644, MDG__SHMMNI, NULL },
	{ "/proc/sys/kernel/shm_next_id", 0444, MDG__NEXT_ID, NULL },
	{ "/proc/sys/kernel/shm_rmid_forced", 0644, MDG__PROC_READ_ONLY, write_zero },
	{ "/proc/sysvipc/sem", 0444, MDG__PROC_READ_ONLY, mdg__proc_sets },
	{ "/proc/sys/kernel/sem", 0644, MDG__SET_SEM, NULL },
	{ "/proc/sys/kernel/sem_next_id", 0444, MDG__SEM_NEXT_ID, NULL },
	{ "/proc/sysvipc/msg", 0444, MDG__PROC_READ_ONLY, mdg__proc_queues },
	{ "/proc/sys/kernel/msgmax", 0644, MDG__SET_MSGMAX, NULL },
	{ "/proc/sys/kernel/msgmnb", 0644, MDG__SET_MSGMNB, NULL },
	{ "/proc/sys/kernel/msgmni", 0644, MDG__SET_MSGMNI, NULL },
	{ "/proc/sys/kernel/msg_next_id", 0444, MDG__MSG_NEXT_ID, NULL },
	{ "/proc/sys/kernel/auto_msgmni", 0644, MDG__PROC_IGNORES, write_zero },
};

int mdg__proc_files(void)
{
	return (int)(sizeof files / sizeof files[0]);
}

/* Every file that the program opens comes through these. A sanitizer opens files before its own
 * strcmp and its sisters are ready, so none of them is called here. */
static bool is_equal(const char *one, const char *other)
{
	while (*one != '\0' && *one == *other) {
		one++;
		other++;
	}
	return *one == *other;
}

static bool begins_with(const char *text, const char *start)
{
	while (*start != '\0' && *start == *text) {
		start++;
		text++;
	}
	return *start == '\0';
}

int mdg__proc_find(const char *path)
{
	if (!begins_with(path, "/proc/sys"))
		return -1;
	int which = mdg__proc_files();
	do
		which--;
	while (which >= 0 && !is_equal(path, files[which].path));
	return which;
}

static const char *last_part(const char *path)
{
	const char *last = path;
	for (; *path != '\0'; path++)
		if (*path == '/')
			last = path + 1;
	return last;
}

/* Looks at the last part of the path, and then at what the kernel has there. */
static int find_by_name(int dirfd, const char *path, bool follow)
{
	const char *name = last_part(path);
	struct stat status, its;
	if (name[0] != 's' && name[0] != 'm' && name[0] != 'a') /* none of the files */
		return -1;
	for (int which = 0; which < mdg__proc_files(); which++)
		if (is_equal(name, last_part(files[which].path)))
			return mdg__sys_statat(dirfd, path, follow, &status) == 0 &&
			                       mdg__sys_statat(AT_FDCWD, files[which].path, true,
			                                       &its) == 0 &&
			                       status.st_dev == its.st_dev &&
			                       status.st_ino == its.st_ino
			               ? which
			               : -1;
	return -1;
}

const struct mdg__proc_file *mdg__proc_file(int which)
{
	return &files[which];
}

static int write_content(mdg_namespace *ns, const struct mdg__proc_file *file, int fd)
{
	char text[MDG__SETTING_ROOM];
	if (file->content != NULL)
		return file->content(ns, fd);
	int length = mdg__host_setting_text(ns, (unsigned)file->setting, text);
	return length < 0 ? length : mdg__proc_put(fd, text, (size_t)length);
}

/* A new descriptor that can only do what `access` says, from the start of the file. It is
 * close-on-exec if `flags` say so. */
static int twin_of(int fd, int access, int flags)
{
	char path[40];
	mdg__format(path, sizeof path, "/proc/self/fd/%d", fd);
	int twin = mdg__sys_openat(AT_FDCWD, path, access, 0);
	if (twin < 0) { /* no /proc: this one does as well */
		int rc = mdg__sys_rewind(fd);
		if (rc < 0)
			return rc;
		twin = fd;
	} else {
		/* The caller's descriptor is the lowest free one. */
		int moved = mdg__sys_dup_onto(twin, fd);
		(void)mdg__sys_close(twin);
		if (moved < 0)
			return moved;
		twin = moved;
	}
	if (!(flags & O_CLOEXEC))
		(void)mdg__sys_keep_in_exec(twin);
	return twin;
}

static int open_to_read(int which, int flags)
{
	mdg_namespace *ns;
	int rc = mdg__sysv_namespace(&ns);
	int fd = rc < 0 ? rc : anonymous_file();
	if (fd < 0)
		return fd;
	rc = write_content(ns, &files[which], fd);
	mark(fd, which);
	if (rc == 0)
		rc = twin_of(fd, O_RDONLY, flags);
	if (rc < 0)
		(void)mdg__sys_close(fd);
	return rc;
}

/* A file of the program's own, to write to. */
static int open_to_ignore(int which, int flags)
{
	int fd = anonymous_file();
	int rc = fd < 0 ? fd : mdg__proc_put(fd, "0\n", 2);
	if (rc == 0) {
		mark(fd, which);
		rc = twin_of(fd, flags & O_ACCMODE, flags);
	}
	if (rc < 0 && fd >= 0)
		(void)mdg__sys_close(fd);
	return rc;
}

static int open_to_write(int which, int flags)
{
	mdg_namespace *ns;
	int setting = files[which].setting;
	int rc = setting == MDG__PROC_READ_ONLY ? -EACCES : mdg__sysv_namespace(&ns);
	if (rc < 0)
		return rc;
	if ((flags & O_ACCMODE) == O_RDONLY) /* and O_TRUNC, which empties nothing */
		return mdg__host_setting_allowed(ns) ? open_to_read(which, flags) : -EACCES;
	if (setting == MDG__PROC_IGNORES)
		return mdg__host_setting_allowed(ns) ? open_to_ignore(which, flags) : -EACCES;
	int fd = mdg__host_setting_open(ns, (unsigned)setting, flags);
	if (fd >= 0 && !(flags & O_CLOEXEC))
		(void)mdg__sys_keep_in_exec(fd);
	return fd;
}

int mdg__sysv_open_table(int dirfd, const char *path, int flags)
{
	int which = mdg__proc_of(path);
	if (which < 0 && path != NULL)
		which = find_by_name(dirfd, path, !(flags & O_NOFOLLOW));
	if (which < 0)
		return -2;
	int before = errno, fd;
#ifdef O_PATH
	if (flags & O_PATH)
		flags &= ~(O_ACCMODE | O_TRUNC | O_CREAT);
#endif
	if ((flags & O_CREAT) && (flags & O_EXCL))
		fd = -EEXIST;
	else if (flags & O_DIRECTORY)
		fd = -ENOTDIR;
	else if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
		fd = open_to_write(which, flags);
	else
		fd = open_to_read(which, flags);
	/* Otherwise it is as on a kernel without System V IPC: there is no such file. */
	errno = fd >= 0 ? before : fd < -4095 ? ENOENT : -fd;
	return fd < 0 ? -1 : fd;
}

int mdg__sysv_openat2(int dirfd, const char *path, const void *how, size_t size)
{
	enum { BENEATH = 0x08, IN_ROOT = 0x10 };
	uint64_t open_how[3]; /* flags, mode, resolve */
	if (path == NULL || how == NULL || size < sizeof open_how)
		return -2; /* the last is the kernel's to refuse */
	memcpy(open_how, how, sizeof open_how);
	if (path[0] == '/' && (open_how[2] & (BENEATH | IN_ROOT)))
		return -2; /* it means another file, or none */
	return mdg__sysv_open_table(dirfd, path, (int)open_how[0]);
}
