/* SPDX-License-Identifier: MIT */
/*
 * shared.h - what the tests of synchronisation share: memory that children inherit, children that
 * die at a given place, and time limits that slow machines can keep.
 *
 * GRACE is how long something that must happen may take before the test fails. A test that passes
 * does not wait that long. BRIEFLY is how long a test waits for something that must not happen.
 */
#ifndef MADANG_TESTS_SYNC_SHARED_H
#define MADANG_TESTS_SYNC_SHARED_H

#include <madang/sync.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "support/check.h"

#define GRACE   mdg_deadline(UINT64_C(20000000000))
#define BRIEFLY mdg_deadline(UINT64_C(50000000))

static inline void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return memory;
}

static inline uint64_t now_ns(void)
{
	return mdg_deadline(0);
}

static inline void nap_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
	nanosleep(&time, NULL);
}

/* Waits until *word is at least that: false after GRACE. */
static inline bool reaches(_Atomic uint32_t *word, uint32_t value)
{
	uint64_t end = GRACE;
	while (atomic_load(word) < value) {
		if (now_ns() > end)
			return false;
		nap_ms(1);
	}
	return true;
}

/* A child that runs f(argument) and exits with 0 when its CHECKs held; killed with its parent. */
static inline pid_t start(void (*f)(void *), void *argument)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		check_failures = 0;
		f(argument);
		fflush(NULL);
		_exit(test_result());
	}
	return pid;
}

/* A child that is `program` with these arguments; killed with its parent. */
static inline pid_t start_program(const char *program, const char *first, const char *second)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(program, program, first, second, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Whether a process's first thread sleeps in the kernel. */
static inline bool is_asleep(pid_t pid)
{
	char path[32], text[256] = "";
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t size = read(fd, text, sizeof(text) - 1);
	close(fd);
	const char *end = size > 0 ? strrchr(text, ')') : NULL;
	return end != NULL && end[1] == ' ' && end[2] == 'S';
}

/* Its wait status. */
static inline int ended(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static inline bool ended_well(pid_t pid)
{
	return ended(pid) == 0;
}

static inline void killed(pid_t pid)
{
	kill(pid, SIGKILL);
	ended(pid);
}

/* Numbers that look random (xorshift64*). *state says where the row begins, and is not 0. */
static inline uint32_t below(uint64_t *state, uint32_t limit)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)((*state * UINT64_C(2685821657736338717)) >> 33) % limit;
}

static inline _Noreturn void die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

#endif
