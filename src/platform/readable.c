/* SPDX-License-Identifier: MIT */
/*
 * readable.c - see readable.h.
 *
 * The kernel is asked to take a set of signals from the memory, for an operation that does not
 * exist. It copies the set first, so it answers EFAULT if it cannot be read, and EINVAL otherwise.
 * Nothing is changed. Programs that confine themselves allow this call, unlike those that were made
 * for reading memory.
 */
#include "platform/readable.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "platform/memory.h"
#include "platform/raw.h"

enum { NO_OPERATION = -1, SET_SIZE = _NSIG > 65 ? 16 : 8 };

static bool is_readable_at(uintptr_t address)
{
	/* A set that begins at a multiple of its size lies in one page. */
	address &= ~(uintptr_t)(SET_SIZE - 1);
	return (int)MDG__RAW(SYS_rt_sigprocmask, NO_OPERATION, address, NULL, SET_SIZE) != -EFAULT;
}

bool mdg__is_readable(const void *memory, size_t size)
{
	uintptr_t first = (uintptr_t)memory, page = mdg__page_size();
	if (size == 0)
		return true;
	if (first > UINTPTR_MAX - size)
		return false;
	for (uintptr_t at = first; at < first + size; at = (at & ~(page - 1)) + page)
		if (at < first || !is_readable_at(at))
			return false;
	return true;
}
