/* SPDX-License-Identifier: MIT */
/*
 * asleep.c - several processes: sleeping, being woken, handing over, the order of the line, ends of
 * sleeps by removal, by a change, by a deadline and by death.
 */
#include <sys/resource.h>

#include "msgqueue/queue.h"
#include "support/slowly.h"

/* ---- receivers ------------------------------------------------------------------------------- */

static void check_one_receiver(void)
{
	struct world *world = world_make(100);
	pid_t pid = receiver(world, 0, 0, 100, 0, 7, "hello", 1);
	CHECK_LINE("B01", snd(world, 7, "hello", 0) == 0);
	CHECK_LINE("B06", holds(world, 0, 0) && look(world).lrpid == pid && look(world).rtime != 0);
	CHECK_LINE("B01", ended_well(pid));
	pid = receiver(world, 2, 0, 100, 0, 2, "two", 1);
	CHECK_LINE("B02",
	           snd(world, 1, "one", 0) == 0 && holds(world, 1, 3) && sleeps_in(world, 1, pid));
	CHECK_LINE("B02", snd(world, 2, "two", 0) == 0 && ended_well(pid) && holds(world, 1, 3));
	pid = receiver(world, 1, MDG__RECEIVE_EXCEPT, 100, 0, 3, "x", 1);
	CHECK_LINE("B10",
	           snd(world, 1, "y", 0) == 0 && snd(world, 3, "x", 0) == 0 && ended_well(pid));
	while (rcv(world, 0, 0)->rc == 0)
		;
	pid = receiver(world, -3, 0, 100, 0, 3, "z", 1);
	CHECK_LINE("B11",
	           snd(world, 4, "y", 0) == 0 && snd(world, 3, "z", 0) == 0 && ended_well(pid));
	pid = receiver(world, 5, 0, 0, 0, 5, "", 1);
	CHECK_LINE("B13", snd(world, 5, "", 0) == 0 && ended_well(pid));
	world_drop(world);
}

static void check_hand_over(void)
{
	struct world *world = world_make(100);
	for (int i = 0; i < 20; i++) {
		pid_t pid = receiver(world, 0, 0, 100, 0, 1, "mine", 1);
		CHECK_LINE("B05", snd(world, 1, "mine", 0) == 0 && rcv(world, 0, 0)->rc == -ENOMSG);
		CHECK_LINE("B05", ended_well(pid));
	}
	world_drop(world);
}

static void check_order(void)
{
	struct world *world = world_make(100);
	pid_t first = receiver(world, 0, 0, 100, 0, 1, "a", 1);
	pid_t second = receiver(world, 0, 0, 100, 0, 1, "b", 2);
	pid_t third = receiver(world, 2, 0, 100, 0, 2, "c", 3);
	pid_t fourth = receiver(world, 2, 0, 100, 0, 2, "d", 4);
	CHECK_LINE("B03", snd(world, 1, "a", 0) == 0 && snd(world, 1, "b", 0) == 0);
	CHECK_LINE("B04", snd(world, 2, "c", 0) == 0 && snd(world, 2, "d", 0) == 0);
	CHECK_LINE("B03", ended_well(first) && ended_well(second));
	CHECK_LINE("B04", ended_well(third) && ended_well(fourth));
	first = receiver(world, -5, 0, 100, 0, 2, "a", 1);
	second = receiver(world, 2, 0, 100, 0, 2, "b", 2);
	CHECK_LINE("B12", snd(world, 2, "a", 0) == 0 && snd(world, 2, "b", 0) == 0);
	CHECK_LINE("B12", ended_well(first) && ended_well(second));
	world_drop(world);
}

