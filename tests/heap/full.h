/* SPDX-License-Identifier: MIT */
/*
 * full.h - a file system of the test's own, and how much room it has. Include it after check.h.
 */
#ifndef MADANG_TESTS_HEAP_FULL_H
#define MADANG_TESTS_HEAP_FULL_H

#include "support/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

enum { FULL_PAGE = 4096 };

static const char *full_directory; /* where it is mounted */

static inline int64_t room(void)
{
	struct statvfs status;
	CHECK(statvfs(full_directory, &status) == 0);
	return (int64_t)status.f_bfree * (int64_t)status.f_bsize;
}

static inline const char *full_path(const char *name)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/%s", full_directory, name);
	return path;
}

/* A file that leaves so many bytes on the file system; and nothing of it. */
static inline void leave_room(int64_t bytes)
{
	static const char data[FULL_PAGE] = { 1 };
	int fd = open(full_path("full"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (!CHECK(fd >= 0))
		return;
	for (int64_t left = room() - bytes; left > 0; left -= (int64_t)sizeof data)
		CHECK(write(fd, data, sizeof data) == (ssize_t)sizeof data);
	close(fd);
}

static inline void make_room(void)
{
	CHECK(unlink(full_path("full")) == 0);
}

static inline void full_no_signal(int signal)
{
	static const char text[] = "SIGBUS\n";
	(void)signal;
	(void)!write(2, text, sizeof text - 1);
	_exit(3);
}

/* Mounts it there, for this process alone. SIGBUS ends the process with 3. */
static inline void full_mount(const char *options)
{
	struct sigaction action = { .sa_handler = full_no_signal };
	if (geteuid() != 0 && !userns_enter_alone())
		SKIP("no user namespace can be made here");
	sigaction(SIGBUS, &action, NULL);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("heap", full_directory, "tmpfs", 0, options) != 0)
		SKIP("no file system of its own can be mounted here");
}

/* Makes the directory beside the namespace, and works in a child. True: it was skipped, or all
 * is well. */
static inline bool full_in_child(void (*work)(int), int argument)
{
	static char path[256];
	int status = -1;
	snprintf(path, sizeof path, "%s-mount", getenv("MADANG_NAMESPACE"));
	CHECK(mkdir(path, 0700) == 0 || errno == EEXIST);
	full_directory = path;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		check_failures = 0;
		full_mount("mode=0700,size=24m");
		work(argument);
		umount2(full_directory, MNT_DETACH);
		fflush(NULL);
		_exit(test_result());
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
}

#endif
