/* SPDX-License-Identifier: MIT */
/*
 * settings.c - limits that are set as sysctls are: by writing to a file.
 *
 * The values in force are in the registry's head. A program sets one by opening a file of /proc/sys
 * and writing to it. libmadang-sysv sees the open, but the write goes straight to the kernel. So
 * the program gets a descriptor of a small file in the namespace's directory. The next process that
 * needs the value reads what was written there, checks it as the kernel does, puts it in force,
 * and writes the file anew.
 *
 * WHICH FILES ARE LOOKED AT. The word `settings` in the head has a bit for each setting. The bit
 * says that the file may have been written to. While no bit is set, nobody looks, and making a
 * segment costs one load more. The bits are set and cleared like this:
 *
 *     to open a file     1. lock any one byte of the file, through the program's description
 *                        2. set the bit, and count the opening in the same word
 *     to clear the bit   1. read the word
 *                        2. ask whether any byte of the file is locked; if so, stop
 *                        3. put in force what was written
 *                        4. clear the bit, if the word is still the same
 *
 * A file of which no byte is locked cannot be written to any more. So nothing that was written is
 * passed over, and a death anywhere leaves the bit as it was.
 *
 * WHAT IS READ. The descriptor appends, because "12" written over "4029\n" could not be told from
 * "1229". `seen` says how much of the file was read before. Of the rest the last line that is a
 * number counts. O_TRUNC is not passed on, so that readers always find a value.
 *
 * DEATH. A value is put in force in three steps: the head, then the file, then `seen`. After a
 * death in between, the file has the old value or the new one, and reading it once more does no
 * harm. One thing can be lost: a write that comes between the look at the file's length and the
 * cutting of the file, some hundred nanoseconds.
 *
 * TRUST. A file is believed only if nobody but the directory's owner and root could write it. It
 * is never mapped, because the program may cut it to nothing. In a namespace that users share, the
 * other users read the file and put the value in force. The text stays as it was written until
 * a process of the owner comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "platform/highfd.h"
#include "platform/identity.h"
#include "registry/descriptor.h"
#include "registry/files.h"
#include "segment/hostcalls.h"
#include "segment/internal.h"
#include "segment/settingvalue.h"

#define READ_MOST 255u /* the end of what was written; a number needs 22, `sem` 90 */
#define TRIES     8

/* ---- the files ------------------------------------------------------------------- */

bool mdg__host_setting_allowed(mdg_namespace *ns)
{
	struct stat directory;
	int dirfd = mdg__registry_dirfd(&ns->registry);
	return dirfd >= 0 && mdg__sys_fstat(dirfd, &directory) == 0 &&
	       (mdg__file_is_mine(dirfd, ".", O_DIRECTORY, &directory) ||
	        mdg__capable(MDG__CAP_SYS_ADMIN));
}

/* Whether only the directory's owner and root could have written the file. In a user namespace all
 * users without a number there look alike, so they are not believed. */
static bool is_trusted(const struct stat *file, const struct stat *directory)
{
	const struct mdg__userns *userns = mdg__userns(mdg__euid());
	uint32_t root;
	if (!mdg__id_is_certain(userns, MDG__USER, file->st_uid))
		return false;
	return S_ISREG(file->st_mode) && (file->st_mode & 022) == 0 && file->st_nlink == 1 &&
	       (file->st_uid == directory->st_uid ||
	        (mdg__userns_root(userns, &root) && file->st_uid == root));
}

/* A descriptor, or -errno. -EPERM: the file is there, but other users could have written it. */
static int open_file(struct mdg_namespace *ns, enum mdg__setting setting, int flags,
                     struct stat *ret_status)
{
	struct stat directory;
	int dirfd = mdg__registry_dirfd(&ns->registry);
	if (dirfd < 0)
		return dirfd;
	char name[MDG__FILE_NAME_ROOM];
	mdg__setting_file_name(&ns->registry, mdg__setting_name(setting), name);
	bool programs = (flags & O_APPEND) != 0; /* the lowest number, as open(2) gives it */
	flags |= O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int fd = programs ? mdg__sys_openat(dirfd, name, flags, 0600)
	                  : mdg__open_own(dirfd, name, flags, 0600);
	if (fd < 0)
		return fd;
	int rc = mdg__sys_fstat(fd, ret_status);
	if (rc == 0)
		rc = mdg__sys_fstat(dirfd, &directory);
	if (rc == 0 && (flags & O_CREAT) && ret_status->st_size == 0) {
		/* The file was made just now. If root made it, it is given to the directory's
		 * owner. A file of any other user does not pass the next check. */
		(void)mdg__sys_fchmod(fd, 01644); /* the sticky bit: see sysv/proc.h */
		if (ret_status->st_uid != directory.st_uid)
			(void)mdg__sys_fchown(fd, directory.st_uid, directory.st_gid);
		rc = mdg__sys_fstat(fd, ret_status);
	}
	if (rc == 0 && is_trusted(ret_status, &directory))
		return fd;
	(void)mdg__sys_close(fd);
	return rc < 0 ? rc : -EPERM;
}