static void check_too_small(void)
{
	struct world *world = world_make(100);
	pid_t first = receiver(world, 0, 0, 3, -E2BIG, 0, "", 1);
	CHECK_LINE("B07", snd(world, 1, "long", 0) == 0 && ended_well(first) && holds(world, 1, 4));
	CHECK(rcv(world, 0, 0)->rc == 0);
	first = receiver(world, 0, 0, 3, -E2BIG, 0, "", 1);
	pid_t second = receiver(world, 0, 0, 2, -E2BIG, 0, "", 2);
	pid_t third = receiver(world, 0, 0, 4, 0, 1, "long", 3);
	CHECK_LINE("B08", snd(world, 1, "long", 0) == 0 && holds(world, 0, 0));
	CHECK_LINE("B08", ended_well(first) && ended_well(second) && ended_well(third));
	first = receiver(world, 0, MDG__RECEIVE_CUT, 3, 0, 1, "lon", 1);
	CHECK_LINE("B09", snd(world, 1, "long", 0) == 0 && ended_well(first) && holds(world, 0, 0));
	/* More than one visit calls by itself. */
	pid_t many[20];
	for (uint32_t i = 0; i < 20; i++)
		many[i] = receiver(world, 0, 0, 3, -E2BIG, 0, "", i + 1);
	CHECK_LINE("B07", snd(world, 1, "long", 0) == 0);
	for (int i = 0; i < 20; i++)
		CHECK_LINE("B07", ended_well(many[i]));
	CHECK_LINE("B07", holds(world, 1, 4));
	world_drop(world);
}

static void check_many(void)
{
	enum { MANY = 150 }; /* more than the first group of waiters has */
	static pid_t pids[MANY];
	struct world *world = world_make(16384);
	for (uint32_t i = 0; i < MANY; i++)
		pids[i] = receiver(world, 1 + i, 0, 100, 0, 1 + i, "x", i + 1);
	for (uint32_t i = 0; i < MANY; i++)
		CHECK_LINE("B35", snd(world, 1 + (i * 37) % MANY, "x", 0) == 0);
	for (int i = 0; i < MANY; i++)
		CHECK_LINE("B35", ended_well(pids[i]));
	CHECK(holds(world, 0, 0));
	world_drop(world);
}

/* ---- senders --------------------------------------------------------------------------------- */

static void check_senders(void)
{
	struct world *world = world_make(10);
	CHECK(snd(world, 1, "12345678", 0) == 0);
	pid_t pid = sender(world, 2, "abcd", 0, 1);
	CHECK_LINE("B14", holds(world, 1, 8) && look(world).lspid == getpid());
	pid_t small = sender(world, 3, "xyz", 0, 2);
	CHECK_LINE("B20", snd(world, 4, "q", 0) == 0);
	CHECK_LINE("B20", rcv_is(world, 4, 0, 4, "q"));
	CHECK_LINE("B21", rcv_is(world, 1, 0, 1, "12345678"));
	CHECK_LINE("B15", ended_well(pid) && ended_well(small) && holds(world, 2, 7));
	CHECK_LINE("B16", look(world).lspid == pid || look(world).lspid == small);
	world_drop(world);

	world = world_make(10);
	CHECK(snd(world, 1, "12", 0) == 0 && snd(world, 1, "345678", 0) == 0);
	pid = sender(world, 2, "abcdefg", 0, 1);
	small = sender(world, 3, "xyz", 0, 2);
	CHECK_LINE("B18", rcv_is(world, 0, 0, 1, "12") && ended_well(small) && holds(world, 2, 9));
	CHECK_LINE("B19",
	           rcv_is(world, 1, 0, 1, "345678") && ended_well(pid) && holds(world, 2, 10));
	world_drop(world);

	world = world_make(10);
	for (int i = 0; i < 20; i++) {
		CHECK(snd(world, 1, "0123456789", 0) == 0);
		pid = sender(world, 2, "abcdefg", 0, 1);
		small = sender(world, 2, "abcdefg", 0, 2);
		CHECK_LINE("B17", rcv_is(world, 1, 0, 1, "0123456789"));
		CHECK_LINE("B17", sleeps_in(world, 1, 0) && holds(world, 1, 7));
		CHECK_LINE("B17", rcv_is(world, 2, 0, 2, "abcdefg"));
		CHECK_LINE("B17", ended_well(pid) && ended_well(small) && holds(world, 1, 7));
		CHECK(rcv_is(world, 2, 0, 2, "abcdefg"));
	}
	world_drop(world);
}

static void check_full_is_full(void)
{
	struct world *world = world_make(4);
	CHECK(snd(world, 1, "1234", 0) == 0);
	pid_t pid = receiver(world, 2, 0, 100, 0, 2, "x", 1);
	CHECK_LINE("B22", snd(world, 2, "x", 0) == -EAGAIN);
	pid_t other = sender(world, 2, "x", 0, 2);
	CHECK_LINE("B23", rcv_is(world, 1, 0, 1, "1234") && ended_well(pid) && ended_well(other));
	CHECK(holds(world, 0, 0));
	world_drop(world);
}

