/* SPDX-License-Identifier: MIT */
/* sleep.c - sleeping and waking: group B of docs/semantics-msg.md. */
#include "support/queues.h"

#include <sched.h>

static void test_receivers(void)
{
	int id = private_queue();
	pid_t seven = receiver(id, 10, 7, 0);
	CHECK_LINE("B1", put(id, 1, "a") == 0 && is_alive(seven));
	time_t now = clock_before();
	CHECK(put(id, 7, "abc") == 0);
	struct msqid_ds stat = queue_stat(id);
	CHECK_LINE("B3", stat.msg_qnum == 1 && stat.msg_cbytes == 1);
	CHECK_LINE("B3", stat.msg_lrpid == seven && stat.msg_rtime >= now);
	CHECK_ERRNO("B3", ENOMSG, take_sized(id, 10, 7, 0));
	CHECK_LINE("B1", result_of(seven) == 3);
	empty(id);

	pid_t first = receiver(id, 10, 0, 0), second = receiver(id, 10, 3, 0);
	CHECK(put(id, 3, "1") == 0); /* the second one asks for it, and came later */
	CHECK_LINE("B2", result_of(first) == 1 && is_alive(second));
	CHECK(put(id, 3, "12") == 0);
	CHECK_LINE("B2", result_of(second) == 2);
	first = receiver(id, 10, -4, 0);
	second = receiver(id, 10, 5, MSG_EXCEPT);
	CHECK(put(id, 9, "1") == 0 && put(id, 2, "12") == 0);
	CHECK_LINE("B2", result_of(second) == 1 && result_of(first) == 2);
}

static void test_too_small(void)
{
	int id = private_queue();
	pid_t small = receiver(id, 2, 0, 0), large = receiver(id, 10, 0, 0);
	CHECK(put(id, 1, "12345") == 0);
	CHECK_LINE("B4", result_of(small) == 100 + E2BIG && result_of(large) == 5);
	pid_t cuts = receiver(id, 2, 0, MSG_NOERROR);
	CHECK(put(id, 1, "12345") == 0);
	CHECK_LINE("B4", result_of(cuts) == 2 && queue_stat(id).msg_cbytes == 0);
	small = receiver(id, 2, 0, 0);
	CHECK(put(id, 1, "12345") == 0);
	CHECK_LINE("B4", result_of(small) == 100 + E2BIG && queue_stat(id).msg_qnum == 1);
}

static void test_full(void)
{
	int id = private_queue();
	CHECK(set_room(id, 10) == 0 && put(id, 1, "1234567890") == 0);
	pid_t seven = receiver(id, 100, 7, 0);
	CHECK_ERRNO("B5", EAGAIN, put(id, 7, "x"));
	CHECK(takes(id, 1, 0, 1, "1234567890") && put(id, 7, "x") == 0);
	CHECK_LINE("B5", result_of(seven) == 1);

	CHECK(put(id, 1, "1234567890") == 0);
	pid_t waits = sender(id, 2, 4);
	CHECK_LINE("B6", is_alive(waits) && queue_stat(id).msg_qnum == 1 &&
	                         queue_stat(id).msg_lspid == getpid());
	CHECK(takes(id, 1, 0, 1, "1234567890"));
	CHECK_LINE("B6", result_of(waits) == 0 && queue_stat(id).msg_lspid == waits);
	empty(id);

	CHECK(put(id, 1, "12345") == 0 && put(id, 2, "12345") == 0);
	pid_t large = sender(id, 3, 8), small = sender(id, 4, 3);
	CHECK(takes(id, 1, 0, 1, "12345"));
	CHECK_LINE("B7", result_of(small) == 0 && is_alive(large));
	CHECK(takes(id, 2, 0, 2, "12345") && take_sized(id, 10, 4, 0) == 3);
	CHECK_LINE("B7", result_of(large) == 0);
	empty(id);
	CHECK(put(id, 1, "1234567890") == 0);
	pid_t one = sender(id, 2, 5), two = sender(id, 2, 5);
	CHECK(takes(id, 1, 0, 1, "1234567890"));
	CHECK_LINE("B7", result_of(one) == 0 && result_of(two) == 0);
}

static void test_set(void)
{
	int id = private_queue();
	CHECK(set_room(id, 10) == 0);
	pid_t longer = sender(id, 1, 20), receives = receiver(id, 100, 5, 0);
	CHECK(set_room(id, 30) == 0);
	CHECK_LINE("B8", result_of(longer) == 0 && is_alive(receives));
	CHECK(put(id, 5, "x") == 0);
	CHECK_LINE("B8", result_of(receives) == 1);
}

static void test_removal(void)
{
	int id = private_queue();
	CHECK(set_room(id, 1) == 0 && put(id, 1, "x") == 0);
	pid_t receives = receiver(id, 10, 9, 0), sends = sender(id, 1, 1);
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
	CHECK_LINE("B9", result_of(receives) == 100 + EIDRM && result_of(sends) == 100 + EIDRM);
}

/* Nobody else runs until the caller sleeps. */
static void on_one_processor(cpu_set_t *ret_before)
{
	cpu_set_t one;
	CHECK(sched_getaffinity(0, sizeof *ret_before, ret_before) == 0);
	CPU_ZERO(&one);
	for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
		if (CPU_ISSET(cpu, ret_before))
			CPU_SET(cpu, &one);
	CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
}

/* The queue has grown while they slept, and those who wake up last find it gone. */
static void test_grown_and_removed(void)
{
	enum { SLEEPERS = 8 };
	pid_t pids[SLEEPERS];
	cpu_set_t before;
	on_one_processor(&before);
	int id = private_queue();
	for (int i = 0; i < SLEEPERS; i++)
		pids[i] = receiver(id, 10, 9, 0);
	CHECK(put_sized(id, 1, "x", 8000, IPC_NOWAIT) == 0);
	CHECK(put_sized(id, 1, "x", 8000, IPC_NOWAIT) == 0);
	for (int i = 0; i < 384; i++)
		CHECK(put(id, 1, "x") == 0);
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
	for (int i = 0; i < SLEEPERS; i++)
		CHECK_LINE("B9", result_of(pids[i]) == 100 + EIDRM);
	CHECK(sched_setaffinity(0, sizeof before, &before) == 0);
}

static void test_twenty(void)
{
	enum { SLEEPERS = 20 };
	pid_t pids[SLEEPERS];
	int id = private_queue();
	for (int i = 0; i < SLEEPERS; i++)
		pids[i] = receiver(id, 100, i + 1, 0);
	for (int i = 0; i < SLEEPERS; i++) {
		int which = (i * 7 + 3) % SLEEPERS;
		CHECK(put_sized(id, which + 1, "x", (size_t)which + 1, IPC_NOWAIT) == 0);
	}
	for (int i = 0; i < SLEEPERS; i++)
		CHECK_LINE("B11", result_of(pids[i]) == i + 1);
}

static double milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void test_promptly(void)
{
	double best = 1e9;
	int id = private_queue();
	for (int i = 0; i < 10; i++) {
		int status;
		pid_t pid = receiver(id, 10, 0, 0);
		double start = milliseconds();
		CHECK(put(id, 1, "x") == 0);
		CHECK(waitpid(pid, &status, 0) == pid);
		double took = milliseconds() - start;
		best = took < best ? took : best;
	}
	CHECK_LINE("B10", best < 20);
}

int main(void)
{
	begin_queues();
	test_receivers();
	test_too_small();
	test_full();
	test_set();
	test_removal();
	for (int i = 0; i < 5; i++)
		test_grown_and_removed();
	test_twenty();
	test_promptly();
	return test_result();
}
