/* SPDX-License-Identifier: MIT */
/*
 * current.c - whether the registry is still the one of its directory.
 *
 * A cleaner may delete the files of a namespace while it is used (systemd's RemoveIPC=, tmpfiles,
 * rm), and somebody may make a new registry in the same directory. What this process has mapped
 * stays, but it is a world of its own from then on: nothing that it says of segments is true for
 * those who come now, and it has no business in the directory.
 *
 * Calls that change the registry or touch files ask first: one look at the name. Those that only
 * look something up, and make no system call, ask when the coarse clock has moved on since the last
 * time: so they may be told some 10 ms late.
 */
#include <errno.h>

#include "platform/sys.h"
#include "registry/file.h"

#define TICK_BITS 23 /* of nanoseconds: 8 ms */

static bool is_registry(const struct mdg__registry *registry, const struct stat *status)
{
	return status->st_dev == registry->device && status->st_ino == registry->inode;
}

int mdg__registry_here(struct mdg__registry *registry)
{
	struct stat status;
	/* Whatever directory the number stands for by now: what is found there by the name is the
	 * registry, or the number is looked at. */
	if (mdg__sys_statat(registry->dirfd, MDG__REGISTRY_NAME, false, &status) == 0 &&
	    is_registry(registry, &status))
		return 0;
	int dirfd = mdg__registry_dirfd(registry);
	int rc = dirfd < 0 ? dirfd
	                   : mdg__sys_statat(dirfd, MDG__REGISTRY_NAME, false, &status);
	if (rc == 0)
		return is_registry(registry, &status) ? 0 : MDG_NS_GONE;
	if (dirfd >= 0 && rc == -ENOENT)
		return MDG_NS_GONE;
	/* The directory is closed to this process (after setuid, chroot), or no descriptor of
	 * it is to be had. The file itself knows whether it was deleted. */
	int fd = registry->fd;
	if (fd >= 0 && mdg__sys_fstat(fd, &status) == 0 && is_registry(registry, &status) &&
	    status.st_nlink == 0)
		return MDG_NS_GONE;
	return 0;
}

int mdg__registry_glance(struct mdg__registry *registry)
{
	uint32_t tick = (uint32_t)(mdg__coarse_nanoseconds() >> TICK_BITS) << 1;
	uint32_t seen = atomic_load_explicit(&registry->glanced, memory_order_relaxed);
	if ((seen & ~1u) != tick) {
		/* Two threads may both ask: each is right. */
		seen = tick | (mdg__registry_here(registry) < 0);
		atomic_store_explicit(&registry->glanced, seen, memory_order_relaxed);
	}
	return seen & 1 ? MDG_NS_GONE : 0;
}
