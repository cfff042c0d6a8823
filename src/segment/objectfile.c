/* SPDX-License-Identifier: MIT */
/*
 * objectfile.c - the data files that are made late: of semaphore sets, message queues, and segments
 * that reserve no memory.
 *
 * In a private namespace such a file is made when somebody first needs it. The entry says whether
 * that has happened (enum mdg__file_state). The maker holds the writer lock for the few
 * microseconds that it takes:
 *
 *     NONE -> BEGUN     from now on, whoever clears the object away also unlinks the file
 *     the file is made
 *     BEGUN -> MADE     from now on it may be mapped
 *
 * So nobody else makes it at the same time, and the object cannot be removed in between. A maker
 * that dies leaves BEGUN, and perhaps a file that nobody has mapped. The next maker deletes that
 * file and makes another.
 *
 * The file is empty then. A segment's gets its size at once, without the lock; whoever finds it
 * empty does that too. The file of a set or queue is made longer by whoever maps it first. If two
 * processes do that at once, both reserve the same pages, which are zeros. A file that is made
 * longer reaches its new length only when its memory is promised. So a file of any length can be
 * mapped as far as it goes.
 *
 * In a namespace that users share, a file that is made by the first user would be this user's,
 * and not the owner's. So there it is made with the object (objectget.c).
 */
#include "segment/objectfile.h"

#include <errno.h>
#include <fcntl.h>

#include "registry/current.h"
#include "registry/ids.h"
#include "registry/object.h"
#include "registry/users.h"
#include "segment/datafile.h"

static int no_memory(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG ? -ENOMEM : rc;
}

/* ---- with the object, where users share ------------------------------------------- */

int mdg__late_create(struct mdg_namespace *ns, enum mdg__class class, mdg_id id, unsigned mode)
{
	struct mdg__place place;
	int rc = mdg__place_find(ns, class, id, 0, &place);
	if (rc < 0)
		return rc;
	int fd = mdg__place_create(&place);
	if (fd < 0)
		return fd == -ENOENT ? MDG_NS_GONE : no_memory(fd);
	rc = mdg__sys_fchmod(fd, mdg__data_mode(class, mode));
	(void)mdg__sys_close(fd);
	if (rc < 0)
		(void)mdg__sys_unlinkat(place.dirfd, place.name);
	return rc;
}

/* ---- late -------------------------------------------------------------------------- */

/* [lock] The steps at the top. */
static int make_locked(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	struct mdg__registry *registry = &ns->registry;
	struct mdg__place place;
	int rc = mdg__place_of(ns, entry, &place);
	if (rc < 0)
		return rc;
	mdg__object_set_file(registry, entry->class, entry->index, MDG__FILE_BEGUN);
	mdg__commit(registry);
	int fd = mdg__place_create(&place);
	if (fd < 0)
		return fd == -ENOENT ? MDG_NS_GONE : no_memory(fd);
	/* A umask may have taken the owner's bits. Whoever opens a segment puts that right. */
	if (entry->class != MDG__SEGMENTS)
		(void)mdg__sys_fchmod(fd, 0600);
	mdg__data_give(ns, fd);
	mdg__object_set_file(registry, entry->class, entry->index, MDG__FILE_MADE);
	mdg__commit(registry);
	return fd;
}

/* A descriptor, or -EEXIST: it was made meanwhile. */
static int make_late(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	struct mdg__entry now;
	if (mdg__is_shared(ns))
		return MDG_DAMAGED;
	int rc = mdg__enter_writer(ns);
	if (rc < 0)
		return rc;
	mdg__object_copy(ns, entry->class, entry->index, &now);
	if (now.tag != entry->tag)
		rc = -EINVAL;
	else if (now.file == MDG__FILE_MADE)
		rc = -EEXIST;
	else if (now.inode != 0)
		rc = MDG_DAMAGED; /* it was attached before: its file must not be unlinked */
	else
		rc = make_locked(ns, entry);
	mdg__leave_writer(ns);
	return rc;
}

/* ---- opening and growing ------------------------------------------------------------ */

int mdg__late_open(struct mdg_namespace *ns, const struct mdg__entry *entry, bool make)
{
	uint64_t inode;
	if (entry->file != MDG__FILE_MADE) {
		int fd = make ? mdg__registry_here(&ns->registry) : -ENOENT;
		if (fd == 0)
			fd = make_late(ns, entry);
		if (fd != -EEXIST)
			return fd;
	}
	int fd = mdg__data_open(ns, entry, !ns->registry.look, &inode);
	if (fd == -ENOENT) /* removed just now, or deleted by somebody who should not */
		return mdg__entry_is_old(ns, entry) ? -EINVAL : MDG_DAMAGED;
	return fd;
}

int mdg__segment_file_open(struct mdg_namespace *ns, const struct mdg__entry *entry, bool writable,
                           uint64_t *ret_inode)
{
	if (entry->file == MDG__FILE_MADE || ns->registry.look)
		return mdg__data_open(ns, entry, writable, ret_inode);
	int rc = mdg__registry_here(&ns->registry);
	int fd = rc < 0 ? rc : make_late(ns, entry);
	if (fd < 0 && fd != -EEXIST)
		return fd;
	rc = fd < 0 ? fd : mdg__data_check(ns, entry, fd, true, ret_inode);
	if (rc == 0 && writable)
		return fd;
	/* It must not be open for more than was asked for, or another process has made it. */
	if (fd >= 0)
		(void)mdg__sys_close(fd);
	return rc < 0 && rc != -EEXIST ? rc : mdg__data_open(ns, entry, writable, ret_inode);
}

int mdg__late_grow(int fd, uint64_t least, uint64_t *ret_length)
{
	struct stat status;
	const uint64_t page = mdg__page_size();
	int rc = mdg__sys_fstat(fd, &status);
	if (rc < 0)
		return rc;
	if (least > (uint64_t)INT64_MAX - page)
		return -ENOMEM;
	uint64_t length = (uint64_t)status.st_size;
	uint64_t wanted = (least + page - 1) / page * page;
	if (length < wanted) {
		rc = mdg__sys_extend(fd, length, wanted - length);
		if (rc < 0)
			return no_memory(rc);
		length = wanted;
	}
	*ret_length = length / page * page;
	return 0;
}
