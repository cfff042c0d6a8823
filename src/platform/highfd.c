/* SPDX-License-Identifier: MIT */
/* See highfd.h. */
#include "platform/highfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/resource.h>

#include "platform/file.h"
#include "platform/limits.h"

#define USUAL_LOWEST_FD 384
enum { STANDARD = 3 };

/* Programs write to the standard ones. */
static int above_standard(int fd)
{
	int other = mdg__sys_dup_above(fd, STANDARD);
	(void)mdg__sys_close(fd);
	return other == -EINVAL ? -EMFILE : other;
}

int mdg__fd_out_of_the_way(int fd)
{
	/* Above what programs use by number (shells: 255), but not so high that
	 * each fork has to copy a long table of descriptors. */
	static _Atomic int lowest = USUAL_LOWEST_FD;
	if (fd < 0 || fd >= lowest)
		return fd;
	int high = mdg__sys_dup_above(fd, lowest);
	if (high == -EINVAL || high == -EMFILE) { /* the limit is lower */
		uint64_t limit = mdg__sys_limit(RLIMIT_NOFILE);
		int lower = limit < 512 ? (int)(limit / 4 * 3) : USUAL_LOWEST_FD;
		if (lower < lowest) {
			lowest = lower;
			high = mdg__sys_dup_above(fd, lower);
		}
	}
	/* No other is free up there: rather one in the way than none. But never a standard one. */
	if (high == -EINVAL || high == -EMFILE)
		return fd >= STANDARD ? fd : above_standard(fd);
	(void)mdg__sys_close(fd);
	return high;
}

/* ---- opening for writing ----------------------------------------------------------------- */

/* Takes the standard numbers that are free, by descriptors through which nothing can be written.
 * Returns how many. Opening them may fail; then fewer. */
static int take_standard(int taken[STANDARD])
{
	int count = 0;
	while (count < STANDARD) {
		int fd = mdg__sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
		if (fd >= STANDARD)
			(void)mdg__sys_close(fd);
		if (fd < 0 || fd >= STANDARD)
			break;
		taken[count++] = fd;
	}
	return count;
}

/* Another thread may have put something else there meanwhile, by dup2(2). */
static void give_standard(const int taken[STANDARD], int count)
{
	for (int i = 0; i < count; i++) {
		int flags = mdg__sys_status_flags(taken[i]);
		if (flags >= 0 && (flags & O_PATH) != 0)
			(void)mdg__sys_close(taken[i]);
	}
}

int mdg__open_own(int dirfd, const char *path, int flags, unsigned mode)
{
	int taken[STANDARD], count = 0;
	if ((flags & O_ACCMODE) == O_RDONLY)
		return mdg__sys_openat(dirfd, path, flags, mode);
	if (!mdg__sys_is_open(0) || !mdg__sys_is_open(1) || !mdg__sys_is_open(2))
		count = take_standard(taken);
	int fd = mdg__sys_openat(dirfd, path, flags, mode);
	give_standard(taken, count);
	/* Some other thread has closed one just now, or it could not be taken. */
	return fd >= 0 && fd < STANDARD ? above_standard(fd) : fd;
}
