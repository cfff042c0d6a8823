/* SPDX-License-Identifier: MIT */
/* file.c - see file.h. stat(2) is in status.c, and mdg__sys_may is in identity.c. */
#include "platform/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/machine.h"
#include "platform/raw.h"

#if defined(SYS_fcntl64) && !defined(__LP64__)
#define SYS_FCNTL SYS_fcntl64
#else
#define SYS_FCNTL SYS_fcntl
#endif

int mdg__sys_openat(int dirfd, const char *path, int flags, unsigned mode)
{
	return (int)MDG__RAW(SYS_openat, dirfd, path, flags | O_LARGEFILE | O_CLOEXEC, mode);
}

int mdg__sys_close(int fd)
{
	return (int)MDG__RAW(SYS_close, fd);
}

int mdg__sys_dup_above(int fd, int lowest)
{
	return (int)MDG__RAW(SYS_FCNTL, fd, F_DUPFD_CLOEXEC, lowest);
}

bool mdg__sys_is_open(int fd)
{
	return (int)MDG__RAW(SYS_FCNTL, fd, F_GETFD, 0) >= 0;
}

int mdg__sys_status_flags(int fd)
{
	return (int)MDG__RAW(SYS_FCNTL, fd, F_GETFL, 0);
}

int mdg__sys_dup_onto(int fd, int number)
{
	return (int)MDG__RAW(SYS_dup3, fd, number, O_CLOEXEC);
}

int mdg__sys_keep_in_exec(int fd)
{
	return (int)MDG__RAW(SYS_FCNTL, fd, F_SETFD, 0);
}

int mdg__sys_memfd(const char *name, unsigned flags)
{
	return (int)MDG__RAW(SYS_memfd_create, name, flags);
}

int mdg__sys_mknodat(int dirfd, const char *path, unsigned mode)
{
	return (int)MDG__RAW(SYS_mknodat, dirfd, path, S_IFREG | mode, 0);
}

int mdg__sys_mkfifoat(int dirfd, const char *path, unsigned mode)
{
	return (int)MDG__RAW(SYS_mknodat, dirfd, path, S_IFIFO | mode, 0);
}

int mdg__sys_mkdir(const char *path, unsigned mode)
{
	return (int)MDG__RAW(SYS_mkdirat, AT_FDCWD, path, mode);
}

int mdg__sys_unlinkat(int dirfd, const char *path)
{
	return (int)MDG__RAW(SYS_unlinkat, dirfd, path, 0);
}

int mdg__sys_getcwd(char *path, size_t room)
{
	return (int)MDG__RAW(SYS_getcwd, path, room);
}

int64_t mdg__sys_readlink(const char *path, char *target, size_t room)
{
	return MDG__RAW(SYS_readlinkat, AT_FDCWD, path, target, room);
}

int mdg__sys_fchmod(int fd, unsigned mode)
{
	return (int)MDG__RAW(SYS_fchmod, fd, mode);
}

int mdg__sys_chmod(const char *path, unsigned mode)
{
	return (int)MDG__RAW(SYS_fchmodat, AT_FDCWD, path, mode);
}

int mdg__sys_fchmodat(int dirfd, const char *path, unsigned mode)
{
	return (int)MDG__RAW(SYS_fchmodat, dirfd, path, mode);
}

int mdg__sys_fchown(int fd, uint32_t uid, uint32_t gid)
{
	return (int)MDG__RAW(SYS_fchownat, fd, "", uid, gid, AT_EMPTY_PATH);
}

int mdg__sys_set_times(int fd, long seconds, long nanoseconds)
{
#if defined(SYS_utimensat)
	const long times[2][2] = { { seconds, nanoseconds }, { seconds, nanoseconds } };
	return (int)MDG__RAW(SYS_utimensat, fd, NULL, times, 0);
#else
	(void)fd, (void)seconds, (void)nanoseconds;
	return -ENOSYS;
#endif
}

int mdg__sys_setxattr(const char *path, const char *name, const void *value, size_t size)
{
	return (int)MDG__RAW(SYS_setxattr, path, name, value, size, 0);
}

int mdg__sys_getxattr(const char *path, const char *name, void *value, size_t size)
{
	return (int)MDG__RAW(SYS_getxattr, path, name, value, size);
}

int mdg__sys_removexattr(const char *path, const char *name)
{
	return (int)MDG__RAW(SYS_removexattr, path, name);
}

int64_t mdg__sys_read(int fd, void *buffer, size_t room)
{
	long done;
	do
		done = MDG__RAW(SYS_read, fd, buffer, room);
	while (done == -EINTR);
	return done;
}

int64_t mdg__sys_write(int fd, const void *bytes, size_t size)
{
	return MDG__RAW(SYS_write, fd, bytes, size);
}

int64_t mdg__sys_writev(int fd, const struct iovec *parts, int count)
{
	return MDG__RAW(SYS_writev, fd, parts, count);
}

int64_t mdg__sys_pread(int fd, void *buffer, size_t room, uint64_t offset)
{
	long done;
	do
		done = MDG__RAW(SYS_pread64, fd, buffer, room, MDG__WIDE_ODD(offset));
	while (done == -EINTR);
	return done;
}

/* Returns the new offset, or a negative errno. */
static int64_t seek(int fd, uint64_t offset, int whence)
{
#if defined(__LP64__)
	return MDG__RAW(SYS_lseek, fd, offset, whence);
#else
	int64_t result = -1;
	long rc = MDG__RAW(SYS__llseek, fd, (uint32_t)(offset >> 32), (uint32_t)offset, &result,
	                   whence);
	return rc < 0 ? rc : result;
#endif
}

int mdg__sys_rewind(int fd)
{
	int64_t at = seek(fd, 0, SEEK_SET);
	return at < 0 ? (int)at : 0;
}

bool mdg__fd_is(int fd, dev_t device, ino_t inode)
{
	struct stat status = { 0 };
	return fd >= 0 && mdg__sys_fstat(fd, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

uint64_t mdg__fd_mark(int fd)
{
	static _Atomic uint32_t count;
	/* A program's own file offset does not have these numbers by chance. They are below the
	 * largest offset of every file system. */
	uint64_t mark = (UINT64_C(0x2d5) << 32) + atomic_fetch_add(&count, 1);
	return seek(fd, mark, SEEK_SET) == (int64_t)mark ? mark : 0;
}

bool mdg__fd_is_marked(int fd, uint64_t mark)
{
	return fd >= 0 && seek(fd, 0, SEEK_CUR) == (int64_t)mark;
}
