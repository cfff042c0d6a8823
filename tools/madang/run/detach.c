/* SPDX-License-Identifier: MIT */
/*
 * detach.c - lets go of what a helper process inherited.
 *
 * A reader of the program's output sees the end of a pipe only when every process that has the pipe
 * open has closed it. So the processes that `run --private` adds keep none of the program's
 * descriptors.
 */
#include "run/private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* the same on every machine */
#endif

static void close_from(unsigned first)
{
	struct rlimit limit;
	rlim_t most = 65536;

	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return;
	/* Linux before 5.9. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < most)
		most = limit.rlim_max;
	for (rlim_t fd = first; fd < most; fd++)
		close((int)fd);
}

void detach_descriptors(int *const kept[], unsigned count)
{
	int null;

	/* Out of the way first, so that none is overwritten by another. */
	for (unsigned i = 0; i < count; i++)
		*kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, (int)(3 + count));
	for (unsigned i = 0; i < count; i++)
		*kept[i] = dup3(*kept[i], (int)(3 + i), O_CLOEXEC);
	close_from(3 + count);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= 2; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	if (null > 2)
		close(null);
}
