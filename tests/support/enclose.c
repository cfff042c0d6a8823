/* SPDX-License-Identifier: MIT */
/*
 * enclose - runs a program where only Madang can give it System V shared memory.
 *
 *     enclose [OPTIONS] [--] PROGRAM ARGUMENTS...
 *       --shared       make the namespace for several users
 *       --kernel       run on the kernel's own System V IPC, the oracle, without Madang
 *       --preload LIB  preload LIB
 *       --allow        do not forbid the kernel's System V calls
 *       --timeout S    kill everything after S seconds (110). If MADANG_SOAK is set, its
 *                      seconds are added.
 *       --segments N, --shmmax N, --shmall N   limits of the namespace
 *
 * enclose makes a directory in the memory file system, and points MADANG_NAMESPACE
 * into it. It forbids the kernel calls (ban.h), and runs the program as the leader
 * of a process group. It removes the directory when the program has ended. It exits
 * with the program's exit code, or with 128 + signal if a signal killed the program.
 *
 * enclose is a subreaper: every orphan among its descendants becomes its child. When
 * the program has ended, enclose kills those that are left. So nothing outlives a
 * test.
 *
 * With --kernel the program gets an IPC namespace of its own if the system allows
 * it. Nobody else makes segments there, and MADANG_ORACLE is "alone". Otherwise
 * MADANG_ORACLE is "together". An ordinary user gets the IPC namespace together
 * with a user namespace. Only root can set limits there. For others a test that
 * sets limits is skipped (77).
 */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "madang/segment.h"
#include "reach/ban.h"

enum { EXIT_SKIPPED = 77, EXIT_OURS = 125, EXIT_NOT_RUN = 127 };

struct settings {
	bool shared, kernel, allow;
	const char *preload;
	long timeout;
	unsigned long long segments, shmmax, shmall; /* 0: the default */
	char **program;
};

static char outer[256];               /* the directory made for this run; "": there is none */
static char inner[sizeof(outer) + 8]; /* the namespace in it */

static void die(const char *what)
{
	fprintf(stderr, "enclose: %s: %s\n", what, strerror(errno));
	exit(EXIT_OURS);
}

static unsigned long long number(const char *text)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 0);
	if (errno != 0 || *end != '\0' || end == text) {
		errno = EINVAL;
		die(text);
	}
	return value;
}

static struct settings read_settings(int argc, char **argv)
{
	static const struct option options[] = {
		{ "shared", no_argument, NULL, 's' },
		{ "kernel", no_argument, NULL, 'k' },
		{ "preload", required_argument, NULL, 'p' },
		{ "allow", no_argument, NULL, 'a' },
		{ "timeout", required_argument, NULL, 't' },
		{ "segments", required_argument, NULL, 'n' },
		{ "shmmax", required_argument, NULL, 'm' },
		{ "shmall", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	struct settings settings = { .timeout = 110 };
	int option;
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 's':
			settings.shared = true;
			break;
		case 'k':
			settings.kernel = true;
			break;
		case 'p':
			settings.preload = optarg;
			break;
		case 'a':
			settings.allow = true;
			break;
		case 't':
			settings.timeout = (long)number(optarg);
			break;
		case 'n':
			settings.segments = number(optarg);
			break;
		case 'm':
			settings.shmmax = number(optarg);
			break;
		case 'l':
			settings.shmall = number(optarg);
			break;
		default:
			exit(EXIT_OURS);
		}
	}
	const char *soak = getenv("MADANG_SOAK");
	if (soak != NULL)
		settings.timeout += (long)number(soak);
	settings.program = argv + optind;
	if (settings.program[0] == NULL) {
		fprintf(stderr, "usage: enclose [OPTIONS] [--] PROGRAM ARGUMENTS...\n");
		exit(EXIT_OURS);
	}
	return settings;
}

