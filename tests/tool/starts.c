/* SPDX-License-Identifier: MIT */
/*
 * starts.c - starts a program in each way that there is, for the test of `madang run --strict`.
 *
 *     starts WAY PROGRAM [ARGUMENT]   says how it ended, or why it did not begin
 *     starts bare PROGRAM [ARGUMENT]  execve with one variable in the environment
 *     starts wiped PROGRAM            clearenv, then system
 *     starts raw                      shmget as a bare system call, not through syscall(2)
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/raw.h"

/* glibc since 2.34; musl has none. */
#if defined(__GLIBC__)
#define HAS_EXECVEAT __GLIBC_PREREQ(2, 34)
#else
#define HAS_EXECVEAT 0
#endif

static char *bare[] = { (char *)(size_t) "A=b", NULL };

/* In a child. Returns only when it fails. */
static void become(const char *way, const char *program, char **arguments)
{
	if (strcmp(way, "execve") == 0)
		execve(program, arguments, environ);
	else if (strcmp(way, "bare") == 0)
		execve(program, arguments, bare);
	else if (strcmp(way, "execv") == 0)
		execv(program, arguments);
	else if (strcmp(way, "execvp") == 0)
		execvp(program, arguments);
	else if (strcmp(way, "execvpe") == 0)
		execvpe(program, arguments, environ);
	else if (strcmp(way, "execl") == 0)
		execl(program, arguments[0], arguments[1], NULL);
	else if (strcmp(way, "execlp") == 0)
		execlp(program, arguments[0], arguments[1], NULL);
	else if (strcmp(way, "execle") == 0)
		execle(program, arguments[0], arguments[1], NULL, bare);
	else if (strcmp(way, "fexecve") == 0)
		fexecve(open(program, O_RDONLY | O_CLOEXEC), arguments, environ);
#if HAS_EXECVEAT
	else if (strcmp(way, "execveat") == 0)
		execveat(open(program, O_RDONLY | O_CLOEXEC), "", arguments, environ,
		         AT_EMPTY_PATH);
#else
	else if (strcmp(way, "execveat") == 0)
		execve(program, arguments, environ);
#endif
	else
		_exit(99);
}

static void say(const char *way, int error, int status)
{
	if (error == EACCES)
		printf("%s: EACCES\n", way);
	else if (error != 0)
		printf("%s: %s\n", way, strerror(error));
	else if (WIFEXITED(status))
		printf("%s: exit %d\n", way, WEXITSTATUS(status));
	else
		printf("%s: killed\n", way);
}

/* vfork, as shells and posix_spawn have it: the child says its error in the parent's memory. */
static void start(const char *way, const char *program, char **arguments)
{
	volatile int error = 0;
	int status = 0;
	pid_t pid = vfork();
	if (pid == 0) {
		become(way, program, arguments);
		error = errno;
		_exit(127);
	}
	waitpid(pid, &status, 0);
	say(way, error, status);
}

static void spawn(const char *way, const char *program, char **arguments)
{
	int status = 0;
	pid_t pid = 0;
	errno = 0;
	int error = strcmp(way, "posix_spawnp") == 0
	                    ? posix_spawnp(&pid, program, NULL, NULL, arguments, environ)
	                    : posix_spawn(&pid, program, NULL, NULL, arguments, bare);
	if (error == 0)
		waitpid(pid, &status, 0);
	else if (errno != 0)
		printf("errno was changed\n");
	say(way, error, status);
}

static void by_shell(const char *way, const char *program, const char *argument)
{
	char command[4096];
	snprintf(command, sizeof command, "'%s' '%s'", program, argument);
	if (strcmp(way, "wiped") == 0)
		clearenv();
	fflush(stdout);
	if (strcmp(way, "popen") != 0) {
		int status = system(command);
		say(way, status < 0 ? errno : 0, status);
		return;
	}
	FILE *stream = popen(command, "r");
	for (int c; stream != NULL && (c = getc(stream)) != EOF;)
		putchar(c);
	if (stream != NULL)
		say(way, 0, pclose(stream));
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "raw") == 0) {
#if defined(SYS_shmget)
		long id = MDG__RAW(SYS_shmget, IPC_PRIVATE, 4096, 0600);
#else
		long id = MDG__RAW(SYS_ipc, 23, IPC_PRIVATE, 4096, 0600, NULL, 0);
#endif
		printf("raw: %s\n", id >= 0         ? "the kernel's segment"
		                    : id == -ENOSYS ? "ENOSYS"
		                                    : "?");
		return 0;
	}
	if (argc < 3)
		return 2;
	char *arguments[] = { argv[2], argc > 3 ? argv[3] : NULL, NULL };
	if (strncmp(argv[1], "posix", 5) == 0)
		spawn(argv[1], argv[2], arguments);
	else if (strcmp(argv[1], "system") == 0 || strcmp(argv[1], "popen") == 0 ||
	         strcmp(argv[1], "wiped") == 0)
		by_shell(argv[1], argv[2], argc > 3 ? argv[3] : "");
	else
		start(argv[1], argv[2], arguments);
	return 0;
}
