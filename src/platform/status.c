/* SPDX-License-Identifier: MIT */
/*
 * status.c - stat(2), of a descriptor and of a path, without the C library's functions.
 *
 * libmadang-sysv stands for those, and asks what a file is while it does. Where the kernel's
 * structure is the C library's, the call that fills it in is made; elsewhere statx, and only
 * on kernels before it (4.11) the library's function after all.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "platform/raw.h"
#include "platform/sys.h"

#if defined(__LP64__) && (defined(__x86_64__) || defined(__aarch64__))

int mdg__sys_fstat(int fd, struct stat *ret)
{
	return (int)MDG__RAW(SYS_fstat, fd, ret);
}

int mdg__sys_statat(int dirfd, const char *path, bool follow, struct stat *ret)
{
	return (int)MDG__RAW(SYS_newfstatat, dirfd, path, ret, follow ? 0 : AT_SYMLINK_NOFOLLOW);
}

#else

struct moment {
	int64_t seconds;
	uint32_t nanoseconds;
	int32_t unused;
};

struct kernel_statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, unused;
	uint64_t ino, size, blocks, attributes_mask;
	struct moment atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t unused2[14];
};
_Static_assert(sizeof(struct kernel_statx) == 256, "struct statx");

enum { BASIC_STATS = 0x7ff, EMPTY_PATH = 0x1000 };

static dev_t device_of(uint32_t major, uint32_t minor)
{
	uint64_t device = (uint64_t)(major & 0xfff) << 8 | (uint64_t)(major & ~0xfffu) << 32 |
	                  (minor & 0xff) | (uint64_t)(minor & ~0xffu) << 12;
	return (dev_t)device;
}

static void fill_in(struct stat *ret, const struct kernel_statx *from)
{
	memset(ret, 0, sizeof *ret);
	ret->st_dev = device_of(from->dev_major, from->dev_minor);
	ret->st_rdev = device_of(from->rdev_major, from->rdev_minor);
	ret->st_ino = (ino_t)from->ino;
	ret->st_mode = from->mode;
	ret->st_nlink = (nlink_t)from->nlink;
	ret->st_uid = from->uid;
	ret->st_gid = from->gid;
	ret->st_size = (off_t)from->size;
	ret->st_blksize = (blksize_t)from->blksize;
	ret->st_blocks = (blkcnt_t)from->blocks;
	ret->st_atim.tv_sec = (time_t)from->atime.seconds;
	ret->st_atim.tv_nsec = (long)from->atime.nanoseconds;
	ret->st_mtim.tv_sec = (time_t)from->mtime.seconds;
	ret->st_mtim.tv_nsec = (long)from->mtime.nanoseconds;
	ret->st_ctim.tv_sec = (time_t)from->ctime.seconds;
	ret->st_ctim.tv_nsec = (long)from->ctime.nanoseconds;
}

static int by_library(int dirfd, const char *path, int flags, struct stat *ret)
{
	int before = errno;
	int rc = flags & EMPTY_PATH ? fstat(dirfd, ret) : fstatat(dirfd, path, ret, flags);
	rc = rc < 0 ? -errno : 0;
	errno = before;
	return rc;
}

static int status(int dirfd, const char *path, int flags, struct stat *ret)
{
#if defined(SYS_statx)
	struct kernel_statx statx;
	int rc = (int)MDG__RAW(SYS_statx, dirfd, path, flags, BASIC_STATS, &statx);
	if (rc == 0)
		fill_in(ret, &statx);
	if (rc != -ENOSYS)
		return rc;
#endif
	return by_library(dirfd, path, flags, ret);
}

int mdg__sys_fstat(int fd, struct stat *ret)
{
	return status(fd, "", EMPTY_PATH, ret);
}

int mdg__sys_statat(int dirfd, const char *path, bool follow, struct stat *ret)
{
	return status(dirfd, path, follow ? 0 : AT_SYMLINK_NOFOLLOW, ret);
}

#endif