static bool limited(const struct settings *settings)
{
	return settings->segments != 0 || settings->shmmax != 0 || settings->shmall != 0;
}

/* ---- the namespace directory ------------------------------------------ */

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
	(void)stat;
	(void)kind;
	(void)walk;
	remove(path);
	return 0;
}

static void remove_directory(void)
{
	if (outer[0] != '\0')
		nftw(outer, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static const char *place_for_directories(void)
{
	if (access("/dev/shm", W_OK | X_OK) == 0)
		return "/dev/shm";
	const char *tmpdir = getenv("TMPDIR");
	return tmpdir != NULL && *tmpdir != '\0' ? tmpdir : "/tmp";
}

/* The library makes the namespace by itself, so that this is tested too. enclose makes only a
 * namespace that a program cannot ask for through the environment. */
static void make_namespace(const struct settings *settings)
{
	snprintf(outer, sizeof(outer), "%s/madang-test-XXXXXX", place_for_directories());
	if (mkdtemp(outer) == NULL) {
		fprintf(stderr, "enclose: %s: %s\n", outer, strerror(errno));
		exit(EXIT_OURS);
	}
	atexit(remove_directory);
	snprintf(inner, sizeof(inner), "%s/ns", outer);
	setenv("MADANG_NAMESPACE", inner, 1);
	if (!settings->shared && !limited(settings))
		return;

	if (settings->shared && chmod(outer, 0711) != 0)
		die(outer);
	struct mdg_namespace_options options = {
		.size = sizeof(options),
		.flags = settings->shared ? MDG_NS_SHARED : 0,
		.segments = (uint32_t)settings->segments,
		.shmmax = settings->shmmax,
		.shmall = settings->shmall,
	};
	mdg_namespace *ns;
	int rc = mdg_namespace_open(&ns, inner, &options);
	if (rc != 0) {
		fprintf(stderr, "enclose: namespace %s: %s\n", inner, mdg_strerror(rc));
		exit(EXIT_OURS);
	}
	mdg_namespace_close(ns);
}

/* ---- the child --------------------------------------------------------- */

static bool set_kernel_limit(const char *name, unsigned long long value)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	FILE *file = value != 0 ? fopen(path, "we") : NULL;
	if (file == NULL)
		return value == 0;
	bool written = fprintf(file, "%llu\n", value) > 0;
	return fclose(file) == 0 && written;
}

static bool write_about_self(const char *name, const char *text)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/%s", name);
	FILE *file = fopen(path, "we");
	if (file == NULL)
		return false;
	bool written = fputs(text, file) >= 0;
	return fclose(file) == 0 && written;
}

/* An IPC namespace in a user namespace of its own, in which the user stays who he is. The program
 * has no more rights than before: its exec takes away those that the user namespace gave. */
