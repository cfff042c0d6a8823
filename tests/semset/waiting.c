/* SPDX-License-Identifier: MIT */
/* Sleepers: lines W and T. */
#include "semset/set.h"

static void hand_over(void)
{
	fresh(2);
	pid_t one = sleeper1(0, -1, 0);
	CHECK_LINE("W6", ncount(0) == 1 && zcount(0) == 0 && ncount(1) == 0);
	CHECK_LINE("W13", otime() == 0);
	CHECK_LINE("W1", op1(0, 1, 0) == 0);
	CHECK_LINE("W1", value(0) == 0 && ncount(0) == 0 && last_pid(0) == one);
	CHECK_LINE("W1", result(one) == 0);
	CHECK_LINE("W13", otime() != 0);
}

static void by_arrival(void)
{
	fresh(1);
	pid_t first = sleeper1(0, -1, 0), second = sleeper1(0, -1, 0);
	CHECK_LINE("W2", op1(0, 1, 0) == 0 && last_pid(0) == first && result(first) == 0);
	CHECK_LINE("W2", op1(0, 1, 0) == 0 && last_pid(0) == second && result(second) == 0);
	/* An older -2 keeps nothing. */
	first = sleeper1(0, -2, 0);
	second = sleeper1(0, -1, 0);
	CHECK_LINE("W2", op1(0, 1, 0) == 0 && last_pid(0) == second && result(second) == 0);
	CHECK_LINE("W2", op1(0, 1, 0) == 0 && value(0) == 1 && ncount(0) == 1);
	CHECK_LINE("W2", op1(0, -1, NOWAIT) == 0 && value(0) == 0);
	CHECK_LINE("W2", op1(0, 2, 0) == 0 && value(0) == 0 && result(first) == 0);
	/* One + for two. */
	first = sleeper1(0, -1, 0);
	second = sleeper1(0, -1, 0);
	CHECK_LINE("W2", op1(0, 3, 0) == 0 && value(0) == 1);
	CHECK(result(first) == 0 && result(second) == 0);
}

static void for_zero(void)
{
	fresh(2);
	CHECK(set_value(0, 2) == 0);
	pid_t zero = sleeper1(0, 0, 0), minus = sleeper1(0, -3, 0);
	CHECK_LINE("W6", zcount(0) == 1 && ncount(0) == 1);
	CHECK_LINE("W3", op1(0, 1, 0) == 0 && value(0) == 0);
	CHECK_LINE("W3", result(minus) == 0 && result(zero) == 0);
	/* In the middle of one semop. */
	CHECK(set_value(0, 1) == 0);
	zero = sleeper1(0, 0, 0);
	CHECK_LINE("W4", op(OPS({ 0, -1, 0 }, { 0, 1, 0 })) == 0 && zcount(0) == 1);
	CHECK_LINE("W4", sleeps(zero));
	CHECK_LINE("W4", op1(0, -1, 0) == 0 && zcount(0) == 0 && last_pid(0) == zero);
	CHECK_LINE("W4", result(zero) == 0);
}

