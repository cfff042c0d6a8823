/* SPDX-License-Identifier: MIT */
/* See bytelock.h. */
#include "platform/bytelock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/raw.h"

#if defined(SYS_fcntl64) && !defined(__LP64__)
#define SYS_FCNTL SYS_fcntl64
#else
#define SYS_FCNTL SYS_fcntl
#endif

/* A `length` of 0 reaches to the end of the file, however long it is. */
static int range_lock(int fd, int command, short type, uint64_t offset, uint64_t length,
                      short *ret_type)
{
	struct flock64 lock = { .l_type = type,
		                .l_whence = SEEK_SET,
		                .l_start = (off64_t)offset,
		                .l_len = (off64_t)length };
	int rc;
	do
		rc = (int)MDG__RAW(SYS_FCNTL, fd, command, &lock);
	while (rc == -EINTR);
	if (ret_type != NULL)
		*ret_type = lock.l_type;
	return rc;
}

static int byte_lock(int fd, int command, short type, uint64_t offset, short *ret_type)
{
	return range_lock(fd, command, type, offset, 1, ret_type);
}

int mdg__sys_lock_byte(int fd, uint64_t offset, bool wait)
{
	int rc = byte_lock(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, F_WRLCK, offset, NULL);
	return rc == -EACCES ? -EAGAIN : rc;
}

int mdg__sys_unlock_byte(int fd, uint64_t offset)
{
	return byte_lock(fd, F_OFD_SETLK, F_UNLCK, offset, NULL);
}

int mdg__sys_byte_is_locked(int fd, uint64_t offset)
{
	short type = F_UNLCK;
	int rc = byte_lock(fd, F_OFD_GETLK, F_WRLCK, offset, &type);
	return rc < 0 ? rc : type != F_UNLCK;
}

int mdg__sys_any_is_locked(int fd)
{
	short type = F_UNLCK;
	int rc = range_lock(fd, F_OFD_GETLK, F_WRLCK, 0, 0, &type);
	return rc < 0 ? rc : type != F_UNLCK;
}
