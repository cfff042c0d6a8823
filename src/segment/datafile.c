/* SPDX-License-Identifier: MIT */
/*
 * datafile.c - the files that hold the segments' bytes: `seg-<number>-<id>`
 * (registry/files.c has the names). Whose they are and who may open them: fileowner.c.
 *
 * A file that is opened must be what the registry says: a regular file, the
 * noted inode, long enough (a shorter one would kill with SIGBUS), and of the
 * noted owner. A damaged or hostile registry cannot make anything else look
 * like a segment.
 *
 * A segment of huge pages has its file on a hugetlbfs mount (hugepage.c).
 *
 * A removed segment's file is unlinked at once if it can still be reached
 * through an attached process, /proc/PID/fd/N: then the kernel frees its memory
 * with the last mapping. Otherwise the name stays until the last detach.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "platform/identity.h"
#include "platform/text.h"
#include "segment/hugepage.h"
#include "segment/internal.h"

#define WRITE_ZEROS_TO   (UINT64_C(256) << 10)
#define HOLDERS_ASKED    64
#define ASK_MEMORY_ABOVE (UINT64_C(16) << 20)

/* Where a data file is: a name in an open directory. */
struct place {
	int dirfd;
	bool borrowed; /* the namespace's own descriptor: not to be closed */
	char name[MDG__FILE_NAME_ROOM];
};

static int find_place(struct mdg_namespace *ns, mdg_id id, uint32_t flags, struct place *ret)
{
	unsigned shift = flags >> MDG__SEG_HUGE_SHIFT & MDG__SEG_HUGE_MASK;
	ret->borrowed = shift == 0;
	if (shift == 0) {
		mdg__file_name(&ns->registry, "seg", id, ret->name);
		ret->dirfd = mdg__registry_dirfd(&ns->registry);
	} else {
		uint64_t unique = ns->registry.unique;
		mdg__format(ret->name, sizeof ret->name, "madang-%x%x-seg-%d",
		            (uint32_t)(unique >> 32), (uint32_t)unique, id);
		ret->dirfd = mdg__huge_directory(shift);
	}
	return ret->dirfd;
}

static void leave_place(const struct place *place)
{
	if (!place->borrowed && place->dirfd >= 0)
		(void)mdg__sys_close(place->dirfd);
}

static bool is_shared(const struct mdg_namespace *ns)
{
	return (ns->registry.flags & MDG_NS_SHARED) != 0;
}

/* ---- making ---------------------------------------------------------------- */

/* Whether the machine has that much to give just now. A file system may allow
 * more than there is memory for; reserving would then not fail, but have the
 * kernel kill processes, ours or others'. */
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
	/* Zeros that are there can be mapped many pages at a time; memory that is
	 * only reserved is cleared one fault after the other. For a large segment,
	 * which may never be touched as a whole, that is still the cheaper promise. */
	if (size <= WRITE_ZEROS_TO && !huge)
		rc = mdg__sys_write_zeros(fd, size);
	else
		rc = mdg__sys_reserve(fd, 0, size);
	return rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG ? -ENOMEM : rc;
}

/* A new file of that name, or -errno. One that is there is a leftover: the
 * registry has just given the id. */
static int create_file(const struct place *place)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
	int fd = mdg__sys_openat(place->dirfd, place->name, flags, 0600);
	if (fd == -EEXIST && mdg__sys_unlinkat(place->dirfd, place->name) == 0)
		fd = mdg__sys_openat(place->dirfd, place->name, flags, 0600);
	return fd;
}

static int create_whole(struct mdg_namespace *ns, const struct place *place, uint64_t size,
                        unsigned mode, bool reserve, bool huge)
{
	int fd = create_file(place);
	if (fd < 0)
		return fd;
	int rc = is_shared(ns) ? mdg__sys_fchmod(fd, mode & 0777) : 0;
	if (rc == 0)
		rc = reserve ? give_memory(fd, size, huge) : mdg__sys_ftruncate(fd, size);
	(void)mdg__sys_close(fd);
	if (rc < 0)
		(void)mdg__sys_unlinkat(place->dirfd, place->name);
	return rc;
}

