/* SPDX-License-Identifier: MIT */
/* wait.c - sleeping in semop: group W of docs/semantics-sem.md. */
#include "support/sets.h"

static void test_served_by_the_waker(void)
{
	int id = private_set(2);
	pid_t child = SLEEPER(id, 0, 1, OP(0, -1, 0));
	CHECK_LINE("W6", up_waiters(id, 0) == 1 && zero_waiters(id, 0) == 0);
	CHECK_LINE("W13", set_stat(id).sem_otime == 0);
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK_LINE("W1", value_of(id, 0) == 0 && up_waiters(id, 0) == 0);
	CHECK_LINE("W1", semctl(id, 0, GETPID) == child && result_of(child) == 0);
	child = SLEEPER(id, 1, 1, OP(1, -1, 0));
	CHECK(set_value(id, 1, 3) == 0);
	CHECK_LINE("W8", value_of(id, 1) == 2 && result_of(child) == 0);
	child = SLEEPER(id, 1, 1, OP(1, 0, 0));
	CHECK_LINE("W6", zero_waiters(id, 1) == 1 && up_waiters(id, 1) == 0);
	CHECK(set_value(id, 1, 0) == 0);
	CHECK_LINE("W8", result_of(child) == 0);
}

static void test_otime_of_setval(void)
{
	int id = private_set(1);
	pid_t child = SLEEPER(id, 0, 1, OP(0, -1, 0));
	CHECK(set_value(id, 0, 1) == 0);
	CHECK_LINE("W13", set_stat(id).sem_otime > 0 && result_of(child) == 0);
}

static void test_order(void)
{
	int id = private_set(1);
	pid_t two = SLEEPER(id, 0, 1, OP(0, -2, 0));
	pid_t one = SLEEPER(id, 0, 2, OP(0, -1, 0));
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK_LINE("W2", result_of(one) == 0 && up_waiters(id, 0) == 1);
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK_LINE("W2", OPS(id, OP(0, -1, IPC_NOWAIT)) == 0 && is_alive(two));
	CHECK(OPS(id, OP(0, 2, 0)) == 0);
	CHECK_LINE("W2", result_of(two) == 0);
	pid_t first = SLEEPER(id, 0, 1, OP(0, -1, 0));
	pid_t second = SLEEPER(id, 0, 2, OP(0, -1, 0));
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK_LINE("W2", result_of(first) == 0 && is_alive(second));
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK(result_of(second) == 0);
}

static void test_chain(void)
{
	int id = private_set(2);
	pid_t older = SLEEPER(id, 1, 1, OP(1, -1, 0));
	pid_t giver = SLEEPER(id, 0, 1, OP(0, -1, 0), OP(1, 1, 0));
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK_LINE("W3", value_of(id, 0) == 0 && value_of(id, 1) == 0);
	CHECK_LINE("W3", result_of(older) == 0 && result_of(giver) == 0);
	CHECK(set_value(id, 0, 1) == 0);
	pid_t zero = SLEEPER(id, 0, 1, OP(0, 0, 0));
	CHECK_LINE("W4", OPS(id, OP(0, -1, 0), OP(0, 1, 0)) == 0 && is_alive(zero));
	CHECK(OPS(id, OP(0, -1, 0)) == 0);
	CHECK_LINE("W4", result_of(zero) == 0);
}

static void test_several(void)
{
	int id = private_set(2);
	pid_t both = SLEEPER(id, 0, 1, OP(0, -1, 0), OP(1, -1, 0));
	CHECK_LINE("W6", up_waiters(id, 1) == 0);
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK_LINE("W5", value_of(id, 0) == 1);
	CHECK_LINE("W6", up_waiters(id, 0) == 0 && up_waiters(id, 1) == 1);
	CHECK_LINE("W5", OPS(id, OP(0, -1, IPC_NOWAIT)) == 0 && up_waiters(id, 0) == 1);
	pid_t single = SLEEPER(id, 0, 2, OP(0, -1, 0));
	CHECK(OPS(id, OP(1, 1, 0)) == 0);
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK_LINE("W5", result_of(both) == 0 && is_alive(single));
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK(result_of(single) == 0);

	pid_t child = SLEEPER(id, 0, 1, OP(0, -1, 0), OP(1, -1, IPC_NOWAIT));
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK_LINE("W7", result_of(child) == EAGAIN && value_of(id, 0) == 1);
	CHECK(set_value(id, 0, 0) == 0 && set_value(id, 1, 32767) == 0);
	child = SLEEPER(id, 0, 1, OP(0, -1, 0), OP(1, 1, 0));
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK_LINE("W7", result_of(child) == ERANGE && value_of(id, 0) == 1);
}

