/* SPDX-License-Identifier: MIT */
/*
 * proxy.c - the process that stands for the program of `madang run --private`.
 *
 * The caller waits for it, signals it, and stops and continues it. So whatever happens to the
 * program happens to the proxy: it stops when the program stops, by the same signal; it ends
 * when the program ends, with the same exit code or by the same signal. What is sent to the
 * proxy alone is passed on.
 *
 * The program is in the same process group, and is sent what the group is sent: the terminal's
 * signals, and those of a shell to its job. Those are not passed on. witness.c tells which they
 * are. SIGCONT always is: a process that runs is not harmed by it.
 *
 * keeper.c starts the program and tells what becomes of it. If the keeper is killed, the program
 * becomes the proxy's own child, for the proxy is a child subreaper too.
 */
#include "run/private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424 /* the same on every machine */
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

struct proxy {
	struct witness witness;
	pid_t keeper; /* 0: it has ended before its time */
	pid_t program;
	int pidfd;    /* of the program: its number may be another's when it has ended. -1: none */
	int link;     /* to the keeper */
	int signals;  /* a descriptor to read them from */
	bool stopped; /* the program is, by this signal: */
	int stop_signal;
	bool ended;
	int status; /* then, as waitpid gives it */
};

/* ---- passing on ------------------------------------------------------------- */

static bool is_in_our_group(pid_t program)
{
	return getpgid(program) == getpgrp();
}

static void pass_on(const struct proxy *proxy, const struct signalfd_siginfo *info)
{
	int signal = (int)info->ssi_signo;
	siginfo_t queued = { .si_signo = signal, .si_code = SI_QUEUE };

	queued.si_pid = getpid();
	queued.si_uid = getuid();
	queued.si_value.sival_ptr = (void *)(uintptr_t)info->ssi_ptr; /* the int is a part of it */
	siginfo_t *value = info->ssi_code == SI_QUEUE ? &queued : NULL;
	if (proxy->pidfd >= 0 &&
	    syscall(SYS_pidfd_send_signal, proxy->pidfd, signal, value, 0) == 0)
		return;
	if (proxy->pidfd < 0 || errno == ENOSYS)
		kill(proxy->program, signal);
}

static void handle_signal(const struct proxy *proxy, const struct signalfd_siginfo *info)
{
	int signal = (int)info->ssi_signo;

	if (signal == SIGCHLD)
		return;
	if (signal == SIGCONT) {
		/* The keeper's own says only that the program was continued. */
		if (proxy->keeper == 0 || info->ssi_pid != (uint32_t)proxy->keeper)
			pass_on(proxy, info);
		return;
	}
	if (!witness_saw(&proxy->witness, info) || !is_in_our_group(proxy->program))
		pass_on(proxy, info);
}

/* ---- what becomes of the program ------------------------------------------------ */

static void note_status(struct proxy *proxy, int status)
{
	proxy->stopped = WIFSTOPPED(status);
	if (WIFSTOPPED(status))
		proxy->stop_signal = WSTOPSIG(status);
	proxy->ended = WIFEXITED(status) || WIFSIGNALED(status);
	proxy->status = status;
}

