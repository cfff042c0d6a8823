/* SPDX-License-Identifier: MIT */
/*
 * open.c - makes, checks and maps the registry file.
 *
 * Making: whoever holds the byte lock INIT_LOCK fills the file in and stores
 * the magic last. A maker that dies leaves a file without magic and a free
 * lock, and the next one starts over. A file without magic beside data files
 * is not a fresh one, however: it lost its content, and is refused.
 *
 * Not here: which directory is acceptable (src/segment/directory.c), and how the
 * tables grow (grow.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "platform/identity.h"
#include "platform/sys.h"
#include "platform/text.h"
#include "platform/threadlock.h"
#include "registry/registry.h"

#define REGISTRY_NAME "registry"
#define INIT_LOCK (UINT64_C(1) << 62) /* a byte far behind the end of any file */
#define USUAL_LOWEST_FD 384
#define FIRST_SEGMENTS 64u
#define FIRST_PROCESSES 32u
#define FIRST_ATTACHMENTS 64u

struct layout {
	uint64_t bitmap, buckets, processes, segments, attachments, end;
};

static uint64_t aligned(uint64_t offset)
{
	return (offset + MDG__TABLE_ALIGN - 1) & ~(uint64_t)(MDG__TABLE_ALIGN - 1);
}

static struct layout table_offsets(uint32_t segments, uint32_t processes, uint32_t attachments,
                                   uint32_t buckets)
{
	struct layout at;
	at.bitmap = MDG__TABLE_ALIGN;
	at.buckets = aligned(at.bitmap + (uint64_t)((segments + 63) / 64) * 8u);
	at.processes = aligned(at.buckets + (uint64_t)buckets * 4u);
	at.segments = aligned(at.processes + (uint64_t)processes * sizeof(struct mdg__process));
	at.attachments = aligned(at.segments + (uint64_t)segments * sizeof(struct mdg__segment));
	at.end = aligned(at.attachments + (uint64_t)attachments * sizeof(struct mdg__attachment));
	return at;
}

/* ---- descriptors -------------------------------------------------------- */

int mdg__fd_out_of_the_way(int fd)
{
	/* Above what programs use by number (shells: 255), but not so high that
	 * each fork has to copy a long table of descriptors. */
	static _Atomic int lowest = USUAL_LOWEST_FD;
	if (fd < 0 || fd >= lowest)
		return fd;
	int high = mdg__sys_dup_above(fd, lowest);
	if (high == -EINVAL || high == -EMFILE) { /* the limit is lower */
		struct rlimit limit = { 0, 0 };
		(void)getrlimit(RLIMIT_NOFILE, &limit);
		int lower = limit.rlim_cur < 512 ? (int)(limit.rlim_cur / 4 * 3)
		                                    : USUAL_LOWEST_FD;
		if (lower < lowest) {
			lowest = lower;
			high = mdg__sys_dup_above(fd, lower);
		}
	}
	(void)mdg__sys_close(fd);
	return high == -EINVAL ? -EMFILE : high;
}

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