/* A longer text is not held while its sender sleeps. */
static void check_long_sender(void)
{
	static char text[60001];
	memset(text, 'l', 60000);
	struct world *world = world_make(70000);
	CHECK(snd(world, 1, text, 0) == 0);
	pid_t pid = sender(world, 2, text, 0, 1);
	CHECK(rcv_is(world, 1, 0, 1, text) && ended_well(pid) && rcv_is(world, 0, 0, 2, text));
	world_drop(world);
}

/* ---- changes --------------------------------------------------------------------------------- */

static void change(struct world *world)
{
	struct mdg__queue queue = queue_of(world);
	CHECK(mdg__queue_changed(&queue) == 0);
}

static void check_changes(void)
{
	struct world *world = world_make(2);
	pid_t pid = sender(world, 1, "long", 0, 1);
	atomic_store(&world->fields[MDG__QUEUE_QBYTES], 4);
	change(world);
	CHECK_LINE("B24", ended_well(pid) && holds(world, 1, 4));
	CHECK(rcv(world, 0, 0)->rc == 0);
	pid = receiver(world, 0, 0, 100, 0, 1, "x", 1);
	change(world);
	CHECK_LINE("B29",
	           sleeps_in(world, 1, pid) && snd(world, 1, "x", 0) == 0 && ended_well(pid));
	pid = receiver(world, 0, 0, 100, -EACCES, 0, "", 1);
	pid_t other = sender(world, 1, "too long", -EACCES, 2);
	atomic_store(&world->may, EACCES);
	change(world);
	CHECK_LINE("B27", ended_well(pid));
	CHECK_LINE("B8", sleeps_in(world, 1, other)); /* it does not fit: nobody has asked it */
	atomic_store(&world->fields[MDG__QUEUE_QBYTES], 40);
	change(world);
	CHECK_LINE("B28", ended_well(other) && holds(world, 0, 0));
	world_drop(world);
}

static void check_removal(void)
{
	struct world *world = world_make(2);
	pid_t one = receiver(world, 0, 0, 100, -EIDRM, 0, "", 1);
	pid_t two = receiver(world, 5, 0, 100, -EIDRM, 0, "", 2);
	pid_t three = sender(world, 1, "long", -EIDRM, 3);
	struct mdg__queue queue = queue_of(world);
	CHECK(mdg__queue_remove(&queue) == 0);
	CHECK_LINE("B25", ended_well(one) && ended_well(two));
	CHECK_LINE("B26", ended_well(three));
	world_drop(world);
}

static void check_deadlines(void)
{
	struct world *world = world_make(2);
	CHECK(rcv(world, 0, BRIEFLY)->rc == -ETIMEDOUT);
	CHECK(snd(world, 1, "long", BRIEFLY) == -ETIMEDOUT);
	CHECK(rcv(world, 0, 1)->rc == -ETIMEDOUT);
	CHECK(sleeps_in(world, 0, 0) && snd(world, 1, "x", 0) == 0 && holds(world, 1, 1));
	world_drop(world);
}

/* ---- deaths ---------------------------------------------------------------------------------- */

static void check_deaths(void)
{
	struct world *world = world_make(4);
	pid_t pid = receiver(world, 0, 0, 100, 0, 0, "", 1);
	killed(pid);
	CHECK_LINE("I16", sleeps_in(world, 0, 0));
	CHECK_LINE("I16", snd(world, 1, "x", 0) == 0 && holds(world, 1, 1));
	CHECK(rcv_is(world, 0, 0, 1, "x"));
	pid = receiver(world, 0, 0, 100, 0, 0, "", 1);
	pid_t other = receiver(world, 0, 0, 100, 0, 1, "x", 2);
	killed(pid);
	CHECK_LINE("I18", snd(world, 1, "x", 0) == 0 && holds(world, 0, 0) && ended_well(other));
	CHECK(snd(world, 1, "1234", 0) == 0);
	pid = sender(world, 2, "a", 0, 1);
	other = sender(world, 3, "b", 0, 2);
	killed(pid);
	CHECK_LINE("I17 I19", rcv_is(world, 0, 0, 1, "1234") && ended_well(other) &&
	                              rcv_is(world, 0, 0, 3, "b") && holds(world, 0, 0));
	pid = receiver(world, 0, 0, 100, 0, 1, "x", 1);
	struct mdg__queue queue = queue_of(world);
	kill(pid, SIGSTOP);
	nap_ms(20);
	CHECK_LINE("I09", snd(world, 1, "x", 0) == 0 && holds(world, 1, 1));
	kill(pid, SIGCONT);
	CHECK_LINE("I10 I11", ended_well(pid) && holds(world, 0, 0));
	CHECK(mdg__queue_sleepers(&queue, NULL, 0) == 0);
	world_drop(world);
}

