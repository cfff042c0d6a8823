/* SPDX-License-Identifier: MIT */
/*
 * secret.c - files with a password, a seed or a key: who may read them, and what is in them.
 *
 * A secret that other users can read is none. So such a file is refused, as ssh does it. The file
 * may belong to this user or to root, and its group may read it: that is how root gives a service
 * what it needs. Nobody but its owner may write to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "link/security.h"

static int complain(struct security_words *ret, const char *advice, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int complain(struct security_words *ret, const char *advice, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)vsnprintf(ret->wrong, sizeof ret->wrong, format, list);
	va_end(list);
	(void)snprintf(ret->advice, sizeof ret->advice, "%s", advice);
	return -1;
}

/* Who may see it, by owner and mode. */
static int check_readers(const char *what, const char *path, const struct stat *found,
                         struct security_words *ret)
{
	char advice[sizeof ret->advice];

	if (!S_ISREG(found->st_mode))
		return complain(ret, "give a regular file", "%s %s is not a regular file", what,
		                path);
	if (found->st_uid != geteuid() && found->st_uid != 0)
		return complain(ret, "it has to belong to the user who runs the bridge, or to root",
		                "%s %s belongs to another user (%lu), who can change it", what,
		                path, (unsigned long)found->st_uid);
	(void)snprintf(advice, sizeof advice, "chmod %s %s",
	               (found->st_mode & S_IRGRP) ? "0640" : "0600", path);
	if (found->st_mode & S_IROTH)
		return complain(ret, advice,
		                "every user of this machine may read %s %s (mode %03o)", what, path,
		                (unsigned)(found->st_mode & 0777));
	if (found->st_mode & (S_IWGRP | S_IWOTH))
		return complain(ret, advice, "others than its owner may write to %s %s (mode %03o)",
		                what, path, (unsigned)(found->st_mode & 0777));
	return 0;
}

static int read_all(int fd, char *buffer, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t got = read(fd, buffer + length, size - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (int)length;
}

int secret_read(const char *what, const char *path, char *buffer, size_t size,
                struct security_words *ret)
{
	/* A FIFO would let us wait for ever. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat found;
	int length;

	if (fd < 0)
		return complain(ret,
		                errno == ENOENT ? "is the name right?"
		                                : "the user who runs the bridge has to read it",
		                "%s %s: %s", what, path, strerror(errno));
	if (fstat(fd, &found) != 0 || check_readers(what, path, &found, ret) != 0) {
		if (ret->wrong[0] == '\0')
			(void)complain(ret, "", "%s %s: %s", what, path, strerror(errno));
		(void)close(fd);
		return -1;
	}
	length = read_all(fd, buffer, size);
	(void)close(fd);
	if (length < 0)
		return complain(ret, "", "%s %s: %s", what, path, strerror(-length));
	if ((size_t)length == size) {
		explicit_bzero(buffer, size);
		return complain(ret, "is it the right file?", "%s %s is larger than %zu bytes",
		                what, path, size - 1);
	}
	buffer[length] = '\0';
	if (strlen(buffer) != (size_t)length) {
		explicit_bzero(buffer, size);
		return complain(ret, "is it the right file?", "%s %s is not a text", what, path);
	}
	return length;
}
