/* SPDX-License-Identifier: MIT */
/*
 * attach.c - shmat, and the counting that goes with attaching and detaching.
 *
 * The usual way, of a process that has had the segment attached before, takes
 * no lock of the registry: permission, a check of the kept descriptor, count,
 * look whether the segment was removed meanwhile (registry/attachment.c argues
 * why that is enough), mmap. Dying anywhere on the way is the process's death,
 * and what it counted is not counted any more.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/identity.h"
#include "segment/internal.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
/* A segment that nobody has attached before is going to be touched. A small one
 * has all its pages (datafile.c): map them now, many at a time. */
#define POPULATE_MOST     (UINT64_C(256) << 10)
#define NOTICED_MOST      8
#define RECORDS_MADE_MOST 1000

/* ---- what this process knows of a segment ------------------------------------ */

/* Whether `attachment1` is a record of this process: not of the one that
 * forked it, and not given to somebody else since. */
static bool has_record(const struct mdg_namespace *ns, const struct mdg__known *known)
{
	return known->attachment1 != 0 && known->epoch == ns->epoch &&
	       mdg__get64(&ns->registry.attachments[known->attachment1 - 1].word) >> 32 ==
	               known->generation;
}

/* Tells others which descriptor they can reach the file through. */
static void note_fd(struct mdg_namespace *ns, const struct mdg__known *known)
{
	if (has_record(ns, known))
		atomic_store_explicit(&ns->registry.attachments[known->attachment1 - 1].fd,
		                      (uint32_t)(known->fd + 1), memory_order_release);
}

/* Whether the program has left the descriptor alone. */
static bool is_ours(const struct mdg_namespace *ns, const struct mdg__known *known)
{
	return known->mark != 0 ? mdg__fd_is_marked(known->fd, known->mark)
	                        : mdg__fd_is(known->fd, ns->registry.device, (ino_t)known->inode);
}

void mdg__known_drop_fd(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__known *known = &ns->known[index];
	if (known->sequence1 == 0 || known->fd < 0)
		return;
	if (is_ours(ns, known))
		(void)mdg__sys_close(known->fd);
	known->fd = -1;
	ns->kept_fds--;
	if (ns->idle1 == index + 1)
		ns->idle1 = 0;
	note_fd(ns, known);
}

bool mdg__known_has_record(const struct mdg_namespace *ns, uint32_t index)
{
	return has_record(ns, &ns->known[index]);
}

void mdg__check_idle(struct mdg_namespace *ns)
{
	uint32_t index = ns->idle1 - 1;
	struct mdg__segment *segment = &ns->registry.segments[index];
	if (mdg__get32(&segment->tag) != mdg__tag(ns->known[index].sequence1 - 1, MDG__LIVE) ||
	    mdg__get64(&segment->inode) != ns->known[index].inode)
		mdg__known_drop_fd(ns, index);
}

int mdg__attachments_ready(struct mdg_namespace *ns, uint32_t count)
{
	int rc = mdg__registry_ready(&ns->registry, MDG__ATTACHMENTS, count);
	if (rc != -ENOSPC)
		return rc;
	rc = mdg__lock(&ns->registry);
	if (rc < 0)
		return rc;
	rc = mdg__attachments_sweep(&ns->registry) ? 0 : -ENOMEM;
	mdg__unlock(&ns->registry);
	return rc;
}

/* The entry for this very segment; a former one at the index is forgotten. */
static int know(struct mdg_namespace *ns, uint32_t index, uint32_t sequence,
                struct mdg__known **ret)
{
	struct mdg__known *known = &ns->known[index];
	*ret = known;
	/* The id of one that is gone can be given again: see take_next() in registry/index.c. */
	if (known->sequence1 == sequence + 1 &&
	    (known->pieces > 0 || known->fd < 0 ||
	     known->inode == mdg__get64(&ns->registry.segments[index].inode)))
		return 0;
	/* Found before we entered, and gone since: another thread may already
	 * have the next one at this index attached. */
	if (mdg__get32(&ns->registry.segments[index].tag) >> 8 != sequence)
		return -EINVAL;
	if (known->sequence1 != 0 && known->pieces > 0)
		return MDG_DAMAGED; /* attached, and yet another segment has its place */
	mdg__known_drop_fd(ns, index);
	memset(known, 0, sizeof *known);
	known->sequence1 = sequence + 1;
	known->fd = -1;
	return 0;
}

