/* SPDX-License-Identifier: MIT */
/*
 * processes.c - the processes that take part in blocks. See processes.h.
 *
 * What they do in a block, and how long somebody waits for one that does not come, is told where
 * they are used: sync/partners.c, channel/members.c, channel/restart.c, ipc/partner.c.
 */
#include "bench/common/processes.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_futex
#define SYS_futex SYS_futex_time64
#endif

enum { WAIT_OP = 0, WAKE_OP = 1 }; /* FUTEX_WAIT, FUTEX_WAKE */

pid_t process_start(void)
{
	pid_t parent = getpid(), child = fork();

	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGINT, SIG_IGN);
	return 0;
}

void process_kill(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	*pid = 0;
}

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("madang-bench: mmap");
		exit(1);
	}
	return memory;
}

uint32_t preemptions(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint32_t)usage.ru_nivcsw : 0;
}

/* ---- processors -------------------------------------------------------------------- */

static cpu_set_t allowed; /* what the program was started with */

void processors_read(void)
{
	if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
		CPU_ZERO(&allowed);
}

unsigned processors_count(void)
{
	return (unsigned)CPU_COUNT(&allowed);
}

void processor_choose(int which)
{
	cpu_set_t one;

	if (CPU_COUNT(&allowed) < 2)
		return;
	for (size_t i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &allowed) && which-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(i, &one);
			sched_setaffinity(0, sizeof one, &one);
			return;
		}
	}
}

void processor_any(void)
{
	if (CPU_COUNT(&allowed) > 0)
		sched_setaffinity(0, sizeof allowed, &allowed);
}

/* ---- turns ------------------------------------------------------------------------- */

uint32_t turn_wait(const uint32_t *turn, uint32_t seen)
{
	while (word_get(turn) == seen)
		syscall(SYS_futex, turn, WAIT_OP, seen, NULL, NULL, 0);
	return word_get(turn);
}

uint32_t turn_next(uint32_t *turn)
{
	uint32_t next = __atomic_add_fetch(turn, 1, __ATOMIC_ACQ_REL);

	syscall(SYS_futex, turn, WAKE_OP, INT_MAX, NULL, NULL, 0);
	return next;
}

void processor_turns(void)
{
	struct sched_param priority;

	if (sched_getscheduler(0) == SCHED_FIFO && sched_getparam(0, &priority) == 0)
		sched_setscheduler(0, SCHED_RR, &priority);
}
