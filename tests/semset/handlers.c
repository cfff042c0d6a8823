/* SPDX-License-Identifier: MIT */
/* Signal handlers that operate on the set whose operation they interrupt, and such as leave it. */
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "semset/set.h"
#include "sync/asleep.h"

static volatile sig_atomic_t ran, failed;
static int on_stack; /* SA_ONSTACK or 0 */
static sigjmp_buf back;

static void every(long microseconds)
{
	struct itimerval timer = { { 0, microseconds }, { 0, microseconds } };
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void handle(void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	sigaction(SIGALRM, &action, NULL);
}

static void take_and_give(int number)
{
	int error = errno;
	(void)number;
	ran++;
	if (op1(0, 1, UNDO) != 0 || op1(0, -1, UNDO) != 0 ||
	    op(OPS({ 0, 1, 0 }, { 1, 1, 0 })) != 0 || op(OPS({ 0, -1, 0 }, { 1, -1, 0 })) != 0 ||
	    op(OPS({ 0, 1, UNDO }, { 0, -1, UNDO })) != 0)
		failed++;
	errno = error;
}

/* Operations of all ways, and a handler at any of their instructions. */
static void nested(void *unused)
{
	uint64_t end = mdg_deadline(1500000000), done = 0;
	(void)unused;
	handle(take_and_give, SA_RESTART | on_stack);
	every(100);
	while (now_ns() < end && failed == 0) {
		int bad = 0;
		bad |= op1(0, 1, UNDO);
		bad |= op1(1, 1, 0);
		bad |= op(OPS({ 0, 1, UNDO }, { 1, 1, 0 }, { 2, 2, UNDO }));
		bad |= op(OPS({ 0, -1, UNDO }, { 1, -1, 0 }, { 2, -2, UNDO }, { 3, 1, 0 },
		              { 4, 1, 0 }));
		bad |= op(OPS({ 3, -1, 0 }, { 4, -1, 0 }));
		bad |= op1(1, -1, 0);
		bad |= op1(0, -1, UNDO);
		bad |= value(0) < 0 || ncount(0) != 0;
		if (!CHECK(bad == 0))
			break;
		done++;
	}
	every(0);
	CHECK(failed == 0 && ran > 10 && done > 10);
	CHECK(value(0) == 0 && value(1) == 0 && value(2) == 0 && value(3) == 0 && value(4) == 0);
}

/* The same in a thread whose handlers run on a stack that lies above the thread's own. */
enum { STACK = 2048 * 1024 }; /* ThreadSanitizer wants a megabyte */
static char *stacks;

struct task {
	void (*run)(void *);
};

static void *thread_below(void *task)
{
	stack_t stack = { .ss_sp = stacks + STACK, .ss_size = STACK };
	sigset_t alarm;
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	CHECK(sigaltstack(&stack, NULL) == 0 && pthread_sigmask(SIG_UNBLOCK, &alarm, NULL) == 0);
	((struct task *)task)->run(NULL);
	return NULL;
}

static void in_thread_below(void *task)
{
	pthread_t thread;
	pthread_attr_t attributes;
	sigset_t alarm;
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, NULL);
	stacks = mmap(NULL, 2 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	on_stack = SA_ONSTACK;
	CHECK(stacks != MAP_FAILED && pthread_attr_init(&attributes) == 0 &&
	      pthread_attr_setstack(&attributes, stacks, STACK) == 0 &&
	      pthread_create(&thread, &attributes, thread_below, task) == 0 &&
	      pthread_join(thread, NULL) == 0);
}

static void in_handlers(void)
{
	fresh(5);
	CHECK(in_child(in_thread_below, &(struct task){ nested }));
	CHECK_LINE("U2", value(0) == 0 && value(1) == 0 && value(2) == 0);
	fresh(5);
	CHECK(in_child(nested, NULL));
	CHECK_LINE("U2", value(0) == 0 && value(1) == 0 && value(2) == 0);
}

/* A process that sends SIGALRM to this one when it sleeps, and does so again twice a second: a
 * signal that comes while a sleeper looks around does not end its sleep (docs/divergences.md). */
static pid_t alarm_in_sleep(void)
{
	pid_t sleeping = getpid(), pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		until_asleep(sleeping);
		kill(sleeping, SIGALRM);
		nap_ms(500);
	}
}

