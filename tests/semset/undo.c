/* SPDX-License-Identifier: MIT */
/* SEM_UNDO: lines U. */
#include <sched.h>

#include "semset/set.h"

static void ends(void)
{
	fresh(2);
	CHECK(set_value(0, 3) == 0);
	pid_t one = sleeper1(0, -1, UNDO);
	CHECK_LINE("U1", result(one) == 0 && value(0) == 3 && last_pid(0) == one);
	one = sleeper1(0, 5, UNDO);
	CHECK_LINE("U1", result(one) == 0 && value(0) == 3);
	one = holder1(0, -1, UNDO);
	CHECK_LINE("U2", value(0) == 2);
	killed(one);
	CHECK_LINE("U2", value(0) == 3 && last_pid(0) == one);
	one = holder1(0, -2, UNDO);
	kill_to_zombie(one);
	CHECK_LINE("U2", value(0) == 3 && op1(0, -3, NOWAIT) == 0);
	ended(one);
	CHECK(set_value(0, 3) == 0);
	one = holder1(0, -1, UNDO);
	kill(one, SIGABRT);
	ended(one);
	CHECK_LINE("U2", value(0) == 3);
	/* Stopped, it holds; killed then, it does not. */
	one = holder1(0, -1, UNDO);
	kill(one, SIGSTOP);
	CHECK_LINE("U2", value(0) == 2 && op1(0, -3, NOWAIT) == -EAGAIN);
	killed(one);
	CHECK_LINE("U2", value(0) == 3);
}

static void sums(void)
{
	fresh(3);
	CHECK(set_value(0, 3) == 0);
	pid_t one = holder(OPS({ 0, -1, UNDO }, { 0, 1, 0 }));
	killed(one);
	CHECK_LINE("U1", value(0) == 4);
	one = holder(OPS({ 0, -1, UNDO }, { 0, 1, UNDO }, { 1, 2, UNDO }, { 1, 1, UNDO }));
	CHECK(value(1) == 3);
	int64_t pid = last_pid(0);
	killed(one);
	CHECK_LINE("U5", value(0) == 4 && value(1) == 0 && last_pid(0) == pid);
	CHECK_LINE("U5", last_pid(1) == one && last_pid(2) == 0);
	/* Cut. */
	fresh(1);
	one = holder1(0, 3, UNDO);
	CHECK(op1(0, -2, 0) == 0);
	killed(one);
	CHECK_LINE("U3", value(0) == 0);
	CHECK(set_value(0, 3) == 0);
	one = holder1(0, -3, UNDO);
	CHECK(op1(0, 32766, 0) == 0);
	killed(one);
	CHECK_LINE("U3", value(0) == 32767);
}

static void cleared(void)
{
	unsigned short values[2] = { 1, 1 };
	fresh(2);
	CHECK(set_value(0, 3) == 0 && set_value(1, 3) == 0);
	pid_t one = holder(OPS({ 0, -1, UNDO }, { 1, -1, UNDO }));
	CHECK_LINE("U9", set_value(0, 2) == 0);
	killed(one);
	CHECK_LINE("U9", value(0) == 2 && value(1) == 3);
	one = holder(OPS({ 0, -1, UNDO }, { 1, -1, UNDO }));
	CHECK_LINE("U9", set_all(values) == 0);
	killed(one);
	CHECK_LINE("U9", value(0) == 1 && value(1) == 1);
}

static void forked(void)
{
	fresh(1);
	CHECK(set_value(0, 5) == 0);
	fflush(NULL);
	pid_t one = fork();
	if (one == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		check_failures = 0;
		CHECK(op1(0, -1, UNDO) == 0);
		pid_t child = fork();
		if (child == 0) {
			int bad = op1(0, -2, UNDO);
			_exit(bad != 0 || value(0) != 2);
		}
		CHECK_LINE("U8", ended(child) == 0 && value(0) == 4);
		_exit(test_result());
	}
	CHECK_LINE("U8", ended(one) == 0 && value(0) == 5);
}

static void run_thread(void *(*body)(void *))
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, body, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void *use_and_end(void *unused)
{
	(void)unused;
	CHECK(op1(0, -1, UNDO) == 0);
	return NULL;
}

