/* SPDX-License-Identifier: MIT */
/*
 * make.c - makes the registry file.
 *
 * The process that holds the byte lock INIT_LOCK fills the file in, and stores the magic last.
 * If it dies, the file has no magic and the lock is free. Then the next process starts over.
 *
 * A file without magic beside data files may also be a registry that lost its content. That has to
 * be reported, and must not be made worse. If the registry is *missing* beside data files, the
 * namespace was deleted. Nothing can mend that, and no process finds those files any more, so a new
 * registry is made. The mark MDG__BEING_MADE tells the two cases apart: open(2) sets it in the
 * moment in which it makes the file. A process that finds the mark on a whole registry clears
 * the remains away (files.c), and then takes the mark off.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/highfd.h"
#include "platform/identity.h"
#include "platform/ownmap.h"
#include "platform/sys.h"
#include "registry/file.h"

#define INIT_LOCK       (UINT64_C(1) << 62) /* a byte far behind the end of any file */
#define USUAL_SEGMENTS  4096u
#define FIRST_SEGMENTS  16u
#define FIRST_PROCESSES 32u

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
	o.segments = o.segments ? o.segments : USUAL_SEGMENTS;
	o.processes = o.processes ? o.processes : 4096;
	/* As the kernel: the largest unsigned long less 2^24. */
	o.shmmax = o.shmmax ? o.shmmax : UINT64_MAX - (1u << 24);
	o.shmall = o.shmall ? o.shmall : UINT64_MAX - (1u << 24);
	if (o.segments < 64 || o.segments > MDG__IDS || o.processes < 16 || o.processes > 32767)
		return -EINVAL;
	*ret = o;
	return 0;
}

/* How many segments the table can hold. If the maker did not choose, it is as many as there
 * are ids, as in the kernel: SHMMNI can be raised, and shm_next_id can name any id. What is
 * not used is a hole in the file. */
static uint32_t segment_capacity(const struct mdg_namespace_options *given,
                                 const struct mdg_namespace_options *settled)
{
	struct mdg_namespace_options o = { 0 };
	if (given != NULL)
		memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
	return o.segments != 0 ? settled->segments : MDG__IDS;
}

static unsigned mode_of(uint32_t flags)
{
	return flags & MDG_NS_SHARED ? 0666 : 0600;
}

/* How large the tables of a new registry are. The other classes can have as many objects
 * as there are segments. Tables that are not used are holes in the file. */
static struct mdg__sizes sizes_of(const struct mdg_namespace_options *given,
                                  const struct mdg_namespace_options *o)
{
	struct mdg__sizes sizes = {
		.processes = o->processes,
		.ties = 16 * (o->segments > o->processes ? o->segments : o->processes),
	};
	for (int class = 0; class < MDG__CLASSES; class ++) {
		sizes.objects[class] = segment_capacity(given, o);
		sizes.buckets[class] = at_least_power_of_two(2 * o->segments);
	}
	return sizes;
}

/* The limits of semaphores and messages as the kernel has them when it starts. */
static void set_limits(struct mdg__head *head)
{
	struct mdg__directory *sets = &head->directory[MDG__SEMAPHORE_SETS];
	struct mdg__directory *queues = &head->directory[MDG__MESSAGE_QUEUES];
	sets->most = sets->most < 32000 ? sets->most : 32000;       /* SEMMNI */
	sets->total_most = 1024000000;                              /* SEMMNS */
	sets->limit[0] = 32000;                                     /* SEMMSL */
	sets->limit[1] = 500;                                       /* SEMOPM */
	queues->most = queues->most < 32000 ? queues->most : 32000; /* msgmni */
	queues->limit[0] = 8192;                                    /* msgmax */
	queues->limit[1] = 16384;                                   /* msgmnb */
}

