/* SPDX-License-Identifier: MIT */
/* See dir.h. */
#include "platform/dir.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "platform/file.h"
#include "platform/raw.h"

int64_t mdg__sys_getdents(int fd, void *buffer, size_t room)
{
	return MDG__RAW(SYS_getdents64, fd, buffer, room);
}
