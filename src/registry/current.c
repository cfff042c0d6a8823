/* SPDX-License-Identifier: MIT */
/*
 * current.c - whether the registry is still the one of its directory.
 *
 * A cleaner may delete the files of a namespace while it is used (systemd's RemoveIPC=,
 * tmpfiles, rm). Another process may then make a new registry in the same directory. What
 * this process has mapped stays, but it is a world of its own from then on. Nothing that
 * it says of segments is true for the users of the new registry, and this process must not
 * touch the directory any more.
 *
 * There are two questions:
 *   1. Does the file still have a name? fstat of the registry's own descriptor answers
 *      that, even if another process deleted the file. It is cheap.
 *   2. Does the name in this directory lead to this file, or was the file moved away? That
 *      needs a look at the name, and takes longer.
 *
 * A call that changes the registry or touches files asks question 1 each time. It asks
 * question 2 once in 8 ms: when the coarse clock has moved on since it was last asked. A
 * call that only looks something up makes no system call of its own. It asks question 2
 * once in 8 ms and nothing else, so it may learn of a deletion some 10 ms late.
 */
#include <errno.h>

#include "platform/sys.h"
#include "registry/file.h"

#define TICK_BITS 23 /* of nanoseconds: 8 ms */

static bool is_registry(const struct mdg__registry *registry, const struct stat *status)
{
	return status->st_dev == registry->device && status->st_ino == registry->inode;
}

/* The registry is here. Notes its owner as stat shows it, for users.c. */
static int is_here(struct mdg__registry *registry, const struct stat *status)
{
	atomic_store_explicit(&registry->seen_owner[MDG__USER], (uint32_t)status->st_uid,
	                      memory_order_relaxed);
	atomic_store_explicit(&registry->seen_owner[MDG__GROUP], (uint32_t)status->st_gid,
	                      memory_order_relaxed);
	return 0;
}

/* Looks at the name in the directory. */
int mdg__registry_has_name(struct mdg__registry *registry)
{
	struct stat status;
	/* The program may have put another directory in the place of this descriptor. That does no
	 * harm if the registry is found there. If it is not, the descriptor itself is checked. */
	if (mdg__sys_statat(registry->dirfd, MDG__REGISTRY_NAME, false, &status) == 0 &&
	    is_registry(registry, &status))
		return is_here(registry, &status);
	int dirfd = mdg__registry_dirfd(registry);
	int rc = dirfd < 0 ? dirfd : mdg__sys_statat(dirfd, MDG__REGISTRY_NAME, false, &status);
	if (rc == 0)
		return is_registry(registry, &status) ? is_here(registry, &status) : MDG_NS_GONE;
	if (dirfd >= 0 && rc == -ENOENT)
		return MDG_NS_GONE;
	/* This process may not enter the directory any more (after setuid or chroot), or cannot
	 * open it. The file itself still tells whether it was deleted. */
	int fd = registry->fd;
	if (fd >= 0 && mdg__sys_fstat(fd, &status) == 0 && is_registry(registry, &status) &&
	    status.st_nlink == 0)
		return MDG_NS_GONE;
	atomic_store_explicit(&registry->seen_owner[MDG__USER], MDG__ID_UNKNOWN,
	                      memory_order_relaxed);
	return 0;
}

/* The value of `glanced` during this tick of the coarse clock, if the registry is in its place. */
static uint32_t tick_of(uint64_t realtime)
{
	return (uint32_t)(realtime >> TICK_BITS) << 1;
}

/* Two threads may do this at once. Each notes a right answer. */
static int ask_and_note(struct mdg__registry *registry, uint32_t tick)
{
	int rc = mdg__registry_has_name(registry);
	atomic_store_explicit(&registry->glanced, tick | (rc < 0), memory_order_relaxed);
	return rc;
}

int mdg__registry_here(struct mdg__registry *registry)
{
	struct stat status;
	uint32_t tick = tick_of(mdg__realtime_coarse_nanoseconds());
	int fd = registry->fd;
	if (atomic_load_explicit(&registry->glanced, memory_order_relaxed) != tick || fd < 0 ||
	    mdg__sys_fstat(fd, &status) < 0 || !is_registry(registry, &status) ||
	    status.st_nlink == 0)
		return ask_and_note(registry, tick);
	return is_here(registry, &status);
}

int mdg__registry_glance_at(struct mdg__registry *registry, uint64_t realtime)
{
	uint32_t tick = tick_of(realtime);
	uint32_t seen = atomic_load_explicit(&registry->glanced, memory_order_relaxed);
	if ((seen & ~1u) != tick)
		return ask_and_note(registry, tick);
	return seen & 1 ? MDG_NS_GONE : 0;
}

int mdg__registry_glance(struct mdg__registry *registry)
{
	return mdg__registry_glance_at(registry, mdg__realtime_coarse_nanoseconds());
}
