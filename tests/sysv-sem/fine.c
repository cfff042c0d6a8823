/* SPDX-License-Identifier: MIT */
/* fine.c - the fine print of docs/semantics-sem.md. */
#include "support/sets.h"

#include <pthread.h>

enum { SETS = 20, SLEEPERS = 50 };

static int set, sets[SETS];

/* ---- operations ------------------------------------------------------------------------- */

static void test_operations(void)
{
	const struct timespec time = { 0, 2000000 };
	struct timespec same = time;
	set = private_set(2);
	pid_t pid = SLEEPER(set, 0, 1, OP(0, -1, 0), OP(1, -1, IPC_NOWAIT));
	CHECK_LINE("fine S42", is_alive(pid));
	CHECK_LINE("fine W23", OPS(set, OP(0, 1, 0)) == 0 && result_of(pid) == EAGAIN);
	CHECK(value_of(set, 0) == 1 && set_value(set, 1, 32767) == 0);
	CHECK_ERRNO("fine S43", EAGAIN, OPS(set, OP(1, 0, IPC_NOWAIT), OP(0, -2, 0)));
	CHECK_ERRNO("fine S44", EAGAIN, OPS(set, OP(0, -2, IPC_NOWAIT), OP(1, 1, 0)));
	CHECK_ERRNO("fine S45", ERANGE, OPS(set, OP(1, 1, 0), OP(0, -2, IPC_NOWAIT)));
	CHECK_ERRNO("fine T04", EAGAIN, semtimedop(set, &OP(0, -2, 0), 1, &same));
	CHECK_LINE("fine T05", memcmp(&same, &time, sizeof time) == 0);
	CHECK_LINE("fine T06", up_waiters(set, 0) == 0);
}

/* ---- sleepers --------------------------------------------------------------------------- */

static struct sembuf own;
static int thread_result;

static void *sleep_in_thread(void *unused)
{
	(void)unused;
	thread_result = semop(set, &own, 1);
	pthread_testcancel();
	return NULL;
}

static pthread_t thread_asleep(void)
{
	pthread_t thread;
	own = OP(0, -1, 0);
	thread_result = -7;
	CHECK(pthread_create(&thread, NULL, sleep_in_thread, NULL) == 0);
	for (int i = 0; i < 5000 && up_waiters(set, 0) == 0; i++)
		nap(1);
	return thread;
}

static void test_threads(void)
{
	set = private_set(2);
	pthread_t thread = thread_asleep();
	CHECK_LINE("fine W44", up_waiters(set, 0) == 1 && OPS(set, OP(1, 1, 0)) == 0);
	own = OP(1, 5, 0);
	CHECK_LINE("fine W45", OPS(set, OP(0, 1, 0)) == 0 && pthread_join(thread, NULL) == 0);
	CHECK_LINE("fine W45",
	           thread_result == 0 && value_of(set, 0) == 0 && value_of(set, 1) == 1);
	CHECK_LINE("fine W45", semctl(set, 0, GETPID) == getpid());
#ifdef __GLIBC__ /* musl cancels by a signal, which ends the sleep with EINTR */
	void *result = NULL;
	thread = thread_asleep();
	CHECK(pthread_cancel(thread) == 0);
	nap(50);
	CHECK_LINE("fine X22", up_waiters(set, 0) == 1);
	CHECK(OPS(set, OP(0, 1, 0)) == 0 && pthread_join(thread, &result) == 0);
	CHECK_LINE("fine X22", result == PTHREAD_CANCELED && thread_result == 0);
	CHECK_LINE("fine X22", value_of(set, 0) == 0 && up_waiters(set, 0) == 0);
#endif
	/* A child that is forked meanwhile has no sleeper, and goes its own ways. */
	thread = thread_asleep();
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(up_waiters(set, 0) == 1 && OPS(set, OP(1, 1, SEM_UNDO)) == 0 ? 0 : 1);
	CHECK_LINE("fine W70", result_of(pid) == 0 && up_waiters(set, 0) == 1);
	CHECK_LINE("fine W70", value_of(set, 1) == 1 && OPS(set, OP(0, 1, 0)) == 0);
	CHECK_LINE("fine W70", pthread_join(thread, NULL) == 0 && thread_result == 0);
}