static void die_awake(struct mdg__queue *queue, bool begins)
{
	(void)queue;
	if (!begins)
		raise(SIGKILL);
}

static void receive_and_die(void *argument)
{
	struct mdg__queue_memory memory = world_memory;
	struct mdg__queue queue = queue_of(argument);
	char text[10];
	int64_t type;
	uint64_t length;
	memory.asleep = die_awake;
	queue.memory = &memory;
	(void)mdg__queue_receive(&queue, 0, 0, text, sizeof(text), FAR, &type, &length);
}

/* A receiver has been woken with its message, and is killed. Another one sleeps. */
static void check_death_on_the_way(void)
{
	struct world *world = world_make(100);
	pid_t pid = start(receive_and_die, world);
	CHECK(sleeps_in(world, 1, pid));
	pid_t other = receiver(world, 0, 0, 100, 0, 1, "x", 2);
	CHECK(snd(world, 1, "x", 0) == 0);
	uint64_t began = now_ns();
	CHECK(!ended_well(pid) && ended_well(other) && holds(world, 0, 0));
	CHECK(now_ns() - began < UINT64_C(6000000000)); /* it looks now and then */
	world_drop(world);
}

static void get_no_memory(struct mdg__queue *queue, bool begins)
{
	struct rlimit limit;
	(void)queue;
	if (begins)
		return;
	CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = 4096;
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void receive_without_memory(void *argument)
{
	static char text[TEXT_MOST];
	struct mdg__queue_memory memory = world_memory;
	struct mdg__queue queue = queue_of(argument);
	int64_t type;
	uint64_t length;
	memory.asleep = get_no_memory;
	queue.memory = &memory;
	CHECK(mdg__queue_receive(&queue, 0, 0, text, sizeof(text), FAR, &type, &length) == -ENOMEM);
}

/* A receiver cannot take its message. Another one gets it. */
static void check_no_memory(void)
{
	static char text[30001];
	struct world *world = world_make(100000);
	memset(text, 'x', sizeof(text) - 1);
	pid_t pid = start(receive_without_memory, world);
	CHECK(sleeps_in(world, 1, pid));
	pid_t other = receiver(world, 0, 0, TEXT_MOST - 1, 0, 1, text, 2);
	CHECK(snd(world, 1, text, 0) == 0);
	uint64_t began = now_ns();
	CHECK(ended_well(pid) && ended_well(other) && holds(world, 0, 0));
	CHECK(now_ns() - began < UINT64_C(2000000000));
	world_drop(world);
}

static void check_stopped(void)
{
	struct world *world = world_make(4);
	pid_t pid = receiver(world, 0, 0, 100, 0, 1, "b", 1);
	pid_t other = receiver(world, 0, 0, 100, 0, 1, "a", 2);
	kill(pid, SIGSTOP);
	nap_ms(20);
	CHECK_LINE("I09", snd(world, 1, "a", 0) == 0 && ended_well(other) && holds(world, 0, 0));
	kill(pid, SIGCONT);
	CHECK_LINE("I08", sleeps_in(world, 1, pid));
	CHECK_LINE("I10", snd(world, 1, "b", 0) == 0 && ended_well(pid));
	CHECK(snd(world, 1, "1234", 0) == 0);
	pid = sender(world, 2, "c", 0, 1);
	kill(pid, SIGSTOP);
	nap_ms(20);
	CHECK(rcv_is(world, 0, 0, 1, "1234") && holds(world, 0, 0));
	kill(pid, SIGCONT);
	CHECK_LINE("I12", ended_well(pid) && rcv_is(world, 0, 0, 2, "c"));
	world_drop(world);
}

int main(void)
{
	check_one_receiver();
	check_hand_over();
	check_order();
	check_too_small();
	check_many();
	check_senders();
	check_full_is_full();
	check_long_sender();
	check_changes();
	check_removal();
	check_deadlines();
	check_deaths();
	check_death_on_the_way();
	if (!SLOWLY) /* a sanitizer needs memory */
		check_no_memory();
	check_stopped();
	return test_result();
}