/* This process's record for the segment, made if need be. */
static int ensure_record(struct mdg_namespace *ns, uint32_t index, struct mdg__known *known)
{
	struct mdg__registry *registry = &ns->registry;
	for (;;) {
		uint32_t made;
		int rc = mdg__enter_writer(ns);
		if (rc < 0)
			return rc;
		uint32_t tag = mdg__get32(&registry->segments[index].tag);
		if (tag >> 8 != known->sequence1 - 1 || mdg__tag_state(tag) < MDG__LIVE)
			rc = -EINVAL;
		else
			rc = mdg__attachment_make(registry, index, registry->slot1 - 1, &made,
			                          &known->generation);
		if (rc == 0 && mdg__get64(&registry->segments[index].inode) == 0) {
			/* The first who opened the file can say which it is. */
			mdg__put64(registry, &registry->segments[index].inode, known->inode);
			mdg__commit(registry);
		}
		mdg__unlock(registry);
		if (rc == 0) {
			known->attachment1 = made + 1;
			known->epoch = ns->epoch;
			note_fd(ns, known);
			return 0;
		}
		if (rc == -EAGAIN)
			rc = mdg__attachments_ready(ns, made + 1);
		if (rc < 0)
			return rc;
	}
}

/* ---- counting ----------------------------------------------------------------- */

/* Stamps are by whoever came last, and the dead came before this call: notice
 * them now. A few only: it costs a question for each other process. */
static void notice_deaths(struct mdg_namespace *ns, uint32_t index, uint32_t tag)
{
	struct mdg__holder holders[NOTICED_MOST];
	int count = mdg__segment_holders(&ns->registry, index, tag, holders, NOTICED_MOST);
	for (int i = 0; i < count; i++)
		if (!mdg__slot_alive(&ns->registry, holders[i].slot, holders[i].generation))
			mdg__reap(ns, &holders[i], 1);
}

static void stamp(struct mdg_namespace *ns, mdg__a64 *time, mdg__a32 *lpid)
{
	atomic_store_explicit(time, (uint64_t)mdg__now_seconds(), memory_order_release);
	if (ns->registry.slot1 != 0)
		atomic_store_explicit(
			lpid, mdg__get32(&ns->registry.processes[ns->registry.slot1 - 1].pid),
			memory_order_release);
}

void mdg__stamp_attached(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__segment *segment = &ns->registry.segments[index];
	notice_deaths(ns, index, mdg__get32(&segment->tag));
	stamp(ns, &segment->atime, &segment->lpid);
}

void mdg__stamp_detached(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__segment *segment = &ns->registry.segments[index];
	notice_deaths(ns, index, mdg__get32(&segment->tag));
	stamp(ns, &segment->dtime, &segment->lpid);
}

/* Clears a removed segment away if nobody has it attached any more. */
static void clear_if_last(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__clearing clearing = { 0 };
	if (mdg__enter_writer(ns) < 0)
		return; /* whoever meets it next does it */
	(void)mdg__segment_begin_clearing(&ns->registry, index, &clearing);
	mdg__unlock(&ns->registry);
	mdg__clear(ns, &clearing);
}

/* The count went up while the segment was or became REMOVED: was that in time?
 * Under the lock nobody is in the middle of deciding. */
static int still_there(struct mdg_namespace *ns, uint32_t index, uint32_t sequence)
{
	int rc = mdg__enter_writer(ns);
	if (rc < 0)
		return rc;
	uint32_t tag = mdg__get32(&ns->registry.segments[index].tag);
	mdg__unlock(&ns->registry);
	return tag == mdg__tag(sequence, MDG__REMOVED) || tag == mdg__tag(sequence, MDG__LIVE)
	               ? 0
	               : -EINVAL;
}

static bool add_own(struct mdg_namespace *ns, const struct mdg__known *known, int32_t delta)
{
	return has_record(ns, known) &&
	       mdg__attachment_add(&ns->registry, known->attachment1 - 1, known->generation, delta);
}