/* Fills in a file of zeros. Plain stores: nobody looks before the magic. */
static void fill_in(struct mdg__head *head, const struct mdg_namespace_options *o, uint64_t length,
                    const struct mdg__sizes *sizes)
{
	uint64_t unique = mdg__random();
	head->format = MDG__FORMAT;
	head->mark = MDG__MARK;
	head->process_capacity = sizes->processes;
	head->tie_capacity = sizes->ties;
	for (int class = 0; class < MDG__CLASSES; class ++) {
		struct mdg__directory *directory = &head->directory[class];
		head->capacity[class] = sizes->objects[class];
		head->bucket_count[class] = sizes->buckets[class];
		/* Each namespace begins its ids somewhere else. So an id that is handed to a
		 * process in another namespace names nothing there, instead of another
		 * object. */
		directory->sequence = mdg__first_sequence(unique);
		directory->last_index = UINT32_MAX; /* so that the first index, 0, is above it */
		directory->most = class == MDG__SEGMENTS ? o->segments : sizes->objects[class];
	}
	set_limits(head);
	head->file_size = length;
	head->unique = unique;
	head->shmmax = o->shmmax;
	head->shmall = o->shmall;
	head->flags = o->flags & MDG_NS_SHARED;
	head->fixed_sum = mdg__fixed_sum(head);
	head->shmmax_now = o->shmmax;
	head->shmall_now = o->shmall;
	head->directory[MDG__SEGMENTS].ready = FIRST_SEGMENTS;
	head->processes_ready = o->processes < FIRST_PROCESSES ? o->processes : FIRST_PROCESSES;
	head->ties_ready = MDG__FIRST_TIES;
	atomic_store_explicit(&head->magic, MDG__MAGIC, memory_order_release);
}

/* Gives memory to the head and to the first records of the tables that are used from
 * the start. The buckets lie in between, and have none. */
static int reserve_first(int fd, const struct mdg__tables *at)
{
	int rc = mdg__sys_reserve(fd, 0, at->buckets[MDG__SEGMENTS]);
	if (rc == 0)
		rc = mdg__sys_reserve(fd, at->processes,
		                      FIRST_PROCESSES * sizeof(struct mdg__process));
	if (rc == 0)
		rc = mdg__sys_reserve(fd, at->entries[MDG__SEGMENTS],
		                      FIRST_SEGMENTS * sizeof(struct mdg__segment));
	if (rc == 0)
		rc = mdg__sys_reserve(fd, at->ties, MDG__FIRST_TIES * sizeof(struct mdg__tie));
	return rc;
}

/* The file and all of its first parts, with memory behind them. */
static int make(int fd, const struct mdg_namespace_options *options)
{
	struct mdg_namespace_options o;
	int rc = settled(options, &o);
	if (rc < 0)
		return rc;
	struct mdg__sizes sizes = sizes_of(options, &o);
	struct mdg__tables at = mdg__table_offsets(&sizes);
	/* First to length 0: a maker that died may have left anything but the magic. */
	rc = mdg__sys_ftruncate(fd, 0);
	if (rc == 0)
		rc = mdg__sys_ftruncate(fd, at.end);
	if (rc == 0)
		rc = reserve_first(fd, &at);
	if (rc == 0)
		rc = mdg__sys_fchmod(fd, MDG__BEING_MADE | mode_of(o.flags));
	void *map = NULL;
	if (rc == 0)
		rc = mdg__map_own(NULL, MDG__TABLE_ALIGN, MAP_SHARED, fd, 0, &map);
	if (rc != 0) {
		(void)mdg__sys_ftruncate(fd, 0);
		return rc;
	}
	fill_in(map, &o, at.end, &sizes);
	(void)mdg__sys_munmap(map, MDG__TABLE_ALIGN);
	return 0;
}

/* 1 or 0. Negative: it cannot be told, so the file must not be taken for a fresh one. */
static int has_magic(int fd)
{
	uint64_t magic = 0;
	int64_t got = mdg__sys_pread(fd, &magic, sizeof magic, 0);
	if (got < 0)
		return (int)got;
	return got == (int64_t)sizeof magic && magic != 0; /* a wrong one is for check_head() */
}

/* The caller has locked the byte INIT_LOCK. -EAGAIN: the file is not the registry any more,
 * because another process failed to make it and unlinked it. */
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
	if (!(status.st_mode & MDG__BEING_MADE) && mdg__has_data_files(dirfd))
		return MDG_NOT_REGISTRY;
	if (wish & MDG_NS_EXISTING)
		return -ENOENT;
	rc = make(fd, options);
	if (rc < 0) /* a process that waits for the lock starts over */
		(void)mdg__sys_unlinkat(dirfd, MDG__REGISTRY_NAME);
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

/* For a look: 0 if the file is made. A process that is making it is not waited for. */
static int be_made(int fd, int dirfd)
{
	int rc = has_magic(fd);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	return mdg__has_data_files(dirfd) ? MDG_NOT_REGISTRY : -ENOENT;
}

int mdg__registry_file(int dirfd, const struct mdg_namespace_options *options)
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
		int fd = mdg__open_own(dirfd, MDG__REGISTRY_NAME, flags, MDG__BEING_MADE | 0600);
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

void mdg__registry_made(struct mdg__registry *registry, int fd)
{
	mdg__remove_strays(registry);
	(void)mdg__sys_fchmod(fd, mode_of(registry->flags));
}
