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
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "channel/handles.h"

#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#endif
#ifndef PTRACE_O_EXITKILL
#define PTRACE_O_EXITKILL (1 << 20)
#endif
/* <linux/ptrace.h> cannot be had beside <sys/ptrace.h> everywhere. */
#define GET_SYSCALL_INFO 0x420e
struct syscall_info {
	uint8_t kind, pad[3]; /* 1: at the entry */
	uint32_t machine;
	uint64_t instruction, stack;
	uint64_t number, argument[6];
	uint64_t unused;
};

enum { CAPACITY = 256, QUESTIONS_MOST = 20 };

static long trace(int request, pid_t pid, uintptr_t address, uintptr_t data)
{
#if defined(__GLIBC__)
	enum __ptrace_request which = (enum __ptrace_request)request;
#else
	int which = request;
#endif
	return ptrace(which, pid, (void *)address, (void *)data);
}

static int wait_for(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

/* Whether a child can be held at its system calls, and says which they are. */
static bool can_trace(void)
{
#if defined(__SANITIZE_THREAD__)
	return false; /* it keeps to itself what its process does */
#else
	struct syscall_info info = { 0 };
	pid_t pid = fork();
	if (pid == 0) {
		if (trace(PTRACE_TRACEME, 0, 0, 0) != 0)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	int status = wait_for(pid);
	if (!WIFSTOPPED(status))
		return false;
	bool can = trace(GET_SYSCALL_INFO, pid, sizeof info, (uintptr_t)&info) > 0;
	kill(pid, SIGKILL);
	(void)wait_for(pid);
	return can;
#endif
}

static bool is_question(pid_t pid)
{
	struct syscall_info info = { 0 };
	if (trace(GET_SYSCALL_INFO, pid, sizeof info, (uintptr_t)&info) <= 0 || info.kind != 1)
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
		*status = wait_for(pid);
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

/* Makes the segment of a queue, and dies before it has written anything there. */
static void make_in_part(void *argument)
{
	const uint64_t *size = argument;
	mdg_id id;
	CHECK_RC(0, mdg_segment_create(ns, "finish", *size, 0600, 0, &id));
}

static uint64_t queue_size(void)
{
	struct mdg_segment_info info = { .size = sizeof info };
	mdg_channel *channel = enter_as("finish", MDG_OBSERVER, &options);
	CHECK_RC(0, mdg_segment_stat(ns, info_of(channel).id, 0, &info));
	mdg_channel_close(channel);
	remove_channel("finish");
	return info.bytes;
}

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
static bool play(unsigned role, unsigned question, uint64_t size)
{
	mdg_channel *second = NULL;
	bool asked = true;
	CHECK(ended_well(start(make_in_part, &size)));
	pid_t pid = start(first_opener, &role);
	int status = wait_for(pid);
	CHECK(WIFSTOPPED(status));
	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (unsigned i = 0; i < question && asked; i++)
		asked = next_question(pid, &status);
	if (asked) {
		CHECK_RC(0, mdg_channel_open(&second, ns, "finish", MDG_TALKER, &options));
		trace(PTRACE_DETACH, pid, 0, 0);
		status = wait_for(pid);
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
	uint64_t size = queue_size();
	for (unsigned role = MDG_OBSERVER; role <= MDG_LISTENER; role++) {
		unsigned question = 1;
		while (question < QUESTIONS_MOST && play(role, question, size))
			question++;
		if (!CHECK(question > 1))
			fprintf(stderr, "role %u asked nothing\n", role);
	}
	mdg_namespace_close(ns);
	return test_result();
}
