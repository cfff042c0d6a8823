/* SPDX-License-Identifier: MIT */
/*
 * step.c - ptrace(2), one instruction at a time. See step.h.
 *
 * After each instruction the watched bytes are compared with what they were, and so are the words
 * of the private memory that the kernel looks at when a thread dies: the head of its robust list
 * and the link that the head names. Where one of them differs, a death may differ.
 *
 * The tracer shares the victim's code (it is its parent), so it sees the system calls coming.
 */
#include "sync/points/step.h"

#include "support/tracing.h"
#include "sync/shared.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { STEPS_MOST = 400000 };

bool step_possible(const char **reason)
{
#if TRACING_IS_HIDDEN
	*reason = "the thread sanitizer keeps to itself what its process does";
	return false;
#endif
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(trace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 0 : 1);
	*reason = "ptrace is not allowed";
	return pid > 0 && wait_for(pid, 0) == 0;
}

/* ---- in the victim ----------------------------------------------------------------------- */

static pid_t self; /* asked beforehand: no other call than the one */

/* The signal is for this thread: another one of the process would take it, and would stop. */
static void stop_here(void)
{
	(void)syscall(SYS_tgkill, self, self, SIGSTOP);
}

void step_begins(void)
{
	stop_here();
}

void step_ends(void)
{
	stop_here();
}

static void victim_main(void (*body)(void *), void *argument)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	self = getpid();
	if (trace(PTRACE_TRACEME, 0, 0, 0) != 0)
		_exit(126);
	body(argument);
	_exit(0);
}

/* ---- looking ----------------------------------------------------------------------------- */

static void *address(uintptr_t at)
{
	void *pointer;
	memcpy(&pointer, &at, sizeof(pointer));
	return pointer;
}

/* The words that a death depends on: the list's head, and the link at `link`. Zeros where there is
 * nothing. */
static void peek(pid_t pid, uintptr_t head, uintptr_t link, uintptr_t list[4])
{
	struct iovec here = { list, 4 * sizeof(list[0]) };
	struct iovec there[2] = { { address(head), 3 * sizeof(list[0]) },
		                  { address(link), sizeof(list[0]) } };
	memset(list, 0, 4 * sizeof(list[0]));
	(void)process_vm_readv(pid, &here, 1, there, link == 0 ? 1 : 2, 0);
}

void (*step_refresh)(void);

/* Whether memory differs from how it was last seen. */
static bool differs(struct step *step)
{
	if (step_refresh != NULL)
		step_refresh();
	uintptr_t list[4] = { 0 }, link = step->list[0] & ~(uintptr_t)1;
	size_t size = 0;
	if (step->head == 0)
		(void)syscall(SYS_get_robust_list, step->pid, &step->head, &size);
	if (step->head != 0) {
		peek(step->pid, step->head, link, list);
		if ((list[0] & ~(uintptr_t)1) != link)
			peek(step->pid, step->head, list[0] & ~(uintptr_t)1, list);
	}
	bool same = memcmp(list, step->list, sizeof(list)) == 0 &&
	            memcmp(step->seen, step->watched, step->size) == 0;
	if (!same) {
		memcpy(step->list, list, sizeof(list));
		memcpy(step->seen, step->watched, step->size);
	}
	return !same;
}

/* Whether the next instruction is a system call. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
__attribute__((no_sanitize("address")))
#endif
#elif defined(__SANITIZE_ADDRESS__)
__attribute__((no_sanitize_address))
#endif
static bool
is_call(const struct step *step)
{
	static const unsigned char calls[][4] = {
#if defined(__x86_64__) || defined(__i386__)
		{ 2, 0x0f, 0x05 },
		{ 2, 0x0f, 0x34 },
		{ 2, 0xcd, 0x80 }
#else /* 64-bit ARM: svc 0, without its last byte */
		{ 3, 0x01, 0x00, 0x00 }
#endif
	};
	struct syscall_info info = { 0 };
	if (trace(GET_SYSCALL_INFO, step->pid, sizeof(info), (uintptr_t)&info) <= 0)
		return false;
	uintptr_t at = (uintptr_t)info.instruction;
	const volatile unsigned char *code;
	memcpy(&code, &at, sizeof(code));
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		size_t byte = 0;
		while (byte < calls[i][0] && code[byte] == calls[i][1 + byte])
			byte++;
		if (byte == calls[i][0])
			return true;
	}
	return false;
}

/* ---- stepping ---------------------------------------------------------------------------- */