/* [lock] Makes the file hold the value in force and nothing else, unless more was written
 * meanwhile. `fd` is at the start of the file, which was `size` bytes long. */
static int write_anew(struct mdg_namespace *ns, enum mdg__setting setting, int fd, int64_t size)
{
	struct mdg__registry *registry = &ns->registry;
	struct stat status;
	char text[MDG__SETTING_ROOM];
	size_t length = mdg__setting_write(registry->head, setting, text);
	int64_t done = mdg__sys_write(fd, text, length);
	if (done != (int64_t)length)
		return done < 0 ? (int)done : -EIO;
	int rc = mdg__sys_fstat(fd, &status);
	if (rc < 0 || status.st_size > (size > (int64_t)length ? size : (int64_t)length))
		return rc;
	rc = mdg__sys_ftruncate(fd, length);
	mdg__put32(registry, &registry->head->seen[setting], (uint32_t)length);
	mdg__commit(registry);
	return rc;
}

/* [object lock] Puts in force what is new in the file. `writable`: also writes the file anew. */
static int take_over(struct mdg_namespace *ns, enum mdg__setting setting, int fd, bool writable)
{
	struct mdg__registry *registry = &ns->registry;
	struct stat status = { 0 };
	char text[READ_MOST];
	struct mdg__setting_value value = { 0 };
	int rc = mdg__enter_writer(ns);
	if (rc < 0)
		return rc;
	uint64_t seen = mdg__get32(&registry->head->seen[setting]);
	rc = mdg__sys_fstat(fd, &status);
	uint64_t size = (uint64_t)status.st_size;
	if (rc == 0 && size != seen) {
		uint64_t from = size > seen ? seen : 0;
		from = size - from > READ_MOST ? size - READ_MOST : from;
		int64_t got = mdg__sys_pread(fd, text, sizeof text, from);
		if (got > 0 && mdg__setting_parse(setting, text, (size_t)got, &value))
			mdg__setting_set(registry, setting, &value);
		mdg__put32(registry, &registry->head->seen[setting], (uint32_t)size);
		mdg__commit(registry);
		if (writable)
			rc = write_anew(ns, setting, fd, (int64_t)size);
	}
	mdg__unlock(registry);
	return rc;
}

/* [object lock] Clears the bit, unless a file was opened since the head had `word`. */
static void clear_bit(struct mdg_namespace *ns, enum mdg__setting setting, uint32_t word)
{
	mdg__a32 *settings_word = &ns->registry.head->settings;
	uint32_t now = mdg__get32(settings_word);
	while (now >> MDG__SETTINGS == word >> MDG__SETTINGS &&
	       !atomic_compare_exchange_weak(settings_word, &now, now & ~(UINT32_C(1) << setting)))
		;
}

/* [object lock] Follows one setting: see the top. */
static void follow(struct mdg_namespace *ns, enum mdg__setting setting)
{
	uint32_t word = atomic_load(&ns->registry.head->settings);
	struct stat status;
	bool writable = true;
	int fd = open_file(ns, setting, O_RDWR, &status);
	if (fd == -EACCES || fd == -EROFS) {
		writable = false;
		fd = open_file(ns, setting, O_RDONLY, &status);
	}
	bool again = fd < 0 ? fd != -ENOENT && fd != -EPERM && fd != -ELOOP
	                    : mdg__sys_any_is_locked(fd) != 0;
	if (fd >= 0 && take_over(ns, setting, fd, writable) < 0)
		again = true;
	if (!again)
		clear_bit(ns, setting, word);
	if (fd >= 0)
		(void)mdg__sys_close(fd);
}

void mdg__settings_follow(struct mdg_namespace *ns)
{
	uint32_t open = mdg__get32(&ns->registry.head->settings) & ((1u << MDG__SETTINGS) - 1);
	if (open == 0 || ns->registry.look)
		return;
	mdg__enter(ns);
	for (int setting = 0; setting < MDG__SETTINGS; setting++)
		if (open >> setting & 1)
			follow(ns, (enum mdg__setting)setting);
	mdg__leave(ns);
}