/* Without memory to promise, an empty file will do: whoever opens it first
 * gives it its size. Half the price of opening it now. */
static int create_empty(const struct place *place)
{
	int rc = mdg__sys_mknodat(place->dirfd, place->name, 0600);
	if (rc == -EEXIST && mdg__sys_unlinkat(place->dirfd, place->name) == 0)
		rc = mdg__sys_mknodat(place->dirfd, place->name, 0600);
	return rc;
}

int mdg__data_create(struct mdg_namespace *ns, mdg_id id, uint64_t size, unsigned mode,
                     unsigned flags, unsigned huge_shift)
{
	struct place place;
	int rc = find_place(ns, id, huge_shift << MDG__SEG_HUGE_SHIFT, &place);
	if (rc < 0)
		return rc;
	bool reserve = !(flags & MDG_NORESERVE) || huge_shift != 0;
	if (reserve || is_shared(ns))
		rc = create_whole(ns, &place, size, mode, reserve, huge_shift != 0);
	else
		rc = create_empty(&place);
	leave_place(&place);
	if (rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG)
		return -ENOMEM;
	return rc == -ENOENT ? MDG_NS_GONE : rc;
}

/* ---- opening --------------------------------------------------------------- */

/* The right file, whatever its length. */
static bool is_file_of(struct mdg_namespace *ns, const struct mdg__entry *entry,
                       const struct stat *status)
{
	bool huge = (entry->flags >> MDG__SEG_HUGE_SHIFT & MDG__SEG_HUGE_MASK) != 0;
	if (ns->registry.look && !is_shared(ns) &&
	    status->st_uid != mdg__id_seen(&ns->registry, MDG__USER, MDG__ID_OWNER))
		return false; /* a stranger's registry leads root to nobody else's files */
	return S_ISREG(status->st_mode) && (huge || status->st_dev == ns->registry.device) &&
	       (entry->inode == 0 || (uint64_t)status->st_ino == entry->inode) &&
	       (!is_shared(ns) || mdg__file_owner_fits(ns, entry, status->st_uid));
}

bool mdg__data_is(struct mdg_namespace *ns, const struct mdg__entry *entry,
                  const struct stat *status)
{
	return is_file_of(ns, entry, status) && (uint64_t)status->st_size >= entry->mapped;
}

/* A file that was made without memory gets its size when it is first opened for
 * writing. Two who do so at once give it the same. */
static int give_size(const struct mdg__entry *entry, int fd, bool writable,
                     const struct stat *status)
{
	if (!(entry->flags & MDG__SEG_NORESERVE) || status->st_size != 0 || !writable)
		return MDG_DAMAGED;
	int rc = mdg__sys_ftruncate(fd, entry->mapped);
	return rc == -EFBIG ? -ENOMEM : rc;
}

