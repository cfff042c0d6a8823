/* SPDX-License-Identifier: MIT */
/* fine_asleep.c - the fine print of docs/semantics-msg.md, where somebody sleeps or is killed. */
#include "support/queues.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>

static int queue;

static void fresh(unsigned long room)
{
	queue = private_queue();
	CHECK(set_room(queue, room) == 0);
}

static double milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ---- senders and receivers ------------------------------------------------------------------ */

static void test_room(void)
{
	fresh(10);
	for (int i = 0; i < 20; i++) {
		CHECK(put_sized(queue, 1, "x", 10, IPC_NOWAIT) == 0);
		pid_t one = sender(queue, 2, 8), two = sender(queue, 2, 8);
		CHECK(take_sized(queue, 10, 1, 0) == 10);
		CHECK_LINE("fine B17", take_sized(queue, 10, 2, 0) == 8 || errno == ENOMSG);
		for (int left = 1000; left > 0 && got.type != 2; left--, nap(1))
			(void)take_sized(queue, 10, 2, 0);
		CHECK_LINE("fine B17", got.type == 2);
		for (int left = 1000; left > 0 && take_sized(queue, 10, 2, 0) != 8; left--)
			nap(1);
		CHECK_LINE("fine B17", got.type == 2 && result_of(one) == 0 && result_of(two) == 0);
		CHECK_LINE("fine B17", queue_stat(queue).msg_qnum == 0);
	}
	CHECK(put(queue, 1, "123456") == 0);
	pid_t large = sender(queue, 2, 8);
	CHECK_LINE("fine B20", put(queue, 3, "1234") == 0 && is_alive(large));
	CHECK(takes(queue, 1, 0, 1, "123456"));
	CHECK_LINE("fine B20", is_alive(large) && takes(queue, 3, 0, 3, "1234"));
	CHECK(result_of(large) == 0);
	empty(queue);
	pid_t receives = receiver(queue, 10, 7, 0);
	CHECK(put(queue, 1, "1234567890") == 0);
	pid_t sends = sender(queue, 7, 3);
	CHECK_LINE("fine B23", is_alive(sends) && is_alive(receives));
	CHECK(takes(queue, 1, 0, 1, "1234567890"));
	CHECK_LINE("fine B23", result_of(sends) == 0 && result_of(receives) == 3);
}

static void test_wakes(void)
{
	double removal = 1e9, room = 1e9;
	fresh(16384);
	pid_t pid = receiver(queue, 10, 0, 0);
	CHECK_LINE("fine B13", put(queue, 1, "") == 0 && result_of(pid) == 0);
	for (int i = 0; i < 8; i++) {
		int status;
		fresh(1);
		CHECK(put(queue, 1, "x") == 0);
		pid_t sends = sender(queue, 2, 1), other = receiver(queue, 10, 7, 0);
		double start = milliseconds();
		CHECK(take_sized(queue, 1, 1, 0) == 1 && waitpid(sends, &status, 0) == sends);
		double took = milliseconds() - start;
		room = took < room ? took : room;
		start = milliseconds();
		CHECK(msgctl(queue, IPC_RMID, NULL) == 0 && waitpid(other, &status, 0) == other);
		took = milliseconds() - start;
		removal = took < removal ? took : removal;
	}
	CHECK_LINE("fine B33", room < 20);
	CHECK_LINE("fine B34", removal < 50);
}

static pid_t thread_result;

static void *receive_in_thread(void *unused)
{
	struct message message;
	(void)unused;
	thread_result = (pid_t)msgrcv(queue, &message, 10, 4, 0);
	return NULL;
}

static void test_thread(void)
{
	pthread_t thread;
	fresh(16384);
	CHECK(pthread_create(&thread, NULL, receive_in_thread, NULL) == 0);
	nap(50);
	CHECK(put(queue, 4, "abc") == 0);
	CHECK_LINE("fine B30", pthread_join(thread, NULL) == 0 && thread_result == 3);
}

/* A sender that may not write any more finds that out when there is room. */
static void test_sender_without_rights(void)
{
	struct msqid_ds stat;
	if (geteuid() != 0)
		return;
	fresh(1);
	CHECK(put(queue, 1, "x") == 0);
	stat = queue_stat(queue);
	stat.msg_perm.mode = 0622;
	CHECK(msgctl(queue, IPC_SET, &stat) == 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		if (setgid(12402) != 0 || setuid(12302) != 0)
			_exit(1);
		_exit(put_sized(queue, 2, "x", 1, 0) == 0 ? 0 : 100 + errno);
	}
	until_asleep(pid);
	stat.msg_perm.mode = 0600;
	CHECK(msgctl(queue, IPC_SET, &stat) == 0 && take_sized(queue, 1, 1, 0) == 1);
	CHECK_LINE("fine B28", result_of(pid) == 100 + EACCES);
	CHECK_LINE("fine B28", queue_stat(queue).msg_qnum == 0);
}

/* ---- stopped and interrupted ----------------------------------------------------------------- */

static void stop(pid_t pid)
{
	CHECK(kill(pid, SIGSTOP) == 0 && waitpid(pid, NULL, WUNTRACED) == pid);
}

static void test_stopped(void)
{
	fresh(10);
	pid_t pid = receiver(queue, 10, 0, 0);
	stop(pid);
	CHECK(put(queue, 1, "abc") == 0);
	CHECK_LINE("fine I09", queue_stat(queue).msg_qnum == 1 && takes(queue, 0, 0, 1, "abc"));
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK_LINE("fine I10", is_alive(pid));
	until_asleep(pid);
	stop(pid);
	CHECK(put(queue, 1, "abcd") == 0 && kill(pid, SIGCONT) == 0);
	CHECK_LINE("fine I11", result_of(pid) == 4 && queue_stat(queue).msg_qnum == 0);
	CHECK(put(queue, 1, "1234567890") == 0);
	pid = sender(queue, 2, 2);
	stop(pid);
	CHECK(takes(queue, 0, 0, 1, "1234567890") && queue_stat(queue).msg_qnum == 0);
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK_LINE("fine I12", result_of(pid) == 0 && take_sized(queue, 10, 2, 0) == 2);
}

