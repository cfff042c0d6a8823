/* SPDX-License-Identifier: MIT */
/*
 * trace.c - how many system calls a process makes in a stretch, counted with ptrace(2).
 *
 * The process marks where the stretch begins and ends with a getppid. Nothing is timed: being
 * traced is slow. What its other threads do, if it makes any, is not counted.
 */
#include "bench/common/trace.h"

#include "bench/common/bench.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MARK = SYS_getppid };

/* What a traced process has come to. */
enum stop { STOP_ENTRY, STOP_EXIT, STOP_OTHER, STOP_ASLEEP, STOP_GONE };

/* ---- the traced process --------------------------------------------------------------- */

static void be_traced(int (*prepare)(void *context), int (*act)(void *context), void *context,
                      unsigned times)
{
	int bad;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(1);
	bad = prepare(context);
	raise(SIGSTOP);
	for (unsigned i = 0; i < times; i++) {
		syscall(MARK);
		bad |= act(context);
		syscall(MARK);
	}
	_exit(bad ? 1 : 0);
}

/* ---- the tracer ----------------------------------------------------------------------- */

bool trace_sleeps(pid_t pid)
{
	char path[64], line[256], *end;
	FILE *file;
	size_t got;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	got = fread(line, 1, sizeof line - 1, file);
	fclose(file);
	line[got] = '\0';
	end = strrchr(line, ')');
	return end != NULL && strncmp(end, ") S", 3) == 0;
}

static enum stop what_stop(struct traced *traced, int status)
{
	struct __ptrace_syscall_info info;

	if (!WIFSTOPPED(status))
		return STOP_GONE;
	if (WSTOPSIG(status) != (SIGTRAP | 0x80))
		return STOP_OTHER;
	memset(&info, 0, sizeof info);
	if (ptrace(PTRACE_GET_SYSCALL_INFO, traced->pid, (void *)sizeof info, &info) <= 0)
		return STOP_GONE;
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return STOP_EXIT;
	traced->call = (long)info.entry.nr;
	return STOP_ENTRY;
}

/* Lets it go on to its next stop, or until it sleeps; gives up after ten seconds. */
static enum stop next_stop(struct traced *traced, bool go)
{
	const struct timespec moment = { 0, 200000 };
	uint64_t until = now_ns() + UINT64_C(10000000000);
	int status;

	if (go && ptrace(PTRACE_SYSCALL, traced->pid, NULL, NULL) != 0)
		return STOP_GONE;
	while (now_ns() < until) {
		pid_t got = waitpid(traced->pid, &status, WNOHANG);

		if (got == traced->pid)
			return what_stop(traced, status);
		if (got < 0 && errno != EINTR)
			return STOP_GONE;
		if (traced->call != MARK && trace_sleeps(traced->pid) &&
		    waitpid(traced->pid, &status, WNOHANG) == 0 && trace_sleeps(traced->pid))
			return STOP_ASLEEP;
		nanosleep(&moment, NULL);
	}
	return STOP_GONE;
}

bool trace_count(struct traced *traced, bool go, int *count)
{
	for (;; go = true) {
		enum stop stop = next_stop(traced, go);

		if (stop == STOP_GONE || stop == STOP_ASLEEP)
			return false;
		if (stop == STOP_ENTRY && traced->call == MARK)
			return true;
		if (stop == STOP_ENTRY)
			++*count;
	}
}

bool trace_begin(struct traced *traced, int (*prepare)(void *context), int (*act)(void *context),
                 void *context, unsigned times)
{
	int status, before = 0;

	traced->call = MARK;
	traced->pid = fork();
	if (traced->pid == 0)
		be_traced(prepare, act, context, times);
	if (traced->pid < 0 || waitpid(traced->pid, &status, 0) != traced->pid ||
	    !WIFSTOPPED(status))
		return false;
	if (ptrace(PTRACE_SETOPTIONS, traced->pid, NULL, (void *)PTRACE_O_TRACESYSGOOD) != 0)
		return false;
	return trace_count(traced, true, &before);
}

void trace_end(struct traced *traced)
{
	if (traced->pid <= 0)
		return;
	kill(traced->pid, SIGKILL);
	while (waitpid(traced->pid, NULL, 0) == traced->pid)
		; /* stops that were still to be told, then its end */
}
