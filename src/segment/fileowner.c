/* SPDX-License-Identifier: MIT */
/*
 * fileowner.c - whose a data file is.
 *
 * Owner and mode of the file repeat the System V permissions, so that the
 * kernel enforces them too. In a private namespace (directory 0700) nobody
 * else gets as far as the file; there it keeps 0600 whatever the segment says.
 *
 * That makes the file a witness: what a process in a user namespace says of
 * itself may be unknown or untrue in the registry's numbers (registry/users.c),
 * but the owner that stat shows is translated by the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "platform/identity.h"
#include "platform/text.h"
#include "segment/datafile.h"

#define PATH_ROOM 64

static void path_of(char path[PATH_ROOM], int fd)
{
	mdg__format(path, PATH_ROOM, "/proc/self/fd/%d", fd);
}

/* ---- the witness ---------------------------------------------------------- */

/* Opens the segment's file by name, for questions only. -errno: there is none, or another. */
static int open_witness(struct mdg_namespace *ns, const struct mdg__entry *entry,
                        struct stat *ret_status)
{
	int fd = mdg__data_open_path(ns, entry);
	if (fd < 0)
		return fd;
	int rc = mdg__sys_fstat(fd, ret_status);
	if (rc == 0 && (!S_ISREG(ret_status->st_mode) ||
	                (entry->inode != 0 && (uint64_t)ret_status->st_ino != entry->inode)))
		rc = MDG_DAMAGED;
	if (rc == 0)
		return fd;
	(void)mdg__sys_close(fd);
	return rc;
}

bool mdg__file_owner(struct mdg_namespace *ns, const struct mdg__entry *entry,
                     struct stat *ret_status)
{
	int fd = open_witness(ns, entry, ret_status);
	if (fd >= 0)
		(void)mdg__sys_close(fd);
	return fd >= 0;
}

/* A question about an open file, whose path is in /proc. */
typedef bool file_question(const char *path, const struct stat *status, unsigned bits);

static bool is_mine(const char *path, const struct stat *status, unsigned bits)
{
	(void)bits;
	return mdg__file_is_mine(AT_FDCWD, path, 0, status);
}

static bool may(const char *path, const struct stat *status, unsigned bits)
{
	(void)status;
	return mdg__sys_may(path, (int)bits) == 0; /* R_OK, W_OK, X_OK are these bits */
}

static bool ask_witness(struct mdg_namespace *ns, const struct mdg__entry *entry,
                        file_question *question, unsigned bits)
{
	char path[PATH_ROOM];
	struct stat status;
	int fd = open_witness(ns, entry, &status);
	if (fd < 0)
		return false;
	path_of(path, fd);
	bool answer = question(path, &status, bits);
	(void)mdg__sys_close(fd);
	return answer;
}

bool mdg__data_is_mine(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	return ask_witness(ns, entry, is_mine, 0);
}

bool mdg__data_may(struct mdg_namespace *ns, const struct mdg__entry *entry, unsigned bits)
{
	return ask_witness(ns, entry, may, bits);
}

/* ---- owner and mode -------------------------------------------------------- */

/* When owner and creator differ, both have the owner's rights, and a file has
 * one owner only: an access control list names the others. The extended
 * attribute's format is the kernel's (linux/posix_acl_xattr.h). */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag, bits;
		uint32_t id;
	} entries[6];
};

#define ACL_NAME "system.posix_acl_access"

/* An owner, a group and the nine bits, as they are to be; and the creator. In inside numbers,
 * which the kernel takes and gives for files. */
struct owner {
	uint32_t uid, gid, cuid, cgid;
	unsigned mode;
	bool has_acl;
};

/* `uid` and `gid` as they are written down. */
static struct owner make_owner(struct mdg_namespace *ns, const struct mdg__entry *entry,
                               uint32_t uid, uint32_t gid, unsigned mode)
{
	struct mdg__registry *registry = &ns->registry;
	return (struct owner){
		.uid = mdg__id_seen(registry, MDG__USER, uid),
		.gid = mdg__id_seen(registry, MDG__GROUP, gid),
		.cuid = mdg__id_seen(registry, MDG__USER, entry->cuid),
		.cgid = mdg__id_seen(registry, MDG__GROUP, entry->cgid),
		.mode = mdg__data_mode(entry->class, mode),
		.has_acl = uid != entry->cuid || gid != entry->cgid,
	};
}

/* In a list the kernel shows those who are not mapped as -1, and takes none. */
static uint32_t in_acl(uint32_t inside)
{
	return inside == MDG__ID_UNKNOWN ? UINT32_MAX : inside;
}

static struct acl make_acl(const struct owner *owner)
{
	const unsigned mode = owner->mode;
	const uint16_t user = mode >> 6 & 7, group = mode >> 3 & 7, other = mode & 7;
	return (struct acl){ 2,
		             {
				     { 0x01, user, UINT32_MAX },
				     { 0x02, user, in_acl(owner->cuid) },
				     { 0x04, group, UINT32_MAX },
				     { 0x08, group, in_acl(owner->cgid) },
				     { 0x10, user | group,
		                       UINT32_MAX }, /* the mask: what named ones get at most */
				     { 0x20, other, UINT32_MAX },
			     } };
}

