/* SPDX-License-Identifier: MIT */
/* See quietly.h. */
#include "platform/quietly.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include "platform/file.h"
#include "platform/machine.h"
#include "platform/raw.h"
#include "platform/signals.h"

#define NOWAIT 8 /* RWF_NOWAIT, Linux 4.14 */

/* Whether there is room, or the write will not wait in any case. */
static bool has_room(int fd, unsigned milliseconds)
{
	struct pollfd one = { fd, POLLOUT, 0 };
	return mdg__raw_poll(&one, 1, milliseconds) != 0; /* an error: the write will tell */
}

static int64_t write_now(int fd, const void *bytes, size_t size)
{
#if defined(SYS_pwritev2)
	const struct iovec part = { (void *)(uintptr_t)bytes, size };
	/* The offset is -1: the file's own. */
	long done = MDG__RAW(SYS_pwritev2, fd, &part, 1, -1L, -1L, NOWAIT);
	if (done >= 0 || done == -EAGAIN || done == -EPIPE || done == -EBADF)
		return done;
#endif
	return mdg__sys_write(fd, bytes, size); /* an older kernel */
}

int64_t mdg__sys_write_quietly(int fd, const void *bytes, size_t size, bool is_pipe,
                               unsigned milliseconds)
{
	if (!has_room(fd, milliseconds))
		return -EAGAIN;
	bool was_pending = mdg__signal_is_pending(SIGPIPE);
	int64_t done = is_pipe ? write_now(fd, bytes, size) : mdg__sys_write(fd, bytes, size);
	if (done == -EPIPE && !was_pending)
		mdg__signal_drop(SIGPIPE);
	return done == -EFBIG ? mdg__take_back_sigxfsz(-EFBIG) : done;
}