static void test_many_sleepers(void)
{
	pid_t pids[SLEEPERS];
	set = private_set(1);
	for (int i = 0; i < SLEEPERS; i++)
		pids[i] = SLEEPER(set, 0, i + 1, OP(0, -1, 0));
	CHECK_LINE("fine W50", up_waiters(set, 0) == SLEEPERS);
	CHECK_LINE("fine W51", OPS(set, OP(0, SLEEPERS, 0)) == 0 && value_of(set, 0) == 0);
	CHECK_LINE("fine W51", up_waiters(set, 0) == 0);
	for (int i = 0; i < SLEEPERS; i++)
		CHECK_LINE("fine W52", result_of(pids[i]) == 0);
}

static void ignore(int number)
{
	(void)number;
}

static void alarm_in_child(void *unused)
{
	struct sigaction action = { .sa_handler = ignore, .sa_flags = SA_RESTART };
	(void)unused;
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	alarm(1);
	CHECK_ERRNO("fine W48", EINTR, OPS(set, OP(0, -1, 0)));
	CHECK_LINE("fine W48", up_waiters(set, 0) == 0);
}

/* ---- undo ------------------------------------------------------------------------------ */

static pid_t start(void (*f)(void), int *ret_ready)
{
	int ready[2];
	CHECK(pipe(ready) == 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		close(ready[0]);
		f();
		_exit(write(ready[1], "x", 1) == 1 ? (pause(), 0) : 1);
	}
	close(ready[1]);
	*ret_ready = ready[0];
	return pid;
}

static bool is_ready(int ready)
{
	char byte;
	bool is = read(ready, &byte, 1) == 1;
	close(ready);
	return is;
}

static void take_of_all(void)
{
	for (int i = 0; i < SETS; i++)
		if (OPS(sets[i], OP(0, -1, SEM_UNDO)) != 0)
			_exit(1);
}

static void take_and_block(void)
{
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (OPS(set, OP(0, -1, SEM_UNDO)) != 0)
		_exit(1);
}

static void take_and_change_user(void)
{
	if (OPS(set, OP(0, -1, SEM_UNDO)) != 0 || setuid(12345) != 0)
		_exit(1);
}

static void test_undo(void)
{
	int ready;
	set = private_set(1);
	CHECK(set_value(set, 0, 5) == 0);
	for (int i = 0; i < SETS; i++) {
		sets[i] = private_set(1);
		CHECK(set_value(sets[i], 0, 3) == 0);
	}
	pid_t pid = start(take_of_all, &ready);
	CHECK(is_ready(ready) && value_of(sets[SETS - 1], 0) == 2);
	CHECK(semctl(sets[7], 0, IPC_RMID) == 0);
	kill(pid, SIGKILL);
	CHECK(result_of(pid) == -1);
	for (int i = 0; i < SETS; i++)
		CHECK_LINE("fine U55", i == 7 || value_of(sets[i], 0) == 3);
	pid = start(take_and_block, &ready);
	CHECK(is_ready(ready) && value_of(set, 0) == 4);
	kill(pid, SIGKILL);
	CHECK_LINE("fine U62", result_of(pid) == -1 && value_of(set, 0) == 5);
	if (geteuid() != 0)
		return;
	pid = start(take_and_change_user, &ready);
	CHECK_LINE("fine U58", is_ready(ready) && value_of(set, 0) == 4);
	kill(pid, SIGKILL);
	CHECK_LINE("fine U58", result_of(pid) == -1 && value_of(set, 0) == 5);
}

static void *outlive(void *ready)
{
	nap(100); /* the first thread is gone by then */
	if (OPS(set, OP(0, -1, SEM_UNDO)) != 0 || write(*(int *)ready, "x", 1) != 1)
		_exit(1);
	nap(300);
	return NULL;
}

static void test_last_thread(void)
{
	int ready[2];
	CHECK(pipe(ready) == 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		static int to;
		pthread_t thread;
		to = ready[1];
		if (OPS(set, OP(0, -1, SEM_UNDO)) != 0 ||
		    pthread_create(&thread, NULL, outlive, &to) != 0)
			_exit(1);
		pthread_exit(NULL);
	}
	CHECK_LINE("fine U29", is_ready(ready[0]) && value_of(set, 0) == 3);
	close(ready[1]);
	int result = result_of(pid);
#if defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
	result = 0; /* these end a process whose main thread has ended in a way of their own */
#endif
	CHECK_LINE("fine U28", result == 0 && value_of(set, 0) == 5);
}

int main(void)
{
	begin_sets();
	test_operations();
	test_threads();
	test_many_sleepers();
	set = private_set(1);
	CHECK(in_child(alarm_in_child, NULL));
	test_undo();
	test_last_thread();
	return test_result();
}
