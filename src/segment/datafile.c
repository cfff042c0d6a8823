/* SPDX-License-Identifier: MIT */
/*
 * datafile.c - the files that hold the segments' bytes: making, removing and
 * measuring them.
 */
#include <errno.h>
#include <fcntl.h>

#include "platform/highfd.h"
#include "platform/identity.h"
#include "registry/current.h"
#include "registry/ids.h"
#include "segment/datafile.h"
#include "segment/hugepage.h"

#define WRITE_ZEROS_TO   (UINT64_C(256) << 10)
#define ASK_MEMORY_ABOVE (UINT64_C(16) << 20)

/* ---- making --------------------------------------------------------------- */

/* Whether the machine has so much memory to give just now. A file system may allow more than there
 * is. Then reserving would not fail, but the kernel would kill processes, ours or others'. */
static bool can_be_had(uint64_t size)
{
	uint64_t available, swap;
	if (mdg__read_number("/proc/meminfo", "MemAvailable:", &available) &&
	    mdg__read_number("/proc/meminfo", "SwapFree:", &swap))
		return size / 1024 <= available + swap;
	return size <= mdg__sys_memory();
}

static int give_memory(int fd, uint64_t size, bool huge)
{
	int rc = 0;
	if (size > ASK_MEMORY_ABOVE && !can_be_had(size))
		return -ENOMEM;
	/* Pages of zeros that are there can be mapped many at a time. Memory that is only
	 * reserved is cleared page by page, as it is touched. For a large segment that is still
	 * cheaper, because it may never be touched as a whole. */
	if (size <= WRITE_ZEROS_TO && !huge)
		rc = mdg__sys_write_zeros(fd, size);
	else
		rc = mdg__sys_reserve(fd, 0, size);
	return rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG ? -ENOMEM : rc;
}

bool mdg__is_guest(struct mdg_namespace *ns)
{
	struct stat directory;
	uint32_t euid = mdg__euid_remembered();
	if (mdg__is_shared(ns) ||
	    atomic_load_explicit(&ns->registry.seen_owner[MDG__USER], memory_order_relaxed) == euid)
		return false;
	return mdg__sys_fstat(ns->registry.dirfd, &directory) == 0 && directory.st_uid != euid;
}

void mdg__data_give(struct mdg_namespace *ns, int fd)
{
	struct stat directory;
	if (mdg__is_guest(ns) && mdg__sys_fstat(ns->registry.dirfd, &directory) == 0)
		(void)mdg__sys_fchown(fd, directory.st_uid, directory.st_gid);
}

int mdg__place_create(const struct mdg__place *place)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
	int fd = mdg__open_own(place->dirfd, place->name, flags, 0600);
	if (fd == -EEXIST && mdg__sys_unlinkat(place->dirfd, place->name) == 0)
		fd = mdg__open_own(place->dirfd, place->name, flags, 0600);
	return fd;
}

/* Keeps the descriptor of a file just made, out of the way, or closes it. */
static void keep_or_close(int fd, struct mdg__made *made)
{
	struct stat status;
	if (!made->wanted) {
		(void)mdg__sys_close(fd);
		return;
	}
	fd = mdg__fd_out_of_the_way(fd);
	if (fd >= 0 && mdg__sys_fstat(fd, &status) == 0) {
		made->fd = fd;
		made->inode = (uint64_t)status.st_ino;
		made->mark = mdg__fd_mark(fd);
	} else if (fd >= 0) {
		(void)mdg__sys_close(fd);
	}
}

/* The first `reserve` bytes get memory. */
static int create_whole(struct mdg_namespace *ns, const struct mdg__place *place, uint64_t size,
                        unsigned mode, uint64_t reserve, bool huge, struct mdg__made *made)
{
	int fd = mdg__place_create(place);
	if (fd < 0)
		return fd;
	int rc = mdg__is_shared(ns) ? mdg__sys_fchmod(fd, mode & 0777) : 0;
	mdg__data_give(ns, fd);
	if (rc == 0)
		rc = reserve != 0 ? give_memory(fd, reserve, huge) : 0;
	if (rc == 0 && reserve != size)
		rc = mdg__sys_ftruncate(fd, size);
	if (rc == 0) {
		keep_or_close(fd, made);
		return 0;
	}
	(void)mdg__sys_close(fd);
	(void)mdg__sys_unlinkat(place->dirfd, place->name);
	return rc;
}

