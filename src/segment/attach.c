/* SPDX-License-Identifier: MIT */
/*
 * attach.c - shmat: permission, a descriptor of the data file, counting, mmap.
 *
 * Counting comes before mapping (count.c), so that a segment which is removed
 * meanwhile stays until this attachment is gone too.
 */
#include <errno.h>
#include <sys/mman.h>

#include "platform/ownmap.h"
#include "registry/current.h"
#include "registry/descriptor.h"
#include "segment/objectfile.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
/* A segment that nobody has attached before is going to be touched. A small one has all its
 * pages already (datafile.c). They are mapped at once, which is cheaper than one by one. It is only
 * a hint: what cannot be mapped at once is mapped when it is touched. */
#define POPULATE_MOST (UINT64_C(256) << 10)

/* ---- the descriptor ------------------------------------------------------- */

/* A descriptor to map from. *ret_temporary: it is to be closed afterwards. It must not allow more
 * than was asked for, because then mprotect would allow it too. */
static int descriptor(struct mdg_namespace *ns, const struct mdg__entry *entry,
                      struct mdg__segment_cache *cache, bool writable, bool *ret_temporary)
{
	*ret_temporary = false;
	if (cache->fd >= 0 && cache->writable == writable) {
		/* The length of the file was compared when it was opened. */
		if (mdg__cache_fd_is_ours(ns, cache))
			return entry->mapped == cache->mapped ? cache->fd : MDG_DAMAGED;
		cache->fd = -1; /* the program closed it, or put another file there */
		ns->kept_fds--;
		ns->registry.lost = 1;
	}
	uint64_t inode;
	int fd = mdg__segment_file_open(ns, entry, writable, &inode);
	if (fd < 0)
		return fd;
	cache->inode = inode;
	cache->mapped = entry->mapped;
	bool huge = mdg__entry_is_huge(entry);
	/* A removed segment has no name any more. Others come to it through this descriptor. */
	bool full = ns->kept_fds >= ns->most_kept_fds && mdg__tag_state(entry->tag) == MDG__LIVE;
	*ret_temporary = huge || cache->fd >= 0 || full;
	if (writable && cache->fd >= 0 && !huge)
		*ret_temporary = false; /* replaces a read-only one */
	if (*ret_temporary)
		return fd;
	int high = mdg__fd_out_of_the_way(fd);
	if (high < 0)
		return high;
	mdg__cache_keep_fd(ns, cache, entry->index, high, writable, inode, mdg__fd_mark(high));
	return high;
}

/* ---- attaching ------------------------------------------------------------ */

/* A call of shmat. */
struct request {
	uintptr_t address;
	bool fixed; /* at that address */
	bool replace;
	bool readonly, executable;
	bool sparse;   /* not to be filled with pages, also after mlockall(MCL_FUTURE) */
	bool populate; /* its pages are mapped at once */
	size_t length;
};

/* What shmat says of address and flags, before it looks for the segment. */
static int check_address(void *address, unsigned flags, struct request *ret)
{
	uintptr_t at = (uintptr_t)address, step = mdg__attach_step();
	ret->fixed = at != 0;
	ret->replace = (flags & MDG_REMAP) != 0;
	ret->readonly = (flags & MDG_RDONLY) != 0;
	ret->executable = (flags & MDG_EXEC) != 0;
	if (at == 0 && ret->replace)
		return -EINVAL;
	if (at % step != 0) {
		if (!(flags & MDG_ROUND))
			return -EINVAL;
		at -= at % step;
		if (at == 0 && ret->replace)
			return -EINVAL;
		/* An address that was rounded to null still counts as given. The kernel does
		 * not look then what is mapped there. */
		ret->replace = ret->replace || at == 0;
	}
	ret->address = at;
	return 0;
}

/* mmap says EPERM for two reasons: the address is too low for an ordinary user, or PROT_EXEC is
 * asked for and the file system is mounted noexec. For the second one shmat says EACCES. This tells
 * whether the address is allowed, and leaves nothing behind. */
static bool may_map_there(const struct request *request)
{
	void *memory;
	if (!request->fixed)
		return true;
	int rc = mdg__sys_mmap((void *)request->address, request->length, PROT_NONE,
	                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0, &memory);
	if (rc == 0)
		(void)mdg__sys_munmap(memory, request->length);
	return rc != -EPERM;
}

static int map_file(const struct request *request, int protection, int flags, int fd, void **ret)
{
	void *address = (void *)request->address;
	return request->sparse
	               ? mdg__map_unlocked(address, request->length, protection, flags, fd, ret)
	               : mdg__sys_mmap(address, request->length, protection, flags, fd, 0, ret);
}

static int map(const struct request *request, int fd, void **ret)
{
	int protection = PROT_READ | (request->readonly ? 0 : PROT_WRITE) |
	                 (request->executable ? PROT_EXEC : 0);
	int flags = MAP_SHARED | (request->replace ? MAP_FIXED
	                          : request->fixed ? MAP_FIXED_NOREPLACE
	                                           : 0);
	mdg__before_mmap(request->address, request->length, protection, flags, fd, 0);
	int rc = map_file(request, protection, flags | (request->populate ? MAP_POPULATE : 0), fd,
	                  ret);
	if (rc == -EEXIST)
		return -EINVAL;
	if (rc == 0 && request->fixed && *ret != (void *)request->address) {
		/* A kernel before 4.17 takes the address for a hint. */
		(void)mdg__sys_munmap(*ret, request->length);
		return -EINVAL;
	}
	return rc == -EPERM && request->executable && may_map_there(request) ? -EACCES : rc;
}

