/* SPDX-License-Identifier: MIT */
/*
 * descriptor.c - the descriptors of the registry file and of its directory.
 *
 * The program may close a descriptor of ours, or put another file in its place. So
 * each is checked before it is believed, and opened again by its name if it is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "platform/sys.h"
#include "platform/threadlock.h"
#include "registry/file.h"

static bool is_ours(int fd, uint64_t mark, dev_t device, ino_t inode)
{
	return mark != 0 ? mdg__fd_is_marked(fd, mark) : mdg__fd_is(fd, device, inode);
}

bool mdg__registry_fd_is_ours(const struct mdg__registry *registry)
{
	return is_ours(registry->fd, registry->fd_mark, registry->device, registry->inode);
}

static bool dirfd_is_ours(const struct mdg__registry *registry)
{
	return is_ours(registry->dirfd, registry->dir_mark, registry->dir_device,
	               registry->dir_inode);
}

/* Two threads may find the same descriptor lost. One opens it anew; the other waits and
 * looks again. Threads that only read the registry come here without any other lock. */
static void begin_opening(struct mdg__registry *registry, mdg__sigmask *ret_mask)
{
	mdg__signals_block(ret_mask);
	mdg__thread_lock(&registry->opening);
}

static int end_opening(struct mdg__registry *registry, const mdg__sigmask *mask, int fd)
{
	mdg__thread_unlock(&registry->opening);
	mdg__signals_restore(mask);
	return fd;
}

static int open_dirfd(struct mdg__registry *registry)
{
	if (dirfd_is_ours(registry))
		return registry->dirfd;
	registry->lost = 1;
	int fd = mdg__fd_out_of_the_way(
		mdg__sys_openat(AT_FDCWD, registry->path, O_RDONLY | O_DIRECTORY, 0));
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? MDG_NS_GONE : fd;
	if (!mdg__fd_is(fd, registry->dir_device, registry->dir_inode)) {
		(void)mdg__sys_close(fd);
		return MDG_NS_GONE;
	}
	registry->dir_mark = mdg__fd_mark(fd);
	registry->dirfd = fd;
	return fd;
}

int mdg__registry_dirfd(struct mdg__registry *registry)
{
	mdg__sigmask mask;
	if (dirfd_is_ours(registry))
		return registry->dirfd;
	begin_opening(registry, &mask);
	return end_opening(registry, &mask, open_dirfd(registry));
}

static int open_fd(struct mdg__registry *registry, bool fresh)
{
	if (!fresh && mdg__registry_fd_is_ours(registry))
		return registry->fd;
	int dirfd = open_dirfd(registry);
	if (dirfd < 0)
		return dirfd;
	int fd = mdg__fd_out_of_the_way(
		mdg__open_own(dirfd, MDG__REGISTRY_NAME,
	                      (registry->look ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK, 0));
	if (fd < 0)
		return fd == -ENOENT ? MDG_NS_GONE : fd;
	if (!mdg__fd_is(fd, registry->device, registry->inode)) {
		(void)mdg__sys_close(fd);
		return MDG_NS_GONE;
	}
	if (!fresh)
		mdg__registry_keep_fd(registry, fd);
	return fd;
}

int mdg__registry_fd(struct mdg__registry *registry, bool fresh)
{
	mdg__sigmask mask;
	if (!fresh && mdg__registry_fd_is_ours(registry))
		return registry->fd;
	begin_opening(registry, &mask);
	return end_opening(registry, &mask, open_fd(registry, fresh));
}

void mdg__registry_keep_fd(struct mdg__registry *registry, int fd)
{
	registry->fd_mark = mdg__fd_mark(fd);
	registry->fd = fd;
	registry->openings++;
}