static void stop_alarm(pid_t pid)
{
	kill(pid, SIGKILL);
	(void)ended(pid);
}

static void give_one(int number)
{
	(void)number;
	ran++;
	if (op1(0, 1, 0) != 0)
		failed++;
}

/* The sleep has ended with EINTR before the handler runs. */
static void give_in_sleep(void *unused)
{
	enum { TRIES = 4 };
	int rc = 0;
	(void)unused;
	handle(give_one, 0);
	/* 0: the signal came while it looked around, and it has what the handler gave. */
	for (int i = 0; i < TRIES && rc == 0; i++) {
		pid_t alarm = alarm_in_sleep();
		ran = 0;
		rc = op1(0, -1, 0);
		handle(SIG_IGN, 0);
		stop_alarm(alarm);
		handle(give_one, 0);
		CHECK(!world.kernel || rc != 0);
	}
	CHECK_LINE("W9", rc == -EINTR && ran == 1 && failed == 0 && value(0) == 1);
}

static void leave(int number)
{
	(void)number;
	siglongjmp(back, 1);
}

/* Left by longjmp, from a sleep and from anywhere else. */
static void leaving(void *unused)
{
	volatile int sleeps = 0, leaps = 0;
	(void)unused;
	handle(leave, 0);
	pid_t alarm = alarm_in_sleep();
	if (sigsetjmp(back, 1) == 0) {
		sleeps = 1;
		op1(0, -2, UNDO);
		sleeps = 2;
	}
	handle(SIG_IGN, 0);
	stop_alarm(alarm);
	handle(leave, 0);
	CHECK(sleeps == 1 && ncount(0) == 0);
	CHECK(op1(0, 2, 0) == 0 && value(0) == 2 && op1(0, -2, 0) == 0);
	uint64_t end = mdg_deadline(1000000000);
	while (now_ns() < end) {
		if (sigsetjmp(back, 1) == 0) {
			every(200);
			for (;;) {
				op1(1, 1, UNDO);
				op1(1, -1, UNDO);
				op(OPS({ 1, 1, 0 }, { 2, 1, 0 }, { 3, 1, 0 }, { 4, 1, UNDO }));
				op(OPS({ 1, -1, NOWAIT }, { 2, -1, 0 }, { 3, -1, 0 },
				       { 4, -1, UNDO }));
			}
		}
		every(0);
		leaps++;
	}
	handle(SIG_IGN, 0);
	CHECK(leaps > 3);
	/* Lists were done as a whole, or not. */
	CHECK(value(2) == value(3) && value(2) == value(4));
	CHECK(set_value(1, 0) == 0 && op1(1, 1, UNDO) == 0 && op1(1, -1, UNDO) == 0);
	unsigned short now[5];
	CHECK(get_all(now) == 0 && now[1] == 0);
}

/* No block is lost with a sleep that is left. */
static void leaving_often(void *unused)
{
	(void)unused;
	handle(leave, 0);
	for (volatile int i = 0; i < 500; i++)
		if (sigsetjmp(back, 1) == 0) {
			every(300);
			for (;;)
				op1(0, -1, 0);
		}
	every(0);
	CHECK(ncount(0) == 0 && op1(0, 1, 0) == 0 && op1(0, -1, 0) == 0);
	CHECK(world.kernel || mdg__load32(&mdg__semset_head(engine())->fresh) < 100);
}

/* A handler on the stack above takes the sleep for one that was left, and sleeps in the same set
 * itself. Its block is then another thread's. */
static void give_and_sleep(int number)
{
	(void)number;
	ran++;
	if (op1(1, 1, 0) != 0 || op1(1, -1, 0) != 0 ||
	    op_timed(OPS({ 2, -1, 0 }), 1000000) != -EAGAIN)
		failed++;
}