static int attach_counted(struct mdg_namespace *ns, const struct mdg__entry *entry,
                          const struct request *request, int fd, void **ret)
{
	uint32_t sequence = mdg__tag_generation(entry->tag);
	void *memory;
	int rc = map(request, fd, &memory);
	if (rc < 0) {
		mdg__count_detached(ns, entry->index,
		                    sequence); /* no stamp: it never was attached */
		return rc;
	}
	mdg__bear_witness(ns);
	mdg__stamp_attached(ns, entry->index);
	/* Pieces that lay here: they were replaced, or another thread has unmapped them and not
	 * yet said so. */
	mdg__pieces_cut(ns, (uintptr_t)memory, request->length);
	mdg__piece_insert(ns,
	                  (struct mdg__piece){ (uintptr_t)memory, request->length, 0, entry->index,
	                                       sequence, ns->calls++, mdg__pieces_now() });
	mdg__made_attached(ns, entry->index);
	*ret = memory;
	return 0;
}

/* Whether it has more addresses than it may ever have memory: a heap, or a channel for calls. */
static bool is_sparse(const struct mdg__entry *entry)
{
	return entry->kind != MDG__KIND_PLAIN && (entry->flags & MDG__SEG_NORESERVE) != 0;
}

static int attach_entered(struct mdg_namespace *ns, const struct mdg__entry *entry,
                          struct request *request, void **ret)
{
	struct mdg__segment_cache *cache;
	bool temporary;
	uint32_t living;
	int rc = mdg__cache_find(ns, entry->index, mdg__tag_generation(entry->tag), &cache);
	if (rc == 0)
		rc = mdg__pieces_reserve(ns, 2);
	/* A removed segment exists only as long as a living process has it attached. */
	if (rc == 0 && mdg__tag_state(entry->tag) == MDG__REMOVED)
		rc = mdg__entry_attached(ns, entry, true, &living);
	if (rc < 0)
		return rc;
	int fd = descriptor(ns, entry, cache, !request->readonly, &temporary);
	if (fd < 0)
		return fd;
	request->length = (size_t)entry->mapped;
	request->sparse = is_sparse(entry);
	request->populate = entry->atime == 0 && !(entry->flags & MDG__SEG_NORESERVE) &&
	                    !request->readonly && entry->mapped <= POPULATE_MOST;
	rc = mdg__count_attached(ns, entry->index, mdg__tag_generation(entry->tag));
	if (rc == 0)
		rc = attach_counted(ns, entry, request, fd, ret);
	if (temporary)
		(void)mdg__sys_close(fd);
	if (rc < 0 && cache->pieces == 0 && ns->kept_detached1 != entry->index + 1)
		mdg__cache_drop_fd(ns, entry->index); /* nothing came of it */
	return rc;
}

static int attach(struct mdg_namespace *ns, mdg_id id, struct request *request,
                  struct mdg__entry *ret_entry, void **ret_memory)
{
	int rc = mdg__entry_find(ns, id, false, ret_entry);
	if (rc == 0)
		rc = mdg__permit(ns, ret_entry,
		                 (request->readonly ? 0444u : 0666u) |
		                         (request->executable ? 0111u : 0u));
	if (rc == 0 && (ret_entry->size == 0 || ret_entry->size > ret_entry->mapped ||
	                ret_entry->mapped % mdg__page_size() != 0))
		rc = MDG_DAMAGED; /* a program that believes the size would read behind the end */
	if (rc == 0 && ret_entry->mapped > (uint64_t)SIZE_MAX / 2)
		rc = -ENOMEM; /* more than this process can address */
	/* With MDG_REMAP the kernel does not check this here, and mmap says ENOMEM. */
	if (rc == 0 && !request->replace && request->address + ret_entry->size < request->address)
		rc = -EINVAL;
	if (rc < 0)
		return rc;
	mdg__enter(ns);
	rc = attach_entered(ns, ret_entry, request, ret_memory);
	mdg__leave(ns);
	if (rc == 0 && request->replace)
		mdg__others_cut(ns, (uintptr_t)*ret_memory, request->length);
	return rc;
}

int mdg_segment_attach(mdg_namespace *ns, mdg_id id, void *address, unsigned flags,
                       void **ret_memory)
{
	struct request request = { 0 };
	struct mdg__entry entry = { 0 };
	if (id < 0)
		return -EINVAL;
	int rc = check_address(address, flags, &request);
	if (rc == 0)
		rc = mdg__registry_glance(&ns->registry);
	if (rc < 0)
		return rc;
	/* Not the caller's own variable: his pointer may lead nowhere, and a lock is held. */
	void *memory = NULL;
	rc = attach(ns, id, &request, &entry, &memory);
	/* If the segment was removed on the way, its file is no longer where a LIVE segment's
	 * file is. But while somebody has it attached, it can still be opened. A segment is
	 * removed only once, so a second attempt is enough. */
	if ((rc == -EIDRM || rc == -EINVAL) && mdg__tag_state(entry.tag) == MDG__LIVE &&
	    mdg__entry_is_old(ns, &entry))
		rc = attach(ns, id, &request, &entry, &memory);
	if (rc == 0)
		*ret_memory = memory;
	return rc;
}