static sigjmp_buf out;

static void jump(int signal)
{
	(void)signal;
	siglongjmp(out, 1);
}

static void nothing(int signal)
{
	(void)signal;
}

/* A child in msgsnd or msgrcv whose handler of SIGUSR1 ends it. Then it waits to be killed. */
static pid_t to_be_interrupted(void (*handler)(int), bool sends)
{
	int left[2];
	char byte;
	CHECK(pipe(left) == 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = handler }, NULL);
		if (sigsetjmp(out, 1) == 0)
			(void)(sends ? put_sized(queue, 2, "x", 10, 0)
			             : (int)msgrcv(queue, &got, 10, 5, 0));
		close(left[1]);
		for (;;)
			pause();
	}
	close(left[1]);
	until_asleep(pid);
	CHECK(kill(pid, SIGUSR1) == 0 && read(left[0], &byte, 1) == 0);
	close(left[0]);
	return pid;
}

static void test_interrupted(void)
{
	fresh(10);
	CHECK(put(queue, 1, "1234567890") == 0);
	pid_t pid = to_be_interrupted(jump, true);
	CHECK(takes(queue, 0, 0, 1, "1234567890"));
	nap(30);
	CHECK_LINE("fine I15", queue_stat(queue).msg_qnum == 0);
	kill(pid, SIGKILL);
	CHECK(result_of(pid) == -1);
	pid = to_be_interrupted(nothing, false);
	CHECK(put(queue, 5, "x") == 0);
	CHECK_LINE("fine I23", queue_stat(queue).msg_qnum == 1 && takes(queue, 5, 0, 5, "x"));
	kill(pid, SIGKILL);
	CHECK(result_of(pid) == -1);
}

/* ---- ends ------------------------------------------------------------------------------------ */

/* The process ends, or calls exec, while a thread of it sleeps. */
static void test_ends(void)
{
	fresh(16384);
	for (int execs = 0; execs < 2; execs++) {
		int runs[2];
		char byte;
		CHECK(pipe(runs) == 0 && fcntl(runs[1], F_SETFD, FD_CLOEXEC) == 0);
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0) {
			pthread_t thread;
			if (pthread_create(&thread, NULL, receive_in_thread, NULL) != 0)
				_exit(1);
			nap(50);
			unsetenv("LD_PRELOAD"); /* it may be of another C library than sleep's */
			if (execs)
				execl("/bin/sleep", "sleep", "0.2", (char *)NULL);
			_exit(0);
		}
		close(runs[1]);
		CHECK(read(runs[0], &byte, 1) == 0 && (execs || result_of(pid) == 0));
		close(runs[0]);
		CHECK(put(queue, 4, "x") == 0);
		CHECK_LINE(execs ? "fine L07" : "fine L06",
		           queue_stat(queue).msg_qnum == 1 && takes(queue, 4, 0, 4, "x"));
		if (execs)
			CHECK(result_of(pid) == 0);
	}
	pid_t child = fork();
	if (child == 0) {
		if (fork() == 0)
			_exit(msgrcv(queue, &got, 10, 4, 0) == 1 && put(queue, 8, "got") == 0);
		nap(20);
		_exit(0);
	}
	CHECK(result_of(child) == 0);
	nap(50);
	CHECK(put(queue, 4, "x") == 0);
	CHECK_LINE("fine L05", msgrcv(queue, &got, 10, 8, 0) == 3);
}

/* Receivers are killed at any moment. No message comes twice, and at most the one in hand is
 * lost. */
static void test_killed_receivers(void)
{
	enum { KILLS = 30, MANY = 100000 };
	_Atomic unsigned char *came =
		mmap(NULL, MANY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int sent = 0, twice = 0, lost = 0;
	CHECK(came != MAP_FAILED);
	fresh(16384);
	for (int i = 0; i < KILLS; i++) {
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0) {
			struct {
				long type;
				int number;
			} one;
			while (msgrcv(queue, &one, sizeof one.number, 0, 0) > 0)
				came[one.number]++;
			_exit(1);
		}
		double end = milliseconds() + 2 + i % 7;
		while (milliseconds() < end && sent < MANY) {
			struct {
				long type;
				int number;
			} one = { 1, sent };
			sent += msgsnd(queue, &one, sizeof one.number, IPC_NOWAIT) == 0;
		}
		kill(pid, SIGKILL);
		CHECK(result_of(pid) == -1);
	}
	struct msqid_ds stat = queue_stat(queue);
	unsigned long left = 0;
	for (; take_sized(queue, 100, 0, 0) > 0; left++) {
		int number;
		memcpy(&number, got.text, sizeof number);
		came[number]++;
	}
	for (int i = 0; i < sent; i++) {
		twice += came[i] > 1;
		lost += came[i] == 0;
	}
	CHECK_LINE("fine L11", sent > KILLS && twice == 0 && lost <= KILLS);
	CHECK_LINE("fine L12", stat.msg_qnum == left && stat.msg_cbytes == 4 * left);
	CHECK_LINE("fine L12", queue_stat(queue).msg_qnum == 0);
}

int main(void)
{
	begin_queues();
	test_room();
	test_wakes();
	test_thread();
	test_sender_without_rights();
	test_stopped();
	test_interrupted();
	test_ends();
	test_killed_receivers();
	return test_result();
}