/* Two threads may find the same descriptor lost: one opens it anew, the other
 * waits and looks again. Readers come here without any other lock. */
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
		mdg__sys_openat(dirfd, REGISTRY_NAME,
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

/* ---- making ------------------------------------------------------------- */

static uint32_t at_least_power_of_two(uint32_t value)
{
	uint32_t power = 64;
	while (power < value)
		power *= 2;
	return power;
}

static int settled(const struct mdg_namespace_options *given, struct mdg_namespace_options *ret)
{
	struct mdg_namespace_options o = { 0 };
	if (given != NULL)
		memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
	o.segments = o.segments ? o.segments : 4096;
	o.processes = o.processes ? o.processes : 4096;
	/* As the kernel: the largest unsigned long less 2^24. */
	o.shmmax = o.shmmax ? o.shmmax : UINT64_MAX - (1u << 24);
	o.shmall = o.shmall ? o.shmall : UINT64_MAX - (1u << 24);
	if (o.segments < 64 || o.segments > MDG__IDS || o.processes < 16 || o.processes > 32767)
		return -EINVAL;
	*ret = o;
	return 0;
}

static uint32_t fixed_sum(const struct mdg__head *head)
{
	return (uint32_t)mdg__hash((const char *)head + sizeof head->magic,
	                           offsetof(struct mdg__head, fixed_sum) - sizeof head->magic);
}

/* Fills in a file of zeros. Plain stores: nobody looks before the magic. */
static void fill_in(struct mdg__head *head, const struct mdg_namespace_options *o, uint64_t length,
                    uint32_t attachments, uint32_t buckets)
{
	head->format = MDG__FORMAT;
	head->mark = MDG__MARK;
	head->segment_capacity = o->segments;
	head->process_capacity = o->processes;
	head->attachment_capacity = attachments;
	head->bucket_count = buckets;
	head->file_size = length;
	head->unique = mdg__random();
	head->shmmax = o->shmmax;
	head->shmall = o->shmall;
	head->flags = o->flags & MDG_NS_SHARED;
	head->fixed_sum = fixed_sum(head);
	head->last_index = UINT32_MAX; /* so that the first index, 0, is above it */
	head->segments_ready = FIRST_SEGMENTS;
	head->processes_ready = o->processes < FIRST_PROCESSES ? o->processes : FIRST_PROCESSES;
	head->attachments_ready = FIRST_ATTACHMENTS;
	atomic_store_explicit(&head->magic, MDG__MAGIC, memory_order_release);
}

/* The file and all of its first parts, with memory behind them. */
static int make(int fd, const struct mdg_namespace_options *options)
{
	struct mdg_namespace_options o;
	int rc = settled(options, &o);
	if (rc < 0)
		return rc;
	uint32_t attachments = 16 * (o.segments > o.processes ? o.segments : o.processes);
	uint32_t buckets = at_least_power_of_two(2 * o.segments);
	struct layout at = table_offsets(o.segments, o.processes, attachments, buckets);
	/* Down and up: a maker that died may have left anything but the magic. */
	rc = mdg__sys_ftruncate(fd, 0);
	if (rc == 0)
		rc = mdg__sys_ftruncate(fd, at.end);
	if (rc == 0)
		rc = mdg__sys_reserve(fd, 0,
		                      at.processes + FIRST_PROCESSES * sizeof(struct mdg__process));
	if (rc == 0)
		rc = mdg__sys_reserve(fd, at.segments, FIRST_SEGMENTS * sizeof(struct mdg__segment));
	if (rc == 0)
		rc = mdg__sys_reserve(fd, at.attachments,
		                      FIRST_ATTACHMENTS * sizeof(struct mdg__attachment));
	if (rc == 0)
		rc = mdg__sys_fchmod(fd, o.flags & MDG_NS_SHARED ? 0666 : 0600);
	void *map = NULL;
	if (rc == 0)
		rc = mdg__sys_mmap(NULL, MDG__TABLE_ALIGN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0,
		                   &map);
	if (rc != 0) {
		(void)mdg__sys_ftruncate(fd, 0);
		return rc;
	}
	fill_in(map, &o, at.end, attachments, buckets);
	(void)mdg__sys_munmap(map, MDG__TABLE_ALIGN);
	return 0;
}

struct dirent64 { /* struct linux_dirent64 */
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

/* Whether the directory holds data files: then an empty registry is a loss. */
static bool has_segments(int dirfd)
{
	_Alignas(8) char buffer[2048];
	int fd = mdg__sys_openat(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return false;
	bool found = false;
	int64_t filled;
	while (!found && (filled = mdg__sys_getdents(fd, buffer, sizeof buffer)) > 0) {
		for (int64_t at = 0; at < filled;) {
			const struct dirent64 *entry = (const void *)(buffer + at);
			found = found || strncmp(entry->name, "seg-", 4) == 0;
			at += entry->length;
		}
	}
	(void)mdg__sys_close(fd);
	return found;
}

/* 1, 0, or why it cannot be told: never to be taken for a file that is fresh. */
static int has_magic(int fd)
{
	uint64_t magic = 0;
	int64_t got = mdg__sys_pread(fd, &magic, sizeof magic, 0);
	if (got < 0)
		return (int)got;
	return got == (int64_t)sizeof magic && magic != 0; /* a wrong one is for check_head() */
}

/* With the byte INIT_LOCK locked. -EAGAIN: the file is not the registry any
 * more, because its maker failed. */
static int make_locked(int fd, int dirfd, const struct mdg_namespace_options *options)
{
	struct stat status;
	uint32_t wish = options != NULL ? options->flags : 0;
	int rc = mdg__sys_fstat(fd, &status);
	if (rc == 0 && status.st_nlink == 0)
		rc = -EAGAIN;
	if (rc == 0)
		rc = has_magic(fd);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (has_segments(dirfd))
		return MDG_NOT_REGISTRY;
	if (wish & MDG_NS_EXISTING)
		return -ENOENT;
	rc = make(fd, options);
	if (rc < 0) /* whoever waits for the lock starts over */
		(void)mdg__sys_unlinkat(dirfd, REGISTRY_NAME);
	return rc;
}

static int make_unless_made(int fd, int dirfd, const struct mdg_namespace_options *options)
{
	int rc = has_magic(fd);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = mdg__sys_lock_byte(fd, INIT_LOCK, true);
	if (rc < 0)
		return rc;
	rc = make_locked(fd, dirfd, options);
	(void)mdg__sys_unlock_byte(fd, INIT_LOCK);
	return rc;
}

/* For a look: whoever is making it is not waited for. */
static int be_made(int fd, int dirfd)
{
	int rc = has_magic(fd);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	return has_segments(dirfd) ? MDG_NOT_REGISTRY : -ENOENT;
}

/* The registry file, made if it may be and has to. A descriptor, or a code. */
static int open_file(int dirfd, const struct mdg_namespace_options *options)
{
	uint32_t wish = options != NULL ? options->flags : 0;
	bool look = (wish & MDG_NS_LOOK) != 0;
	int flags = (look ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK;
	if (!(wish & (MDG_NS_EXISTING | MDG_NS_LOOK)))
		flags |= O_CREAT;
	if (wish & MDG_NS_EXCL)
		flags |= O_EXCL;
	for (;;) {
		struct stat status;
		int fd = mdg__sys_openat(dirfd, REGISTRY_NAME, flags, 0600);
		if (fd == -ELOOP || fd == -EISDIR || fd == -ENXIO)
			return MDG_NOT_REGISTRY; /* a link, a directory, a socket */
		if (fd < 0)
			return fd;
		int rc = mdg__sys_fstat(fd, &status);
		if (rc == 0 && !S_ISREG(status.st_mode))
			rc = MDG_NOT_REGISTRY;
		if (rc == 0)
			rc = look ? be_made(fd, dirfd) : make_unless_made(fd, dirfd, options);
		if (rc == 0)
			return fd;
		(void)mdg__sys_close(fd);
		if (rc != -EAGAIN)
			return rc;
	}
}

/* ---- checking and mapping ----------------------------------------------- */

static int check_head(struct mdg__registry *registry, const struct mdg__head *head, uint64_t length)
{
	if (head->magic != MDG__MAGIC)
		return MDG_NOT_REGISTRY;
	if (head->format != MDG__FORMAT || head->mark != MDG__MARK)
		return MDG_VERSION_UNLIKE;
	if (head->fixed_sum != fixed_sum(head))
		return MDG_DAMAGED;
	uint32_t segments = head->segment_capacity, processes = head->process_capacity;
	uint32_t attachments = head->attachment_capacity, buckets = head->bucket_count;
	if (segments < 64 || segments > MDG__IDS || processes < 16 || processes > 32767 ||
	    attachments < FIRST_ATTACHMENTS || attachments > 16 * MDG__IDS || buckets < 64 ||
	    buckets > 4 * MDG__IDS || (buckets & (buckets - 1)) != 0)
		return MDG_DAMAGED;
	struct layout at = table_offsets(segments, processes, attachments, buckets);
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
	registry->shmmax = head->shmmax;
	registry->shmall = head->shmall;
	registry->flags = head->flags & MDG_NS_SHARED;
	return 0;
}

static void point(struct mdg__registry *registry, void *map)
{
	struct layout at = table_offsets(registry->segment_capacity, registry->process_capacity,
	                                 registry->attachment_capacity, registry->bucket_count);
	char *base = map;
	registry->head = map;
	registry->bitmap = (void *)(base + at.bitmap);
	registry->buckets = (void *)(base + at.buckets);
	registry->processes = (void *)(base + at.processes);
	registry->segments = (void *)(base + at.segments);
	registry->attachments = (void *)(base + at.attachments);
}

/* Where a process has mapped the registry tells it from the program that ran
 * under its number before exec. A debugger, or setarch -R, takes the kernel's
 * randomness away: then the place is drawn here. */
static int map_somewhere(int fd, size_t length, bool look, void **ret)
{
	uintptr_t hint = 0;
	if (!mdg__addresses_are_random()) {
		void *usual;
		int rc = mdg__sys_mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
		                       &usual);
		if (rc < 0)
			return rc;
		uintptr_t below = (uintptr_t)(mdg__random() % (sizeof(long) == 8 ? 65536 : 64));
		hint = (uintptr_t)usual - (below << 20);
		(void)mdg__sys_munmap(usual, length);
	}
	/* For a look: what is written by mistake is written nowhere. */
	return mdg__sys_mmap((void *)hint, length, PROT_READ | PROT_WRITE,
	                     look ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED, fd, 0, ret);
}

static int check_and_map(struct mdg__registry *registry, int fd)
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

int mdg__registry_open(struct mdg__registry *registry, int dirfd,
                       const struct mdg_namespace_options *options)
{
	int fd = open_file(dirfd, options);
	if (fd < 0)
		return fd;
	registry->look = options != NULL && (options->flags & MDG_NS_LOOK) != 0;
	int rc = check_and_map(registry, fd);
	/* A mapping holds on to the description it was made from, and a child
	 * inherits it: a byte locked through this one would stay locked after our
	 * death. Locks go through a description of their own (mdg__registry_fd). */
	(void)mdg__sys_close(fd);
	if (rc < 0)
		return rc;
	registry->fd = -1;
	registry->dirfd = dirfd;
	registry->dir_mark = mdg__fd_mark(dirfd);
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
