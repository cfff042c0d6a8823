/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - the memory of a set holds anything. Calls may return anything, but they return, and
 * touch nothing outside the memory.
 *
 *     semset-hostile [seed [rounds]]
 */
#include "semset/set.h"

enum { SEMAPHORES = 4, ROUNDS = 400 };

static uint64_t state;

static void scribble(void)
{
	unsigned times = 1 + below(&state, 12);
	uint32_t *words = (uint32_t *)(void *)world.base;
	for (unsigned i = 0; i < times; i++) {
		/* Near the head, in the semaphores, or in the heap. */
		static const unsigned from[4] = { 2, 32, MDG__SEMAPHORES_AT / 4, 464 };
		static const unsigned many[4] = { 30, 400, 16, 500 };
		unsigned part = below(&state, 4);
		uint32_t *at = &words[from[part] + below(&state, many[part])];
		switch (below(&state, 5)) {
		case 0:
			*at = below(&state, UINT32_MAX);
			break;
		case 1:
			*at = below(&state, 20);
			break;
		case 2:
			*at ^= UINT32_C(1) << below(&state, 32);
			break;
		case 3:
			*at = UINT32_MAX;
			break;
		default:
			*at = (uint32_t)getpid();
		}
	}
}

static void call(void)
{
	unsigned short all[SEMAPHORES] = { 1, 2, 3 };
	unsigned a = below(&state, SEMAPHORES), b = below(&state, SEMAPHORES);
	struct sembuf ops[6] = { { (unsigned short)a, -1, UNDO },
		                 { (unsigned short)b, 1, UNDO },
		                 { 0, 0, 0 },
		                 { 1, 1, 0 },
		                 { 2, -1, UNDO },
		                 { 3, 1, 0 } };
	switch (below(&state, 8)) {
	case 0:
		(void)op_timed(ops, 1 + below(&state, 6), 1000 * below(&state, 3000));
		break;
	case 1:
		(void)op_timed(ops + 1, 1, 100000);
		break;
	case 2:
		(void)value(a);
		(void)last_pid(b);
		break;
	case 3:
		(void)ncount(a);
		(void)zcount(b);
		break;
	case 4:
		(void)set_value(a, (int)b);
		break;
	case 5:
		(void)set_all(all);
		break;
	case 6:
		(void)get_all(all);
		break;
	default:
		(void)otime();
		break;
	}
}

static void suffer(void *unused)
{
	(void)unused;
	alarm(60);
	for (unsigned i = 0; i < 12; i++) {
		call();
		scribble();
	}
	/* What it holds of robust words is not looked at any more. */
	for (unsigned i = 0; i < 30; i++)
		call();
	if (below(&state, 8) == 0)
		(void)remove_set();
	_exit(0);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : now_ns();
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : ROUNDS;
	for (unsigned i = 0; i < rounds && check_failures == 0; i++) {
		state = (seed + i) | 1;
		state = state * UINT64_C(6364136223846793005) + 1;
		if (i == 0)
			fresh(SEMAPHORES);
		CHECK(ftruncate(world.file, 0) == 0 && ftruncate(world.file, 8192) == 0);
		pid_t pid = start(suffer, NULL);
		if (!CHECK(ended(pid) == 0))
			fprintf(stderr, "seed %#llx\n", (unsigned long long)seed + i);
	}
	return test_result();
}
