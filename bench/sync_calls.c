/* SPDX-License-Identifier: MIT */
/*
 * sync_calls.c - how many system calls a wait and its wake-up take, counted with ptrace(2).
 *
 * Two traced processes: the waiter is let go until it sleeps in the kernel, then the waker
 * makes its one call, then the waiter finishes. Each marks the stretch that counts with a
 * getppid before and after. Nothing is timed: being traced is slow.
 */
#include "sync_games.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MARK = SYS_getppid };

/* What a traced process has come to. */
enum stop { STOP_ENTRY, STOP_EXIT, STOP_OTHER, STOP_ASLEEP, STOP_GONE };

struct traced {
	pid_t pid;
	long call; /* at an entry: its number */
};

const char *sync_wake_name(enum sync_wake what)
{
	static const char *const names[SYNC_WAKES] = {
		[SYNC_WAKE_SEM] = "semaphore", [SYNC_WAKE_EVENT] = "event",
		[SYNC_WAKE_MUTEX] = "mutex", [SYNC_WAKE_COND] = "condition",
	};

	return names[what];
}

/* ---- the traced process --------------------------------------------------------------- */

static void be_traced(const struct sync_side_about *about, void *objects, enum sync_wake what,
                      bool waker)
{
	int bad;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(1);
	bad = about->wake(objects, what, SYNC_WARM);
	bad |= about->wake(objects, what, waker ? SYNC_WAKER_READY : SYNC_WAITER_READY);
	raise(SIGSTOP);
	syscall(MARK);
	bad |= about->wake(objects, what, waker ? SYNC_WAKE : SYNC_WAIT);
	syscall(MARK);
	_exit(bad ? 1 : 0);
}

/* ---- the tracer ----------------------------------------------------------------------- */

static bool sleeps(pid_t pid)
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
	const struct timespec moment = {0, 200000};
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
		if (traced->call != MARK && sleeps(traced->pid) &&
		    waitpid(traced->pid, &status, WNOHANG) == 0 && sleeps(traced->pid))
			return STOP_ASLEEP;
		nanosleep(&moment, NULL);
	}
	return STOP_GONE;
}

/* Counts entries up to the next mark. True at the mark; false asleep or gone. */
static bool count_to_mark(struct traced *traced, bool go, int *count)
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

/* Forks it and brings it to its first mark. */
static bool traced_begin(struct traced *traced, const struct sync_side_about *about, void *objects,
                         enum sync_wake what, bool waker)
{
	int status, before = 0;

	traced->call = MARK;
	traced->pid = fork();
	if (traced->pid == 0)
		be_traced(about, objects, what, waker);
	if (traced->pid < 0 || waitpid(traced->pid, &status, 0) != traced->pid ||
	    !WIFSTOPPED(status))
		return false;
	if (ptrace(PTRACE_SETOPTIONS, traced->pid, NULL, (void *)PTRACE_O_TRACESYSGOOD) != 0)
		return false;
	return count_to_mark(traced, true, &before);
}

static void traced_end(struct traced *traced)
{
	if (traced->pid <= 0)
		return;
	kill(traced->pid, SIGKILL);
	while (waitpid(traced->pid, NULL, 0) == traced->pid)
		; /* stops that were still to be told, then its end */
}

/* ---- counting ------------------------------------------------------------------------- */

static void count_alone(const struct sync_side_about *about, enum sync_wake what, int *ret_calls)
{
	void *objects = sync_memory(SYNC_OBJECTS_SIZE);
	struct traced waker = {0};
	int calls = 0;

	*ret_calls = -1;
	if (about->make(objects) && traced_begin(&waker, about, objects, what, true) &&
	    count_to_mark(&waker, true, &calls))
		*ret_calls = calls;
	traced_end(&waker);
	munmap(objects, SYNC_OBJECTS_SIZE);
}

/* The waiter sleeps first: then each call counts, on both sides. */
static void count_both(const struct sync_side_about *about, enum sync_wake what, int *ret_waiter,
                       int *ret_waker)
{
	void *objects = sync_memory(SYNC_OBJECTS_SIZE);
	struct traced waiter = {0}, waker = {0};
	bool counted = about->make(objects);
	int waits = 0, wakes = 0;

	/* the waker is made ready first where it holds the mutex, the waiter where it does */
	if (what == SYNC_WAKE_MUTEX)
		counted = counted && traced_begin(&waker, about, objects, what, true);
	counted = counted && traced_begin(&waiter, about, objects, what, false);
	counted = counted && !count_to_mark(&waiter, true, &waits) &&
	          sleeps(waiter.pid);
	if (what != SYNC_WAKE_MUTEX)
		counted = counted && traced_begin(&waker, about, objects, what, true);
	counted = counted && count_to_mark(&waker, true, &wakes) &&
	          count_to_mark(&waiter, false, &waits);
	*ret_waiter = counted ? waits : -1;
	*ret_waker = counted ? wakes : -1;
	traced_end(&waiter);
	traced_end(&waker);
	munmap(objects, SYNC_OBJECTS_SIZE);
}

static bool has(const struct sync_side_about *about, enum sync_wake what)
{
	static const enum sync_case_name of[SYNC_WAKES] = {
		[SYNC_WAKE_SEM] = SYNC_SEM, [SYNC_WAKE_EVENT] = SYNC_EVENT,
		[SYNC_WAKE_MUTEX] = SYNC_MUTEX, [SYNC_WAKE_COND] = SYNC_COND_PAIR,
	};

	return about->name != NULL && about->play[of[what]].run != NULL;
}

void sync_calls_count(const struct sync_side_about side[SYNC_SIDES],
                      struct sync_calls *ret_calls)
{
	for (int i = 0; i < SYNC_SIDES; i++) {
		for (int what = 0; what < SYNC_WAKES; what++) {
			ret_calls->alone[i][what] = -1;
			ret_calls->waiter[i][what] = -1;
			ret_calls->waker[i][what] = -1;
			if (!has(&side[i], (enum sync_wake)what))
				continue;
			count_alone(&side[i], (enum sync_wake)what, &ret_calls->alone[i][what]);
			count_both(&side[i], (enum sync_wake)what, &ret_calls->waiter[i][what],
			           &ret_calls->waker[i][what]);
		}
	}
}