static int open_checked(struct mdg_namespace *ns, const struct mdg__entry *entry, int dirfd,
                        const char *path, int flags, uint64_t *ret_inode)
{
	struct stat status;
	bool writable = (flags & O_ACCMODE) == O_RDWR;
	int fd = mdg__sys_openat(dirfd, path, flags | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return fd;
	int rc = mdg__sys_fstat(fd, &status);
	if (rc == 0 && !is_file_of(ns, entry, &status))
		rc = MDG_DAMAGED;
	if (rc == 0 && (uint64_t)status.st_size < entry->mapped)
		rc = give_size(entry, fd, writable, &status);
	if (rc == 0) {
		*ret_inode = (uint64_t)status.st_ino;
		return fd;
	}
	(void)mdg__sys_close(fd);
	return rc;
}

/* The path of another process's descriptor of the data file, or failing that of
 * its mapping; false when neither is to be reached: other pid namespace, other
 * user, closed, replaced. */
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

/* The first few holders: one that can be reached is enough. When changes come too
 * fast to read beside them, or one takes long, the lock has to say. */
static int some_holders(struct mdg_namespace *ns, const struct mdg__entry *entry,
                        struct mdg__holder list[HOLDERS_ASKED])
{
	int count =
		mdg__segment_holders(&ns->registry, entry->index, entry->tag, list, HOLDERS_ASKED);
	if (count == -EAGAIN && (count = mdg__enter_writer(ns)) == 0) {
		count = mdg__segment_holders(&ns->registry, entry->index, entry->tag, list,
		                             HOLDERS_ASKED);
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
		int fd = open_checked(ns, entry, AT_FDCWD, path, flags, ret_inode);
		if (fd >= 0 || fd == -EACCES || fd == -EMFILE || fd == -ENFILE)
			return fd;
	}
	return -EIDRM;
}

/* By name. In a private namespace the file's mode guards nothing; a umask that
 * took the owner's own bits away when it was made is put right here. */
static int open_by_name(struct mdg_namespace *ns, const struct mdg__entry *entry,
                        const struct place *place, int flags, uint64_t *ret_inode)
{
	int fd = open_checked(ns, entry, place->dirfd, place->name, flags | O_NOFOLLOW, ret_inode);
	if (ns->registry.look)
		return fd == -ELOOP || fd == -EISDIR || fd == -ENXIO ? MDG_DAMAGED : fd;
	if (fd == -EACCES && !is_shared(ns) && place->borrowed &&
	    mdg__sys_fchmodat(place->dirfd, place->name, 0600) == 0)
		fd = open_checked(ns, entry, place->dirfd, place->name, flags | O_NOFOLLOW,
		                  ret_inode);
	/* Only who may write can give a file its size; then look again. */
	if (fd == MDG_DAMAGED && (flags & O_ACCMODE) == O_RDONLY &&
	    (entry->flags & MDG__SEG_NORESERVE)) {
		fd = open_checked(ns, entry, place->dirfd, place->name, O_RDWR | O_NOFOLLOW,
		                  ret_inode);
		if (fd < 0)
			return fd;
		(void)mdg__sys_close(fd);
		fd = open_checked(ns, entry, place->dirfd, place->name, flags | O_NOFOLLOW,
		                  ret_inode);
	}
	/* A link, a directory or a socket in its place. */
	return fd == -ELOOP || fd == -EISDIR || fd == -ENXIO ? MDG_DAMAGED : fd;
}

int mdg__data_open(struct mdg_namespace *ns, const struct mdg__entry *entry, bool writable,
                   uint64_t *ret_inode)
{
	struct place place;
	int flags = writable ? O_RDWR : O_RDONLY;
	if (writable && ns->registry.look)
		return -EROFS;
	int rc = mdg__registry_here(&ns->registry);
	if (rc < 0)
		return rc;
	rc = find_place(ns, mdg__tag_id(entry->tag, entry->index), entry->flags, &place);
	if (rc < 0 && rc != MDG_NS_GONE)
		return rc;
	int fd = rc < 0 ? -ENOENT : open_by_name(ns, entry, &place, flags, ret_inode);
	leave_place(&place);
	if (fd != -ENOENT)
		return fd;
	fd = open_through_holder(ns, entry, flags, ret_inode);
	if (fd != -EIDRM || mdg__tag_state(entry->tag) == MDG__REMOVED)
		return fd;
	return rc < 0 ? rc : fd; /* a LIVE segment without file: is the directory out of reach? */
}

/* ---- removing -------------------------------------------------------------- */

/* The name is its owner's to unlink; the memory may be ours to give back. */
static void give_memory_back(struct mdg_namespace *ns, const struct mdg__entry *entry,
                             const struct place *place)
{
	uint64_t inode;
	int fd = open_checked(ns, entry, place->dirfd, place->name, O_RDWR | O_NOFOLLOW, &inode);
	if (fd < 0)
		return;
	(void)mdg__sys_punch(fd, entry->mapped + MDG__DATA_TAIL);
	(void)mdg__sys_close(fd);
}

/* Whether another process has the segment no longer attached, but a descriptor
 * of it at hand: its record is there, with a count of 0. */
static bool is_kept_idle(struct mdg_namespace *ns, uint32_t index)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t at = mdg__get32(&registry->segments[index].attachments);
	uint32_t records = mdg__registry_ready_count(registry, MDG__ATTACHMENTS);
	for (uint32_t steps = 0; at != 0 && at <= records && steps < registry->process_capacity;
	     steps++) {
		struct mdg__attachment *record = &registry->attachments[at - 1];
		if (mdg__get32(&record->fd) != 0 && (uint32_t)atomic_load(&record->word) == 0 &&
		    !mdg__slot_is_own(registry, mdg__get32(&record->process)))
			return true;
		at = mdg__get32(&record->segment_next);
	}
	return false;
}