static void test_setall_and_removal(void)
{
	int id = private_set(2);
	unsigned short values[2] = { 1, 1 };
	pid_t one = SLEEPER(id, 0, 1, OP(0, -1, 0)), two = SLEEPER(id, 1, 1, OP(1, -1, 0));
	CHECK(semctl(id, 0, SETALL, (union semun){ .array = values }) == 0);
	CHECK_LINE("W8", value_of(id, 0) == 0 && value_of(id, 1) == 0);
	CHECK_LINE("W8", result_of(one) == 0 && result_of(two) == 0);
	one = SLEEPER(id, 0, 1, OP(0, -1, 0));
	two = SLEEPER(id, 1, 1, OP(0, 0, 0), OP(1, -1, 0));
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	CHECK_LINE("W8", result_of(one) == EIDRM && result_of(two) == EIDRM);
}

static void handle(int signal)
{
	(void)signal;
}

/* A child that sleeps with a handler for SIGUSR1, and the other signals as `how` says. */
static pid_t with_handler(int id, int flags, bool timed)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t blocked;
		struct timespec minute = { 60, 0 };
		struct sembuf op = OP(0, -1, 0);
		sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = handle, .sa_flags = flags },
		          NULL);
		signal(SIGUSR2, SIG_IGN);
		sigemptyset(&blocked);
		sigaddset(&blocked, SIGHUP);
		sigprocmask(SIG_BLOCK, &blocked, NULL);
		_exit(semtimedop(id, &op, 1, timed ? &minute : NULL) == 0 ? 0 : errno);
	}
	for (int i = 0; i < 5000 && up_waiters(id, 0) == 0; i++)
		nap(1);
	nap(20); /* asleep, and not only in the queue */
	return pid;
}

static void test_signals(void)
{
	int id = private_set(1);
	for (int way = 0; way < 4; way++) {
		pid_t child = with_handler(id, way & 1 ? SA_RESTART : 0, (way & 2) != 0);
		CHECK(kill(child, SIGUSR2) == 0 && kill(child, SIGHUP) == 0);
		CHECK_LINE("W9", is_alive(child) && up_waiters(id, 0) == 1);
		CHECK(kill(child, SIGUSR1) == 0);
		CHECK_LINE("W9", result_of(child) == EINTR && up_waiters(id, 0) == 0);
	}
}

static void test_killed(void)
{
	int id = private_set(1);
	pid_t first = SLEEPER(id, 0, 1, OP(0, -1, 0)), second = SLEEPER(id, 0, 2, OP(0, -1, 0));
	CHECK(kill(first, SIGKILL) == 0 && result_of(first) == -1);
	CHECK_LINE("W11", up_waiters(id, 0) == 1);
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK_LINE("W11", result_of(second) == 0 && value_of(id, 0) == 0);
}

static void test_permission_is_asked_once(void)
{
	int id = private_set(1);
	struct semid_ds stat = set_stat(id);
	pid_t child = SLEEPER(id, 0, 1, OP(0, -1, 0));
	stat.sem_perm.mode = 0;
	CHECK(semctl(id, 0, IPC_SET, (union semun){ .buf = &stat }) == 0);
	stat.sem_perm.mode = 0600;
	CHECK(semctl(id, 0, IPC_SET, (union semun){ .buf = &stat }) == 0);
	CHECK(OPS(id, OP(0, 1, 0)) == 0);
	CHECK_LINE("W10", result_of(child) == 0);
}

int main(void)
{
	begin_sets();
	test_served_by_the_waker();
	test_otime_of_setval();
	test_order();
	test_chain();
	test_several();
	test_setall_and_removal();
	test_signals();
	test_killed();
	test_permission_is_asked_once();
	return test_result();
}
