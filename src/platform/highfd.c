/* SPDX-License-Identifier: MIT */
/* See highfd.h. */
#include "platform/highfd.h"

#include <errno.h>
#include <stdint.h>
#include <sys/resource.h>

#include "platform/file.h"
#include "platform/limits.h"

#define USUAL_LOWEST_FD 384

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
	/* No other is free up there: rather one in the way than none. But never a standard one,
	 * which programs write to. */
	if (high == -EINVAL || high == -EMFILE) {
		if (fd > 2)
			return fd;
		high = mdg__sys_dup_above(fd, 3);
	}
	(void)mdg__sys_close(fd);
	return high == -EINVAL ? -EMFILE : high;
}