static void sleep_above(void *unused)
{
	(void)unused;
	handle(give_and_sleep, SA_ONSTACK);
	ran = failed = 0;
	for (int i = 0; i < 200; i++) {
		every(3000);
		CHECK(op1(0, -1, UNDO) == -EINTR);
		every(0);
	}
	CHECK(ran >= 200 && failed == 0 && ncount(0) == 0 && ncount(2) == 0);
	CHECK(world.kernel || mdg__load32(&mdg__semset_head(engine())->fresh) < 100);
}

/* A handler forks in a sleep. The child goes on in a sleep that is its parent's. */
static volatile pid_t forked = -1;

static void fork_in_sleep(int number)
{
	(void)number;
	if (forked < 0)
		forked = fork();
}

static void forks_in_sleep(void *unused)
{
	(void)unused;
	handle(fork_in_sleep, 0);
	pid_t alarm = alarm_in_sleep();
	int rc = op1(0, -1, 0);
	if (forked == 0)
		_exit(rc == -EINTR && op1(1, 1, 0) == 0 ? 0 : 1);
	int status = -1;
	stop_alarm(alarm);
	CHECK(rc == -EINTR && waitpid(forked, &status, 0) == forked && status == 0);
	CHECK(value(1) == 1 && ncount(0) == 0 && op1(1, -1, 0) == 0);
}

static void from_sleep(void)
{
	fresh(5);
	CHECK(in_child(forks_in_sleep, NULL));
	fresh(5);
	CHECK(in_child(give_in_sleep, NULL));
	CHECK(value(0) == 1);
	fresh(5);
	CHECK(in_child(leaving_often, NULL));
	fresh(5);
	CHECK(in_child(in_thread_below, &(struct task){ sleep_above }));
	CHECK(value(0) == 0 && value(1) == 0 && value(2) == 0);
	fresh(5);
	CHECK(in_child(leaving, NULL));
	CHECK(value(0) == 0);
	CHECK_LINE("U2", value(4) == 0);
}

/* ---- a handler that forks ------------------------------------------------------------------ */

static struct meeting {
	_Atomic uint32_t returned, go;
} * meeting;

static void fork_and_wait(int number)
{
	(void)number;
	if (forked > 0)
		return;
	forked = fork();
	while (forked == 0 && atomic_load(&meeting->go) == 0)
		nap_ms(1);
}

static int forking(void)
{
	int status = 0;
	handle(fork_and_wait, 0);
	pid_t alarm = alarm_in_sleep();
	int rc = op1(0, -1, 0);
	if (forked > 0) {
		stop_alarm(alarm);
		atomic_store(&meeting->returned, 1);
		waitpid(forked, &status, 0);
	}
	return rc == -EINTR && status == 0 ? 0 : 1;
}

/* The child returns to a sleep that is not its own and that is over. It changes nothing: somebody
 * else may sleep there by now. */
static void from_fork(void)
{
	static char before[1 << 16];
	struct stat status = { .st_size = 0 };
	meeting = shared_memory(sizeof *meeting);
	fresh(2);
	if (!world.kernel)
		CHECK(fstat(world.file, &status) == 0);
	size_t size =
		(size_t)status.st_size < sizeof before ? (size_t)status.st_size : sizeof before;
	pid_t first = fork();
	if (first == 0)
		_exit(forking());
	while (atomic_load(&meeting->returned) == 0 && !has_ended(first))
		nap_ms(1);
	if (!world.kernel)
		memcpy(before, world.base, size);
	atomic_store(&meeting->go, 1);
	CHECK(result(first) == 0);
	CHECK(world.kernel || memcmp(before, world.base, size) == 0);
	CHECK(ncount(0) == 0 && value(0) == 0);
}

int main(void)
{
	ON_BOTH(in_handlers);
	if (!HANDLERS_LATE) /* a sanitizer runs them later, or never */
		ON_BOTH(from_sleep);
	ON_BOTH(from_fork);
	return test_result();
}
