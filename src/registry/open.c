/* SPDX-License-Identifier: MIT */
/*
 * open.c - checks and maps the registry file.
 *
 * Not here: how the file is made (make.c), how its tables grow (grow.c), how its
 * descriptors are kept (descriptor.c), and which directory is acceptable
 * (src/segment/directory.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/identity.h"
#include "platform/ownmap.h"
#include "platform/sys.h"
#include "platform/text.h"
#include "registry/file.h"

static int check_head(struct mdg__registry *registry, const struct mdg__head *head, uint64_t length)
{
	if (head->magic != MDG__MAGIC)
		return MDG_NOT_REGISTRY;
	if (head->format != MDG__FORMAT || head->mark != MDG__MARK)
		return MDG_VERSION_UNLIKE;
	if (head->fixed_sum != mdg__fixed_sum(head))
		return MDG_DAMAGED;
	uint32_t segments = head->segment_capacity, processes = head->process_capacity;
	uint32_t attachments = head->attachment_capacity, buckets = head->bucket_count;
	if (segments < 64 || segments > MDG__IDS || processes < 16 || processes > 32767 ||
	    attachments < MDG__FIRST_ATTACHMENTS || attachments > 16 * MDG__IDS || buckets < 64 ||
	    buckets > 4 * MDG__IDS || (buckets & (buckets - 1)) != 0)
		return MDG_DAMAGED;
	struct mdg__tables at = mdg__table_offsets(segments, processes, attachments, buckets);
	if (head->file_size != at.end)
		return MDG_DAMAGED;
	if (length < at.end)
		return MDG_TRUNCATED;
	registry->segment_capacity = segments;
	registry->process_capacity = processes;
	registry->attachment_capacity = attachments;
	registry->bucket_count = buckets;
	registry->length = at.end;
	registry->process_offset = at.processes;
	registry->unique = head->unique;
	mdg__format(registry->number, sizeof registry->number, "%x%x",
	            (uint32_t)(registry->unique >> 32), (uint32_t)registry->unique);
	registry->flags = head->flags & MDG_NS_SHARED;
	return 0;
}

static void point(struct mdg__registry *registry, void *map)
{
	struct mdg__tables at =
		mdg__table_offsets(registry->segment_capacity, registry->process_capacity,
	                           registry->attachment_capacity, registry->bucket_count);
	char *base = map;
	registry->head = map;
	registry->bitmap = (void *)(base + at.bitmap);
	registry->buckets = (void *)(base + at.buckets);
	registry->processes = (void *)(base + at.processes);
	registry->segments = (void *)(base + at.segments);
	registry->attachments = (void *)(base + at.attachments);
	mdg__lock_set_up(registry);
}

/* Where a process has mapped the registry tells it from the program that ran
 * under its number before exec. A debugger, or setarch -R, takes the kernel's
 * randomness away: then the place is drawn here. */
static int map_somewhere(int fd, size_t length, bool look, void **ret)
{
	uintptr_t hint = 0;
	if (!mdg__addresses_are_random()) {
		void *usual;
		int rc = mdg__map_own(NULL, length, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		                      0, &usual);
		if (rc < 0)
			return rc;
		uintptr_t below = (uintptr_t)(mdg__random() % (sizeof(long) == 8 ? 65536 : 64));
		hint = (uintptr_t)usual - (below << 20);
		(void)mdg__sys_munmap(usual, length);
	}
	/* For a look: what is written by mistake is written nowhere. */
	return mdg__map_own((void *)hint, length, look ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED,
	                    fd, 0, ret);
}

static int check_and_map(struct mdg__registry *registry, int fd, bool *ret_being_made)
{
	struct stat status;
	struct mdg__head head;
	void *map;
	int rc = mdg__sys_fstat(fd, &status);
	if (rc < 0)
		return rc;
	if (!S_ISREG(status.st_mode))
		return MDG_NOT_REGISTRY;
	/* Read, not mapped: a file without magic is cut to nothing by somebody who
	 * makes it, or fails to, and to touch a map of it would be SIGBUS. */
	int64_t got = mdg__sys_pread(fd, &head, sizeof head, 0);
	if (got < 0)
		return (int)got;
	if (got < (int64_t)sizeof head)
		return MDG_TRUNCATED;
	*ret_being_made = (status.st_mode & MDG__BEING_MADE) != 0;
	registry->device = status.st_dev;
	registry->inode = status.st_ino;
	rc = check_head(registry, &head, (uint64_t)status.st_size);
	if (rc < 0)
		return rc;
	if (registry->length > SIZE_MAX)
		return -ENOMEM;
	rc = map_somewhere(fd, (size_t)registry->length, registry->look, &map);
	if (rc == 0)
		point(registry, map);
	return rc;
}

static bool have_one_owner(int fd, int dirfd)
{
	struct stat file, directory;
	return mdg__sys_fstat(fd, &file) == 0 && mdg__sys_fstat(dirfd, &directory) == 0 &&
	       file.st_uid == directory.st_uid && file.st_gid == directory.st_gid;
}

int mdg__registry_open(struct mdg__registry *registry, int dirfd,
                       const struct mdg_namespace_options *options)
{
	bool being_made = false;
	int fd = mdg__registry_file(dirfd, options);
	if (fd < 0)
		return fd;
	registry->look = options != NULL && (options->flags & MDG_NS_LOOK) != 0;
	int rc = check_and_map(registry, fd, &being_made);
	registry->fd = -1;
	registry->dirfd = dirfd;
	registry->dir_mark = mdg__fd_mark(dirfd);
	if (rc == 0 && being_made && !registry->look)
		mdg__registry_made(registry, fd);
	registry->owner_is_directorys = have_one_owner(fd, dirfd);
	/* A mapping holds on to the description it was made from, and a child
	 * inherits it: a byte locked through this one would stay locked after our
	 * death. Locks go through a description of their own (mdg__registry_fd). */
	(void)mdg__sys_close(fd);
	if (rc < 0)
		return rc;
	registry->boot = mdg__boot_id();
	registry->pid_namespace = mdg__pid_namespace();
	return 0;
}

void mdg__registry_close(struct mdg__registry *registry)
{
	if (mdg__registry_fd_is_ours(registry))
		(void)mdg__sys_close(registry->fd);
	if (mdg__fd_is(registry->dirfd, registry->dir_device, registry->dir_inode))
		(void)mdg__sys_close(registry->dirfd);
	(void)mdg__sys_munmap(registry->head, (size_t)registry->length);
}
