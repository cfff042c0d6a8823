/* SPDX-License-Identifier: MIT */
/*
 * fileidentity.c - which file is an object's: where it lies, and how it is
 * recognised.
 *
 * The file is called `seg-<number>-<id>`, `sem-...` or `msg-...` (registry/files.c) and lies
 * in the namespace's directory. The file of a segment of huge pages lies on a hugetlbfs
 * mount (hugepage.c).
 *
 * A file that is opened must be what the registry says: a regular file, with
 * the noted inode and of the noted owner, and long enough. A shorter one would
 * kill whoever reads behind its end (SIGBUS). So a damaged or hostile registry
 * cannot make anything else look like a segment.
 */
#include <errno.h>
#include <fcntl.h>

#include "platform/highfd.h"
#include "platform/identity.h"
#include "platform/text.h"
#include "registry/descriptor.h"
#include "registry/files.h"
#include "registry/users.h"
#include "segment/datafile.h"
#include "segment/hugepage.h"

/* ---- the place ------------------------------------------------------------ */

int mdg__place_find(struct mdg_namespace *ns, enum mdg__class class, mdg_id id, uint32_t flags,
                    struct mdg__place *ret)
{
	unsigned shift = mdg__huge_shift(flags);
	ret->borrowed = shift == 0;
	if (shift == 0) {
		mdg__object_file_name(&ns->registry, class, id, ret->name);
		ret->dirfd = mdg__registry_dirfd(&ns->registry);
	} else {
		uint64_t unique = ns->registry.unique;
		mdg__format(ret->name, sizeof ret->name, "madang-%x%x-seg-%d",
		            (uint32_t)(unique >> 32), (uint32_t)unique, id);
		ret->dirfd = mdg__huge_directory(shift);
	}
	return ret->dirfd;
}

int mdg__place_of(struct mdg_namespace *ns, const struct mdg__entry *entry, struct mdg__place *ret)
{
	return mdg__place_find(ns, entry->class, mdg__entry_id(entry), entry->flags, ret);
}

void mdg__place_leave(const struct mdg__place *place)
{
	if (!place->borrowed && place->dirfd >= 0)
		(void)mdg__sys_close(place->dirfd);
}

int mdg__data_open_path(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	struct mdg__place place;
	int rc = mdg__place_of(ns, entry, &place);
	if (rc < 0)
		return rc;
	int fd = mdg__sys_openat(place.dirfd, place.name, O_PATH | O_NOFOLLOW, 0);
	mdg__place_leave(&place);
	return fd;
}

/* ---- the owner ------------------------------------------------------------ */

/* Outside user namespaces the two numbers have to be the same. In a user namespace all users who
 * are not mapped look alike. And where numbers are unknown or untrue, the caller's own file still
 * belongs to the caller. */
bool mdg__file_id_fits(struct mdg_namespace *ns, enum mdg__id_kind kind, uint32_t stored,
                       uint32_t seen)
{
	const struct mdg__userns *userns = mdg__userns_known();
	uint32_t inside = mdg__id_seen(&ns->registry, kind, stored);
	if (stored == MDG__ID_UNKNOWN || seen == inside)
		return true;
	if (mdg__userns_is_whole(userns))
		return false;
	return !mdg__id_is_certain(userns, kind, seen) ||
	       (inside == MDG__ID_UNKNOWN &&
	        (!mdg__userns_has_numbers(userns) || seen == mdg__euid()));
}

bool mdg__file_owner_fits(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t uid)
{
	/* It may be the owner's, the creator's, or belong to whoever it is just being given to. */
	return mdg__file_id_fits(ns, MDG__USER, entry->uid, uid) ||
	       mdg__file_id_fits(ns, MDG__USER, entry->cuid, uid) ||
	       (entry->new_uid1 != 0 && mdg__file_id_fits(ns, MDG__USER, entry->new_uid1 - 1, uid));
}

/* ---- the file ------------------------------------------------------------- */

/* Whether it is the right file, whatever its length. */
static bool is_file_of(struct mdg_namespace *ns, const struct mdg__entry *entry,
                       const struct stat *status)
{
	bool huge = mdg__entry_is_huge(entry);
	if (ns->registry.look && !mdg__is_shared(ns) &&
	    status->st_uid != mdg__id_seen(&ns->registry, MDG__USER, MDG__ID_OWNER))
		return false; /* a stranger's registry must not lead root to the files of others */
	return S_ISREG(status->st_mode) && (huge || status->st_dev == ns->registry.device) &&
	       (entry->inode == 0 || (uint64_t)status->st_ino == entry->inode) &&
	       (!mdg__is_shared(ns) || mdg__file_owner_fits(ns, entry, status->st_uid));
}

bool mdg__data_is(struct mdg_namespace *ns, const struct mdg__entry *entry,
                  const struct stat *status)
{
	return is_file_of(ns, entry, status) && (uint64_t)status->st_size >= entry->mapped;
}

/* A file that was made without memory gets its size when it is first opened for writing. If two
 * processes do that at once, both give it the same size. */
static int give_size(const struct mdg__entry *entry, int fd, bool writable,
                     const struct stat *status)
{
	if (!(entry->flags & MDG__SEG_NORESERVE) || status->st_size != 0 || !writable)
		return MDG_DAMAGED;
	int rc = mdg__sys_ftruncate(fd, entry->mapped);
	return rc == -EFBIG ? -ENOMEM : rc;
}

int mdg__data_check(struct mdg_namespace *ns, const struct mdg__entry *entry, int fd, bool writable,
                    uint64_t *ret_inode)
{
	struct stat status;
	int rc = mdg__sys_fstat(fd, &status);
	if (rc == 0 && !is_file_of(ns, entry, &status))
		rc = MDG_DAMAGED;
	if (rc == 0 && (uint64_t)status.st_size < entry->mapped)
		rc = give_size(entry, fd, writable, &status);
	if (rc == 0)
		*ret_inode = (uint64_t)status.st_ino;
	return rc;
}

int mdg__data_open_checked(struct mdg_namespace *ns, const struct mdg__entry *entry, int dirfd,
                           const char *path, int flags, uint64_t *ret_inode)
{
	bool writable = (flags & O_ACCMODE) == O_RDWR;
	int fd = mdg__open_own(dirfd, path, flags | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return fd;
	int rc = mdg__data_check(ns, entry, fd, writable, ret_inode);
	if (rc == 0)
		return fd;
	(void)mdg__sys_close(fd);
	return rc;
}
