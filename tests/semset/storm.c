/* SPDX-License-Identifier: MIT */
/*
 * storm.c - many processes operate on one set, always with UNDO, and are killed at any moment. At
 * the end all values are as at the beginning.
 *
 *     semset-storm [seconds]
 */
#include "semset/set.h"
#include "semset/sound.h"

enum { WORKERS = 6, SEMAPHORES = 5, AT_FIRST = 3 };
/* What the dead had is used again: the memory does not grow with their number. */
enum { BLOCKS_MOST = 1000 };

/* Also in the midst of an operation, on the same semaphores. */
static void handle(int number)
{
	(void)number;
	int error = errno;
	if (op1(0, -1, UNDO | NOWAIT) == 0 && op1(0, 1, UNDO) != 0)
		abort();
	(void)value(1);
	errno = error;
}

static int has[SEMAPHORES]; /* what this worker has taken */

/* Gives back what it has of two, or takes of them: a value never falls below what is undone. */
static int draw(uint64_t *state)
{
	unsigned a = below(state, SEMAPHORES), b = below(state, SEMAPHORES);
	short flags = (short)(UNDO | (below(state, 4) == 0 ? 0 : NOWAIT));
	short by_a = (short)(has[a] > 0 ? 1 : -1);
	short by_b = (short)(has[b] - (a == b ? by_a : 0) > 0 ? 1 : -1);
	struct sembuf ops[3] = { { (unsigned short)a, by_a, flags },
		                 { (unsigned short)b, by_b, flags },
		                 { (unsigned short)a, 0, flags } };
	int64_t time = 1000 * (int64_t)below(state, 3000);
	unsigned which = below(state, 8), first = 0, count = 1;
	if (which == 0)
		return value(a) < 0 ? -1000 : 0;
	if (which == 1)
		return ncount(a) < 0 ? -1000 : 0;
	if (which == 2)
		first = 2;
	else if (which < 6)
		count = which - 2;
	int rc = op_timed(ops + first, count, time);
	for (unsigned i = first; rc == 0 && i < first + count; i++)
		has[ops[i].sem_num] -= ops[i].sem_op;
	return rc;
}

static _Atomic uint64_t *counts; /* calls, and those that were done */

static void work(void *argument)
{
	uint64_t state = now_ns() ^ (uint64_t)getpid() << 20;
	struct sigaction action = { .sa_handler = handle };
	(void)argument;
	sigaction(SIGUSR1, &action, NULL);
	for (;;) {
		int rc = draw(&state);
		counts[0]++;
		counts[1] += rc == 0;
		if (rc != 0 && rc != -EAGAIN && rc != -EINTR && rc != -ERANGE) {
			fprintf(stderr, "a worker gets %d\n", rc);
			counts[2]++;
		}
	}
}

static void storm(void)
{
	const uint64_t seconds = world.kernel ? 1 : (uint64_t)world.id;
	uint64_t end = mdg_deadline(seconds * 1000000000), state = now_ns() | 1;
	unsigned deaths = 0;
	pid_t pid[WORKERS];
	memset((void *)(uintptr_t)counts, 0, 4096);
	world.id = -1;
	fresh(SEMAPHORES);
	for (unsigned i = 0; i < SEMAPHORES; i++)
		CHECK(set_value(i, AT_FIRST) == 0);
	for (unsigned i = 0; i < WORKERS; i++)
		pid[i] = start(work, NULL);
	while (now_ns() < end && counts[2] == 0) {
		unsigned which = below(&state, WORKERS);
		usleep(below(&state, 4000));
		if (below(&state, 3) == 0) {
			kill(pid[which], SIGUSR1);
			continue;
		}
		killed(pid[which]);
		deaths++;
		pid[which] = start(work, NULL);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		killed(pid[i]);
	for (unsigned i = 0; i < SEMAPHORES; i++)
		if (!CHECK(value(i) == AT_FIRST && ncount(i) == 0 && zcount(i) == 0))
			fprintf(stderr, "%u: %d\n", i, value(i));
	if (!world.kernel)
		CHECK(is_sound(engine()) && mdg__semset_head(engine())->fresh < BLOCKS_MOST);
	CHECK(counts[2] == 0 && counts[1] > 100);
	printf("%s: %u deaths, %llu calls, %llu done\n", world.kernel ? "kernel" : "engine", deaths,
	       (unsigned long long)counts[0], (unsigned long long)counts[1]);
}

int main(int argc, char **argv)
{
	counts = shared_memory(4096);
	world.id = argc > 1 ? atoi(argv[1]) : 5;
	storm();
	world.kernel = true;
	world.id = -1;
	if (check_failures == 0)
		storm();
	set_gone();
	return test_result();
}