static bool unshare_as_user(void)
{
#ifdef CLONE_NEWIPC
	char users[64], groups[64];
	snprintf(users, sizeof(users), "%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
	snprintf(groups, sizeof(groups), "%u %u 1", (unsigned)getegid(), (unsigned)getegid());
	return unshare(CLONE_NEWUSER | CLONE_NEWIPC) == 0 &&
	       write_about_self("setgroups", "deny") && write_about_self("uid_map", users) &&
	       write_about_self("gid_map", groups);
#else
	return false;
#endif
}

static bool enter_ipc_namespace(void)
{
#ifdef CLONE_NEWIPC
	if (unshare(CLONE_NEWIPC) == 0)
		return true;
#endif
	if (geteuid() == 0)
		return false;
	/* Half of it cannot be taken back, so a child tries first. */
	pid_t child = fork();
	if (child == 0)
		_exit(unshare_as_user() ? 0 : 1);
	int status = -1;
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child > 0 && status == 0 && unshare_as_user();
}

static void enter_oracle(const struct settings *settings)
{
	bool is_alone = enter_ipc_namespace();
	setenv("MADANG_ORACLE", is_alone ? "alone" : "together", 1);
	unsetenv("MADANG_NAMESPACE");
	if (!limited(settings))
		return;
	if (!is_alone || !set_kernel_limit("shmmni", settings->segments) ||
	    !set_kernel_limit("shmmax", settings->shmmax) ||
	    !set_kernel_limit("shmall", settings->shmall)) {
		printf("skipped: the kernel's limits can only be set by root, in an IPC "
		       "namespace\n");
		fflush(stdout);
		_exit(EXIT_SKIPPED);
	}
}

static void run_program(const struct settings *settings, const sigset_t *mask)
{
	setpgid(0, 0);
	if (settings->kernel)
		enter_oracle(settings);
	else
		unsetenv("MADANG_ORACLE");
	if (!settings->kernel && !settings->allow && ban_kernel_ipc() != 0) {
		fprintf(stderr, "enclose: cannot forbid the kernel's calls: %s\n", strerror(errno));
		_exit(EXIT_OURS);
	}
	if (settings->preload != NULL && !settings->kernel)
		setenv("LD_PRELOAD", settings->preload, 1);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(settings->program[0], settings->program);
	fprintf(stderr, "enclose: %s: %s\n", settings->program[0], strerror(errno));
	_exit(EXIT_NOT_RUN);
}

/* ---- waiting and cleaning up ------------------------------------------- */

static pid_t parent_of(const char *pid)
{
	char path[300], text[512];
	snprintf(path, sizeof(path), "/proc/%.200s/stat", pid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return -1;
	size_t length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	/* The command in parentheses may contain anything, also a parenthesis. */
	const char *rest = strrchr(text, ')');
	int parent = -1;
	if (rest == NULL || sscanf(rest, ") %*c %d", &parent) != 1)
		return -1;
	return (pid_t)parent;
}

static bool kill_children(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool any = false;
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		if (parent_of(entry->d_name) == getpid())
			any = kill((pid_t)atol(entry->d_name), SIGKILL) == 0 || any;
	}
	if (proc != NULL)
		closedir(proc);
	return any;
}

/* When an orphan is killed, its children come here. So this goes on until there are none. */
static void kill_strays(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	while (kill_children()) {
		waitpid(-1, NULL, 0);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static long milliseconds_until(const struct timespec *end)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)(end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
}

/* Waits for the program, until the time is over or a signal tells enclose to end. */
static int wait_for(pid_t program, const struct settings *settings, const sigset_t *signals)
{
	struct timespec end;
	int status;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += settings->timeout;
	for (;;) {
		pid_t ended;
		while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
			if (ended == program)
				return status;
		long left = milliseconds_until(&end);
		struct timespec wait = { left / 1000, left % 1000 * 1000000 };
		int got = left > 0 ? sigtimedwait(signals, NULL, &wait) : 0;
		if (got == SIGCHLD || (got < 0 && left > 0))
			continue;
		if (left <= 0)
			fprintf(stderr, "enclose: %s: killed, not done after %ld s\n",
			        settings->program[0], settings->timeout);
		kill(-program, SIGKILL);
		kill(program, SIGKILL);
		while (waitpid(program, &status, 0) < 0 && errno == EINTR)
			;
		return status;
	}
}

int main(int argc, char **argv)
{
	struct settings settings = read_settings(argc, argv);
	if (!settings.kernel)
		make_namespace(&settings);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

	sigset_t signals, before;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, &before);

	pid_t program = fork();
	if (program < 0)
		die("fork");
	if (program == 0)
		run_program(&settings, &before);
	setpgid(program, program); /* here as well: whoever comes first */
	int status = wait_for(program, &settings, &signals);
	kill(-program, SIGKILL);
	kill_strays();
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "enclose: %s: ended by signal %d (%s)\n", settings.program[0],
	        WTERMSIG(status), strsignal(WTERMSIG(status)));
	return 128 + WTERMSIG(status);
}