static void *outlive(void *unused)
{
	(void)unused;
	nap_ms(600);
	CHECK_LINE("U7", value(0) == 3 && op1(0, -1, UNDO) == 0);
	nap_ms(50);
	_exit(test_result());
}

static void threads(void)
{
	fresh(1);
	CHECK(set_value(0, 5) == 0);
	fflush(NULL);
	pid_t one = fork();
	if (one == 0) {
		pthread_t thread;
		check_failures = 0;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_thread(use_and_end);
		CHECK_LINE("U7", value(0) == 4 && op1(0, -1, UNDO) == 0);
		CHECK(pthread_create(&thread, NULL, outlive, NULL) == 0);
		if (check_failures == 0)
			syscall(SYS_exit, 0); /* of the first thread alone */
		_exit(1);
	}
	for (int i = 0; i < 500 && value(0) != 3; i++)
		nap_ms(1);
	nap_ms(20);
	CHECK_LINE("U7", value(0) == 3);
	CHECK_LINE("U7", ended(one) == 0 && value(0) == 5);
}

static void *take_and_end(void *unused)
{
	(void)unused;
	CHECK(op1(0, -1, UNDO) == 0);
	nap_ms(200);
	return NULL;
}

/* Somebody sleeps for what two processes have, and the thread that took it in the one ends. That
 * process lives on for long enough that the sleeper asks many times whether it does. */
static void lives_on(void)
{
	fresh(1);
	CHECK(set_value(0, 2) == 0);
	pid_t other = holder1(0, -1, UNDO);
	fflush(NULL);
	pid_t one = fork();
	if (one == 0) {
		check_failures = 0;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_thread(take_and_end);
		nap_ms(1500);
		_exit(test_result());
	}
	for (int i = 0; i < 500 && value(0) != 0; i++)
		nap_ms(1);
	pid_t waits = sleeper1(0, -1, 0);
	CHECK_LINE("U7", sleeps(waits) && ended(one) == 0);
	CHECK_LINE("U7", result(waits) == 0 && value(0) == 0);
	killed(other);
}

static void executed(void)
{
	int go[2] = { -1, -1 }, gone[2] = { -1, -1 };
	char byte;
	fresh(1);
	CHECK(set_value(0, 5) == 0 && pipe(go) == 0 && pipe2(gone, O_CLOEXEC) == 0);
	fflush(NULL);
	pid_t one = fork();
	if (one == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (op1(0, -2, UNDO) != 0)
			_exit(1);
		dup2(go[0], 0);
		close(go[1]);
		execl("/bin/cat", "cat", (char *)NULL); /* knows nothing of it */
		_exit(127);
	}
	close(gone[1]);
	CHECK(read(gone[0], &byte, 1) == 0); /* it has called exec */
	CHECK_LINE("U8", value(0) == 3);
	nap_ms(30);
	CHECK_LINE("U8", value(0) == 3 && op1(0, -4, NOWAIT) == -EAGAIN);
	pid_t two = sleeper1(0, -4, 0);
	nap_ms(30);
	CHECK_LINE("U8", !has_ended(two) && value(0) == 3);
	killed(one);
	CHECK_LINE("U8", value(0) == 1);
	CHECK_LINE("U8", result(two) == 0);
	close(go[0]);
	close(go[1]);
	close(gone[0]);
}

static void sleepers(void)
{
	fresh(2);
	CHECK(set_value(0, 1) == 0);
	pid_t one = holder1(0, -1, UNDO), two = sleeper1(0, -1, UNDO);
	kill_to_zombie(one);
	CHECK_LINE("U2", ncount(0) == 0 && last_pid(0) == two);
	ended(one);
	CHECK_LINE("U11", result(two) == 0 && value(0) == 1);
	/* Nobody else looks: the sleeper itself does. */
	one = holder1(0, -1, UNDO);
	two = sleeper1(0, -1, UNDO);
	pid_t three = sleeper1(0, -1, UNDO);
	killed(one);
	CHECK_LINE("U2", result(two) == 0);
	CHECK_LINE("U11", result(three) == 0 && value(0) == 1);
	/* To zero. */
	one = holder1(1, 2, UNDO);
	two = sleeper1(1, 0, 0);
	killed(one);
	CHECK_LINE("U4", result(two) == 0);
	/* Both sums of one death together. */
	CHECK(set_value(1, 1) == 0);
	one = holder(OPS({ 0, -1, UNDO }, { 1, -1, UNDO }));
	two = sleeper(OPS({ 0, -1, 0 }, { 1, -1, 0 }));
	killed(one);
	CHECK_LINE("U4", result(two) == 0 && value(0) == 0 && value(1) == 0);
}

