/* SPDX-License-Identifier: MIT */
/*
 * userns.h - user namespaces for tests: enters one with a given map, and skips the test where that
 * is not allowed. Include it after check.h.
 */
#ifndef MADANG_TESTS_USERNS_H
#define MADANG_TESTS_USERNS_H

#include "support/check.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

static inline bool userns_write(pid_t pid, const char *name, const char *text)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return written;
}

/* Takes this process into a user namespace of its own. `users` and `groups` are lines "inside
 * outside count". A child that stays outside writes them, with the rights that this process had
 * there. `between` is called inside, before there is any map (NULL: nothing is called). */
static inline bool userns_enter(const char *users, const char *groups, void (*between)(void))
{
	int go[2], done[2];
	char byte = 'x';
	pid_t self = getpid();
	if (pipe2(go, O_CLOEXEC) != 0 || pipe2(done, O_CLOEXEC) != 0)
		return false;
	/* A process that has changed its user may not write its own files in /proc. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	fflush(NULL);
	pid_t helper = fork();
	if (helper == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		if (geteuid() != 0)
			userns_write(self, "setgroups", "deny");
		bool written = userns_write(self, "uid_map", users) &&
		               userns_write(self, "gid_map", groups);
		byte = written ? 'y' : 'n';
		(void)!write(done[1], &byte, 1);
		_exit(0);
	}
	bool entered = helper > 0 && unshare(CLONE_NEWUSER) == 0;
	if (entered && between != NULL)
		between();
	close(go[0]);
	if (entered)
		(void)!write(go[1], &byte, 1);
	close(go[1]);
	entered = entered && read(done[0], &byte, 1) == 1 && byte == 'y';
	close(done[0]);
	close(done[1]);
	while (helper > 0 && waitpid(helper, NULL, 0) < 0 && errno == EINTR)
		;
	return entered;
}

/* Enters a user namespace and becomes 0:0 there, without other groups. `users` and `groups` say
 * which user and group that is outside. */
static inline bool userns_enter_as_root(const char *users, const char *groups)
{
	return userns_enter(users, groups, NULL) && setresgid(0, 0, 0) == 0 &&
	       setresuid(0, 0, 0) == 0;
}

/* Does what `unshare -Ur` does for an ordinary user. */
static inline bool userns_enter_alone(void)
{
	char users[64], groups[64];
	snprintf(users, sizeof users, "0 %u 1", (unsigned)geteuid());
	snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getegid());
	return userns_enter(users, groups, NULL);
}

static inline bool become_user(uid_t uid)
{
	return setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 &&
	       setresuid(uid, uid, uid) == 0;
}

static inline void userns_try(void *user)
{
	CHECK(become_user(*(const uid_t *)user) && userns_enter_alone());
}

static inline void userns_try_range(void *unused)
{
	(void)unused;
	CHECK(userns_enter_as_root("0 100000 65536", "0 100000 65536"));
}

/* Skips the test where root or `user` cannot make a user namespace. */
static inline void userns_begin(uid_t user)
{
	if (geteuid() != 0)
		SKIP("only root can become other users");
	if (!in_child(userns_try_range, NULL) || !in_child(userns_try, &user))
		SKIP("user namespaces cannot be made here");
}

#endif
