/* SPDX-License-Identifier: MIT */
/*
 * witness.c - was a signal sent to this process alone, or to its process group?
 *
 * A process cannot see that from the signal. It matters to a process that passes signals on to
 * its child in the same group: the child would get what was sent to the group twice. So a second
 * process in the group, which blocks every signal, is asked whether the signal waits there too.
 *
 * The kernel delivers a signal to a group while it holds its lock on the table of processes for
 * reading; setpgid() takes that lock for writing. So once setpgid() has returned, whoever of the
 * group was to get the signal has got it.
 *
 * SIGSTOP cannot be blocked and stops the witness with its group. It is continued before it is
 * asked, so it cannot be asked about SIGCONT.
 */
#include "run/private.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 2000 /* for a witness that somebody keeps stopping */

static _Noreturn void answer(int link)
{
	static const struct timespec now;
	signed char signal;

	detach_descriptors((int *[]){ &link }, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	while (read(link, &signal, 1) == 1) {
		sigset_t set;
		sigemptyset(&set);
		sigaddset(&set, signal);
		signed char saw = (signed char)(sigtimedwait(&set, NULL, &now) == signal);
		if (write(link, &saw, 1) != 1)
			break;
	}
	_exit(0);
}

void witness_begin(struct witness *ret_witness, int keeper_link)
{
	int ends[2];

	ret_witness->pid = 0;
	ret_witness->link = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		close(keeper_link);
		close(ends[0]);
		answer(ends[1]);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return;
	}
	ret_witness->pid = pid;
	ret_witness->link = ends[0];
}

bool witness_saw(const struct witness *witness, const struct signalfd_siginfo *info)
{
	struct pollfd link = { .fd = witness->link, .events = POLLIN };
	signed char word = (signed char)info->ssi_signo;
	bool by_the_terminal = info->ssi_code > 0; /* by the kernel, which sends to groups */

	(void)setpgid(0, getpgrp()); /* changes nothing, and waits: see above */
	if (witness->pid != 0)
		kill(witness->pid, SIGCONT);
	if (send(witness->link, &word, 1, MSG_NOSIGNAL) != 1 || poll(&link, 1, ANSWER_MS) != 1 ||
	    read(witness->link, &word, 1) != 1)
		return by_the_terminal;
	return word == 1;
}

void witness_end(const struct witness *witness)
{
	if (witness->pid == 0)
		return;
	kill(witness->pid, SIGKILL);
	/* The first process of a container often waits for nobody whom it has not started. */
	waitpid(witness->pid, NULL, 0);
}