int mdg__data_unlink(struct mdg_namespace *ns, uint32_t index)
{
	struct place place;
	struct mdg__entry entry;
	mdg__entry_copy(ns, index, &entry);
	if (find_place(ns, mdg__tag_id(entry.tag, index), entry.flags, &place) < 0)
		return 0; /* the directory is gone, and the file with it */
	int rc = mdg__sys_unlinkat(place.dirfd, place.name);
	if (rc == -EPERM || rc == -EACCES)
		give_memory_back(ns, &entry, &place);
	leave_place(&place);
	return rc == -EPERM || rc == -EACCES ? -EPERM : 0;
}

void mdg__data_hide(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	struct mdg__holder holders[HOLDERS_ASKED];
	struct place place;
	char path[96];
	/* Between users /proc/PID/fd is closed: keep the name there. And where a
	 * descriptor lies idle, its memory can only be given back by that name. */
	if (is_shared(ns) || is_kept_idle(ns, entry->index))
		return;
	bool reached = false;
	int count = some_holders(ns, entry, holders);
	for (int i = 0; i < count && !reached; i++)
		reached = reach(ns, entry, &holders[i], path);
	if (!reached ||
	    find_place(ns, mdg__tag_id(entry->tag, entry->index), entry->flags, &place) < 0)
		return;
	(void)mdg__sys_unlinkat(place.dirfd, place.name);
	leave_place(&place);
}

/* ---- looking --------------------------------------------------------------- */

/* Without the tail, which is none of the segment's own and always there as a whole. */
static uint64_t resident(const struct mdg__entry *entry, const struct stat *status)
{
	uint64_t bytes = (uint64_t)status->st_blocks * 512;
	uint64_t tail = mdg__pages_of(MDG__DATA_TAIL) * mdg__page_size();
	if ((uint64_t)status->st_size <= entry->mapped)
		return bytes;
	return bytes > tail ? bytes - tail : 0;
}

int mdg__data_open_path(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	struct place place;
	int rc = find_place(ns, mdg__tag_id(entry->tag, entry->index), entry->flags, &place);
	if (rc < 0)
		return rc;
	int fd = mdg__sys_openat(place.dirfd, place.name, O_PATH | O_NOFOLLOW, 0);
	leave_place(&place);
	return fd;
}

int mdg__data_stat(struct mdg_namespace *ns, const struct mdg__entry *entry, uint64_t *ret_resident)
{
	struct place place;
	struct stat status;
	int rc = find_place(ns, mdg__tag_id(entry->tag, entry->index), entry->flags, &place);
	if (rc < 0)
		return rc;
	rc = mdg__sys_statat(place.dirfd, place.name, false, &status);
	leave_place(&place);
	if (rc == 0)
		*ret_resident = resident(entry, &status);
	return rc;
}