static void times(void)
{
	fresh(1);
	pid_t one = holder1(0, 1, 0);
	int64_t before = otime();
	killed(one);
	one = holder(OPS({ 0, 1, UNDO }, { 0, -1, UNDO }));
	nap_ms(1100);
	CHECK(before != 0 && otime() >= before);
	before = otime();
	killed(one);
	CHECK_LINE("U5", otime() > before && value(0) == 1);
}

static void several(void)
{
	enum { HOLDERS = 3, SLEEPERS = 5 };
	pid_t holds[HOLDERS], waits[SLEEPERS];
	fresh(1);
	CHECK(set_value(0, HOLDERS) == 0);
	for (int i = 0; i < HOLDERS; i++)
		holds[i] = holder1(0, -1, UNDO);
	for (int i = 0; i < SLEEPERS; i++)
		waits[i] = sleeper1(0, -1, 0);
	for (int i = 0; i < HOLDERS; i++)
		killed(holds[i]);
	CHECK_LINE("U2", ncount(0) == SLEEPERS - HOLDERS && value(0) == 0);
	for (int i = 0; i < SLEEPERS; i++) {
		if (i >= HOLDERS)
			CHECK(op1(0, 1, 0) == 0);
		CHECK_LINE("U2", result(waits[i]) == 0);
	}
}

/* How often the process went to sleep until now. */
static long sleeps_of(pid_t pid)
{
	char path[32], line[128];
	long result = -1;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "r");
	while (file != NULL && result < 0 && fgets(line, sizeof line, file) != NULL)
		(void)sscanf(line, "voluntary_ctxt_switches: %ld", &result);
	if (file != NULL)
		fclose(file);
	CHECK(result >= 0);
	return result;
}

static long sleeps_in_a_while(pid_t pid)
{
	nap_ms(40);
	long before = sleeps_of(pid);
	nap_ms(400);
	return sleeps_of(pid) - before;
}

/* Who waits for the only holder that could help is woken by the kernel, and does not look now and
 * then: a look may miss a signal. With a second one it looks. */
static void watched(void)
{
	fresh(2);
	CHECK(set_value(0, 1) == 0 && set_value(1, 1) == 0);
	pid_t one = holder1(0, -1, UNDO), other = holder(OPS({ 1, -1, UNDO }, { 1, 1, UNDO }));
	pid_t two = sleeper(OPS({ 0, -1, 0 }, { 1, -1, 0 }));
	CHECK(sleeps_in_a_while(two) <= 2);
	pid_t three = holder1(1, -1, UNDO);
	CHECK(world.kernel || sleeps_in_a_while(two) >= 5);
	killed(one);
	CHECK(value(0) == 1 && !has_ended(two));
	CHECK(sleeps_in_a_while(two) <= 2);
	uint64_t before = now_ns();
	killed(three);
	CHECK_LINE("U2", result(two) == 0 && now_ns() - before < 2000000000);
	killed(other);
}

static void removed(void)
{
	fresh(1);
	pid_t one = holder1(0, 1, UNDO);
	CHECK_LINE("U9", remove_set() == 0);
	world.id = -1;
	killed(one);
	fresh(1);
	CHECK_LINE("U9", value(0) == 0);
}

int main(void)
{
	ON_BOTH(ends);
	ON_BOTH(sums);
	ON_BOTH(cleared);
	ON_BOTH(forked);
	ON_BOTH(threads);
	ON_BOTH(lives_on);
	ON_BOTH(executed);
	ON_BOTH(sleepers);
	ON_BOTH(times);
	ON_BOTH(several);
	ON_BOTH(watched);
	ON_BOTH(removed);
	return test_result();
}
