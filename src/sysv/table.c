/* SPDX-License-Identifier: MIT */
/*
 * table.c - the files of /proc that tell of System V shared memory.
 *
 * ipcs and lsipc read /proc/sysvipc/shm before they ask shmctl, and the limits
 * in /proc/sys/kernel. Programs inside Madang get Madang's: a snapshot in an
 * anonymous file, as the kernel would print it at the moment of the open.
 * Writing the limits is refused: they are a namespace's from its making on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/sys.h"
#include "platform/text.h"
#include "sysv/internal.h"

#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1u
#endif

static int put(int fd, const char *text, int length)
{
	int64_t done = 0;
	while (length > 0 && done >= 0) {
		done = mdg__sys_write(fd, text, (size_t)length);
		if (done == -EINTR)
			done = 0;
		text += done > 0 ? done : 0;
		length -= done > 0 ? (int)done : 0;
	}
	return done < 0 ? (int)done : 0;
}

static int put_row(int fd, const struct mdg_segment_info *info)
{
	char line[320];
	/* The kernel's own format on a 64-bit machine, also for 32-bit programs. */
	int length = snprintf(line, sizeof line,
	                      "%10d %10d  %4o %21llu %5u %5u  %5u %5u %5u %5u %5u %10llu %10llu "
	                      "%10llu %21llu %21llu\n",
	                      info->key, info->id, info->mode, (unsigned long long)info->size,
	                      (unsigned)info->cpid, (unsigned)info->lpid, info->attached,
	                      info->uid, info->gid, info->cuid, info->cgid,
	                      (unsigned long long)info->atime, (unsigned long long)info->dtime,
	                      (unsigned long long)info->ctime, (unsigned long long)info->resident,
	                      0ull);
	return put(fd, line, length);
}

static int write_segments(mdg_namespace *ns, int fd)
{
	static const char header[] =
		"       key      shmid perms                  size  cpid  lpid nattch   uid   gid"
		"  cuid  cgid      atime      dtime      ctime                   rss"
		"                  swap\n";
	struct mdg_segment_info info;
	uint32_t cursor = 0;
	int rc = put(fd, header, (int)sizeof header - 1);
	while (rc == 0) {
		int more = mdg_segment_next(ns, &cursor, MDG_STAT_RESIDENT, &info);
		if (more <= 0)
			return more;
		rc = put_row(fd, &info);
	}
	return rc;
}

static int write_number(int fd, unsigned long long value)
{
	char line[32];
	return put(fd, line, snprintf(line, sizeof line, "%llu\n", value));
}

enum table { SEGMENTS, SHMMAX, SHMALL, SHMMNI, NONE };

static enum table table_of(const char *path)
{
	static const char *const paths[] = {
		[SEGMENTS] = "/proc/sysvipc/shm",
		[SHMMAX] = "/proc/sys/kernel/shmmax",
		[SHMALL] = "/proc/sys/kernel/shmall",
		[SHMMNI] = "/proc/sys/kernel/shmmni",
	};
	if (path == NULL || strncmp(path, "/proc/sys", 9) != 0)
		return NONE;
	int table = SEGMENTS;
	while (table < NONE && strcmp(path, paths[table]) != 0)
		table++;
	return (enum table)table;
}

static int write_table(enum table table, int fd)
{
	mdg_namespace *ns;
	struct mdg_namespace_info info = { 0 };
	int rc = mdg__sysv_namespace(&ns);
	if (rc == 0 && table == SEGMENTS)
		return write_segments(ns, fd);
	if (rc == 0)
		rc = mdg_namespace_info(ns, 0, &info);
	if (rc < 0)
		return rc;
	return write_number(fd, table == SHMMAX   ? info.shmmax
	                        : table == SHMALL ? info.shmall
	                                          : info.segments_max);
}

/* A descriptor that can only read, at the start, close-on-exec as wished. */
static int read_only_twin(int fd, int flags)
{
	char path[40];
	mdg__format(path, sizeof path, "/proc/self/fd/%d", fd);
	int twin = mdg__sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	if (twin < 0) { /* no /proc: the writable one does as well */
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

int mdg__sysv_open_table(const char *path, int flags)
{
	int before = errno;
	enum table table = table_of(path);
	errno = 0;
	if (table == NONE) {
		errno = before;
		return -2;
	}
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_DIRECTORY)) {
		errno = flags & O_DIRECTORY ? ENOTDIR : EACCES;
		return -1;
	}
	int fd = mdg__sys_memfd("sysvipc", MFD_CLOEXEC);
	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	int rc = write_table(table, fd);
	if (rc == 0)
		rc = read_only_twin(fd, flags);
	if (rc < 0) {
		(void)mdg__sys_close(fd);
		/* As on a kernel without System V IPC: there is no such file. */
		errno = rc < -4095 ? ENOENT : -rc;
		return -1;
	}
	errno = before;
	return rc;
}
