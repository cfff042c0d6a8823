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

static bool is_within(uint32_t value, uint32_t least, uint32_t most)
{
	return value >= least && value <= most;
}

static bool are_sizes_possible(const struct mdg__sizes *sizes)
{
	bool possible = is_within(sizes->processes, 16, 32767) &&
	                is_within(sizes->ties, MDG__FIRST_TIES, 16 * MDG__IDS);
	for (int class = 0; class < MDG__CLASSES; class ++) {
		uint32_t buckets = sizes->buckets[class];
		possible = possible && is_within(sizes->objects[class], 64, MDG__IDS) &&
		           is_within(buckets, 64, 4 * MDG__IDS) && (buckets & (buckets - 1)) == 0;
	}
	return possible;
}

static int check_head(struct mdg__registry *registry, const struct mdg__head *head, uint64_t length,
                      struct mdg__sizes *ret_sizes)
{
	if (head->magic != MDG__MAGIC)
		return MDG_NOT_REGISTRY;
	if (head->format != MDG__FORMAT || head->mark != MDG__MARK)
		return MDG_VERSION_UNLIKE;
	if (head->fixed_sum != mdg__fixed_sum(head))
		return MDG_DAMAGED;
	struct mdg__sizes sizes = { .processes = head->process_capacity,
		                    .ties = head->tie_capacity };
	for (int class = 0; class < MDG__CLASSES; class ++) {
		sizes.objects[class] = head->capacity[class];
		sizes.buckets[class] = head->bucket_count[class];
	}
	if (!are_sizes_possible(&sizes))
		return MDG_DAMAGED;
	struct mdg__tables at = mdg__table_offsets(&sizes);
	if (head->file_size != at.end)
		return MDG_DAMAGED;
	if (length < at.end)
		return MDG_TRUNCATED;
	*ret_sizes = sizes;
	registry->length = at.end;
	registry->unique = head->unique;
	mdg__format(registry->number, sizeof registry->number, "%x%x",
	            (uint32_t)(registry->unique >> 32), (uint32_t)registry->unique);
	registry->flags = head->flags & MDG_NS_SHARED;
	return 0;
}

/* A part of the buckets is a page, or more if there would be too many parts. */
static uint32_t part_shift_of(uint32_t buckets)
{
	uint32_t shift = 10;
	while (buckets >> shift > MDG__BUCKET_PARTS)
		shift++;
	return shift;
}

/* Says where everything lies. */
static void point(struct mdg__registry *registry, void *map, const struct mdg__sizes *sizes)
{
	struct mdg__tables at = mdg__table_offsets(sizes);
	struct mdg__head *head = map;
	char *base = map;
	registry->head = head;
	for (int class = 0; class < MDG__CLASSES; class ++) {
		registry->objects[class] = (struct mdg__objects){
			&head->directory[class],
			(void *)(base + at.bitmap[class]),
			(void *)(base + at.buckets[class]),
			base + at.entries[class],
			sizes->objects[class],
			sizes->buckets[class],
			part_shift_of(sizes->buckets[class]),
		};
		registry->extent[class] =
			(struct mdg__extent){ &head->directory[class].ready, at.entries[class],
			                      MDG__ENTRY_SIZE, sizes->objects[class] };
	}
	registry->extent[MDG__PROCESSES] =
		(struct mdg__extent){ &head->processes_ready, at.processes,
		                      sizeof(struct mdg__process), sizes->processes };
	registry->extent[MDG__TIES] = (struct mdg__extent){ &head->ties_ready, at.ties,
		                                            sizeof(struct mdg__tie), sizes->ties };
	registry->processes = (void *)(base + at.processes);
	registry->segments = (void *)(base + at.entries[MDG__SEGMENTS]);
	registry->ties = (void *)(base + at.ties);
	registry->segment_capacity = sizes->objects[MDG__SEGMENTS];
	registry->process_capacity = sizes->processes;
	registry->tie_capacity = sizes->ties;
	mdg__lock_set_up(registry);
}

/* The address of the map tells this program from the one that ran under the same pid before
 * exec (alive.c). Usually the kernel chooses it at random. A debugger, or setarch -R, turns
 * that off. Then the address is chosen at random here. */
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
	/* For a look the map is private: a write by mistake changes no file. */
	return mdg__map_own((void *)hint, length, look ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED,
	                    fd, 0, ret);
}

static int check_and_map(struct mdg__registry *registry, int fd, bool *ret_being_made)
{
	struct stat status;
	struct mdg__head head;
	struct mdg__sizes sizes;
	void *map;
	int rc = mdg__sys_fstat(fd, &status);
	if (rc < 0)
		return rc;
	if (!S_ISREG(status.st_mode))
		return MDG_NOT_REGISTRY;
	/* The head is read and not mapped. A process that makes the registry, or fails to, cuts
	 * the file to nothing. Touching a map of it would then raise SIGBUS. */
	int64_t got = mdg__sys_pread(fd, &head, sizeof head, 0);
	if (got < 0)
		return (int)got;
	if (got < (int64_t)sizeof head)
		return MDG_TRUNCATED;
	*ret_being_made = (status.st_mode & MDG__BEING_MADE) != 0;
	registry->device = status.st_dev;
	registry->inode = status.st_ino;
	rc = check_head(registry, &head, (uint64_t)status.st_size, &sizes);
	if (rc < 0)
		return rc;
	if (registry->length > SIZE_MAX)
		return -ENOMEM;
	rc = map_somewhere(fd, (size_t)registry->length, registry->look, &map);
	if (rc == 0)
		point(registry, map, &sizes);
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
	/* A mapping keeps the description from which it was made, and a child inherits the
	 * mapping. So a byte locked through this description would stay locked after the
	 * death of this process. Locks go through another one (mdg__registry_fd). */
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
