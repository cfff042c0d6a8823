/* SPDX-License-Identifier: MIT */
/* See dir.h. */
#include "platform/dir.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "platform/file.h"
#include "platform/raw.h"

struct entry { /* struct linux_dirent64 */
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

int64_t mdg__sys_getdents(int fd, void *buffer, size_t room)
{
	return MDG__RAW(SYS_getdents64, fd, buffer, room);
}

static bool read_at(int dirfd, const char *path, mdg__take_names *take, void *context)
{
	_Alignas(8) char buffer[4096];
	struct mdg__listed names = { buffer, 0 };
	int fd = mdg__sys_openat(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return false;
	while ((names.filled = mdg__sys_getdents(fd, buffer, sizeof buffer)) > 0)
		if (!take(&names, context))
			break;
	(void)mdg__sys_close(fd);
	return true;
}

void mdg__directory_read(int dirfd, mdg__take_names *take, void *context)
{
	(void)read_at(dirfd, ".", take, context);
}

bool mdg__directory_read_path(const char *path, mdg__take_names *take, void *context)
{
	return read_at(AT_FDCWD, path, take, context);
}

const char *mdg__next_name(const struct mdg__listed *names, int64_t *at)
{
	if (*at >= names->filled)
		return NULL;
	const struct entry *entry = (const void *)(names->buffer + *at);
	*at += entry->length;
	return entry->name;
}
