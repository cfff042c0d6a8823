/* SPDX-License-Identifier: MIT */
/*
 * interrupted.c - a handler interrupts a thread that locks and unlocks mutexes, at each
 * instruction, and operates on a set with UNDO. The thread may become the witness of its process
 * there. Its list of robust words, which was about to change, must be whole afterwards, and what
 * the process has in the set must be given back when it is killed.
 *
 *     semset-interrupted [--all]
 *
 * Without --all, every third instruction is played, and another third in each minute.
 */
#include <sys/ptrace.h>

#include "madang/sync.h"
#include "semset/set.h"
#include "sync/points/step.h"
#include "sync/thread.h"

static struct common {
	mdg_mutex one, two;
	_Atomic int handled, is_through, is_whole;
} * common;

static void operate(int number)
{
	(void)number;
	atomic_store(&common->handled, op1(0, 1, UNDO) == 0 ? 1 : -1);
}

/* The chain that the kernel reads has the words that the thread knows of, and no others. */
static bool list_is_whole(void)
{
	const struct mdg__thread *thread = &mdg__this_thread;
	uintptr_t node = mdg__link_node(*thread->first);
	for (uint32_t i = thread->count; i > 0; i--) {
		mdg__a32 *word = thread->held[i - 1].word;
		if (word == NULL || mdg__node_of(thread, word) != node)
			return false;
		node = mdg__link_node(*(const mdg__link *)node);
	}
	return node == mdg__link_node(thread->back);
}

static void victim(void)
{
	pid_t self = getpid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = operate }, NULL);
	(void)engine();
	bool good = mdg_mutex_lock(&common->one) == 0 && mdg_mutex_unlock(&common->one) == 0;
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	kill(self, SIGSTOP); /* raise may block signals for some instructions more */
	good = good && mdg_mutex_lock(&common->one) == 0 && mdg_mutex_lock(&common->two) == 0 &&
	       mdg_mutex_unlock(&common->one) == 0 && mdg_mutex_unlock(&common->two) == 0;
	atomic_store(&common->is_through, 1);
	atomic_store(&common->is_whole, good && list_is_whole());
	kill(self, SIGSTOP);
	_exit(0);
}

static bool stops(pid_t pid, int signal)
{
	int status = 0;
	return waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == signal;
}

/* False: the victim was through before. */
static bool play(unsigned instructions)
{
	memset(common, 0, sizeof *common);
	memset(world.base, 0, 4096);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		victim();
	CHECK(stops(pid, SIGSTOP));
	for (unsigned at = 0; at < instructions; at++)
		CHECK(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 && stops(pid, SIGTRAP));
	bool more = atomic_load(&common->is_through) == 0;
	CHECK(ptrace(PTRACE_CONT, pid, NULL, SIGUSR1) == 0 && stops(pid, SIGSTOP));
	CHECK(common->handled == 1 && common->is_whole == 1 && value(0) == 1);
	kill_to_zombie(pid);
	CHECK_LINE("U1", value(0) == 0);
	killed(pid);
	return more;
}

int main(int argc, char **argv)
{
	const char *reason = "";
	if (!step_possible(&reason))
		SKIP("no process can be taken step by step here: %s", reason);
	unsigned stride = wants_all_points(&argc, &argv) ? 1 : 3 * POINT_STRIDE;
	unsigned at = (unsigned)(time(NULL) / 60) % stride;
	fresh(1);
	common = shared_memory(sizeof *common);
	while (check_failures == 0 && play(at))
		at += stride;
	if (check_failures != 0)
		fprintf(stderr, "... interrupted at instruction %u\n", at);
	CHECK(at > 100);
	printf("%u instructions\n", at);
	return test_result();
}
