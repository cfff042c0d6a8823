/* SPDX-License-Identifier: MIT */
/*
 * keeper.c - the process that keeps a private namespace for as long as anybody may use it.
 *
 *     the caller (a shell)
 *       `- proxy         what the caller waits for: proxy.c
 *            |- witness
 *            `- keeper   a session of its own; holds the lock on the directory
 *                 `- program, and everything that it starts
 *
 * The keeper is a child subreaper: whatever the program starts stays below the keeper, daemons
 * too, and becomes its child when its own parent ends. When no child is left, nobody can use the
 * namespace any more, and it is removed.
 *
 * It tells the proxy what becomes of the program. The program is forked before the keeper leaves
 * for its own session, so the program has the caller's session, terminal and process group, and a
 * signal to that group does not reach the keeper. If the proxy is killed, then what stands for the
 * program is dead in the eyes of the caller, and the keeper kills the program.
 */
#include "run/private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct keeper {
	struct private_room *room;
	int link; /* to the proxy; -1: it has ended, or knows all */
	pid_t proxy;
	pid_t program; /* 0: it has ended */
	bool stopped;  /* the program is, so the proxy is or will be */
	int status;    /* of the program, once it has ended */
	bool told;     /* ... and the proxy knows */
	bool alone;    /* there are no children any more */
};

static void tell(struct keeper *keeper, int word, int value)
{
	struct keeper_message message = { word, value };

	if (keeper->link >= 0)
		(void)send(keeper->link, &message, sizeof message, MSG_NOSIGNAL);
}

/* Only to a proxy that lives: another process could have its number. */
static void signal_proxy(const struct keeper *keeper, int signal)
{
	if (getppid() == keeper->proxy)
		kill(keeper->proxy, signal);
}

static void tell_continued(struct keeper *keeper)
{
	if (!keeper->stopped)
		return;
	keeper->stopped = false;
	tell(keeper, KEEPER_CONTINUED, 0);
	signal_proxy(keeper, SIGCONT);
}

/* A stop is told to the proxy, which then stops by the same signal. SIGSTOP and SIGCONT are sent to
 * it from here, in the order in which they happened. The kernel may not tell that the program was
 * continued, if it has stopped again or ended since. */
static void note_program(struct keeper *keeper, int status)
{
	if (WIFCONTINUED(status) || WIFSTOPPED(status))
		tell_continued(keeper);
	if (WIFCONTINUED(status))
		return;
	if (!WIFSTOPPED(status)) {
		keeper->program = 0;
		keeper->status = status;
		return;
	}
	keeper->stopped = true;
	if (WSTOPSIG(status) == SIGSTOP)
		signal_proxy(keeper, SIGSTOP);
	else
		tell(keeper, KEEPER_STOPPED, WSTOPSIG(status));
}

static void note_children(struct keeper *keeper)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0)
		if (pid == keeper->program)
			note_program(keeper, status);
	keeper->alone = pid < 0 && errno == ECHILD;
}

/* Where nothing else was started, the directory is gone before the caller learns of the end. */
static void note_end(struct keeper *keeper)
{
	if (keeper->alone)
		private_remove(keeper->room);
	if (!keeper->told)
		tell(keeper, keeper->alone ? KEEPER_ENDED_ALL : KEEPER_ENDED, keeper->status);
	keeper->told = true;
	if (keeper->stopped) /* it was killed while it was, or continued first */
		signal_proxy(keeper, SIGCONT);
	keeper->stopped = false;
	if (keeper->link >= 0)
		close(keeper->link);
	keeper->link = -1;
}

static _Noreturn void keep(struct keeper *keeper)
{
	struct signalfd_siginfo info;
	struct pollfd events[2];
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	events[0] =
		(struct pollfd){ signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK), POLLIN, 0 };
	for (;;) {
		note_children(keeper);
		if (keeper->program == 0 && (!keeper->told || keeper->alone))
			note_end(keeper);
		if (keeper->alone)
			_exit(0);
		events[1] = (struct pollfd){ keeper->link, POLLIN, 0 };
		/* The timeout is for the case that there is no descriptor for signals. */
		(void)poll(events, 2, events[0].fd < 0 ? 100 : -1);
		(void)!read(events[0].fd, &info, sizeof info);
		/* The proxy never says anything: its end is all that there is to hear. */
		if (keeper->link >= 0 && events[1].revents != 0) {
			close(keeper->link);
			keeper->link = -1;
			if (keeper->program != 0)
				kill(keeper->program, SIGKILL);
		}
	}
}

/* In the program's process, until it is the program. */
static _Noreturn void start_program(const struct private_start *start, int go)
{
	char byte;

	if (read(go, &byte, 1) != 1)
		_exit(TOOL_TROUBLE); /* the proxy was killed */
	close(go);
	sigaction(SIGCHLD, &start->child_action, NULL);
	sigprocmask(SIG_SETMASK, &start->mask, NULL);
	_exit(start->start(start->context));
}

_Noreturn void keeper_main(struct private_room *room, const struct private_start *start, int link,
                           int go)
{
	struct keeper keeper = { .room = room, .link = link, .proxy = getppid() };

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	keeper.program = fork();
	if (keeper.program == 0) {
		close(link);
		start_program(start, go);
	}
	if (keeper.program < 0) {
		complain("cannot start a process: %s", strerror(errno));
		private_remove(room);
		_exit(TOOL_TROUBLE);
	}
	setsid();
	detach_descriptors((int *[]){ &keeper.link, &room->fd }, 2);
	(void)!chdir("/");
	prctl(PR_SET_NAME, "madang-keeper", 0, 0, 0);
	tell(&keeper, KEEPER_STARTED, (int)keeper.program);
	keep(&keeper);
}
