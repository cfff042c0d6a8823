/* SPDX-License-Identifier: MIT */
/*
 * leaving.c - a sleeper leaves by a signal in the moment in which another process serves it.
 *
 * The server is stopped at each store of its operation. Then the sleeper gets its signal, and is
 * stopped too, on its way out. The server goes on to its end, and somebody else lies down in the
 * set. After that the first sleeper goes on, and gives back what it thinks is its own. The second
 * one must not be lost by it.
 *
 *     semset-leaving
 */
#include "semset/set.h"
#include "semset/sound.h"
#include "sync/points/step.h"

enum { AT_FIRST = 3, WITHIN_MS = 5000 };

static _Atomic uint32_t *go; /* the second sleeper lies down */
static _Atomic uint32_t *is_paused;
static unsigned point, left_by_signal;

static void ignore(int number)
{
	(void)number;
}

/* The set is changed by the server alone, and the sleeper's operation is possible then. */
static void leave_or_be_served(void *unused)
{
	struct sigaction action = { .sa_handler = ignore };
	(void)unused;
	sigaction(SIGUSR1, &action, NULL);
	_exit(-op1(0, -AT_FIRST - 1, 0));
}

/* Has all blocks that it needs but the one of its sleep. */
static void be_second(void *unused)
{
	(void)unused;
	if (op1(2, 1, UNDO) != 0 || op1(2, -1, UNDO) != 0)
		_exit(1);
	atomic_store(go, 1);
	while (atomic_load(go) != 2)
		usleep(200);
	_exit(-op1(1, -1, 0));
}

static void be_server(void *unused)
{
	(void)unused;
	(void)engine();
	(void)mdg__thread();
	step_begins();
	int rc = op1(0, 1, 0);
	if (atomic_load(is_paused) == 0)
		step_ends();
	_exit(-rc);
}

/* The child's result, or 1: it does not end. */
static int result_within(pid_t pid, bool goes_on)
{
	int status = 0;
	if (!ends_within(pid, WITHIN_MS, &status, goes_on)) {
		killed(pid);
		return 1;
	}
	return WIFEXITED(status) ? -WEXITSTATUS(status) : 1;
}

static void judge(pid_t first, pid_t second)
{
	atomic_store(go, 2);
	until_asleep(second);
	kill(first, SIGCONT);
	int rc = result_within(first, false);
	CHECK(rc == 0 || rc == -EINTR);
	left_by_signal += rc == -EINTR;
	CHECK(ncount(0) == 0 && ncount(1) == 1);
	CHECK(op1(1, 1, 0) == 0);
	CHECK(result_within(second, false) == 0);
	CHECK(value(0) == (rc == 0 ? 0 : AT_FIRST + 1));
	CHECK(value(1) == 0 && value(2) == 0 && ncount(1) == 0);
	CHECK(is_sound(engine()));
}

/* False: the server ended before this point. */
static bool play(void)
{
	struct step step;
	memset(world.base, 0, 4096);
	atomic_store(is_paused, 0);
	atomic_store(go, 0);
	CHECK(set_value(0, AT_FIRST) == 0);
	pid_t second = start(be_second, NULL);
	while (atomic_load(go) != 1 && !has_ended(second))
		usleep(200);
	pid_t first = start(leave_or_be_served, NULL);
	until_asleep(first);
	CHECK(step_start(&step, world.base, 4096, be_server, NULL));
	enum step_event event = step_to(&step, point);
	if (event != STEP_POINT && event != STEP_ASLEEP) {
		CHECK(event == STEP_ENDED);
		step_kill(&step);
		killed(first);
		killed(second);
		return false;
	}
	atomic_store(is_paused, 1);
	step_pause(&step);
	kill(first, SIGUSR1);
	usleep(3000);
	kill(first, SIGSTOP);
	CHECK(result_within(step.pid, true) == 0);
	judge(first, second);
	return true;
}

int main(void)
{
	const char *reason = "";
	if (!step_possible(&reason))
		SKIP("no process can be taken step by step here: %s", reason);
	fresh(3);
	go = shared_memory(sizeof *go);
	is_paused = shared_memory(sizeof *is_paused);
	for (point = first_point(); check_failures < 3; point += POINT_STRIDE) {
		int failures = check_failures;
		bool more = play();
		if (check_failures != failures)
			fprintf(stderr, "... the server was stopped at point %u\n", point);
		if (!more)
			break;
	}
	CHECK(left_by_signal > 0);
	printf("%u points, the sleeper left by its signal at %u\n", point, left_by_signal);
	return test_result();
}
