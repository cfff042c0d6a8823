/* SPDX-License-Identifier: MIT */
/*
 * keeper.c - the process that starts the server, and ends it when the bridge is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/server.h"

enum { PATIENCE = 5 /* seconds for the server to end in order */ };

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	(void)remove(path);
	return 0;
}

void server_room_remove(const char *room)
{
	(void)nftw(room, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Becomes the server. Only calls that are safe here, and nothing comes back. */
static _Noreturn void become_server(const struct server_job *job, pid_t keeper)
{
	char log[512];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper) /* it has died before */
		_exit(1);
	snprintf(log, sizeof log, "%s/log", job->room);
	int file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (file >= 0) {
		(void)dup2(file, STDOUT_FILENO);
		(void)dup2(file, STDERR_FILENO);
	}
	execl(job->program, "nats-server", "--addr", "127.0.0.1", "--port", job->port,
	      "--jetstream", "--store_dir", job->store, "--ports_file_dir", job->room,
	      (char *)NULL);
	dprintf(STDERR_FILENO, "cannot execute %s\n", job->program);
	_exit(127);
}

/* Descriptors that the bridge has, but for these. */
static void close_others(int life, int news)
{
	long most = sysconf(_SC_OPEN_MAX);

	for (int fd = STDERR_FILENO + 1; fd < (most > 0 && most < 4096 ? (int)most : 4096); fd++)
		if (fd != life && fd != news)
			(void)close(fd);
}

static void on_child(int number)
{
	(void)number;
}

/* Sleeps until the bridge or the server is gone. True: the server is. */
static bool wait_for_either(pid_t server, int life)
{
	struct pollfd waits = { .fd = life, .events = 0 };
	sigset_t none, child;

	sigemptyset(&none);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	for (;;) {
		if (waitpid(server, NULL, WNOHANG) == server)
			return true;
		int rc = ppoll(&waits, 1, NULL, &none); /* a child's end interrupts it */
		if (rc > 0 || (rc < 0 && errno != EINTR))
			return false;
	}
}

/* Ends it in order, and by force if that takes too long. */
static void end_server(pid_t server)
{
	sigset_t child;
	struct timespec most = { PATIENCE, 0 };

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	kill(server, SIGTERM);
	while (waitpid(server, NULL, WNOHANG) != server) {
		if (sigtimedwait(&child, NULL, &most) >= 0 || errno == EINTR)
			continue;
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
		return;
	}
}

_Noreturn void server_keeper_run(const struct server_job *job)
{
	pid_t self = getpid(), server;
	const struct sigaction ignored = { .sa_handler = SIG_IGN };
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	const struct sigaction child = { .sa_handler = on_child };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	prctl(PR_SET_NAME, "madang-keeper");
	for (int fd = 0; fd <= STDERR_FILENO && null >= 0; fd++)
		(void)dup2(null,
		           fd); /* who waits for the end of the bridge's output waits no longer */
	close_others(job->life, job->news);
	sigaction(SIGCHLD, &child, NULL);
	sigaction(SIGHUP, &usual, NULL);
	sigaction(SIGTERM, &usual, NULL);
	sigaction(SIGPIPE, &usual, NULL);
	server = fork();
	if (server == 0)
		become_server(job, self);
	sigaction(SIGPIPE, &ignored, NULL);
	sigaction(SIGTERM, &ignored, NULL); /* it ends with the bridge, and not before */
	sigaction(SIGHUP, &ignored, NULL);
	if (server > 0)
		dprintf(job->news, "%d\n", (int)server);
	if (server > 0 && !wait_for_either(server, job->life))
		end_server(server);
	/* The bridge reads why from the log, and removes the directory if it still lives. */
	(void)close(job->news);
	struct pollfd waits = { .fd = job->life, .events = 0 };
	while (poll(&waits, 1, -1) < 0 && errno == EINTR)
		continue;
	server_room_remove(job->room);
	_exit(0);
}
