/* SPDX-License-Identifier: MIT */
/*
 * log.c - madang run --log: where the program's System V calls are logged.
 *
 * The lines are written by libmadang-sysv in the program and in all that it starts. Each process
 * opens the file by its name, which it finds in MADANG_LOG (src/sysv/log_out.h). So the file must
 * have a name that leads to it for ever: a pipe of the shell's, which has none, will not do. Here
 * the file is opened once, so that a refusal is said before the program starts. The first line says
 * which program it is, and on which day.
 */
#include "base/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define VARIABLE "MADANG_LOG"

static int wish(const char *value)
{
	if (setenv(VARIABLE, value, 1) == 0)
		return TOOL_OK;
	complain("%s", strerror(errno));
	return TOOL_TROUBLE;
}

/* Programs write to their standard error as long as it is the file that it is now. */
static int log_to_stderr(void)
{
	struct stat status;
	char value[64];

	if (fstat(STDERR_FILENO, &status) != 0) {
		complain("--log -: standard error is closed");
		advise("Name a file: --log FILE");
		return TOOL_TROUBLE;
	}
	snprintf(value, sizeof value, "-%llu:%llu", (unsigned long long)status.st_dev,
	         (unsigned long long)status.st_ino);
	return wish(value);
}

static int complain_file(const char *file, int error)
{
	complain("cannot log to %s: %s", file,
	         error == ENXIO ? "nobody reads the pipe, or it is a socket" : strerror(error));
	advise(error == EISDIR   ? "Name a file in it."
	       : error == ENOENT ? "Check the path: the file is made, but no directory."
	       : error == EACCES || error == EPERM
	               ? "Name a file that you may write, or '-' for standard error."
	       : error == ENXIO  ? "Start the reader first."
	       : error == ENOSPC ? "Make room, or name a file elsewhere."
	                         : "");
	return TOOL_TROUBLE;
}

/* Whether this path leads to the file that is open. */
static bool leads_to(const char *path, int fd)
{
	struct stat by_path, opened;

	return stat(path, &by_path) == 0 && fstat(fd, &opened) == 0 &&
	       by_path.st_dev == opened.st_dev && by_path.st_ino == opened.st_ino;
}

/* "# 2026-11-30 19:28:36 UTC, pid 4711: PROGRAM ARGUMENTS" */
static int write_head(const char *file, int fd, char *const arguments[])
{
	char line[1000], shown[512];
	time_t now = time(NULL);
	struct tm tm;
	size_t used =
		strftime(line, sizeof line, "# %Y-%m-%d %H:%M:%S UTC, pid ", gmtime_r(&now, &tm));

	used += (size_t)snprintf(line + used, sizeof line - used, "%d:", (int)getpid());
	for (int i = 0; arguments[i] != NULL && used < sizeof line - sizeof shown - 2; i++)
		used += (size_t)snprintf(line + used, sizeof line - used, " %s",
		                         show_text(shown, sizeof shown, arguments[i]));
	line[used++] = '\n';
	return write(fd, line, used) < 0 ? complain_file(file, errno) : TOOL_OK;
}

static int log_to_file(const char *file, char *const arguments[])
{
	char *path;
	int fd =
		open(file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	int status;

	if (fd < 0)
		return complain_file(file, errno);
	path = realpath(file, NULL);
	if (path == NULL || !leads_to(path, fd)) {
		complain("cannot log to %s: programs that are started could not open it again",
		         file);
		advise("Name a file, or a pipe that mkfifo(1) has made, or '-' for standard "
		       "error.");
		status = TOOL_TROUBLE;
	} else if (strlen(path) >= PATH_MAX) {
		status = complain_file(file, ENAMETOOLONG);
	} else {
		status = write_head(file, fd, arguments);
	}
	if (status == TOOL_OK)
		status = wish(path);
	free(path);
	close(fd);
	return status;
}

int log_prepare(const char *file, char *const arguments[])
{
	if (file[0] == '\0')
		return usage_error("--log: which file?");
	return strcmp(file, "-") == 0 ? log_to_stderr() : log_to_file(file, arguments);
}
