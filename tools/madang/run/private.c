/* SPDX-License-Identifier: MIT */
/*
 * private.c - the directories of `madang run --private`, and those that were left behind.
 *
 * A directory is in use while somebody holds a lock (flock) on it: the keeper does, from the
 * moment it was made. If the keeper is killed, the lock is free and the directory is a stray.
 * Each run with --private removes the strays of its user.
 *
 * Making and locking are two steps, and somebody may look for strays in between. So whoever wants
 * to remove a directory takes its lock first and keeps it until the directory is gone; and whoever
 * has made one looks, once he has the lock, whether it is still there. Either the maker gets the
 * lock first, and nobody removes it; or the other does, and the maker makes a new one.
 *
 * A keeper can be killed while programs live on. So a directory without a lock is only removed
 * if no segment in it is attached and no process that can be seen was started with its name.
 */
#include "run/private.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "madang-private-"
#define TRIES  100 /* to make a directory that no sweeper takes away */

/* ---- where --------------------------------------------------------------- */

/* The directory in which the default namespace would be, whatever MADANG_NAMESPACE says. */
static void find_parent(char room[NAMESPACE_PATH_ROOM])
{
	const char *set = getenv("MADANG_NAMESPACE");
	char *kept = set != NULL ? strdup(set) : NULL;
	char *slash;

	unsetenv("MADANG_NAMESPACE");
	namespace_path(room, NULL);
	if (kept != NULL)
		setenv("MADANG_NAMESPACE", kept, 1);
	free(kept);
	slash = strrchr(room, '/');
	if (slash != NULL)
		slash[slash == room] = '\0';
	else
		snprintf(room, NAMESPACE_PATH_ROOM, "/tmp");
}

/* The default namespace may be there in a directory in which nothing new can be made. */
static void find_writable_parent(char room[NAMESPACE_PATH_ROOM])
{
	const char *temporary = getenv("TMPDIR");

	char *real;

	find_parent(room);
	if (access(room, W_OK | X_OK) != 0)
		snprintf(room, NAMESPACE_PATH_ROOM, "%s",
		         temporary != NULL && temporary[0] == '/' ? temporary : "/tmp");
	/* As the programs get it in MADANG_NAMESPACE. */
	real = realpath(room, NULL);
	if (real != NULL)
		snprintf(room, NAMESPACE_PATH_ROOM, "%s", real);
	free(real);
}

/* ---- is it in use? --------------------------------------------------------- */

static bool is_attached(const char *path)
{
	struct mdg_namespace_options options = { .size = sizeof options, .flags = MDG_NS_EXISTING };
	struct mdg_segment_info info = { .size = sizeof info };
	mdg_namespace *ns;
	uint32_t cursor = 0;
	bool attached = false;

	if (mdg_namespace_open(&ns, path, &options) != 0)
		return false;
	while (!attached && mdg_segment_next(ns, &cursor, 0, &info) > 0)
		attached = info.attached > 0;
	mdg_namespace_close(ns);
	return attached;
}

/* Whether a process was started with this environment variable. */
static bool was_started_with(const char *pid, const char *variable)
{
	char file[300], *word = NULL;
	size_t room = 0;
	bool found = false;
	FILE *stream;

	snprintf(file, sizeof file, "/proc/%s/environ", pid);
	stream = fopen(file, "re");
	if (stream == NULL)
		return false;
	while (!found && getdelim(&word, &room, '\0', stream) > 0)
		found = strcmp(word, variable) == 0;
	free(word);
	fclose(stream);
	return found;
}

static bool is_named_by_a_process(const char *path)
{
	char variable[NAMESPACE_PATH_ROOM + 32];
	const struct dirent *entry;
	bool found = false;
	DIR *processes = opendir("/proc");

	snprintf(variable, sizeof variable, "MADANG_NAMESPACE=%s", path);
	while (processes != NULL && !found && (entry = readdir(processes)) != NULL)
		found = isdigit((unsigned char)entry->d_name[0]) &&
		        was_started_with(entry->d_name, variable);
	if (processes != NULL)
		closedir(processes);
	return found;
}

/* ---- removing ------------------------------------------------------------- */

/* Their files may lie elsewhere (huge pages), so the segments go first. */
static void remove_segments(const char *path)
{
	struct mdg_namespace_options options = { .size = sizeof options, .flags = MDG_NS_EXISTING };
	struct mdg_segment_info info = { .size = sizeof info };
	mdg_namespace *ns;
	uint32_t cursor = 0;

	if (mdg_namespace_open(&ns, path, &options) != 0)
		return;
	while (mdg_segment_next(ns, &cursor, 0, &info) > 0)
		(void)mdg_segment_remove(ns, info.id);
	mdg_namespace_close(ns);
}

