/* SPDX-License-Identifier: MIT */
/*
 * fileowner.c - the owner and the mode of a data file.
 *
 * Owner and mode of the file repeat the System V permissions of the segment, so that the
 * kernel enforces them too. In a private namespace (its directory has mode 0700) no other
 * user gets as far as the file. There it keeps mode 0600, whatever the segment says.
 *
 * The file is also a witness. A process in a user namespace may not know its own number
 * outside, or have a wrong one (registry/users.c). But the owner that stat shows for the
 * file is translated by the kernel, so it is true.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "platform/identity.h"
#include "platform/text.h"
#include "registry/users.h"
#include "segment/datafile.h"

#define PATH_ROOM 64

static void path_of(char path[PATH_ROOM], int fd)
{
	mdg__format(path, PATH_ROOM, "/proc/self/fd/%d", fd);
}

/* ---- the witness ---------------------------------------------------------- */

/* Opens the segment's file by name, for questions only. Negative: there is none, or it is another
 * file. */
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

/* A question about an open file. `path` leads to it through /proc. */
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

/* If a segment's owner and its creator differ, both have the owner's rights. A file has only one
 * owner, so an access control list names the creator. The format of the extended attribute is
 * the kernel's (linux/posix_acl_xattr.h). */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag, bits;
		uint32_t id;
	} entries[6];
};

#define ACL_NAME "system.posix_acl_access"

/* The owner, the group and the nine bits that a file is to have; and the creator. The numbers are
 * those of this user namespace, which the kernel takes and gives for files. */
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

/* In a list the kernel shows a user without a number here as -1. It does not accept that in a new
 * list. */
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
		                       UINT32_MAX }, /* the mask: the most for named users */
				     { 0x20, other, UINT32_MAX },
			     } };
}

/* Gives the file to its owner and group. A user without a number here cannot be given a file, but
 * keeps one that is his already. */
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

/* `entry`: the segment as it is. `given`: with the owner that the file is to get. */
static int change_owner(struct mdg_namespace *ns, const struct mdg__entry *entry,
                        const struct mdg__entry *given, int fd, const struct owner *owner)
{
	char path[PATH_ROOM];
	struct stat status;
	/* The file has the owner that the entry names, or another process has given it to the new
	 * owner already. */
	int rc = mdg__sys_fstat(fd, &status);
	if (rc == 0 && ((!mdg__data_is(ns, entry, &status) && !mdg__data_is(ns, given, &status)) ||
	                status.st_nlink > 1))
		rc = MDG_DAMAGED; /* it is not the segment's file: give it to nobody */
	rc = rc < 0 ? rc : give(ns, fd, given, &status, owner);
	if (rc < 0)
		return rc;
	path_of(path, fd);
	struct acl acl = make_acl(owner);
	if (!owner->has_acl)
		(void)mdg__sys_removexattr(path, ACL_NAME);
	else if (owner->cuid != MDG__ID_UNKNOWN && owner->cgid != MDG__ID_UNKNOWN &&
	         mdg__sys_setxattr(path, ACL_NAME, &acl, sizeof acl) != -EOPNOTSUPP)
		return 0; /* the list has set the bits; or the caller is the creator only */
	/* On a file system without lists the creator has the rights of all others. If the creator
	 * has no number here, an old list stays, and is limited by the group's bits. */
	return mdg__sys_chmod(path, owner->mode) == 0 ? 0 : -EPERM;
}

int mdg__data_set_owner(struct mdg_namespace *ns, const struct mdg__entry *entry, uint32_t uid,
                        uint32_t gid, unsigned mode)
{
	if (!mdg__is_shared(ns))
		return 0; /* the directory guards the file */
	/* Opened as a path only, because the owner may have taken his own permissions away. */
	int fd = mdg__data_open_path(ns, entry);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd; /* removed: no process opens it any more */
	struct mdg__entry given = *entry;
	given.uid = uid;
	given.gid = gid;
	const struct owner owner = make_owner(ns, entry, uid, gid, mode);
	int rc = change_owner(ns, entry, &given, fd, &owner);
	(void)mdg__sys_close(fd);
	return rc;
}

/* Whether the list is as change_owner() leaves it: 1, 0 or -errno. */
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
	/* If there is a list, stat shows its mask in the place of the group's bits. */
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
