/* SPDX-License-Identifier: MIT */
/*
 * finish.c - two find a channel whose maker has died before it wrote the head. One finishes it
 * while the other is held between its two looks at the head. Both have to find the channel.
 *
 * The first opener is held where it asks the kernel whether the maker lives (F_OFD_GETLK): before
 * that it has seen a head that is not ready. There the second opener opens and finishes the
 * channel. Then the first goes on. This is played again for each such question, and for each role
 * of the first opener.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "channel/handles.h"
#include "support/tracing.h"

#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#endif
enum { CAPACITY = 256, QUESTIONS_MOST = 20 };

/* Whether a child can be held at its system calls, and says which they are. */
static bool can_trace(void)
{
#if TRACING_IS_HIDDEN
	return false;
#else
	struct syscall_info info = { 0 };
	pid_t pid = fork();
	if (pid == 0) {
		if (trace(PTRACE_TRACEME, 0, 0, 0) != 0)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	int status = wait_for(pid, 0);
	if (!WIFSTOPPED(status))
		return false;
	bool can = trace(GET_SYSCALL_INFO, pid, sizeof info, (uintptr_t)&info) > 0;
	kill(pid, SIGKILL);
	(void)wait_for(pid, 0);
	return can;
#endif
}

static bool is_question(pid_t pid)
{
	struct syscall_info info = { 0 };
	if (trace(GET_SYSCALL_INFO, pid, sizeof info, (uintptr_t)&info) <= 0 ||
	    info.kind != INFO_ENTRY)
		return false;
#ifdef SYS_fcntl64
	if (info.number == SYS_fcntl64)
		return (int)info.argument[1] == F_OFD_GETLK;
#endif
#ifdef SYS_fcntl
	return info.number == SYS_fcntl && (int)info.argument[1] == F_OFD_GETLK;
#else
	return false;
#endif
}

/* Lets the child go on to its next question. False: it ended. */
static bool next_question(pid_t pid, int *status)
{
	int signal = 0;
	for (;;) {
		trace(PTRACE_SYSCALL, pid, 0, (uintptr_t)signal);
		*status = wait_for(pid, 0);
		if (!WIFSTOPPED(*status))
			return false;
		bool call = WSTOPSIG(*status) == (SIGTRAP | 0x80);
		if (call && is_question(pid))
			return true;
		signal = call ? 0 : WSTOPSIG(*status);
	}
}

/* ---- the openers ------------------------------------------------------------------------ */

static struct mdg_channel_options options;

static void first_opener(void *argument)
{
	const unsigned *role = argument;
	mdg_channel *channel = NULL;
	trace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	int rc = mdg_channel_open(&channel, ns, "finish", *role, &options);
	mdg_channel_close(channel);
	_exit(rc == 0 ? 0 : rc == MDG_NOT_CHANNEL ? 2 : 1);
}

/* The second opens when the first has come to its question number `question`. False: there is no
 * such question. */
static bool play(unsigned role, unsigned question, uint64_t bytes)
{
	mdg_channel *second = NULL;
	bool asked = true;
	make_in_part("finish", bytes);
	pid_t pid = start(first_opener, &role);
	int status = wait_for(pid, 0);
	CHECK(WIFSTOPPED(status));
	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (unsigned i = 0; i < question && asked; i++)
		asked = next_question(pid, &status);
	if (asked) {
		CHECK_RC(0, mdg_channel_open(&second, ns, "finish", MDG_TALKER, &options));
		trace(PTRACE_DETACH, pid, 0, 0);
		status = wait_for(pid, 0);
		if (!CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0))
			fprintf(stderr, "role %u, held at question %u: status %#x\n", role,
			        question, (unsigned)status);
		mdg_channel_close(second);
	}
	mdg_id id;
	if (mdg_segment_open(ns, "finish", 0, 0, &id) == 0)
		CHECK_RC(0, mdg_segment_remove(ns, id));
	return asked;
}

int main(void)
{
	if (!can_trace())
		SKIP("no process can be held at its system calls here");
	open_namespace();
	options = options_of(MDG_QUEUE, CAPACITY);
	uint64_t bytes = bytes_of_channel("finish", &options);
	for (unsigned role = MDG_OBSERVER; role <= MDG_LISTENER; role++) {
		unsigned question = 1;
		while (question < QUESTIONS_MOST && play(role, question, bytes))
			question++;
		if (!CHECK(question > 1))
			fprintf(stderr, "role %u asked nothing\n", role);
	}
	mdg_namespace_close(ns);
	return test_result();
}