/* If no memory is to be reserved, an empty file will do. Whoever opens it first gives it its size.
 * This takes half the time that it takes to open the file now. */
static int create_empty(const struct mdg__place *place)
{
	int rc = mdg__sys_mknodat(place->dirfd, place->name, 0600);
	if (rc == -EEXIST && mdg__sys_unlinkat(place->dirfd, place->name) == 0)
		rc = mdg__sys_mknodat(place->dirfd, place->name, 0600);
	return rc;
}

int mdg__data_create(struct mdg_namespace *ns, mdg_id id, uint64_t size, uint64_t reserve,
                     unsigned mode, unsigned huge_shift, struct mdg__made *made)
{
	struct mdg__place place;
	int rc = mdg__place_find(ns, MDG__SEGMENTS, id, huge_shift << MDG__SEG_HUGE_SHIFT, &place);
	if (rc < 0)
		return rc;
	if (reserve != 0 || mdg__is_shared(ns) || mdg__is_guest(ns))
		rc = create_whole(ns, &place, size, mode, reserve, huge_shift != 0, made);
	else
		rc = create_empty(&place);
	mdg__place_leave(&place);
	if (rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG)
		return -ENOMEM;
	return rc == -ENOENT ? MDG_NS_GONE : rc;
}

/* ---- removing ------------------------------------------------------------- */

/* Only its owner may unlink the file. But whoever may write it can give back a segment's memory.
 * Those who sleep in a set or queue still read in its memory, so it is left to the owner. */
static void give_memory_back(struct mdg_namespace *ns, const struct mdg__entry *entry,
                             const struct mdg__place *place)
{
	uint64_t inode;
	if (entry->class != MDG__SEGMENTS)
		return;
	int fd = mdg__data_open_checked(ns, entry, place->dirfd, place->name, O_RDWR | O_NOFOLLOW,
	                                &inode);
	if (fd < 0)
		return;
	(void)mdg__sys_punch(fd, entry->mapped + MDG__DATA_TAIL);
	(void)mdg__sys_close(fd);
}

/* The place of a file was not found. Is it gone, and the file with it? Or has this process no
 * descriptor of the directory any more, and cannot open it: too many files are open, or it changed
 * its user or its root? Then another process may unlink the file. */
static bool is_out_of_reach(struct mdg_namespace *ns, const struct mdg__place *place)
{
	return place->borrowed && mdg__registry_has_name(&ns->registry) == 0;
}

int mdg__data_unlink(struct mdg_namespace *ns, enum mdg__class class, uint32_t index)
{
	struct mdg__place place;
	struct mdg__entry entry;
	mdg__object_copy(ns, class, index, &entry);
	int rc = mdg__place_of(ns, &entry, &place);
	if (rc < 0)
		return is_out_of_reach(ns, &place) ? -EPERM : 0;
	rc = mdg__sys_unlinkat(place.dirfd, place.name);
	if (rc == -EPERM || rc == -EACCES)
		give_memory_back(ns, &entry, &place);
	mdg__place_leave(&place);
	return rc == -EPERM || rc == -EACCES ? -EPERM : 0;
}

/* ---- measuring ------------------------------------------------------------ */

/* The bytes in memory, without those of the tail. The tail is not part of the segment, and is
 * always in memory as a whole. */
static uint64_t resident(const struct mdg__entry *entry, const struct stat *status)
{
	uint64_t bytes = (uint64_t)status->st_blocks * 512;
	uint64_t tail = mdg__pages_of(MDG__DATA_TAIL) * mdg__page_size();
	if ((uint64_t)status->st_size <= entry->mapped)
		return bytes;
	return bytes > tail ? bytes - tail : 0;
}

int mdg__data_stat(struct mdg_namespace *ns, const struct mdg__entry *entry, uint64_t *ret_resident)
{
	struct mdg__place place;
	struct stat status;
	int rc = mdg__place_of(ns, entry, &place);
	if (rc < 0)
		return rc;
	rc = mdg__sys_statat(place.dirfd, place.name, false, &status);
	mdg__place_leave(&place);
	if (rc == 0)
		*ret_resident = resident(entry, &status);
	return rc;
}
