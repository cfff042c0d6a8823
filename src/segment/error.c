/* SPDX-License-Identifier: MIT */
/* error.c - a sentence for every code. */
#include <errno.h>
#include <string.h>

#include "madang/segment.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const char *mdg_version(void)
{
	return TEXT(MDG_VERSION_MAJOR) "." TEXT(MDG_VERSION_MINOR) "." TEXT(MDG_VERSION_PATCH);
}

/* The codes of all rooms, in our own terms: constant texts, where strerror's may be translated and
 * shared between threads. A code that several rooms give (segments, locks, channels) has one text,
 * which is true in each. */
static const struct {
	int code;
	const char *text;
} texts[] = {
	{ 0, "success" },
	{ MDG_DAMAGED, "the registry, or what lies in a segment for the library, is damaged" },
	{ MDG_NOT_REGISTRY, "the registry file is not Madang's, or has lost its content" },
	{ MDG_VERSION_UNLIKE, "it was made by an incompatible version or machine" },
	{ MDG_TRUNCATED, "the registry file has been cut short" },
	{ MDG_NS_SYMLINK, "the namespace directory is a symbolic link" },
	{ MDG_NS_NOT_DIR, "the namespace path is not a directory" },
	{ MDG_NS_OWNER, "the namespace directory belongs to another user" },
	{ MDG_NS_WRITABLE,
	  "others may write in the namespace directory, and it is not a shared one" },
	{ MDG_NS_GONE, "the namespace was deleted while it was in use" },
	{ MDG_NO_SLOT, "every process slot of the namespace is taken" },
	{ MDG_OWNER_DIED, "who held the object died" },
	{ MDG_BROKEN, "the object's data were left unrepaired, or it is damaged" },
	{ MDG_PEER_DIED, "the other side of the call died" },
	{ MDG_NOT_CHANNEL, "the segment of that name is not a channel" },
	{ MDG_UNLIKE_KIND, "the channel exists, and is of another kind" },
	{ MDG_UNLIKE_CAPACITY, "the channel exists, and has another capacity" },
	{ MDG_UNLIKE_PEERS, "the channel exists, and is made for another number of peers" },
	{ MDG_UNLIKE_FULL, "the channel exists, and does otherwise when it is full" },
	{ MDG_NOT_HEAP, "the segment of this name is not a heap" },
	{ MDG_HOME_TAKEN, "something else lies at the heap's home address in this process" },
	{ MDG_FREED_TWICE, "the block is free already" },
	{ MDG_UNLIKE_MAXIMUM, "the heap exists with another maximum" },
	{ MDG_UNLIKE_FLAGS, "the heap exists, and was made with other flags" },
	{ MDG_UNLIKE_HOME, "the heap exists with another home address" },
	{ MDG_UNLIKE_TYPE, "the root exists with another type" },
	{ MDG_UNLIKE_VERSION, "the root exists with another version" },
	{ MDG_OVERRUN, "somebody has written behind the end of the block" },
	{ MDG_DEPOSED, "another host writes this segment now" },
	{ MDG_NOT_REPLICA, "the segment of this name is not a replica" },
	{ -EMSGSIZE, "the message is too large" },
	{ -ECANCELED, "the other side does not wait for it, or will not reply" },
	{ -ESTALE, "this process was taken for dead; close and open again" },
	{ -EUSERS, "every place of the channel is taken" },
	{ -ENOENT, "no such namespace, segment, channel or name" },
	{ -EEXIST, "it exists already" },
	{ -EACCES, "permission denied" },
	{ -EPERM, "not the caller's to do: that takes its owner, its holder, or another role" },
	{ -EINVAL,
	  "no such segment, an invalid argument, or nothing is under way that this belongs to" },
	{ -E2BIG, "the options ask for something that this version does not know" },
	{ -ENOMEM, "the memory cannot be had" },
	{ -ENOSPC, "no space left, or a limit is reached: of segments, pages, names or a journal" },
	{ -EMFILE, "the process has too many open files" },
	{ -ENFILE, "the system has too many open files" },
	{ -EIDRM, "it was removed, and can no longer be reached" },
	{ -ENAMETOOLONG, "the path is too long" },
	{ -EROFS, "the file system is read-only, or the namespace was opened for a look" },
	{ -ELOOP, "symbolic links in the path lead in a circle" },
	{ -ENOTDIR, "a part of the path is not a directory" },
	{ -EDEADLK, "this thread holds the object, or is in it, already" },
	{ -EBUSY, "it is in use: somebody holds it, or something of it" },
	{ -ENOLCK, "this thread holds too many locks" },
	{ -ETIMEDOUT, "the deadline has passed" },
	{ -EAGAIN, "not available now" },
	{ -EINTR, "interrupted by a signal handler" },
	{ -EOVERFLOW, "the number would be too large" },
	{ -EOPNOTSUPP, "not possible with this segment" },
	{ -ENOSYS, "the system does not offer what is needed" },
};

const char *mdg_strerror(int code)
{
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (texts[i].code == code)
			return texts[i].text;
	return code < 0 && code > -4096 ? "the system refused" : "unknown code";
}
