/* SPDX-License-Identifier: MIT */
/* interrupt.c - signals, cancellation, death while asleep: group I of docs/semantics-msg.md. */
#include "support/queues.h"

#include <pthread.h>
#include <setjmp.h>

static int queue;
static sigjmp_buf out;

static void nothing(int signal)
{
	(void)signal;
}

static void send_one(int signal)
{
	(void)signal;
	(void)put(queue, 5, "from the handler");
}

static void jump(int signal)
{
	(void)signal;
	siglongjmp(out, 1);
}

/* A child that sleeps with a handler of SIGUSR1. It exits with 100 + errno, or 0. */
static pid_t with_handler(void (*handler)(int), int flags, bool sends)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t blocked;
		sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = handler, .sa_flags = flags },
		          NULL);
		signal(SIGUSR2, SIG_IGN);
		sigemptyset(&blocked);
		sigaddset(&blocked, SIGHUP);
		sigprocmask(SIG_BLOCK, &blocked, NULL);
		if (sigsetjmp(out, 1) != 0) {
			nap(300); /* the message comes meanwhile */
			_exit(55);
		}
		ssize_t rc =
			sends ? put_sized(queue, 1, "x", 10, 0) : msgrcv(queue, &got, 100, 5, 0);
		_exit(rc >= 0 ? 0 : 100 + errno);
	}
	until_asleep(pid);
	return pid;
}

static void test_handlers(void)
{
	for (int way = 0; way < 4; way++) {
		bool sends = (way & 1) != 0;
		empty(queue);
		if (sends)
			CHECK(put_sized(queue, 1, "x", 10, IPC_NOWAIT) == 0);
		pid_t pid = with_handler(nothing, way & 2 ? SA_RESTART : 0, sends);
		CHECK(kill(pid, SIGUSR2) == 0 && kill(pid, SIGHUP) == 0);
		CHECK_LINE("I2", is_alive(pid));
		CHECK(kill(pid, SIGSTOP) == 0);
		nap(20);
		CHECK(kill(pid, SIGCONT) == 0);
		CHECK_LINE("I2", is_alive(pid));
		CHECK(kill(pid, SIGUSR1) == 0);
		CHECK_LINE("I1", result_of(pid) == 100 + EINTR);
		CHECK_LINE("I1", queue_stat(queue).msg_qnum == (sends ? 1 : 0));
	}
}

static void test_handlers_that_call(void)
{
	empty(queue);
	pid_t pid = with_handler(send_one, 0, false);
	CHECK(set_room(queue, 100) == 0 && kill(pid, SIGUSR1) == 0);
	CHECK_LINE("I4", result_of(pid) == 100 + EINTR && queue_stat(queue).msg_qnum == 1);
	empty(queue);
	pid = with_handler(jump, 0, false);
	CHECK(kill(pid, SIGUSR1) == 0);
	nap(100);
	CHECK(put(queue, 5, "y") == 0);
	CHECK_LINE("I4", queue_stat(queue).msg_qnum == 1 && result_of(pid) == 55);
	CHECK(set_room(queue, 10) == 0);
}

static void test_at_the_same_time(void)
{
	int received = 0, interrupted = 0;
	for (int i = 0; i < 60; i++) {
		empty(queue);
		pid_t pid = with_handler(nothing, i & 1 ? SA_RESTART : 0, false);
		if (i & 2)
			kill(pid, SIGUSR1);
		CHECK(put(queue, 5, "x") == 0);
		kill(pid, SIGUSR1);
		int result = result_of(pid), left = (int)queue_stat(queue).msg_qnum;
		received += result == 0 && left == 0;
		interrupted += result == 100 + EINTR && left == 1;
	}
	CHECK_LINE("I5", received + interrupted == 60);
}

static void *receive_thread(void *unused)
{
	struct message message;
	(void)unused;
	(void)msgrcv(queue, &message, 100, 5, 0);
	return NULL;
}

static void *send_thread(void *unused)
{
	(void)unused;
	(void)put_sized(queue, 1, "x", 10, 0);
	return NULL;
}

static void cancel(void *(*function)(void *))
{
	pthread_t thread;
	void *result = NULL;
	CHECK(pthread_create(&thread, NULL, function, NULL) == 0);
	nap(50);
	CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
	CHECK_LINE("I6", result == PTHREAD_CANCELED);
}

/* AddressSanitizer's runtime takes an asynchronous end of a thread for an error. */
#if defined(__SANITIZE_ADDRESS__)
enum { CANCELS = 0 };
#else
enum { CANCELS = 1 };
#endif

static void test_cancellation(void)
{
	empty(queue);
	cancel(receive_thread);
	CHECK(put(queue, 5, "x") == 0);
	CHECK_LINE("I6", queue_stat(queue).msg_qnum == 1);
	empty(queue);
	CHECK(put_sized(queue, 2, "x", 10, IPC_NOWAIT) == 0);
	cancel(send_thread);
	CHECK_LINE("I6", queue_stat(queue).msg_qnum == 1 && take_sized(queue, 10, 2, 0) == 10);
	CHECK_LINE("I6", queue_stat(queue).msg_qnum == 0);
}

static void test_killed(void)
{
	empty(queue);
	pid_t first = receiver(queue, 10, 0, 0), second = receiver(queue, 10, 0, 0);
	CHECK(kill(first, SIGKILL) == 0 && result_of(first) == -1);
	CHECK(put(queue, 1, "xy") == 0);
	CHECK_LINE("I7", result_of(second) == 2 && queue_stat(queue).msg_qnum == 0);
	CHECK(put_sized(queue, 1, "x", 10, IPC_NOWAIT) == 0);
	first = sender(queue, 2, 10);
	second = sender(queue, 3, 10);
	CHECK(kill(first, SIGKILL) == 0 && result_of(first) == -1);
	CHECK(take_sized(queue, 10, 1, 0) == 10);
	CHECK_LINE("I7", result_of(second) == 0 && take_sized(queue, 10, 3, 0) == 10);
	CHECK_LINE("I7", queue_stat(queue).msg_qnum == 0);
}

int main(void)
{
	begin_queues();
	queue = private_queue();
	CHECK(set_room(queue, 10) == 0);
	test_handlers();
	test_handlers_that_call();
	test_at_the_same_time();
	if (CANCELS)
		test_cancellation();
	test_killed();
	return test_result();
}
