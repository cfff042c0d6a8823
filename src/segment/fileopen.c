/* SPDX-License-Identifier: MIT */
/*
 * fileopen.c - opening an object's file, by its name or, of a segment, through a process that
 * has it attached.
 *
 * A removed segment's file is unlinked at once if it can still be reached
 * through an attached process, as /proc/PID/fd/N. Then the kernel frees its
 * memory with the last mapping. Otherwise the name stays until the last detach.
 */
#include <errno.h>
#include <fcntl.h>

#include "platform/procfs.h"
#include "platform/text.h"
#include "registry/alive.h"
#include "registry/current.h"
#include "registry/tie.h"
#include "segment/datafile.h"

#define HOLDERS_ASKED 64

/* ---- through a process that has it ---------------------------------------- */

/* The path of another process's descriptor of the data file, or else of its mapping. False: neither
 * can be reached. The process may be in another pid namespace or another user's, or have closed
 * or replaced them. */
static bool reach(struct mdg_namespace *ns, const struct mdg__entry *entry,
                  const struct mdg__holder *holder, char path[96])
{
	struct mdg__process *process = &ns->registry.processes[holder->slot];
	int32_t pid = (int32_t)mdg__get32(&process->pid);
	struct stat status;
	if (pid == 0 || mdg__get64(&process->pid_namespace) != ns->registry.pid_namespace)
		return false;
	mdg__format(path, 96, "/proc/%d/fd/%d", pid, holder->fd);
	if (holder->fd >= 0 && mdg__sys_statat(AT_FDCWD, path, true, &status) == 0 &&
	    mdg__data_is(ns, entry, &status))
		return true;
	return entry->inode != 0 && mdg__mapped_path(pid, (ino_t)entry->inode, path) &&
	       mdg__sys_statat(AT_FDCWD, path, true, &status) == 0 &&
	       mdg__data_is(ns, entry, &status);
}

/* The first few processes that have the segment attached. One that can be reached is enough. When
 * the registry changes too fast, they are read with the writer lock held. */
static int some_holders(struct mdg_namespace *ns, const struct mdg__entry *entry,
                        struct mdg__holder list[HOLDERS_ASKED])
{
	int count = mdg__object_holders(&ns->registry, MDG__SEGMENTS, entry->index, entry->tag,
	                                list, HOLDERS_ASKED);
	if (count == -EAGAIN && (count = mdg__enter_writer(ns)) == 0) {
		count = mdg__object_holders(&ns->registry, MDG__SEGMENTS, entry->index, entry->tag,
		                            list, HOLDERS_ASKED);
		mdg__unlock(&ns->registry);
	}
	return count == -E2BIG ? HOLDERS_ASKED : count;
}

static int open_through_holder(struct mdg_namespace *ns, const struct mdg__entry *entry, int flags,
                               uint64_t *ret_inode)
{
	struct mdg__holder holders[HOLDERS_ASKED];
	char path[96];
	int count = some_holders(ns, entry, holders);
	for (int i = 0; i < count; i++) {
		if (!reach(ns, entry, &holders[i], path))
			continue;
		int fd = mdg__data_open_checked(ns, entry, AT_FDCWD, path, flags, ret_inode);
		if (fd >= 0 || fd == -EACCES || fd == -EMFILE || fd == -ENFILE)
			return fd;
	}
	return -EIDRM;
}

/* ---- by name -------------------------------------------------------------- */

static int open_in_place(struct mdg_namespace *ns, const struct mdg__entry *entry,
                         const struct mdg__place *place, int flags, uint64_t *ret_inode)
{
	int fd = mdg__data_open_checked(ns, entry, place->dirfd, place->name, flags | O_NOFOLLOW,
	                                ret_inode);
	/* A link, a directory or a socket lies in its place. */
	return fd == -ELOOP || fd == -EISDIR || fd == -ENXIO ? MDG_DAMAGED : fd;
}

/* In a private namespace the file's mode guards nothing. A umask may have taken the owner's own
 * bits away when the file was made. That is put right here. */
