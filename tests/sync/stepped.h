/* SPDX-License-Identifier: MIT */
/*
 * stepped.h - a process that is killed after a given number of its instructions.
 *
 *     struct stepped victim;
 *     if (stepped_start(&victim, f, argument))     // false: may not trace here
 *             stepped_until_asleep(&victim);       // or any number of:
 *     stepped_go(&victim, 17);
 *     stepped_kill(&victim);
 *
 * f calls stepped_here() where stepping begins, and stepped_end() where it ends. If the process
 * falls asleep in an instruction, the instruction ends when the process is woken. So the process
 * can be killed between that instruction and the next one.
 */
#ifndef MADANG_TESTS_SYNC_STEPPED_H
#define MADANG_TESTS_SYNC_STEPPED_H

#include <sys/ptrace.h>

#include "sync/asleep.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MANY_INSTRUCTIONS 12
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define MANY_INSTRUCTIONS 12
#endif
#ifndef MANY_INSTRUCTIONS
#define MANY_INSTRUCTIONS (HANDLERS_LATE ? 12 : 1)
#endif

struct stepped {
	pid_t pid;
	bool ended, running; /* running: in an instruction that sleeps */
};

/* The thread is set up before. */
static inline void stepped_here(void)
{
	static mdg_mutex any;
	CHECK(mdg_mutex_lock(&any) == 0 && mdg_mutex_unlock(&any) == 0);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(77);
	raise(SIGSTOP);
}

static inline _Noreturn void stepped_end(bool well)
{
	syscall(SYS_exit_group, well ? 0 : 1);
	abort();
}

static inline bool stepped_start(struct stepped *victim, void (*f)(void *), void *argument)
{
	int status = 0;
	sigset_t stops;
	sigemptyset(&stops);
	sigaddset(&stops, SIGCHLD); /* waited for */
	sigprocmask(SIG_BLOCK, &stops, NULL);
	*victim = (struct stepped){ .pid = start(f, argument) };
	victim->ended =
		waitpid(victim->pid, &status, WUNTRACED) != victim->pid || !WIFSTOPPED(status);
	return !victim->ended;
}

/* Waits for the end of an instruction: false when it sleeps in it, or has ended. */
static inline bool stepped_wait(struct stepped *victim)
{
	const struct timespec shortly = { 0, 2000000 };
	sigset_t stops;
	int status = 0;
	sigemptyset(&stops);
	sigaddset(&stops, SIGCHLD);
	for (bool asleep = false;;) {
		pid_t pid = waitpid(victim->pid, &status, WNOHANG);
		if (pid == victim->pid) {
			victim->running = false;
			victim->ended = !WIFSTOPPED(status);
			return !victim->ended;
		}
		if (asleep)
			return false;
		if (sigtimedwait(&stops, NULL, &shortly) < 0 && errno == EAGAIN)
			asleep = is_asleep(victim->pid); /* then looks once more */
	}
}

/* Up to so many instructions; how many it were until it fell asleep or ended. */
static inline uint32_t stepped_go(struct stepped *victim, uint32_t most)
{
	uint32_t count = 0;
	while (count < most && !victim->ended) {
		if (!victim->running)
			ptrace(PTRACE_SINGLESTEP, victim->pid, NULL, NULL);
		victim->running = true;
		if (!stepped_wait(victim))
			break;
		count++;
	}
	return count;
}

/* From one system call to the next; the end of the one that sleeps is the next stop. */
static inline bool stepped_until_asleep(struct stepped *victim)
{
	do {
		ptrace(PTRACE_SYSCALL, victim->pid, NULL, NULL);
		victim->running = true;
	} while (stepped_wait(victim));
	return !victim->ended;
}

/* [something woke it] Waits until it stands behind the system call in which it slept. */
static inline bool stepped_woken(struct stepped *victim)
{
	uint64_t end = GRACE;
	while (victim->running && !victim->ended && now_ns() < end)
		(void)stepped_wait(victim);
	return !victim->running;
}

static inline void stepped_kill(struct stepped *victim)
{
	if (!victim->ended)
		killed(victim->pid);
	victim->ended = true;
}

/* Calls trial(n) for numbers of instructions from 0 on, until it says that the victim had ended
 * before. Every other or third one: a store and the system call that has to follow are
 * farther apart, and more so with sanitizers, which make many more instructions. What
 * comes late is a wait that spins. */
static inline void at_many_instructions(bool (*trial)(uint32_t))
{
	uint32_t at = 0, trials = 0;
	while (check_failures == 0 && trial(at)) {
		trials++;
		at += at < 150 ? (2 + trials % 2) * MANY_INSTRUCTIONS : at / 6;
	}
}

#endif