int mdg__count_attached(struct mdg_namespace *ns, uint32_t index, uint32_t sequence)
{
	struct mdg__known *known = &ns->known[index];
	int rc = 0;
	/* No record, or it went with a slot that was lost, or a sweep took it away
	 * just when it was made: made again, as long as the segment is there. */
	for (int tries = 0; !add_own(ns, known, 1); tries++) {
		known->attachment1 = 0;
		rc = tries < RECORDS_MADE_MOST ? ensure_record(ns, index, known) : MDG_DAMAGED;
		if (rc < 0)
			return rc;
	}
	const uint32_t record1 = known->attachment1, generation = known->generation;
	/* A2 in registry/attachment.c. */
	if (atomic_load(&ns->registry.segments[index].tag) != mdg__tag(sequence, MDG__LIVE))
		rc = still_there(ns, index, sequence);
	bool same = known->attachment1 == record1 && known->generation == generation;
	if (rc < 0 && same)
		(void)add_own(ns, known, -1);
	/* The slot was found lost, and all was entered anew but this one. */
	if (rc == 0 && !same && !add_own(ns, known, 1))
		rc = -EINVAL;
	if (rc == 0)
		known->pieces++;
	return rc;
}

/* Nothing of it is attached any more. A program that has attached and detached
 * it before will do so again: keep its descriptor, as the one idle one. Not of
 * a removed segment, and not after the first time: a descriptor holds on to
 * the memory if the segment is removed by others. */
static void keep_idle(struct mdg_namespace *ns, uint32_t index, bool live)
{
	struct mdg__known *known = &ns->known[index];
	if (!live || known->detached == 0) {
		mdg__known_drop_fd(ns, index);
		known->detached = 1;
		return;
	}
	if (ns->idle1 != 0 && ns->idle1 != index + 1)
		mdg__known_drop_fd(ns, ns->idle1 - 1);
	ns->idle1 = known->fd >= 0 ? index + 1 : 0;
}

void mdg__count_detached(struct mdg_namespace *ns, uint32_t index, uint32_t sequence)
{
	struct mdg__known *known = &ns->known[index];
	struct mdg__segment *segment = &ns->registry.segments[index];
	if (known->sequence1 != sequence + 1 || known->pieces == 0)
		return; /* the registry was scribbled over */
	known->pieces--;
	if (has_record(ns, known))
		(void)mdg__attachment_add(&ns->registry, known->attachment1 - 1, known->generation,
		                          -1);
	uint32_t tag = atomic_load(&segment->tag);
	if (known->pieces == 0)
		keep_idle(ns, index, tag == mdg__tag(sequence, MDG__LIVE));
	if (known->pieces == 0 && tag == mdg__tag(sequence, MDG__REMOVED))
		clear_if_last(ns, index);
}

/* ---- the descriptor ------------------------------------------------------------ */

static void keep_fd(struct mdg_namespace *ns, struct mdg__known *known, uint32_t index, int fd,
                    bool writable, uint64_t inode)
{
	mdg__known_drop_fd(ns, index);
	known->fd = fd;
	known->writable = writable;
	known->inode = inode;
	known->mark = mdg__fd_mark(fd);
	ns->kept_fds++;
	note_fd(ns, known);
}

/* A descriptor to map from; *ret_temporary: to be closed afterwards. It must
 * not allow more than was asked for, or mprotect would. */
static int descriptor(struct mdg_namespace *ns, const struct mdg__entry *entry,
                      struct mdg__known *known, bool writable, bool *ret_temporary)
{
	*ret_temporary = false;
	if (known->fd >= 0 && known->writable == writable) {
		if (is_ours(ns, known)) /* whose length was compared when it was opened */
			return entry->mapped == known->mapped ? known->fd : MDG_DAMAGED;
		known->fd = -1; /* the program closed it, or put another file there */
		ns->kept_fds--;
		ns->registry.lost = 1;
	}
	uint64_t inode;
	int fd = mdg__data_open(ns, entry, writable, &inode);
	if (fd < 0)
		return fd;
	known->inode = inode;
	known->mapped = entry->mapped;
	bool huge = (entry->flags >> MDG__SEG_HUGE_SHIFT & MDG__SEG_HUGE_MASK) != 0;
	*ret_temporary = huge || known->fd >= 0 || ns->kept_fds >= ns->most_kept_fds;
	if (writable && known->fd >= 0 && !huge)
		*ret_temporary = false; /* replaces a read-only one */
	if (*ret_temporary)
		return fd;
	int high = mdg__fd_out_of_the_way(fd);
	if (high < 0)
		return high;
	keep_fd(ns, known, entry->index, high, writable, inode);
	return high;
}

