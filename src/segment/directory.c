/* SPDX-License-Identifier: MIT */
/*
 * directory.c - which directory is the default namespace, and which are refused.
 *
 * A directory must not be a symbolic link. It is acceptable in two cases:
 *   - It belongs to the caller or to the real root, and nobody else may write in it.
 *   - Its registry says that it was made for several users. Then it is sticky, so that no
 *     user can replace the files of another.
 * Any other directory is refused, because a user who can put files there could put them
 * in the place of a segment.
 *
 * stat tells to whom a directory belongs. In a user namespace it shows the caller's own
 * files with the number that the caller has in there. The real root has another number
 * than 0 there, or none.
 *
 * The default directory is called madang-<n>, where n is the caller's number in the initial
 * user namespace. In a user namespace n may be unknown. It may also be untrue
 * (platform/userns.h), and the directory of that name may be another user's. Then the
 * default is the first directory by name, of those whose names are default names, that
 * belongs to the caller. If there is none, a new one is made: madang-u<16 hex digits>,
 * which is the number of no user. The same search is made outside of user namespaces if
 * there is no madang-<n>. So each user has one default, inside or outside, wherever it was
 * made first.
 */
#include "segment/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "madang/segment.h"
#include "platform/identity.h"
#include "platform/sys.h"
#include "platform/text.h"
#include "registry/descriptor.h"
#include "registry/registry.h"

#define NAMELESS    "madang-u" /* and HEX_DIGITS of them */
#define HEX_DIGITS  16u
#define NAMES_TRIED 64

const char *mdg__caller_wish(const char *name)
{
	if (getauxval(AT_SECURE) != 0)
		return NULL; /* set-user-ID: the caller's wishes are not the owner's */
	const char *value = mdg__environment(name);
	return value != NULL && *value != '\0' ? value : NULL;
}

/* ---- whose ------------------------------------------------------------------ */

static bool is_roots(const struct stat *status)
{
	uint32_t root;
	const struct mdg__userns *userns = mdg__userns(mdg__euid());
	return mdg__userns_root(userns, &root) && status->st_uid == root;
}

bool mdg__directory_is_mine(int dirfd, const struct stat *status)
{
	return mdg__file_is_mine(dirfd, ".", O_DIRECTORY, status);
}

/* Whether the caller is the real root, to whom every file is open anyway. */
static bool is_root(void)
{
	const struct mdg__userns *userns = mdg__euid() == 0 ? mdg__userns_ask(0) : NULL;
	return userns != NULL && mdg__userns_is_whole(userns);
}

/* ---- the default ------------------------------------------------------------ */

/* Whether a directory of this name may be a default. `numbered`: also madang-<n>. */
static bool is_default_name(const char *name, bool numbered)
{
	const size_t before = sizeof NAMELESS - 1;
	if (strncmp(name, NAMELESS, before) == 0)
		return strlen(name) == before + HEX_DIGITS &&
		       strspn(name + before, "0123456789abcdef") == HEX_DIGITS;
	size_t digits = strncmp(name, NAMELESS, before - 1) == 0
	                        ? strspn(name + before - 1, "0123456789")
	                        : 0;
	return numbered && digits >= 1 && digits <= 10 && name[before - 1 + digits] == '\0';
}

static bool is_my_directory(int basefd, const char *name)
{
	struct stat status;
	return mdg__sys_statat(basefd, name, false, &status) == 0 && S_ISDIR(status.st_mode) &&
	       mdg__file_is_mine(basefd, name, O_NOFOLLOW | O_DIRECTORY, &status);
}

struct search {
	int basefd;
	bool numbered, found;
	char name[sizeof NAMELESS + HEX_DIGITS]; /* of the best so far */
};

/* Two processes may have made a default each, at once. The first by name is taken; a name with a
 * number comes before the others. */
static bool take_better(const struct mdg__listed *names, void *context)
{
	struct search *search = context;
	const char *name;
	for (int64_t at = 0; (name = mdg__next_name(names, &at)) != NULL;) {
		if (!is_default_name(name, search->numbered) ||
		    (search->found && strcmp(name, search->name) >= 0) ||
		    !is_my_directory(search->basefd, name))
			continue;
		memcpy(search->name, name, strlen(name) + 1);
		search->found = true;
	}
	return true;
}

