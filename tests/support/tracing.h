/* SPDX-License-Identifier: MIT */
/*
 * tracing.h - for tests that stop and continue a child by ptrace.
 */
#ifndef MADANG_TESTS_SUPPORT_TRACING_H
#define MADANG_TESTS_SUPPORT_TRACING_H

#include <errno.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>

#ifndef PTRACE_O_EXITKILL
#define PTRACE_O_EXITKILL (1 << 20)
#endif

/* <linux/ptrace.h> cannot be had beside <sys/ptrace.h> everywhere. */
#define GET_SYSCALL_INFO 0x420e
enum { INFO_NONE = 0, INFO_ENTRY = 1, INFO_EXIT = 2 };
struct syscall_info {
	uint8_t kind, pad[3];
	uint32_t machine;
	uint64_t instruction, stack;
	uint64_t number, argument[6]; /* at the entry; at the exit the result */
	uint64_t unused;
};

#define PEEK_SIGNALS 0x4209
struct peek_signals {
	uint64_t from;
	uint32_t shared; /* 1: those of the process, 0: of the thread */
	int32_t count;
};

/* ThreadSanitizer keeps to itself what its process does: there is nothing to trace. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TRACING_IS_HIDDEN 1
#else
#define TRACING_IS_HIDDEN 0
#endif

static inline long trace(int request, pid_t pid, uintptr_t address, uintptr_t data)
{
#if defined(__GLIBC__)
	enum __ptrace_request which = (enum __ptrace_request)request;
#else
	int which = request;
#endif
	return ptrace(which, pid, (void *)address, (void *)data);
}

/* What waitpid says of this child; -1: nothing, or there is none. */
static inline int wait_for(pid_t pid, int options)
{
	int status = -1;
	pid_t got;
	while ((got = waitpid(pid, &status, options)) < 0 && errno == EINTR)
		;
	return got == pid ? status : -1;
}

#endif
