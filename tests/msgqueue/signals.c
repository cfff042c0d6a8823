/* SPDX-License-Identifier: MIT */
/*
 * signals.c - signals that come while a thread sleeps in a queue: handlers, ignored and blocked
 * signals, handlers that use the queue, and handlers that leave the sleep by siglongjmp.
 */
#include <setjmp.h>

#include "msgqueue/queue.h"

#if HANDLERS_LATE
#define HANDLERS_COME 0
#else
#define HANDLERS_COME 1
#endif

static struct world *world;

/* A child in which SIGUSR1 has this handler, asleep in the queue. */
struct plan {
	void (*handler)(int);
	int flags;
	bool sends; /* "full" of type 9; else it receives anything */
	int rc;
};

static sigjmp_buf way_out;

static void nothing(int number)
{
	(void)number;
}

static void send_from_handler(int number)
{
	(void)number;
	CHECK_LINE("I13", snd(world, 4, "handler", 0) == 0);
}

static void jump(int number)
{
	(void)number;
	siglongjmp(way_out, 1);
}

static void sleep_in_it(void *argument)
{
	const struct plan *plan = argument;
	struct sigaction action = { .sa_handler = plan->handler, .sa_flags = plan->flags };
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	if (sigsetjmp(way_out, 1) != 0) {
		atomic_store(&world->word, 1);
		while (atomic_load(&world->word) == 1)
			nap_ms(1);
		/* The next call of this thread ends the sleep that it has left. */
		struct mdg__queue queue = queue_of(world);
		mdg__queue_abandon();
		CHECK(mdg__queue_sleepers(&queue, NULL, 0) == 0);
		return;
	}
	int rc = plan->sends ? snd(world, 9, "full", FAR) : rcv(world, 0, FAR)->rc;
	if (!CHECK(rc == plan->rc))
		fprintf(stderr, "it returned %d, not %d\n", rc, plan->rc);
}

static pid_t sleeper(void (*handler)(int), int flags, bool sends, int rc)
{
	struct plan plan = { handler, flags, sends, rc };
	pid_t pid = start(sleep_in_it, &plan);
	CHECK(sleeps_in(world, 1, pid));
	return pid;
}

static void check_interrupted(void)
{
	for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
		world = world_make(100);
		pid_t pid = sleeper(nothing, flags, false, -EINTR);
		kill(pid, SIGUSR1);
		CHECK_LINE(flags == 0 ? "I01" : "I02", ended_well(pid));
		CHECK_LINE("I23", snd(world, 1, "x", 0) == 0 && holds(world, 1, 1));
		world_drop(world);
		world = world_make(2);
		pid = sleeper(nothing, flags, true, -EINTR);
		kill(pid, SIGUSR1);
		CHECK_LINE(flags == 0 ? "I03" : "I04", ended_well(pid) && holds(world, 0, 0));
		world_drop(world);
	}
}

static void check_ignored(void)
{
	world = world_make(2);
	pid_t pid = sleeper(SIG_IGN, 0, true, 0);
	kill(pid, SIGUSR1);
	kill(pid, SIGCHLD);
	CHECK_LINE("I05", sleeps_in(world, 1, pid));
	atomic_store(&world->fields[MDG__QUEUE_QBYTES], 4);
	struct mdg__queue queue = queue_of(world);
	CHECK_LINE("I06", mdg__queue_changed(&queue) == 0 && ended_well(pid) && holds(world, 1, 4));
	CHECK(rcv(world, 0, 0)->rc == 0);
	pid = sleeper(SIG_IGN, 0, false, 0);
	kill(pid, SIGUSR1);
	kill(pid, SIGCHLD);
	kill(pid, SIGSTOP);
	nap_ms(20);
	kill(pid, SIGCONT);
	CHECK_LINE("I07", sleeps_in(world, 1, pid));
	CHECK_LINE("I07", snd(world, 1, "x", 0) == 0 && ended_well(pid));
	world_drop(world);
}

static void check_blocked(void)
{
	sigset_t set, before;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	world = world_make(100);
	sigprocmask(SIG_BLOCK, &set, &before);
	pid_t pid = sleeper(nothing, 0, false, 0);
	sigprocmask(SIG_SETMASK, &before, NULL);
	kill(pid, SIGUSR1);
	nap_ms(5);
	CHECK_LINE("I20",
	           sleeps_in(world, 1, pid) && snd(world, 1, "x", 0) == 0 && ended_well(pid));
	world_drop(world);
}