/* The keeper was killed. Its children, if it had any, are ours now. */
static void note_own_children(struct proxy *proxy)
{
	int status;
	pid_t pid;

	while (!proxy->ended && (pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0)
		if (pid == proxy->program)
			note_status(proxy, status);
}

/* One message of the keeper. False: there is none. */
static bool hear(struct proxy *proxy)
{
	struct keeper_message message;
	ssize_t length =
		proxy->link < 0 ? -1 : recv(proxy->link, &message, sizeof message, MSG_DONTWAIT);

	if (length == 0) {
		close(proxy->link);
		proxy->link = -1;
		waitpid(proxy->keeper, NULL, 0);
		proxy->keeper = 0;
	}
	if (length != (ssize_t)sizeof message)
		return false;
	switch (message.word) {
	case KEEPER_STOPPED:
		proxy->stopped = true;
		proxy->stop_signal = message.value;
		break;
	case KEEPER_CONTINUED:
		proxy->stopped = false;
		break;
	case KEEPER_ENDED_ALL: /* wait: what the program used is counted for our own parent then */
		waitpid(proxy->keeper, NULL, 0);
		note_status(proxy, message.value);
		break;
	case KEEPER_ENDED:
		note_status(proxy, message.value);
		break;
	}
	return true;
}

static void hear_all(struct proxy *proxy)
{
	while (!proxy->ended && hear(proxy))
		;
	if (proxy->keeper == 0)
		note_own_children(proxy);
}

/*
 * Stops this process by the signal that stopped the program, unless the program goes on
 * meanwhile. The signal is sent while it is blocked, and taken when it is let through. Between
 * the two we listen once more. If the program is continued before that, we hear of it and let
 * nothing through; if after, the keeper's SIGCONT takes the waiting signal away.
 */
static void stop_likewise(struct proxy *proxy)
{
	static const struct timespec now;
	int signal = proxy->stop_signal;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	kill(getpid(), signal);
	hear_all(proxy);
	if (proxy->stopped && !proxy->ended) {
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		sigprocmask(SIG_BLOCK, &set, NULL);
	} else {
		(void)sigtimedwait(&set, NULL, &now);
	}
	proxy->stopped = false;
}

static void stand_in(struct proxy *proxy)
{
	struct signalfd_siginfo info;

	while (!proxy->ended) {
		struct pollfd events[2] = { { proxy->signals, POLLIN, 0 },
			                    { proxy->link, POLLIN, 0 } };
		(void)poll(events, 2, -1);
		hear_all(proxy);
		/* The program's own stop is the answer to the signal that stopped it. So the
		 * signals that came before are looked at first. */
		while (!proxy->ended && read(proxy->signals, &info, sizeof info) == sizeof info)
			handle_signal(proxy, &info);
		hear_all(proxy);
		if (proxy->stopped && !proxy->ended)
			stop_likewise(proxy);
	}
}

/* ---- beginning and end ------------------------------------------------------------ */

/* Ends as the program did. The core is the program's, not ours. */
static int end_likewise(int status)
{
	struct sigaction by_default = { .sa_handler = SIG_DFL };
	struct rlimit no_core = { 0, 0 };
	sigset_t set;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	sigaction(WTERMSIG(status), &by_default, NULL);
	sigemptyset(&set);
	sigaddset(&set, WTERMSIG(status));
	kill(getpid(), WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + WTERMSIG(status); /* the first process of a pid namespace cannot die so */
}

/* Waits until the keeper has forked the program, and lets it start. */
static bool let_start(struct proxy *proxy, int go)
{
	struct keeper_message message;
	ssize_t length;

	do
		length = recv(proxy->link, &message, sizeof message, 0);
	while (length < 0 && errno == EINTR);
	if (length != (ssize_t)sizeof message || message.word != KEEPER_STARTED)
		return false;
	proxy->program = message.value;
	proxy->pidfd = (int)syscall(SYS_pidfd_open, proxy->program, 0);
	return write(go, "", 1) == 1;
}

static int stand_for(struct proxy *proxy, int go)
{
	sigset_t all;

	detach_descriptors((int *[]){ &proxy->link, &go }, 2);
	witness_begin(&proxy->witness, proxy->link);
	sigfillset(&all);
	proxy->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (proxy->signals < 0 || !let_start(proxy, go)) {
		witness_end(&proxy->witness);
		return TOOL_TROUBLE;
	}
	close(go);
	stand_in(proxy);
	witness_end(&proxy->witness);
	if (proxy->keeper == 0)
		private_sweep(); /* in the keeper's place, if nobody uses it */
	return end_likewise(proxy->status);
}

static int fail(const struct private_room *room, const char *what)
{
	complain("cannot make %s: %s", what, strerror(errno));
	private_remove(room);
	return TOOL_TROUBLE;
}

int private_run(struct private_room *room, int (*start)(void *), void *context)
{
	struct private_start how = { .start = start, .context = context };
	struct proxy proxy = { 0 };
	struct sigaction by_default = { .sa_handler = SIG_DFL };
	int ends[2], go[2];
	sigset_t all;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return fail(room, "a socket");
	if (pipe2(go, O_CLOEXEC) != 0)
		return fail(room, "a pipe");
	/* A caller may ignore SIGCHLD, and then nobody could wait. */
	sigaction(SIGCHLD, &by_default, &how.child_action);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &how.mask);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	proxy.keeper = fork();
	if (proxy.keeper < 0)
		return fail(room, "a process");
	if (proxy.keeper == 0) {
		close(ends[0]);
		close(go[1]);
		keeper_main(room, &how, ends[1], go[0]);
	}
	close(room->fd);
	close(ends[1]);
	close(go[0]);
	proxy.link = ends[0];
	return stand_for(&proxy, go[1]);
}
