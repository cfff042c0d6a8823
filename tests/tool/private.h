/* SPDX-License-Identifier: MIT */
/*
 * private.h - for the tests of `madang run --private`: starts it, and talks with what it started.
 *
 * The program that it runs is the test itself, in a role (`test --role NAME`). A role prints lines
 * to standard output, and the test reads them from a pipe. No result depends on time: what the test
 * waits for either comes, or the test's alarm ends it.
 */
#ifndef MADANG_TESTS_TOOL_PRIVATE_H
#define MADANG_TESTS_TOOL_PRIVATE_H

#include "support/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>

#define SECONDS 50 /* for a whole test; ctest waits a little longer */

static const char *madang_path, *own_path;

/* A running `madang run --private`. */
struct run {
	pid_t pid;  /* of the proxy, the leader of a process group */
	FILE *says; /* what the role prints */
	int hears;  /* the role's standard input */
	pid_t program, keeper;
	char room[256]; /* the namespace's directory */
};

static inline void pause_shortly(void)
{
	nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
}

/* Waits for something that is going to be so. */
#define AWAIT(expression)                                                                          \
	do {                                                                                       \
		while (!(expression))                                                              \
			pause_shortly();                                                           \
	} while (0)

static inline bool is_there(const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0;
}

/* Zombies are not alive. */
static inline bool is_alive(pid_t pid)
{
	char path[64], text[256], *after;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *stream = fopen(path, "re");
	if (stream == NULL)
		return false;
	size_t length = fread(text, 1, sizeof text - 1, stream);
	fclose(stream);
	text[length] = '\0';
	after = strrchr(text, ')');
	return after != NULL && after[2] != 'Z' && after[2] != 'X';
}

/* The next line of the role, without its end; "" at the end of all. */
static inline const char *next_line(struct run *run)
{
	static char line[512];
	if (fgets(line, sizeof line, run->says) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* What whoever started the test ignores is not to be ignored by the roles. */
static inline void by_default(void)
{
	for (int number = 1; number < 32; number++)
		(void)signal(number, SIG_DFL);
}

static inline void start_run(struct run *run, const char *role)
{
	int out[2], in[2];
	if (pipe2(out, O_CLOEXEC) != 0 || pipe2(in, O_CLOEXEC) != 0)
		exit(1);
	run->pid = fork();
	if (run->pid == 0) {
		setpgid(0, 0);
		by_default();
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(madang_path, "madang", "run", "--private", "--", own_path, "--role", role,
		      NULL);
		_exit(125);
	}
	setpgid(run->pid, run->pid);
	close(out[1]);
	close(in[0]);
	run->says = fdopen(out[0], "r");
	run->hears = in[1];
}

/* ... until the role has introduced itself. */
static inline void begin_run(struct run *run, const char *role)
{
	int program = 0, keeper = 0;
	start_run(run, role);
	CHECK(sscanf(next_line(run), "%d %d %255s", &program, &keeper, run->room) == 3);
	run->program = program;
	run->keeper = keeper;
}

static inline void introduce(void)
{
	printf("%d %d %s\n", (int)getpid(), (int)getppid(), getenv("MADANG_NAMESPACE"));
	fflush(stdout);
}

static inline void tell_role(const struct run *run, const char *word)
{
	CHECK(write(run->hears, word, strlen(word)) == (ssize_t)strlen(word));
}

/* Waits for the proxy's end: its status. */
static inline int end_run(struct run *run)
{
	int status = -1;
	while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
		;
	fclose(run->says);
	close(run->hears);
	return status;
}

/* A segment that stays attached while the process lives. */
static inline int hold_segment(void)
{
	int id = shmget(IPC_PRIVATE, 5000, 0600);
	return id >= 0 && shmat(id, NULL, 0) != (void *)-1 ? id : -1;
}

/* The common beginning of main: the test, or one of its roles. Returns the role, or NULL. */
static inline const char *begin_test(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "--role") == 0)
		return argv[2];
	if (argc < 2)
		SKIP("%s MADANG: the tool", argv[0]);
	madang_path = argv[1];
	own_path = realpath("/proc/self/exe", NULL);
	if (own_path == NULL)
		SKIP("/proc is not mounted");
	for (int fd = 3; fd < 1024; fd++) /* whatever ctest's caller left open */
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	unsetenv("MADANG_NAMESPACE");
	unsetenv("LD_PRELOAD");
	signal(SIGPIPE, SIG_IGN);
	alarm(SECONDS);
	return NULL;
}

#endif