static void check_handler_sends(void)
{
	world = world_make(100);
	pid_t pid = sleeper(send_from_handler, SA_RESTART, false, -EINTR);
	kill(pid, SIGUSR1);
	CHECK_LINE("I13", ended_well(pid) && holds(world, 1, 7));
	world_drop(world);
}

static void check_jump(bool sends, const char *name)
{
	world = world_make(sends ? 2 : 100);
	pid_t pid = sleeper(jump, 0, sends, 99);
	kill(pid, SIGUSR1);
	CHECK_LINE(name, reaches(&world->word, 1));
	CHECK_LINE(name, snd(world, 1, "m", 0) == 0 && holds(world, 1, 1));
	CHECK_LINE(name, rcv_is(world, 0, 0, 1, "m") && rcv(world, 0, 0)->rc == -ENOMSG);
	atomic_store(&world->word, 2);
	CHECK_LINE(name, ended_well(pid) && holds(world, 0, 0));
	world_drop(world);
}

/* The handler makes a call, which ends the sleep of the call that it has interrupted. It returns
 * when another process sleeps in the same place. */
static void call_and_wait(int number)
{
	(void)number;
	CHECK(rcv(world, 77, 0)->rc == -ENOMSG);
	atomic_store(&world->word, 1);
	while (atomic_load(&world->word) == 1)
		nap_ms(1);
}

static void signal_itself(struct mdg__queue *queue, bool begins)
{
	(void)queue;
	if (begins)
		raise(SIGUSR1);
}

static void be_signalled_before_the_sleep(void *none)
{
	struct sigaction action = { .sa_handler = call_and_wait };
	struct mdg__queue_memory memory = world_memory;
	struct mdg__queue queue = queue_of(world);
	char text[10];
	int64_t type;
	uint64_t length;
	(void)none;
	memory.asleep = signal_itself;
	queue.memory = &memory;
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	CHECK(mdg__queue_receive(&queue, 1, 0, text, sizeof(text), FAR, &type, &length) == -EINTR);
	atomic_store(&world->word, 3);
}

static void receive_five(void *none)
{
	(void)none;
	CHECK(rcv(world, 5, FAR)->rc == 0);
	atomic_fetch_add(&world->said[0], 1);
}

static bool comes_soon(_Atomic uint32_t *word, uint32_t value)
{
	uint64_t end = now_ns() + UINT64_C(1500000000); /* before a sleeper looks by itself */
	while (atomic_load(word) != value && now_ns() < end)
		nap_ms(1);
	return atomic_load(word) == value;
}

static void check_place_of_another(void)
{
	world = world_make(100);
	pid_t pid = start(be_signalled_before_the_sleep, NULL);
	CHECK(reaches(&world->word, 1));
	for (uint32_t i = 1; i <= 2; i++) {
		pid_t other = start(receive_five, NULL);
		CHECK(sleeps_in(world, 1, other));
		if (i == 1)
			atomic_store(&world->word, 2);
		CHECK(i != 1 || comes_soon(&world->word, 3));
		CHECK(snd(world, 5, "x", 0) == 0);
		CHECK(comes_soon(&world->said[0], i) && ended_well(other));
	}
	CHECK(ended_well(pid));
	world_drop(world);
}

/* I24: a signal and a message at the same time. */
static void receive_or_not(void *none)
{
	(void)none;
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	int rc = rcv(world, 0, FAR)->rc;
	CHECK(rc == 0 || rc == -EINTR);
	atomic_store(&world->said[0], rc == 0 ? 1 : 2);
}

static void check_both_at_once(void)
{
	uint64_t state = 12345;
	uint32_t received = 0;
	for (int i = 0; i < 200 && check_failures == 0; i++) {
		world = world_make(100);
		pid_t pid = start(receive_or_not, NULL);
		CHECK(sleeps_in(world, 1, pid));
		bool first = below(&state, 2) == 0;
		if (first)
			kill(pid, SIGUSR1);
		pause_us(below(&state, 40));
		CHECK(snd(world, 1, "x", 0) == 0);
		if (!first)
			kill(pid, SIGUSR1);
		CHECK_LINE("I24", ended_well(pid));
		bool got = atomic_load(&world->said[0]) == 1;
		received += got;
		CHECK_LINE("I24", holds(world, got ? 0 : 1, got ? 0 : 1));
		world_drop(world);
	}
	printf("received %u of 200\n", received);
}

int main(void)
{
	if (!HANDLERS_COME)
		SKIP("the thread sanitizer runs handlers late");
	check_interrupted();
	check_ignored();
	check_blocked();
	check_handler_sends();
	check_jump(false, "I14");
	check_jump(true, "I15");
	check_place_of_another();
	check_both_at_once();
	return test_result();
}
