/* SPDX-License-Identifier: MIT */
/*
 * namespace.c - opening a namespace, and what a person can do when it is refused.
 *
 * The library says why it refuses (mdg_strerror). What to do about it depends on the directory. So
 * the advice is written here, once for all commands.
 */
#include "base/tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *namespace_path(char room[NAMESPACE_PATH_ROOM], const char *dir)
{
	if (dir != NULL)
		snprintf(room, NAMESPACE_PATH_ROOM, "%s", dir);
	else if (mdg_namespace_default_path(room, NAMESPACE_PATH_ROOM) != 0)
		snprintf(room, NAMESPACE_PATH_ROOM, "the default namespace");
	return room;
}

static void advise_symlink(char room[ADVICE_ROOM], const char *path)
{
	char target[NAMESPACE_PATH_ROOM];
	ssize_t length = readlink(path, target, sizeof target - 1);

	target[length > 0 ? length : 0] = '\0';
	snprintf(room, ADVICE_ROOM,
	         "It leads to '%s'. If you made it, name that directory itself; "
	         "if not, somebody may be trying to redirect you: remove the link.",
	         target);
}

static void advise_owner(char room[ADVICE_ROOM], const char *path)
{
	struct stat status;
	char owner[SHOW_ROOM] = "another user";

	if (lstat(path, &status) == 0)
		show_user(owner, (uint32_t)status.st_uid);
	snprintf(room, ADVICE_ROOM,
	         "It belongs to %s. Choose a directory of your own with --namespace "
	         "or MADANG_NAMESPACE. To share one with other users, make it by: "
	         "madang init --shared DIR",
	         owner);
}

/* Cuts the last name off `path`. What is left is the directory above. */
static void cut_name(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL)
		strcpy(path, ".");
	else
		slash[slash == path] = '\0';
}

/* The directory that refuses is the namespace itself, or one above it. */
static void advise_permission(char room[ADVICE_ROOM], const char *path)
{
	char above[NAMESPACE_PATH_ROOM];
	struct stat status;

	if (lstat(path, &status) == 0) {
		snprintf(room, ADVICE_ROOM,
		         "Look at who may enter: ls -ld '%s'. A private namespace is its "
		         "owner's alone; for several users: madang init --shared DIR",
		         path);
		return;
	}
	snprintf(above, sizeof above, "%s", path);
	do
		cut_name(above);
	while (lstat(above, &status) != 0 && strcmp(above, "/") != 0 && strcmp(above, ".") != 0);
	snprintf(room, ADVICE_ROOM,
	         "You may not %s '%s': ls -ld '%s'. Choose another directory with --namespace or "
	         "MADANG_NAMESPACE.",
	         access(above, X_OK) == 0 ? "make a directory in" : "enter", above, above);
}

char *namespace_advice(char room[ADVICE_ROOM], int code, const char *path)
{
	room[0] = '\0';
	switch (code) {
	case MDG_NS_SYMLINK:
		advise_symlink(room, path);
		break;
	case MDG_NS_NOT_DIR:
	case -ENOTDIR:
		snprintf(room, ADVICE_ROOM,
		         "Move the file away, or choose another path with --namespace "
		         "or MADANG_NAMESPACE.");
		break;
	case MDG_NS_OWNER:
		advise_owner(room, path);
		break;
	case MDG_NS_WRITABLE:
		snprintf(room, ADVICE_ROOM,
		         "Take the others' permission away: chmod go-w '%s'. For a "
		         "namespace that users share, make a new directory: madang init --shared "
		         "DIR",
		         path);
		break;
	case MDG_NOT_REGISTRY:
		snprintf(room, ADVICE_ROOM,
		         "The directory is in use for something else, or its registry "
		         "was overwritten. Choose another with --namespace; if it was a namespace "
		         "and no "
		         "program uses it any more, delete '%s' and make it anew.",
		         path);
		break;
	case MDG_VERSION_UNLIKE:
		snprintf(room, ADVICE_ROOM,
		         "Use the madang that made it, or end the programs that use it "
		         "and delete '%s'; this one then makes it anew.",
		         path);
		break;
	case MDG_TRUNCATED:
		snprintf(room, ADVICE_ROOM,
		         "What it held cannot be listed any more. End the programs that "
		         "use it, then delete '%s' and make it anew.",
		         path);
		break;
	case MDG_DAMAGED:
		snprintf(room, ADVICE_ROOM,
		         "See what is wrong: madang doctor --namespace '%s'; mend it: "
		         "add --repair.",
		         path);
		break;
	case MDG_NS_GONE:
		snprintf(room, ADVICE_ROOM,
		         "Somebody deleted '%s' or the files in it. Attached memory stays "
		         "usable; start the programs again to make it anew. What deletes such "
		         "files: "
		         "man 7 madang.",
		         path);
		break;
	case MDG_NO_SLOT:
		snprintf(room, ADVICE_ROOM,
		         "End processes that are attached, or make a namespace with room "
		         "for more: madang init --processes N DIR");
		break;
	case -EACCES:
		advise_permission(room, path);
		break;
	case -ENOSPC:
		snprintf(room, ADVICE_ROOM,
		         "See 'madang doctor'. Remove segments that nobody needs (madang rm "
		         "--orphans), enlarge the file system (in containers: --shm-size), or "
		         "choose "
		         "a directory elsewhere with --namespace or MADANG_NAMESPACE.");
		break;
	case -ENOENT:
		snprintf(room, ADVICE_ROOM,
		         "Make the directory above it first; madang makes only '%s' "
		         "itself.",
		         path);
		break;
	case -ENAMETOOLONG:
		snprintf(room, ADVICE_ROOM, "A namespace's path may have at most %d bytes.",
		         NAMESPACE_PATH_ROOM - 1);
		break;
	case -EROFS:
		snprintf(room, ADVICE_ROOM,
		         "Choose a directory that can be written with --namespace or "
		         "MADANG_NAMESPACE.");
		break;
	default:
		break;
	}
	return room;
}

