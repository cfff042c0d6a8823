/* SPDX-License-Identifier: MIT */
/* See filesize.h. */
#include "platform/filesize.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/machine.h"
#include "platform/raw.h"
#include "platform/signals.h"

int mdg__sys_ftruncate(int fd, uint64_t size)
{
#if defined(__LP64__)
	return mdg__take_back_sigxfsz((int)MDG__RAW(SYS_ftruncate, fd, size));
#else
	return mdg__take_back_sigxfsz((int)MDG__RAW(SYS_ftruncate64, fd, MDG__WIDE_ODD(size)));
#endif
}

static int write_zeros(int fd, uint64_t offset, uint64_t size)
{
	static char zeros[65536]; /* never written: all of it is one page of the kernel */
	while (size > 0) {
		size_t part = size < sizeof zeros ? (size_t)size : sizeof zeros;
		ssize_t done =
			(ssize_t)MDG__RAW(SYS_pwrite64, fd, zeros, part, MDG__WIDE_ODD(offset));
		if (done == -EINTR)
			continue;
		if (done <= 0)
			return done == 0 ? -ENOSPC : mdg__take_back_sigxfsz((int)done);
		offset += (uint64_t)done;
		size -= (uint64_t)done;
	}
	return 0;
}

/* The file system or the kernel has no fallocate, or a filter of system calls forbids it. */
static bool is_missing(int rc)
{
	return rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -EPERM;
}

int mdg__sys_allocate(int fd, uint64_t offset, uint64_t size)
{
	int rc;
	do
		rc = (int)MDG__RAW(SYS_fallocate, fd, 0, MDG__WIDE(offset), MDG__WIDE(size));
	while (rc == -EINTR);
	return is_missing(rc) ? -EOPNOTSUPP : mdg__take_back_sigxfsz(rc);
}

int mdg__sys_reserve(int fd, uint64_t offset, uint64_t size)
{
	int rc = mdg__sys_allocate(fd, offset, size);
	return rc == -EOPNOTSUPP ? write_zeros(fd, offset, size) : rc;
}

int mdg__sys_extend(int fd, uint64_t from, uint64_t size)
{
	int rc = (int)MDG__RAW(SYS_fallocate, fd, 0, MDG__WIDE(from), MDG__WIDE(size));
	if (is_missing(rc))
		return mdg__sys_ftruncate(fd, from + size);
	return mdg__take_back_sigxfsz(rc);
}

int mdg__sys_write_zeros(int fd, uint64_t size)
{
	return write_zeros(fd, 0, size);
}

int mdg__sys_punch(int fd, uint64_t size)
{
	return mdg__sys_punch_part(fd, 0, size);
}

int mdg__sys_punch_part(int fd, uint64_t from, uint64_t size)
{
	return (int)MDG__RAW(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                     MDG__WIDE(from), MDG__WIDE(size));
}