static void lists(void)
{
	fresh(3);
	pid_t both = sleeper(OPS({ 0, -1, 0 }, { 1, -1, 0 }));
	CHECK_LINE("W6", ncount(0) == 1 && ncount(1) == 0);
	CHECK_LINE("W5", op1(0, 1, 0) == 0 && value(0) == 1 && ncount(0) == 0 && ncount(1) == 1);
	CHECK_LINE("W5", op1(0, -1, 0) == 0 && ncount(0) == 1 && ncount(1) == 0);
	CHECK_LINE("W5", op1(1, 1, 0) == 0 && value(1) == 1 && ncount(0) == 1);
	CHECK_LINE("W5", op1(0, 1, 0) == 0 && value(0) == 0 && value(1) == 0);
	CHECK_LINE("W5", last_pid(0) == both && last_pid(1) == both && result(both) == 0);
	/* In one queue with the single ones. */
	both = sleeper(OPS({ 0, -1, 0 }, { 1, 0, 0 }));
	pid_t single = sleeper1(0, -1, 0);
	CHECK_LINE("W5", op1(0, 1, 0) == 0 && last_pid(0) == both && result(both) == 0);
	CHECK_LINE("W5", op1(0, 1, 0) == 0 && result(single) == 0);
	/* A served one's + serves an older one. */
	single = sleeper1(2, -1, 0);
	both = sleeper(OPS({ 0, -1, 0 }, { 2, 1, 0 }));
	CHECK_LINE("W3", op1(0, 1, 0) == 0 && value(2) == 0 && last_pid(2) == single);
	CHECK(result(both) == 0 && result(single) == 0);
	/* (0, +1), the lock idiom. */
	CHECK(set_value(0, 1) == 0);
	both = sleeper(OPS({ 0, 0, 0 }, { 0, 1, 0 }));
	single = sleeper(OPS({ 0, 0, 0 }, { 0, 1, 0 }));
	CHECK_LINE("W6", zcount(0) == 2 && ncount(0) == 0);
	CHECK_LINE("W3", op1(0, -1, 0) == 0 && value(0) == 1 && zcount(0) == 1);
	CHECK(result(both) == 0 && op1(0, -1, 0) == 0 && result(single) == 0);
}

static void asleep_and_failing(void)
{
	fresh(2);
	pid_t one = sleeper(OPS({ 0, -1, 0 }, { 1, -1, NOWAIT }));
	CHECK_LINE("W7", op1(0, 1, 0) == 0 && value(0) == 1 && result(one) == -EAGAIN);
	fresh(2);
	CHECK(set_value(1, 32767) == 0);
	one = sleeper(OPS({ 0, -1, 0 }, { 1, 1, 0 }));
	CHECK_LINE("W7", op1(0, 1, 0) == 0 && value(0) == 1 && result(one) == -ERANGE);
	CHECK_LINE("W7", ncount(0) == 0);
}

static void set_under_sleepers(void)
{
	unsigned short values[2] = { 1, 2 };
	fresh(2);
	pid_t one = sleeper1(0, -1, 0);
	CHECK_LINE("W8", set_value(0, 3) == 0 && value(0) == 2 && last_pid(0) == one);
	CHECK_LINE("W13", otime() != 0 && result(one) == 0);
	one = sleeper1(0, 0, 0);
	CHECK_LINE("W8", set_value(0, 0) == 0 && result(one) == 0);
	one = sleeper1(0, -1, 0);
	pid_t two = sleeper1(1, -2, 0);
	CHECK_LINE("W8", set_all(values) == 0 && value(0) == 0 && value(1) == 0);
	CHECK(result(one) == 0 && result(two) == 0);
	one = sleeper1(0, -1, 0);
	two = sleeper(OPS({ 0, -1, 0 }, { 1, 0, 0 }));
	CHECK_LINE("W8", remove_set() == 0);
	CHECK_LINE("W8", result(one) == -EIDRM && result(two) == -EIDRM);
	world.id = -1;
}

static void nothing(int number)
{
	(void)number;
}

static void handle(int flags)
{
	struct sigaction action = { .sa_handler = nothing, .sa_flags = flags };
	sigaction(SIGUSR1, &action, NULL);
}

