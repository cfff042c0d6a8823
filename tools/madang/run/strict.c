/* SPDX-License-Identifier: MIT */
/*
 * strict.c - madang run --strict: nothing that is started leaves Madang without a word.
 *
 * There are two nets. The first is libmadang-strict (src/strict), which is preloaded too. It
 * refuses to start a program that a preload cannot reach. The second is a filter of system calls,
 * which answers ENOSYS to the kernel's own System V calls. It catches programs
 * that make these calls without the C library, or that were started without it.
 *
 * An unprivileged process may filter itself only after it has given up gaining privileges. So
 * set-user-ID programs would run without their privilege. The first net refuses those anyway.
 */
#include "base/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reach/ban.h"

#define LIBRARY "libmadang-strict.so.0"

int strict_prepare(const char *sysv, char *ret_strict, size_t size)
{
	char list[2 * 4096 + 2];
	const char *slash = strrchr(sysv, '/');
	int directory = slash != NULL ? (int)(slash - sysv) : 0;

	snprintf(ret_strict, size, "%.*s/" LIBRARY, directory, sysv);
	if (slash == NULL || !preload_is_readable(ret_strict)) {
		complain(LIBRARY " cannot be read beside %s", sysv);
		advise("Install it there; --strict needs it.");
		return TOOL_TROUBLE;
	}
	snprintf(list, sizeof list, "%s:%s", ret_strict, sysv);
	return setenv("MADANG_STRICT", list, 1) == 0 ? TOOL_OK : TOOL_TROUBLE;
}

void strict_forbid(void)
{
	if (ban_kernel_ipc() != 0)
		complain("note: the kernel takes no filter of system calls (%s): those that a "
		         "program makes "
		         "without the C library are not refused",
		         strerror(errno));
}
