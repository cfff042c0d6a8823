/* SPDX-License-Identifier: MIT */
/* measure.c - what the engine costs beside the kernel, alternating in one run. No test. */
#include "semset/set.h"

enum { ROUNDS = 5, MANY = 20000 };

static double each(void (*f)(void), unsigned count)
{
	uint64_t before = now_ns();
	for (unsigned i = 0; i < count; i++)
		f();
	return (double)(now_ns() - before) / count;
}

static void there_and_back(void)
{
	op1(0, 1, 0);
	op1(0, -1, 0);
}
static void undo_there_and_back(void)
{
	op1(0, 1, UNDO);
	op1(0, -1, UNDO);
}
static void two(void)
{
	op(OPS({ 0, 1, 0 }, { 1, 1, 0 }));
	op(OPS({ 0, -1, 0 }, { 1, -1, 0 }));
}
static void lock_idiom(void)
{
	op(OPS({ 0, 0, 0 }, { 0, 1, UNDO }));
	op1(0, -1, UNDO | NOWAIT);
}
static void get(void)
{
	value(0);
	value(0);
}
static void ping(void)
{
	op1(0, 1, 0);
	op1(1, -1, 0);
}

static void in_turn(const char *name, void (*f)(void), unsigned count)
{
	double best[2] = { 1e12, 1e12 };
	for (int i = 0; i < ROUNDS * 2; i++) {
		world.kernel = i % 2;
		fresh(2);
		pid_t pid = 0;
		if (f == ping) {
			pid = fork();
			while (pid == 0) {
				op1(0, -1, 0);
				op1(1, 1, 0);
			}
		}
		double cost = each(f, count) / 2;
		best[world.kernel] = cost < best[world.kernel] ? cost : best[world.kernel];
		if (pid != 0)
			killed(pid);
	}
	printf("%-22s engine %9.1f ns  kernel %9.1f ns  %.3f\n", name, best[0], best[1],
	       best[0] / best[1]);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void death(void)
{
	enum { TIMES = 40 };
	_Atomic uint64_t *end = shared_memory(4096);
	uint64_t took[2][TIMES];
	for (int i = 0; i < TIMES * 2; i++) {
		world.kernel = i % 2;
		fresh(1);
		CHECK(set_value(0, 1) == 0);
		pid_t one = holder1(0, -1, UNDO), two = fork();
		if (two == 0) {
			int rc = op1(0, -1, UNDO);
			*end = now_ns();
			_exit(rc != 0);
		}
		nap_ms(5);
		uint64_t before = now_ns();
		kill(one, SIGKILL);
		CHECK(ended(two) == 0);
		took[i % 2][i / 2] = *end - before;
		ended(one);
	}
	for (int i = 0; i < 2; i++)
		qsort(took[i], TIMES, sizeof took[i][0], compare);
	printf("death of a holder      engine %6u us (least %u, most %u)  kernel %6u us (%u, %u)\n",
	       (unsigned)(took[0][TIMES / 2] / 1000), (unsigned)(took[0][0] / 1000),
	       (unsigned)(took[0][TIMES - 1] / 1000), (unsigned)(took[1][TIMES / 2] / 1000),
	       (unsigned)(took[1][0] / 1000), (unsigned)(took[1][TIMES - 1] / 1000));
}

int main(void)
{
	in_turn("one operation", there_and_back, MANY);
	in_turn("with UNDO", undo_there_and_back, MANY);
	in_turn("two operations", two, MANY);
	in_turn("(0, +1 UNDO), -1 UNDO", lock_idiom, MANY);
	in_turn("GETVAL", get, MANY);
	in_turn("there and back", ping, 2000);
	death();
	return test_result();
}
