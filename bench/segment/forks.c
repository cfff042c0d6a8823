/* SPDX-License-Identifier: MIT */
/*
 * forks.c - what a fork costs a process with attachments.
 *
 * Attachments cost a fork twice: the kernel copies the mappings, and Madang
 * has its own bookkeeping to do. A process with attachments on both sides
 * would pay for both, whichever side is measured. So each side has a process
 * of its own, started afresh (fork and exec), which attaches on its side alone
 * and then times forks whenever it is told to through a pipe. The benchmark
 * tells them in turn.
 */
#include "bench/segment/segment.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ATTACHMENTS     4
#define ATTACHMENT_SIZE 65536u

/* Reads or gives up: a short read means that the other end is gone. */
static bool read_all(int file, void *data, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t got = read(file, (char *)data + have, size - have);

		if (got > 0)
			have += (size_t)got;
		else if (got == 0 || errno != EINTR)
			return false;
	}
	return true;
}

static bool write_all(int file, const void *data, size_t size)
{
	/* shorter than PIPE_BUF: all or nothing */
	return write(file, data, size) == (ssize_t)size;
}

/* ---- the driver process ------------------------------------------------- */

struct attachment {
	int id;
	char *memory;
};

static bool attach_all(const struct side *side, struct attachment held[ATTACHMENTS])
{
	for (int i = 0; i < ATTACHMENTS; i++) {
		held[i].id = side->get(IPC_PRIVATE, ATTACHMENT_SIZE, IPC_CREAT | 0600);
		if (held[i].id < 0)
			return false;
		held[i].memory = side->at(held[i].id, NULL, 0);
		if (held[i].memory == (void *)-1)
			return false;
		memset(held[i].memory, 1, ATTACHMENT_SIZE);
	}
	return true;
}

static void detach_all(const struct side *side, const struct attachment held[ATTACHMENTS])
{
	for (int i = 0; i < ATTACHMENTS; i++) {
		if (held[i].memory != NULL && held[i].memory != (void *)-1)
			side->dt(held[i].memory);
		if (held[i].id >= 0)
			side->ctl(held[i].id, IPC_RMID, NULL);
	}
}

static uint64_t time_forks(uint32_t n)
{
	uint64_t start = now_ns();

	while (n-- > 0) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		if (child < 0 || waitpid(child, NULL, 0) != child)
			return 0;
	}
	return now_ns() - start;
}

/* To the last processor allowed, and its children with it. Otherwise a fork
 * costs a quarter more or less depending on where the child happens to run. */
static void stay_on_one_processor(void)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
		return;
	for (size_t i = CPU_SETSIZE; i-- > 0;) {
		if (CPU_ISSET(i, &allowed)) {
			CPU_ZERO(&one);
			CPU_SET(i, &one);
			sched_setaffinity(0, sizeof one, &one);
			return;
		}
	}
}

/* Standard input brings numbers of forks, standard output takes nanoseconds;
 * the first answer says whether all is attached. Ends when the input does, and
 * only then: a signal meant for the benchmark must not leave segments behind. */
int forks_driver(const char *side_name, bool control)
{
	struct attachment held[ATTACHMENTS];
	const struct side *side;
	uint32_t n;
	uint64_t answer;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	stay_on_one_processor();
	if (control)
		sides_control();
	side = bench_sides[strcmp(side_name, "kernel") == 0 ? KERNEL : MADANG];
	for (int i = 0; i < ATTACHMENTS; i++)
		held[i] = (struct attachment){ .id = -1 };
	answer = attach_all(side, held);
	while (write_all(STDOUT_FILENO, &answer, sizeof answer) && answer != 0 &&
	       read_all(STDIN_FILENO, &n, sizeof n))
		answer = time_forks(n);
	detach_all(side, held);
	return 0;
}

/* ---- the benchmark's end ------------------------------------------------ */

static void become_driver(const struct side *side, int input, int output)
{
	bool control = bench_sides[MADANG]->get == bench_sides[KERNEL]->get;
	const char *name = side == bench_sides[KERNEL] ? "kernel" : "madang";

	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	for (int i = STDERR_FILENO + 1; i < 64; i++)
		close(i); /* the other driver's pipes must end with the benchmark */
	execl("/proc/self/exe", "madang-bench", "--fork-driver", name, control ? "control" : "",
	      (char *)NULL);
	_exit(127);
}

bool forks_begin(struct case_state *state)
{
	int to[2], from[2];
	uint64_t answer = 0;

	if (pipe(to) != 0)
		return false;
	state->pipe_to = to[1];
	if (pipe(from) != 0) {
		close(to[0]);
		return false;
	}
	state->pipe_from = from[0];
	state->helper = fork();
	if (state->helper == 0)
		become_driver(state->side, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	if (!read_all(state->pipe_from, &answer, sizeof answer))
		errno = ECHILD;
	return answer != 0;
}

uint64_t forks_run(struct case_state *state, unsigned n)
{
	uint32_t number = n;
	uint64_t answer = 0;

	if (!write_all(state->pipe_to, &number, sizeof number) ||
	    !read_all(state->pipe_from, &answer, sizeof answer))
		return 0;
	return answer;
}

/* The driver ends by itself once its input does, and cleans up first. */
void forks_end(struct case_state *state)
{
	if (state->pipe_to >= 0)
		close(state->pipe_to);
	if (state->pipe_from >= 0)
		close(state->pipe_from);
	if (state->helper > 0)
		while (waitpid(state->helper, NULL, 0) < 0 && errno == EINTR)
			;
}