/* Finds the default that belongs to the caller. */
static bool find_own(int basefd, bool numbered, char name[sizeof NAMELESS + HEX_DIGITS])
{
	struct search search = { .basefd = basefd, .numbered = numbered };
	mdg__directory_read(basefd, take_better, &search);
	if (search.found)
		memcpy(name, search.name, sizeof search.name);
	return search.found;
}

/* Makes up a name of the other kind. All processes of a user in a user namespace come to the same
 * one, unless another user has made a directory of that name. */
static void invent_nameless(int basefd, char name[sizeof NAMELESS + HEX_DIGITS])
{
	uint32_t euid = mdg__euid();
	uint64_t seed[4] = { mdg__boot_id(), mdg__userns_inode(mdg__userns(euid)), euid, 0 };
	struct stat status;
	for (seed[3] = 0; seed[3] < NAMES_TRIED; seed[3]++) {
		uint64_t number =
			seed[3] < NAMES_TRIED / 2 ? mdg__hash(seed, sizeof seed) : mdg__random();
		mdg__format(name, sizeof NAMELESS + HEX_DIGITS, "%s%x%x", NAMELESS,
		            (uint32_t)(number >> 32), (uint32_t)number);
		if (mdg__sys_statat(basefd, name, false, &status) == -ENOENT)
			return;
	}
}

/* The default if n is not known, or if there is no madang-<n>: the path of the caller's directory,
 * or with `invent` the path of the one to be made. Outside of user namespaces n is
 * known, so only names without a number are looked for there. */
static bool own_in(char path[1024], const char *base, bool invent)
{
	char name[sizeof NAMELESS + HEX_DIGITS];
	int basefd = mdg__sys_openat(AT_FDCWD, base, O_RDONLY | O_DIRECTORY, 0);
	bool numbered = !mdg__userns_is_whole(mdg__userns_known());
	bool found = basefd >= 0 && find_own(basefd, numbered, name);
	if (!found && invent)
		invent_nameless(basefd >= 0 ? basefd : AT_FDCWD, name);
	if (basefd >= 0)
		(void)mdg__sys_close(basefd);
	if (found || invent)
		mdg__format(path, 1024, "%s/%s", base, name);
	return found;
}

/* The caller's number in the initial user namespace. False: it is not known for certain. */
static bool has_number(uint32_t *ret)
{
	uint32_t euid = mdg__euid();
	const struct mdg__userns *userns = mdg__userns_ask(euid);
	if (userns == NULL)
		userns = mdg__userns(euid);
	*ret = mdg__userns_is_whole(userns) ? euid : mdg__id_outside(userns, MDG__USER, euid);
	return mdg__userns_is_whole(userns) ||
	       (*ret != MDG__ID_UNKNOWN && mdg__id_is_certain(userns, MDG__USER, euid));
}

/* The default in the directory `base`. Gives its path, and returns whether it is there. */
static bool default_in(char path[1024], const char *base, bool *ret_whole)
{
	uint32_t number;
	struct stat status;
	bool numbered = has_number(&number);
	*ret_whole = true;
	if (numbered) {
		*ret_whole = mdg__format(path, 1024, "%s/madang-%u", base, number);
		if (!*ret_whole)
			return false;
		if (mdg__sys_statat(AT_FDCWD, path, false, &status) < 0)
			return own_in(path, base, false);
		if (mdg__userns_is_whole(mdg__userns_known()) || is_roots(&status) ||
		    mdg__file_is_mine(AT_FDCWD, path, O_NOFOLLOW, &status))
			return true; /* outside, another user's is refused when it is opened */
	}
	*ret_whole = strlen(base) + sizeof NAMELESS + HEX_DIGITS < 1024;
	return *ret_whole && own_in(path, base, true);
}