static int open_by_name(struct mdg_namespace *ns, const struct mdg__entry *entry,
                        const struct mdg__place *place, int flags, uint64_t *ret_inode)
{
	int fd = open_in_place(ns, entry, place, flags, ret_inode);
	if (ns->registry.look)
		return fd;
	if (fd == -EACCES && !mdg__is_shared(ns) && place->borrowed &&
	    mdg__sys_fchmodat(place->dirfd, place->name, 0600) == 0)
		fd = open_in_place(ns, entry, place, flags, ret_inode);
	/* The file may not have its size yet. To give it that, it has to be opened for writing. */
	if (fd == MDG_DAMAGED && (flags & O_ACCMODE) == O_RDONLY &&
	    (entry->flags & MDG__SEG_NORESERVE)) {
		fd = open_in_place(ns, entry, place, O_RDWR, ret_inode);
		if (fd < 0)
			return fd;
		(void)mdg__sys_close(fd);
		fd = open_in_place(ns, entry, place, flags, ret_inode);
	}
	return fd;
}

int mdg__data_open(struct mdg_namespace *ns, const struct mdg__entry *entry, bool writable,
                   uint64_t *ret_inode)
{
	struct mdg__place place;
	int flags = writable ? O_RDWR : O_RDONLY;
	if (writable && ns->registry.look)
		return -EROFS;
	int rc = mdg__registry_here(&ns->registry);
	if (rc < 0)
		return rc;
	rc = mdg__place_of(ns, entry, &place);
	if (rc < 0 && rc != MDG_NS_GONE)
		return rc;
	int fd = rc < 0 ? -ENOENT : open_by_name(ns, entry, &place, flags, ret_inode);
	mdg__place_leave(&place);
	if (fd != -ENOENT || entry->class != MDG__SEGMENTS)
		return fd;
	fd = open_through_holder(ns, entry, flags, ret_inode);
	if (fd != -EIDRM || mdg__tag_state(entry->tag) == MDG__REMOVED)
		return fd;
	return rc < 0 ? rc : fd; /* a LIVE segment without a file: perhaps the directory is gone */
}

/* ---- a removed segment ---------------------------------------------------- */

/* Whether another process keeps a descriptor of the segment, though it has nothing of it attached
 * any more. Then its record is there, with a count of 0. */
static bool is_kept_idle(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t at = mdg__get32(&registry->segments[index].ties);
	uint32_t records = mdg__registry_ready_count(registry, MDG__TIES);
	for (uint32_t steps = 0; at != 0 && at <= records && steps < registry->process_capacity;
	     steps++) {
		struct mdg__tie *record = &registry->ties[at - 1];
		if (mdg__get32(&record->fd) != 0 && (uint32_t)atomic_load(&record->word) == 0 &&
		    !mdg__slot_is_own(registry, mdg__get32(&record->process)))
			return true;
		at = mdg__get32(&record->object_next);
	}
	return false;
}

/* Whether the file can be opened through each of the living who have it attached. When the one
 * goes through whom it was reached, the others have to do. */
static bool is_reached_through_all(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	struct mdg__holder holders[HOLDERS_ASKED];
	char path[96];
	bool reached = false;
	int count = some_holders(ns, entry, holders);
	for (int i = 0; i < count; i++) {
		if (!mdg__slot_alive(&ns->registry, holders[i].slot, holders[i].generation))
			continue;
		if (!reach(ns, entry, &holders[i], path))
			return false;
		reached = true;
	}
	return reached && count < HOLDERS_ASKED; /* else there are more */
}

void mdg__data_hide(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	struct mdg__place place;
	/* Between users /proc/PID/fd is closed: keep the name there. And where a
	 * descriptor lies idle, its memory can only be given back by that name. */
	if (mdg__is_shared(ns) || is_kept_idle(ns, entry->index) ||
	    !is_reached_through_all(ns, entry) || mdg__place_of(ns, entry, &place) < 0)
		return;
	(void)mdg__sys_unlinkat(place.dirfd, place.name);
	mdg__place_leave(&place);
}
