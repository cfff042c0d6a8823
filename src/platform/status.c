/* SPDX-License-Identifier: MIT */
/*
 * status.c - stat(2), of a descriptor and of a path, without the C library's functions.
 *
 * libmadang-sysv stands in place of those functions, and asks what a file is while it does. Three
 * system calls fill the structure in:
 *   - the usual one, where the kernel's structure is the same as the C library's;
 *   - statx elsewhere;
 *   - on kernels before statx (4.11) the older call on the usual 32-bit machines, and the C
 *     library's function on other machines.
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

#if !defined(__LP64__) && (defined(__i386__) || defined(__arm__))

/* struct stat64 of these two machines; the compiler's padding is the kernel's. */
struct kernel_stat64 {
	uint64_t dev;
	uint32_t pad0, short_ino, mode, nlink, uid, gid;
	uint64_t rdev;
	uint32_t pad1;
	int64_t size;
	uint32_t blksize;
	uint64_t blocks;
	uint32_t atime[2], mtime[2], ctime[2];
	uint64_t ino;
};

static int by_older_call(int dirfd, const char *path, int flags, struct stat *ret)
{
	struct kernel_stat64 from;
	int rc = flags & EMPTY_PATH ? (int)MDG__RAW(SYS_fstat64, dirfd, &from)
	                            : (int)MDG__RAW(SYS_fstatat64, dirfd, path, &from, flags);
	if (rc < 0)
		return rc;
	struct kernel_statx as = {
		.nlink = from.nlink,
		.uid = from.uid,
		.gid = from.gid,
		.mode = (uint16_t)from.mode,
		.ino = from.ino,
		.size = (uint64_t)from.size,
		.blocks = from.blocks,
		.blksize = from.blksize,
		.atime = { (int32_t)from.atime[0], from.atime[1], 0 },
		.mtime = { (int32_t)from.mtime[0], from.mtime[1], 0 },
		.ctime = { (int32_t)from.ctime[0], from.ctime[1], 0 },
	};
	fill_in(ret, &as);
	ret->st_dev = (dev_t)from.dev;
	ret->st_rdev = (dev_t)from.rdev;
	return 0;
}

#else

static int by_older_call(int dirfd, const char *path, int flags, struct stat *ret)
{
	int before = errno;
	int rc = flags & EMPTY_PATH ? fstat(dirfd, ret) : fstatat(dirfd, path, ret, flags);
	rc = rc < 0 ? -errno : 0;
	errno = before;
	return rc;
}

#endif

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
	return by_older_call(dirfd, path, flags, ret);
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