/* ---- attaching ------------------------------------------------------------------ */

struct request {
	uintptr_t address;
	bool fixed; /* at that address */
	bool replace;
	bool readonly, executable;
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
		/* Rounded to null it is an address after all, but one that nobody looks at. */
		ret->replace = ret->replace || at == 0;
	}
	ret->address = at;
	return 0;
}

/* EPERM has two reasons: an address too low for an ordinary user, and PROT_EXEC on a file system
 * mounted noexec, for which shmat says EACCES. Whether the address is allowed, without a trace. */
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

static int map(const struct request *request, int fd, void **ret)
{
	int protection = PROT_READ | (request->readonly ? 0 : PROT_WRITE) |
	                 (request->executable ? PROT_EXEC : 0);
	int flags = MAP_SHARED | (request->replace ? MAP_FIXED
	                          : request->fixed ? MAP_FIXED_NOREPLACE
	                                           : 0);
	mdg__before_mmap(request->address, request->length, protection, flags, fd, 0);
	int rc = mdg__sys_mmap((void *)request->address, request->length, protection, flags, fd, 0,
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
	uint32_t sequence = entry->tag >> 8;
	bool populate = entry->atime == 0 && !(entry->flags & MDG__SEG_NORESERVE) &&
	                !request->readonly && entry->mapped <= POPULATE_MOST;
	void *memory;
	int rc = map(request, fd, &memory);
	if (rc < 0) {
		mdg__count_detached(ns, entry->index, sequence); /* without a stamp: it never was */
		return rc;
	}
	if (populate) /* no more than a hint: older kernels do not know it */
		(void)mdg__sys_madvise(memory, request->length, MADV_POPULATE_READ);
	mdg__stamp_attached(ns, entry->index);
	/* What was replaced; else what another thread has unmapped and not yet said so. */
	mdg__pieces_cut(ns, (uintptr_t)memory, request->length);
	mdg__piece_insert(ns,
	                  (struct mdg__piece){ (uintptr_t)memory, request->length, 0, entry->index,
	                                       sequence, ns->calls++, mdg__pieces_now() });
	*ret = memory;
	return 0;
}

static int attach_entered(struct mdg_namespace *ns, const struct mdg__entry *entry,
                          struct request *request, void **ret)
{
	struct mdg__known *known;
	bool temporary;
	uint32_t living;
	int rc = know(ns, entry->index, entry->tag >> 8, &known);
	if (rc == 0)
		rc = mdg__pieces_reserve(ns, 2);
	/* A removed segment is there only as long as somebody living has it. */
	if (rc == 0 && mdg__tag_state(entry->tag) == MDG__REMOVED)
		rc = mdg__entry_attached(ns, entry, true, &living);
	if (rc < 0)
		return rc;
	int fd = descriptor(ns, entry, known, !request->readonly, &temporary);
	if (fd < 0)
		return fd;
	request->length = (size_t)entry->mapped;
	rc = mdg__count_attached(ns, entry->index, entry->tag >> 8);
	if (rc == 0)
		rc = attach_counted(ns, entry, request, fd, ret);
	if (temporary)
		(void)mdg__sys_close(fd);
	if (rc < 0 && known->pieces == 0 && ns->idle1 != entry->index + 1)
		mdg__known_drop_fd(ns, entry->index); /* nothing came of it */
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
		rc = MDG_DAMAGED; /* whoever believes the size would fall off the end */
	if (rc == 0 && ret_entry->mapped > (uint64_t)SIZE_MAX / 2)
		rc = -ENOMEM; /* more than this process can address */
	/* What would replace is not looked for by the kernel: mmap says ENOMEM then. */
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
	rc = attach(ns, id, &request, &entry, ret_memory);
	/* Removed on the way, its file is no longer where a LIVE one's is; but if
	 * somebody has it attached it can be had. It is removed only once. */
	if ((rc == -EIDRM || rc == -EINVAL) && mdg__tag_state(entry.tag) == MDG__LIVE &&
	    mdg__entry_is_old(ns, &entry))
		rc = attach(ns, id, &request, &entry, ret_memory);
	return rc;
}