static void remove_files(int dirfd)
{
	int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *files = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;

	if (files == NULL) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((entry = readdir(files)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd, entry->d_name, 0);
	closedir(files);
}

void private_remove(const struct private_room *room)
{
	remove_segments(room->path);
	remove_files(room->fd);
	rmdir(room->path);
	close(room->fd);
}

/* ---- opening and locking ----------------------------------------------------- */

/* Whether the descriptor is of the directory that has this path now. */
static bool is_still_there(int fd, const char *path)
{
	struct stat opened, named;

	return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 &&
	       opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* Opens and locks a directory of this user. False: it is in use, or not his, or not there. */
static bool take(struct private_room *room)
{
	struct stat status;

	room->fd = open(room->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (room->fd < 0)
		return false;
	if (fstat(room->fd, &status) == 0 && status.st_uid == geteuid() &&
	    flock(room->fd, LOCK_EX | LOCK_NB) == 0 && is_still_there(room->fd, room->path))
		return true;
	close(room->fd);
	return false;
}

static int complain_make(const char *parent, int code)
{
	char advice[ADVICE_ROOM];

	if (code == -ENOSPC) {
		complain("cannot make a namespace in %s: no space left", parent);
		snprintf(advice, sizeof advice,
		         "See 'df %s' and 'df -i %s'. Remove what nobody needs: "
		         "madang ls, madang rm --orphans",
		         parent, parent);
		advise(advice);
		return TOOL_TROUBLE;
	}
	complain("cannot make a namespace in %s: %s", parent,
	         code == -ENOENT ? "there is no such directory" : mdg_strerror(code));
	advise("Set TMPDIR to a directory that you may write, on a memory file system if "
	       "possible.");
	return TOOL_TROUBLE;
}

int private_make(struct private_room *ret_room)
{
	char parent[NAMESPACE_PATH_ROOM - sizeof PREFIX - 8];
	char found[NAMESPACE_PATH_ROOM];

	private_sweep();
	find_writable_parent(found);
	if (snprintf(parent, sizeof parent, "%s", found) >= (int)sizeof parent) {
		complain("the path of %s is too long", found);
		return TOOL_TROUBLE;
	}
	for (int i = 0; i < TRIES; i++) {
		snprintf(ret_room->path, sizeof ret_room->path, "%s/" PREFIX "XXXXXX", parent);
		if (mkdtemp(ret_room->path) == NULL)
			break;
		chmod(ret_room->path, 0700); /* the umask may have taken the owner's own bits */
		if (take(ret_room))
			return TOOL_OK;
		rmdir(ret_room->path); /* somebody looked at it before it was locked */
	}
	return complain_make(parent, -errno);
}

int private_fill(const struct private_room *room)
{
	char parent[NAMESPACE_PATH_ROOM];
	mdg_namespace *ns;
	int rc = mdg_namespace_open(&ns, room->path, NULL);

	if (rc == 0) {
		mdg_namespace_close(ns);
		return TOOL_OK;
	}
	snprintf(parent, sizeof parent, "%s", room->path);
	*strrchr(parent, '/') = '\0';
	return complain_make(parent, rc);
}

/* ---- strays ----------------------------------------------------------------- */

/* Calls `stray` with each directory that nobody uses, locked, and counts them. */
static unsigned each_stray(void (*stray)(const struct private_room *))
{
	char parent[NAMESPACE_PATH_ROOM];
	const struct dirent *entry;
	unsigned count = 0;
	DIR *directory;

	find_writable_parent(parent);
	directory = opendir(parent);
	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL) {
		struct private_room room;
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    strlen(entry->d_name) != strlen(PREFIX "XXXXXX") ||
		    snprintf(room.path, sizeof room.path, "%s/%s", parent, entry->d_name) >=
		            (int)sizeof room.path ||
		    !take(&room))
			continue;
		if (is_attached(room.path) || is_named_by_a_process(room.path)) {
			close(room.fd);
			continue;
		}
		count++;
		stray(&room);
	}
	closedir(directory);
	return count;
}

static void leave(const struct private_room *room)
{
	close(room->fd);
}

unsigned private_sweep(void)
{
	return each_stray(private_remove);
}

unsigned private_count_strays(void)
{
	return each_stray(leave);
}