static void signals(void)
{
	for (int i = 0; i < 4; i++) {
		fresh(1);
		handle(i % 2 ? SA_RESTART : 0);
		pid_t one = sleeper_timed(OPS({ 0, -1, 0 }), i < 2 ? FOR_EVER : 20000000000);
		kill(one, SIGUSR1);
		CHECK_LINE("W9", result(one) == -EINTR);
		CHECK_LINE("W9", ncount(0) == 0);
	}
	signal(SIGUSR1, SIG_IGN);
	pid_t one = sleeper1(0, -1, 0);
	kill(one, SIGUSR1);
	CHECK_LINE("W9", sleeps(one) && ncount(0) == 1);
	CHECK_LINE("W9", op1(0, 1, 0) == 0 && result(one) == 0);
	handle(0);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	one = sleeper1(0, -1, 0);
	kill(one, SIGUSR1);
	CHECK_LINE("W9", sleeps(one) && ncount(0) == 1);
	CHECK_LINE("W9", op1(0, 1, 0) == 0 && result(one) == 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void deaths(void)
{
	fresh(1);
	pid_t one = sleeper1(0, -1, 0);
	killed(one);
	CHECK_LINE("W11", ncount(0) == 0);
	CHECK_LINE("W11", op1(0, 1, 0) == 0 && value(0) == 1 && last_pid(0) == getpid());
	CHECK(set_value(0, 0) == 0);
	one = sleeper1(0, -1, 0);
	pid_t two = sleeper1(0, -1, 0);
	killed(one);
	CHECK_LINE("W11", op1(0, 1, 0) == 0 && value(0) == 0 && last_pid(0) == two);
	CHECK_LINE("W11", result(two) == 0);
	/* With UNDO, asleep: nothing to undo. */
	one = sleeper1(0, -1, UNDO);
	killed(one);
	CHECK_LINE("U11", value(0) == 0 && op1(0, 1, 0) == 0 && value(0) == 1);
}

static void times(void)
{
	fresh(2);
	uint64_t before = now_ns();
	CHECK_LINE("T2", op_timed(OPS({ 0, -1, 0 }), 30000000) == -EAGAIN);
	CHECK_LINE("T2", now_ns() - before >= 30000000 && ncount(0) == 0);
	CHECK_LINE("T2", op_timed(OPS({ 0, -1, 0 }), 0) == -EAGAIN);
	CHECK_LINE("T2", op_timed(OPS({ 0, 1, 0 }), 0) == 0 && value(0) == 1);
	CHECK_LINE("T2", op_timed(OPS({ 0, 0, 0 }), 10000000) == -EAGAIN && zcount(0) == 0);
	CHECK_LINE("T2", op_timed(OPS({ 0, 0, 0 }, { 1, 1, 0 }), 10000000) == -EAGAIN);
	pid_t one = sleeper_timed(OPS({ 1, -1, 0 }), 20000000000);
	CHECK_LINE("T2", op1(1, 1, 0) == 0 && result(one) == 0);
}

static void many(void)
{
	enum { MANY = 50 };
	pid_t pid[MANY];
	struct sembuf ops[MDG__FEW_OPS * 3];
	fresh(60);
	for (int i = 0; i < MANY; i++)
		pid[i] = sleeper1(0, -1, 0);
	CHECK_LINE("W2", ncount(0) == MANY);
	CHECK_LINE("W2", op1(0, MANY, 0) == 0 && value(0) == 0 && ncount(0) == 0);
	for (int i = 0; i < MANY; i++)
		CHECK(result(pid[i]) == 0);
	/* A long list, asleep. */
	for (unsigned i = 0; i < MDG__FEW_OPS * 3; i++)
		ops[i] = (struct sembuf){ (unsigned short)i, i == 40 ? -1 : 1, UNDO };
	pid[0] = sleeper(ops, MDG__FEW_OPS * 3);
	CHECK_LINE("W6", ncount(40) == 1);
	CHECK_LINE("W5", op1(40, 2, 0) == 0 && value(40) + value(39) + value(41) >= 1);
	CHECK_LINE("U11", result(pid[0]) == 0 && value(39) == 0 && value(40) == 2);
}

int main(void)
{
	ON_BOTH(hand_over);
	ON_BOTH(by_arrival);
	ON_BOTH(for_zero);
	ON_BOTH(lists);
	ON_BOTH(asleep_and_failing);
	ON_BOTH(set_under_sleepers);
	ON_BOTH(signals);
	ON_BOTH(deaths);
	ON_BOTH(times);
	ON_BOTH(many);
	return test_result();
}