/* Who has no number here can be given nothing, but keeps what he has. */
static int give(struct mdg_namespace *ns, int fd, const struct mdg__entry *to,
                const struct stat *status, const struct owner *owner)
{
	uint32_t uid = owner->uid, gid = owner->gid;
	if (uid == MDG__ID_UNKNOWN && mdg__file_id_fits(ns, MDG__USER, to->uid, status->st_uid))
		uid = status->st_uid;
	if (gid == MDG__ID_UNKNOWN && mdg__file_id_fits(ns, MDG__GROUP, to->gid, status->st_gid))
		gid = status->st_gid;
	if (uid == MDG__ID_UNKNOWN || gid == MDG__ID_UNKNOWN)
		return -EPERM;
	if (status->st_uid == uid && status->st_gid == gid)
		return 0;
	return mdg__sys_fchown(fd, uid, gid);
}

/* `entry` as it is, `given` with the owner that the file is to get. */
static int change_owner(struct mdg_namespace *ns, const struct mdg__entry *entry,
                        const struct mdg__entry *given, int fd, const struct owner *owner)
{
	char path[PATH_ROOM];
	struct stat status;
	/* It may be half given: to the same by another, or to him whom the entry names. */
	int rc = mdg__sys_fstat(fd, &status);
	if (rc == 0 && ((!mdg__data_is(ns, entry, &status) && !mdg__data_is(ns, given, &status)) ||
	                status.st_nlink > 1))
		rc = MDG_DAMAGED; /* not ours: do not give it to anybody */
	rc = rc < 0 ? rc : give(ns, fd, given, &status, owner);
	if (rc < 0)
		return rc;
	path_of(path, fd);
	struct acl acl = make_acl(owner);
	if (!owner->has_acl)
		(void)mdg__sys_removexattr(path, ACL_NAME);
	else if (owner->cuid != MDG__ID_UNKNOWN && owner->cgid != MDG__ID_UNKNOWN &&
	         mdg__sys_setxattr(path, ACL_NAME, &acl, sizeof acl) != -EOPNOTSUPP)
		return 0; /* the bits are set with it; or it is only the creator who asks */
	/* Without lists the creator has the others' rights. Where he has no number here, what a
	 * list says of him stays, within the group's bits. */
	return mdg__sys_chmod(path, owner->mode) == 0 ? 0 : -EPERM;
}

int mdg__data_set_owner(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t uid,
                        uint32_t gid, unsigned mode)
{
	if (!mdg__is_shared(ns))
		return 0; /* the directory guards the file */
	/* Its path: the owner may have taken his own permissions away. */
	int fd = mdg__data_open_path(ns, entry);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd; /* removed: nobody opens it by name any more */
	struct mdg__entry given = *entry;
	given.uid = uid;
	given.gid = gid;
	const struct owner owner = make_owner(ns, entry, uid, gid, mode);
	int rc = change_owner(ns, entry, &given, fd, &owner);
	(void)mdg__sys_close(fd);
	return rc;
}

/* Whether the list is as change_owner() leaves it; 1, 0 or -errno. */
static int acl_is_right(const char *path, const struct owner *owner)
{
	struct acl wanted = make_acl(owner), acl;
	int got = mdg__sys_getxattr(path, ACL_NAME, &acl, sizeof acl);
	if (got == -EOPNOTSUPP || (got == -ENODATA && !owner->has_acl))
		return 1;
	if (got < 0 && got != -ENODATA && got != -ERANGE)
		return got;
	return owner->has_acl && got == (int)sizeof acl && memcmp(&acl, &wanted, sizeof acl) == 0;
}

int mdg__data_owner_is_right(struct mdg_namespace *ns, const struct mdg__entry *entry)
{
	const struct owner owner =
		make_owner(ns, entry, entry->uid, entry->gid, entry->mode & 0777);
	struct stat status;
	char path[PATH_ROOM];
	if (!mdg__is_shared(ns))
		return 1;
	int fd = mdg__data_open_path(ns, entry);
	if (fd < 0)
		return fd;
	path_of(path, fd);
	int rc = mdg__sys_fstat(fd, &status);
	if (rc == 0)
		rc = acl_is_right(path, &owner);
	/* With a list the group's bits are its mask. */
	unsigned bits = owner.has_acl ? 0707 : 0777;
	if (rc == 1)
		rc = mdg__file_id_fits(ns, MDG__USER, entry->uid, status.st_uid) &&
		     mdg__file_id_fits(ns, MDG__GROUP, entry->gid, status.st_gid) &&
		     ((status.st_mode ^ owner.mode) & bits) == 0;
	(void)mdg__sys_close(fd);
	return rc;
}

/* ---- whose an object is, as it is shown ----------------------------------------------- */

/* Whether the data file can say more of a user or group than what is written down. */
static bool is_for_file(struct mdg_namespace *ns, uint32_t stored)
{
	return stored == MDG__ID_UNKNOWN ||
	       (stored != MDG__ID_OWNER && (ns->registry.flags & MDG_NS_SHARED) &&
	        !mdg__userns_is_whole(mdg__userns_known()));
}

void mdg__entry_users(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t ret[4])
{
	struct mdg__registry *registry = &ns->registry;
	struct stat status;
	const uint32_t stored[4] = { entry->uid, entry->gid, entry->cuid, entry->cgid };
	mdg__ids_shown(registry, stored, ret);
	bool user = is_for_file(ns, entry->uid), group = is_for_file(ns, entry->gid);
	if (!(user || group) || !mdg__file_owner(ns, entry, &status))
		return;
	if (user)
		ret[0] = (uint32_t)status.st_uid;
	if (user && entry->cuid == entry->uid)
		ret[2] = (uint32_t)status.st_uid;
	if (group)
		ret[1] = (uint32_t)status.st_gid;
	if (group && entry->cgid == entry->gid)
		ret[3] = (uint32_t)status.st_gid;
}
