/* SPDX-License-Identifier: MIT */
/*
 * asleep.h - what the tests of semaphore, event and condition share.
 *
 * It tells whether a process sleeps, installs signal handlers, and runs a process that may make no
 * system call.
 */
#ifndef MADANG_TESTS_SYNC_ASLEEP_H
#define MADANG_TESTS_SYNC_ASLEEP_H

#include <sys/syscall.h>

#include "sync/shared.h"

/* Waits until the process sleeps. The process sets *word right before it waits. False: it did not
 * fall asleep within GRACE. */
static inline bool falls_asleep(pid_t pid, _Atomic uint32_t *word)
{
	uint64_t end = GRACE;
	if (!reaches(word, 1))
		return false;
	while (!is_asleep(pid)) {
		if (now_ns() > end)
			return false;
		nap_ms(1);
	}
	return true;
}

/* Waits until done(): false after GRACE. */
static inline bool becomes(bool (*done)(void))
{
	uint64_t end = GRACE;
	while (!done()) {
		if (now_ns() > end)
			return false;
		struct timespec shortly = { 0, 100000 };
		nanosleep(&shortly, NULL);
	}
	return true;
}

/* ThreadSanitizer runs a signal handler only at the next call that it knows, and it does not know
 * futex(2). So a wait is interrupted, but begins again before the handler has run. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HANDLERS_LATE 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define HANDLERS_LATE 1
#endif
#ifndef HANDLERS_LATE
#define HANDLERS_LATE 0
#endif

static _Atomic uint32_t *handled;

static inline void count_signal(int number)
{
	(void)number;
	atomic_fetch_add(handled, 1);
}

/* SIGUSR1 adds one to *word. */
static inline void handle_signals(_Atomic uint32_t *word, int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };
	handled = word;
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

/* From here on any system call of this thread but write and exit_group kills. False: cannot be.
 * <linux/filter.h> and <linux/seccomp.h>, which a C library of its own does not bring along. */
static inline bool forbid_system_calls(void)
{
	const struct {
		uint16_t code;
		uint8_t jt, jf;
		uint32_t k;
	} filter[] = {
		{ 0x20, 0, 0, 0 }, /* the call's number */
		{ 0x15, 1, 0, SYS_write },  { 0x15, 0, 1, SYS_exit_group },
		{ 0x06, 0, 0, 0x7fff0000 }, /* allow */
		{ 0x06, 0, 0, 0x80000000 }, /* kill the process */
	};
	const struct {
		unsigned short length;
		const void *filter;
	} program = { 5, filter };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, 2, &program, 0, 0) == 0;
}

/* Runs f in a child that may make no system call. A failed CHECK writes. */
static inline bool without_system_calls(void (*f)(void))
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		check_failures = 0;
		f(); /* what has to be set up once */
		if (!forbid_system_calls())
			syscall(SYS_exit_group, 77);
		f();
		syscall(SYS_exit_group, check_failures != 0);
	}
	int status = ended(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		printf("not tried: no system calls (no seccomp)\n");
		return true;
	}
	return status == 0;
}

/* Numbers that look random, the same in every run. */
static inline uint32_t draw(uint32_t below)
{
	static uint64_t state = 88172645463325252u;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % below;
}

static inline void pause_us(uint32_t us)
{
	uint64_t end = now_ns() + us * UINT64_C(1000);
	while (now_ns() < end)
		;
}

#endif