void complain_code(int code, const char *dir, const char *format, ...)
{
	char path[NAMESPACE_PATH_ROOM];
	char advice[ADVICE_ROOM];
	char what[2 * NAMESPACE_PATH_ROOM];
	va_list list;

	va_start(list, format);
	vsnprintf(what, sizeof what, format, list);
	va_end(list);
	complain("%s: %s", what, mdg_strerror(code));
	advise(namespace_advice(advice, code, namespace_path(path, dir)));
}

void complain_open(int code, const char *dir, const char *verb)
{
	char path[NAMESPACE_PATH_ROOM], advice[ADVICE_ROOM];

	namespace_path(path, dir);
	/* For two codes the library's sentence names more than can be the cause here. */
	if (code == -ENOENT)
		complain("cannot %s the namespace %s: the directory above it is not there", verb,
		         path);
	else if (code == -ENOSPC)
		complain("cannot %s the namespace %s: its file system is full", verb, path);
	else
		complain("cannot %s the namespace %s: %s", verb, path, mdg_strerror(code));
	advise(namespace_advice(advice, code, path));
}

int namespace_open(mdg_namespace **ret_ns, const char *dir,
                   const struct mdg_namespace_options *options)
{
	int rc;

	if (dir != NULL && dir[0] == '\0') {
		complain("the path of the namespace is empty");
		advise("Give a directory after --namespace, or leave the option out.");
		return -EINVAL;
	}
	rc = mdg_namespace_open(ret_ns, dir, options);
	if (rc == 0 || (rc == -ENOENT && options != NULL && (options->flags & MDG_NS_EXISTING)))
		return rc;
	complain_open(rc, dir, "use");
	return rc;
}

int namespace_try_to_look(mdg_namespace **ret_ns, const char *dir)
{
	struct mdg_namespace_options options = { .size = sizeof options, .flags = MDG_NS_EXISTING };
	int rc = mdg_namespace_open(ret_ns, dir, &options);

	/* Another user's: the library lets root in, who can change nothing there. A directory
	 * without registry stays what it is: not root's to make a namespace of. */
	options.flags = MDG_NS_LOOK;
	if (rc != MDG_NS_OWNER || geteuid() != 0)
		return rc;
	rc = mdg_namespace_open(ret_ns, dir, &options);
	return rc == -ENOENT ? MDG_NS_OWNER : rc;
}

int namespace_open_to_look(mdg_namespace **ret_ns, const char *dir)
{
	int rc;

	if (dir != NULL && dir[0] == '\0')
		return namespace_open_existing(ret_ns,
		                               dir); /* which says what is wrong with that */
	rc = namespace_try_to_look(ret_ns, dir);
	if (rc != 0 && rc != -ENOENT)
		complain_open(rc, dir, "use");
	return rc;
}

int namespace_open_existing(mdg_namespace **ret_ns, const char *dir)
{
	struct mdg_namespace_options options = { .size = sizeof options, .flags = MDG_NS_EXISTING };
	return namespace_open(ret_ns, dir, &options);
}