void mdg__settings_show(struct mdg_namespace *ns, enum mdg__setting setting)
{
	struct mdg__registry *registry = &ns->registry;
	struct stat status;
	int fd = open_file(ns, setting, O_RDWR, &status);
	if (fd < 0)
		return;
	if (mdg__enter_writer(ns) == 0) {
		/* If the file has another length than `seen`, something new is in it. That must
		 * be read first, so the file is left alone. */
		if (mdg__sys_fstat(fd, &status) == 0 &&
		    status.st_size == (int64_t)mdg__get32(&registry->head->seen[setting]))
			(void)write_anew(ns, setting, fd, status.st_size);
		mdg__unlock(registry);
	}
	(void)mdg__sys_close(fd);
}

/* ---- for libmadang-sysv ---------------------------------------------------------- */

int mdg__host_setting_text(mdg_namespace *ns, unsigned setting, char ret[MDG__SETTING_ROOM])
{
	if (setting >= MDG__SETTINGS)
		return -EINVAL;
	mdg__settings_follow(ns);
	return (int)mdg__setting_write(ns->registry.head, (enum mdg__setting)setting, ret);
}

/* [object lock] Makes sure that the file is there, belongs to the owner, and holds the value in
 * force. */
static int prepare(struct mdg_namespace *ns, enum mdg__setting setting)
{
	struct stat status;
	int fd = -EPERM;
	for (int tries = 0; tries < TRIES; tries++) {
		fd = open_file(ns, setting, O_RDWR | O_CREAT, &status);
		if (fd != -EPERM && fd != -EACCES && fd != -ELOOP && fd != -EISDIR)
			break;
		/* Another user's file in this directory: it goes. */
		char name[MDG__FILE_NAME_ROOM];
		int dirfd = mdg__registry_dirfd(&ns->registry);
		mdg__setting_file_name(&ns->registry, mdg__setting_name(setting), name);
		if (dirfd < 0 || mdg__sys_unlinkat(dirfd, name) < 0)
			return -EACCES;
	}
	if (fd < 0)
		return fd;
	int rc;
	if (status.st_size != 0) {
		rc = take_over(ns, setting, fd, true);
	} else {
		rc = mdg__enter_writer(ns);
		if (rc == 0) {
			rc = write_anew(ns, setting, fd, 0);
			mdg__unlock(&ns->registry);
		}
	}
	(void)mdg__sys_close(fd);
	return rc;
}

/* Sets the bit and counts the opening, after the byte was locked: see the top. */
static void note_opened(mdg__a32 *word, enum mdg__setting setting)
{
	const uint32_t bit = UINT32_C(1) << setting, one = UINT32_C(1) << MDG__SETTINGS;
	uint32_t now = atomic_load(word);
	while (!atomic_compare_exchange_weak(word, &now, (now + one) | bit))
		;
}

int mdg__host_setting_open(mdg_namespace *ns, unsigned setting, int flags)
{
	struct stat status;
	if (setting >= MDG__SETTINGS)
		return -EINVAL;
	if (!mdg__host_setting_allowed(ns))
		return -EACCES;
	mdg__enter(ns);
	int rc = prepare(ns, (enum mdg__setting)setting);
	mdg__leave(ns);
	if (rc < 0)
		return rc;
	int fd = open_file(ns, (enum mdg__setting)setting, (flags & O_ACCMODE) | O_APPEND, &status);
	if (fd < 0)
		return fd == -EPERM ? -EACCES : fd;
	/* A byte at random, so that several programs may have the file open. */
	(void)mdg__sys_lock_byte(fd, mdg__random() >> 2, false);
	note_opened(&ns->registry.head->settings, (enum mdg__setting)setting);
	return fd;
}

int mdg__host_setting_of_file(mdg_namespace *ns, uint64_t device, uint64_t inode)
{
	struct stat status;
	int dirfd = mdg__registry_dirfd(&ns->registry);
	for (int setting = 0; dirfd >= 0 && setting < MDG__SETTINGS; setting++) {
		char name[MDG__FILE_NAME_ROOM];
		mdg__setting_file_name(&ns->registry, mdg__setting_name((enum mdg__setting)setting),
		                       name);
		if (mdg__sys_statat(dirfd, name, false, &status) == 0 && status.st_dev == device &&
		    status.st_ino == inode)
			return setting;
	}
	return -1;
}