int mdg_namespace_default_path(char *ret_path, size_t room)
{
	char path[1024];
	const char *chosen = mdg__caller_wish("MADANG_NAMESPACE");
	bool whole = true;
	if (chosen != NULL) {
		whole = mdg__format(path, sizeof path, "%s", chosen);
	} else if (!default_in(path, "/dev/shm", &whole) &&
	           mdg__sys_may("/dev/shm", W_OK | X_OK) < 0) {
		const char *base = mdg__caller_wish("TMPDIR");
		(void)default_in(path, base != NULL ? base : "/tmp", &whole);
	}
	if (!whole || strlen(path) + 1 > room)
		return -ENAMETOOLONG;
	memcpy(ret_path, path, strlen(path) + 1);
	return 0;
}

int mdg__directory_path(char ret[1024], const char *dir)
{
	char base[1024] = "";
	if (*dir == '\0')
		return -ENOENT;
	if (*dir != '/') {
		int rc = mdg__sys_getcwd(base, sizeof base - 1);
		if (rc < 0)
			return rc == -ERANGE ? -ENAMETOOLONG : rc;
	}
	if (!mdg__format(ret, 1024, *dir == '/' ? "%s%s" : "%s/%s", base, dir))
		return -ENAMETOOLONG;
	for (size_t length = strlen(ret); length > 1 && ret[length - 1] == '/'; length--)
		ret[length - 1] = '\0';
	return 0;
}

/* ---- opening and refusing ----------------------------------------------------- */

int mdg__directory_open(const char *path, bool make, struct stat *ret_status)
{
	bool made = false;
	if (make) {
		int rc = mdg__sys_mkdir(path, 0700);
		made = rc == 0;
		if (rc < 0 && rc != -EEXIST)
			return rc;
		if (made) /* the umask may have taken even the owner's bits */
			(void)mdg__sys_chmod(path, 0700);
	}
	int rc = mdg__sys_statat(AT_FDCWD, path, false, ret_status);
	if (rc < 0)
		return rc;
	if (S_ISLNK(ret_status->st_mode))
		return MDG_NS_SYMLINK;
	if (!S_ISDIR(ret_status->st_mode))
		return MDG_NS_NOT_DIR;
	int fd = mdg__sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd;
	rc = mdg__sys_fstat(fd, ret_status); /* of what was opened, not of the name */
	if (rc < 0) {
		(void)mdg__sys_close(fd);
		return rc;
	}
	return mdg__fd_out_of_the_way(fd);
}

/* What the registry file says of itself before anything else in it is believed. */
enum claim {
	NOT_SHARED, /* or there is no registry */
	SHARED,
	OF_OTHER_FORMAT, /* its flags lie somewhere else */
};

static enum claim look_at_registry(int dirfd)
{
	struct stat status;
	struct mdg__head head;
	enum claim claim = NOT_SHARED;
	int fd = mdg__sys_openat(dirfd, "registry", O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return claim;
	/* Only the directory's owner is believed to have made the file what it says it is. */
	struct stat directory;
	if (mdg__sys_fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	    mdg__sys_fstat(dirfd, &directory) == 0 && status.st_uid == directory.st_uid &&
	    mdg__sys_read(fd, &head, sizeof head) == (int64_t)sizeof head &&
	    head.magic == MDG__MAGIC) {
		if (head.format != MDG__FORMAT)
			claim = OF_OTHER_FORMAT;
		else if (head.flags & MDG_NS_SHARED)
			claim = SHARED;
	}
	(void)mdg__sys_close(fd);
	return claim;
}

int mdg__directory_check(int dirfd, const struct stat *directory, bool named, bool look)
{
	enum claim claim = look_at_registry(dirfd);
	bool trusted = mdg__directory_is_mine(dirfd, directory) || is_roots(directory) ||
	               (look && is_root());
	bool writable = (directory->st_mode & 022) != 0;
	bool sticky = (directory->st_mode & S_ISVTX) != 0;
	/* A path that this library made up may be a trap of any user. That the registry
	 * there says it is shared does not count. */
	if (!trusted && (!named || claim == NOT_SHARED))
		return MDG_NS_OWNER;
	if (writable && (!sticky || claim == NOT_SHARED))
		return MDG_NS_WRITABLE;
	/* Only a shared namespace may be so. Of another format it cannot be told whether
	 * it is shared. It is refused because of its format, and not because of its mode,
	 * which may be right. */
	if ((!trusted || writable) && claim == OF_OTHER_FORMAT)
		return MDG_VERSION_UNLIKE;
	return 0;
}