bool step_start(struct step *step, const void *watched, size_t size, void (*body)(void *),
                void *argument)
{
	*step = (struct step){ .watched = watched, .size = size };
	if (size > sizeof(step->seen))
		return false;
	fflush(NULL);
	step->pid = fork();
	if (step->pid == 0)
		victim_main(body, argument);
	int status = step->pid < 0 ? -1 : wait_for(step->pid, 0);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP)
		return false;
	(void)differs(step);
	return true;
}

enum { ASLEEP = -2, STUCK = -3, STUCK_S = 10 };

/* In a system call: the status of its end, or ASLEEP; or STUCK, when it was to be woken by now. */
static int await_call(struct step *step)
{
	for (time_t end = time(NULL) + STUCK_S;; sched_yield()) {
		int status = wait_for(step->pid, WNOHANG);
		if (status != -1)
			return status;
		if (!step->sleeping && is_asleep(step->pid))
			return ASLEEP;
		if (step->sleeping && time(NULL) > end)
			return STUCK;
	}
}

static enum step_event event_of(int status)
{
	if (!WIFSTOPPED(status))
		return STEP_DIED;
	return WSTOPSIG(status) == SIGSTOP ? STEP_ENDED : STEP_POINT;
}

/* It has told itself to stop (step_ends), and the stop is still to come: some kernels report the
 * end of the step first. */
static bool is_to_stop(pid_t pid)
{
	siginfo_t pending[8];
	struct peek_signals own = { .count = 8 };
	long count = trace(PEEK_SIGNALS, pid, (uintptr_t)&own, (uintptr_t)pending);
	for (long i = 0; i < count; i++)
		if (pending[i].si_signo == SIGSTOP)
			return true;
	return false;
}

/* The system call before which it stands, or in which it is. */
static enum step_event through_call(struct step *step)
{
	if (!step->sleeping)
		(void)trace(PTRACE_SINGLESTEP, step->pid, 0, 0);
	int status = await_call(step);
	if (status == STUCK)
		return STEP_STUCK;
	step->sleeping = status == ASLEEP;
	if (step->sleeping)
		return STEP_ASLEEP;
	step->behind = true;
	(void)differs(step);
	if (WIFSTOPPED(status) && is_to_stop(step->pid)) {
		(void)trace(PTRACE_SINGLESTEP, step->pid, 0, 0);
		status = wait_for(step->pid, 0);
	}
	return event_of(status);
}

enum step_event step_next(struct step *step)
{
	if (step->sleeping || (!step->behind && is_call(step)))
		return through_call(step);
	if (step->behind && is_call(step)) { /* and the next */
		step->behind = false;
		return STEP_POINT;
	}
	for (step->behind = false; step->steps < STEPS_MOST; step->steps++) {
		(void)trace(PTRACE_SINGLESTEP, step->pid, 0, 0);
		enum step_event event = event_of(wait_for(step->pid, 0));
		if (event != STEP_POINT || differs(step) || is_call(step))
			return event;
	}
	return STEP_ENDLESS;
}

enum step_event step_to(struct step *step, unsigned points)
{
	enum step_event event = STEP_POINT;
	for (unsigned at = 0; at < points && (event == STEP_POINT || event == STEP_ASLEEP); at++)
		event = step_next(step);
	return event;
}

enum step_event step_signal(struct step *step, int number)
{
	step->behind = false;
	(void)trace(PTRACE_SINGLESTEP, step->pid, 0, (uintptr_t)number);
	enum step_event event = event_of(wait_for(step->pid, 0));
	(void)differs(step); /* the stack, perhaps */
	return event;
}

void step_look(struct step *step)
{
	(void)differs(step);
}

void step_kill(struct step *step)
{
	int status;
	kill(step->pid, SIGKILL);
	do
		status = wait_for(step->pid, 0);
	while (status != -1 && !WIFEXITED(status) && !WIFSIGNALED(status));
}

void step_pause(struct step *step)
{
	kill(step->pid, SIGSTOP);
	if (step->sleeping) /* it is not held: so it stops now */
		(void)wait_for(step->pid, 0);
	(void)trace(PTRACE_DETACH, step->pid, 0, step->sleeping ? SIGSTOP : 0);
	(void)wait_for(step->pid, WUNTRACED);
}

bool ends_within(pid_t pid, uint64_t ms, int *ret_status, bool goes_on)
{
	uint64_t end = now_ns() + ms * UINT64_C(1000000);
	while (waitpid(pid, ret_status, WNOHANG) == 0) {
		if (now_ns() > end)
			return false;
		if (goes_on)
			kill(pid, SIGCONT);
		usleep(200);
	}
	return true;
}
